/**
 * The plain layers that can be run below a recurrent one: class name -> operation; method.md section 5 lists them.
 *
 * A class that is not here is listed as unsupported; that never costs the other layers.
 */
import { ACTIVATION_READERS } from './plain-activations';
import { CONVOLUTION_READERS } from './plain-convolution';
import { CORE_READERS } from './plain-core';
import { MERGE_READERS } from './plain-merge';
import { NORMALIZATION_READERS } from './plain-normalization';
import { SHAPE_READERS } from './plain-shape';
import type { PlainReader } from './plain-reader';

const READERS: Readonly<Record<string, PlainReader>> = {
  ...CORE_READERS,
  ...ACTIVATION_READERS,
  ...CONVOLUTION_READERS,
  ...NORMALIZATION_READERS,
  ...SHAPE_READERS,
  ...MERGE_READERS,
};

/** Classes that act on each timestep alone along the last axis, so that TimeDistributed changes nothing. */
const PER_TIMESTEP = new Set([
  'Dense',
  'Activation',
  'ReLU',
  'LeakyReLU',
  'ELU',
  'ThresholdedReLU',
  'Softmax',
  'Dropout',
  'GaussianNoise',
  'GaussianDropout',
  'AlphaDropout',
  'ActivityRegularization',
  'LayerNormalization',
  'RMSNormalization',
  'Rescaling',
  'Identity',
]);

/**
 * The reader of a class, null for a class that is not known.
 *
 * @param className - The class as the file says it, without its package.
 */
export function plainReader(className: string): PlainReader | null {
  return Object.hasOwn(READERS, className) ? (READERS[className] as PlainReader) : null;
}

/**
 * True when a class inside TimeDistributed does what it does without.
 *
 * @param className - The class inside the wrapper.
 */
export function isPerTimestep(className: string): boolean {
  return PER_TIMESTEP.has(className);
}
