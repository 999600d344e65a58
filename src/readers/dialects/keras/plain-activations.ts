/**
 * Layers that are an activation: Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax.
 */
import { z } from 'zod';
import { activationLayer, readActivation } from './activations';
import { parseConfig } from './context';
import type { PlainReader } from './plain-reader';
import { slot } from './weight-reader';
import { unsupported } from '../../reading';

const axisList = z.union([z.number().int(), z.array(z.number().int())]);
const softmaxSchema = z.object({ axis: axisList.default(-1) });
const preluSchema = z.object({ shared_axes: axisList.nullish() });

const readActivationLayer: PlainReader = ({ config, context }) => {
  const activation = readActivation(config['activation'], context.writer);
  return Promise.resolve(
    activation.name === 'softmax' ? { kind: 'softmax', axis: -1 } : { kind: 'activation', activation },
  );
};

const readNamedLayer: PlainReader = ({ className, config, context }) =>
  Promise.resolve({ kind: 'activation', activation: activationLayer(className, config, context.writer) });

const readSoftmax: PlainReader = ({ config, layer }) => {
  const { axis } = parseConfig(softmaxSchema, config, layer);
  const axes = typeof axis === 'number' ? [axis] : axis;
  const [first] = axes;
  if (axes.length !== 1 || first === undefined) throw unsupported('its softmax runs over several axes at once');
  return Promise.resolve({ kind: 'softmax', axis: first });
};

const readPrelu: PlainReader = async ({ config, layer, weights, part }) => {
  const { shared_axes: shared } = parseConfig(preluSchema, config, layer);
  const [alpha] = await weights.take(part, [slot('alpha', 'other', null)], null);
  if (!alpha) throw new Error('a tensor was asked for');
  const sharedAxes = shared === null || shared === undefined ? [] : typeof shared === 'number' ? [shared] : shared;
  return { kind: 'prelu', alpha, sharedAxes };
};

/** Readers by class. */
export const ACTIVATION_READERS: Readonly<Record<string, PlainReader>> = {
  Activation: readActivationLayer,
  ReLU: readNamedLayer,
  LeakyReLU: readNamedLayer,
  ELU: readNamedLayer,
  ThresholdedReLU: readNamedLayer,
  Softmax: readSoftmax,
  PReLU: readPrelu,
};
