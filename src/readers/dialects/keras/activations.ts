/**
 * Keras activations by name or serialized object -> canonical ones.
 *
 * hard_sigmoid depends on the WRITER: Keras 1 and 2 clip(0.2 x + 0.5), Keras 3 clip(x / 6 + 0.5) (keras PR #19477).
 */
import type { ActivationDescription, ActivationName } from '../../../core/activations';
import { field, isObject, stringField, type JsonValue } from '../../json';
import { type KerasWriter } from './context';
import { unsupported } from '../../reading';

/** Names that mean what they say in every version. */
const PLAIN: readonly ActivationName[] = [
  'linear',
  'tanh',
  'sigmoid',
  'relu',
  'relu6',
  'leaky_relu',
  'elu',
  'selu',
  'celu',
  'gelu',
  'exponential',
  'softplus',
  'softsign',
  'silu',
  'hard_silu',
  'mish',
  'log_sigmoid',
  'hard_tanh',
  'tanh_shrink',
  'soft_shrink',
  'hard_shrink',
  'threshold',
  'squareplus',
  'sparse_plus',
  'sparse_sigmoid',
  'softmax',
  'log_softmax',
  'sparsemax',
];

/** Other spellings. */
const ALIASES: Readonly<Record<string, ActivationName>> = {
  swish: 'silu',
  hard_swish: 'hard_silu',
  logsigmoid: 'log_sigmoid',
  sparseplus: 'sparse_plus',
  exp: 'exponential',
  identity: 'linear',
  gelu_new: 'gelu_tanh',
  gelu_approximate: 'gelu_tanh',
};

/** hard_sigmoid with the slope of the generation that wrote the file. */
function hardSigmoid(writer: KerasWriter): ActivationDescription {
  return { name: 'hard_sigmoid', slope: writer.generation >= 3 ? 1 / 6 : 0.2 };
}

/**
 * The activation that a configuration names.
 *
 * @param value - A name, null (linear), or a serialized function or layer.
 * @param writer - Who wrote the file.
 * @throws TempogradError `cell/unsupported` for one that is not Keras's own.
 */
export function readActivation(value: JsonValue | undefined, writer: KerasWriter): ActivationDescription {
  if (value === null || value === undefined) return { name: 'linear' };
  if (typeof value === 'string') return namedActivation(value, writer);
  const className = stringField(value, 'class_name');
  const config = field(value, 'config');
  if (className === 'function' && typeof config === 'string') return namedActivation(config, writer);
  if (className === 'Activation') return readActivation(field(config, 'activation'), writer);
  if (className !== null) return activationLayer(className, isObject(config) ? config : {}, writer);
  throw unsupported('its activation is not described in a way that Keras writes');
}

/** An activation by the name that Keras gives it. */
function namedActivation(name: string, writer: KerasWriter): ActivationDescription {
  const bare = inSnakeCase(name.includes('>') ? name : (name.split('.').at(-1) ?? name));
  if (bare === 'hard_sigmoid') return hardSigmoid(writer);
  const known = PLAIN.find((candidate) => candidate === bare);
  if (known) return { name: known };
  if (Object.hasOwn(ALIASES, bare)) return { name: ALIASES[bare] as ActivationName };
  throw unsupported(
    `its activation ${JSON.stringify(name)} is not one of Keras's own, and code of a file is never run`,
  );
}

/** TensorFlow.js says `hardSigmoid`; a class name is left as it is. */
function inSnakeCase(name: string): string {
  return /^[a-z]/.test(name) ? name.replace(/[a-z](?=[A-Z])/g, '$&_').toLowerCase() : name;
}

/**
 * The activation that a layer such as `LeakyReLU` applies; also used where such a layer is given as an activation.
 *
 * @param className - The class.
 * @param config - Its configuration.
 * @param writer - Who wrote the file.
 * @throws TempogradError `cell/unsupported` for any other class.
 */
export function activationLayer(className: string, config: JsonValue, writer: KerasWriter): ActivationDescription {
  switch (className) {
    case 'ReLU': {
      const maxValue = numberField(config, 'max_value');
      return {
        name: 'relu',
        ...(maxValue === null ? {} : { maxValue }),
        negativeSlope: numberField(config, 'negative_slope') ?? 0,
        threshold: numberField(config, 'threshold') ?? 0,
      };
    }
    case 'LeakyReLU':
      return {
        name: 'leaky_relu',
        negativeSlope: numberField(config, 'negative_slope') ?? numberField(config, 'alpha') ?? 0.3,
      };
    case 'ELU':
      return { name: 'elu', alpha: numberField(config, 'alpha') ?? 1 };
    case 'ThresholdedReLU':
      return { name: 'threshold', threshold: numberField(config, 'theta') ?? 1 };
    default:
      return namedActivation(className, writer);
  }
}

/** A number, also where Keras 2 wrote a numpy scalar as an object. */
function numberField(config: JsonValue, key: string): number | null {
  const found = field(config, key);
  if (typeof found === 'number') return found;
  const inner = field(found, 'value');
  return typeof inner === 'number' ? inner : null;
}
