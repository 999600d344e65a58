/**
 * Reads one layer of a model, before it is called: its operation and its tensors.
 *
 * A layer that cannot be read becomes `unsupported` with its reason and never costs the others; only a file that leaves
 * itself (`reader/unsafe`) ends the reading. Code in a Lambda layer is never looked at.
 */
import { TempogradError } from '../../../core/errors';
import type { LayerOperation, WeightInfo } from '../../../core/model';
import { field, isObject, stringField } from '../../json';
import { type KerasContext } from './context';
import type { LayerEntry } from './layer-config';
import { isPerTimestep, plainReader } from './plain-layers';
import { isRecurrentClass, readRecurrent, type RecurrentTemplate } from './recurrent';
import type { StoredTensor } from '../../stored-tensor';
import type { LayerVariables } from './variables';
import { WeightReader } from './weight-reader';
import { assume, unsupported } from '../../reading';

/** A layer as read. */
export type LayerTemplate =
  | {
      readonly kind: 'recurrent';
      readonly template: RecurrentTemplate;
      readonly weights: readonly WeightInfo[];
      readonly path: string;
    }
  | {
      readonly kind: 'plain';
      readonly operation: LayerOperation;
      readonly weights: readonly WeightInfo[];
      /** All variables of a layer that cannot be run. */
      readonly variables: readonly StoredTensor[];
      readonly path: string;
    };

/** How a layer is first called. */
export interface FirstCall {
  /** The layer's full name, for messages. */
  readonly name: string;
  readonly inputCount: number;
}

/** Functions of `keras.ops` that a merging layer does too, when they are called on two tensors. */
const ARITHMETIC = new Set(['Add', 'Subtract', 'Multiply', 'Maximum', 'Minimum']);

/**
 * The layer that an entry describes.
 *
 * @param entry - The entry.
 * @param call - Its name and its number of inputs.
 * @param variables - Its variables.
 * @param context - The reading; failures of recurrent layers go there.
 * @throws TempogradError `reader/unsafe`.
 */
export async function readLayer(
  entry: LayerEntry,
  call: FirstCall,
  variables: LayerVariables,
  context: KerasContext,
): Promise<LayerTemplate> {
  const { name } = call;
  const weights = new WeightReader(name, variables, context);
  const isRecurrent = entry.foreignModule === null && isRecurrentClass(entry.className, entry.config);
  try {
    if (isRecurrent) {
      const template = await readRecurrent(entry.className, entry.config, name, weights, context);
      sayPrecision(entry, name, context);
      return { kind: 'recurrent', template, weights: weights.infos, path: variables.path };
    }
    return {
      kind: 'plain',
      operation: await readPlain(entry, call, weights, context),
      weights: weights.infos,
      variables: [],
      path: variables.path,
    };
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
    if (isRecurrent) context.failures.push(error);
    const listed = await listWeights(weights);
    const operation: LayerOperation = { kind: 'unsupported', reason: asSentence(error.message) };
    return { kind: 'plain', operation, weights: weights.infos, variables: listed, path: variables.path };
  }
}

async function readPlain(
  entry: LayerEntry,
  { name, inputCount }: FirstCall,
  weights: WeightReader,
  context: KerasContext,
): Promise<LayerOperation> {
  const { className, config, foreignModule } = entry;
  if (foreignModule !== null) throw unsupported(`its class ${className} (${foreignModule}) is not one of Keras's own`);
  if (className === 'Lambda') throw unsupported('a Lambda layer is code inside the file, which is never run');
  if (entry.isOperation && !(ARITHMETIC.has(className) && inputCount === 2)) {
    throw unsupported(`the operation ${className} of keras.ops cannot be run`);
  }
  const source = { className, config, layer: name, weights, part: '', context };
  const reader = plainReader(className);
  if (reader) return reader(source);
  if (className === 'TimeDistributed') {
    const inner = field(config, 'layer');
    const innerClass = stringField(inner, 'class_name') ?? 'unknown';
    const innerConfig = field(inner, 'config');
    const innerReader = isPerTimestep(innerClass) ? plainReader(innerClass) : null;
    if (innerReader && isObject(innerConfig)) {
      return innerReader({ ...source, className: innerClass, config: innerConfig, part: 'layer' });
    }
    throw unsupported(`a TimeDistributed ${innerClass} cannot be run`);
  }
  if (/^ConvLSTM[123]D$/.test(className)) {
    throw unsupported(`${className} convolves inside its recurrence, which is not supported`);
  }
  throw unsupported(`layers of the class ${className} cannot be run`);
}

async function listWeights(weights: WeightReader): Promise<readonly StoredTensor[]> {
  try {
    return await weights.listAll();
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
    return [];
  }
}

/** Keras computed in half precision; here nothing is below float32. */
function sayPrecision(entry: LayerEntry, name: string, context: KerasContext): void {
  const dtype = field(entry.config, 'dtype');
  const policy =
    typeof dtype === 'string'
      ? dtype
      : (stringField(field(dtype, 'config'), 'name') ?? stringField(dtype, 'name') ?? '');
  if (!/float16/.test(policy)) return;
  assume(context, {
    what: `precision of ${name}`,
    assumed: 'float32 or float64',
    why: `the layer's policy is ${policy}, in which Jacobians would be wrong by percents`,
    change: '',
  });
}

function asSentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
