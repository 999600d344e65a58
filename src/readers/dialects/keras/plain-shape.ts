/**
 * Layers that only arrange numbers anew: Reshape, Permute, Flatten, RepeatVector.
 */
import { z } from 'zod';
import { parseConfig, positiveCount } from './context';
import type { PlainReader } from './plain-reader';

const size = z.number().int().min(-1).max(1_000_000_000);
const reshapeSchema = z.object({ target_shape: z.array(size).max(8) });
const permuteSchema = z.object({ dims: z.array(z.number().int().min(1).max(8)).max(8) });
const repeatSchema = z.object({ n: positiveCount });

const readReshape: PlainReader = ({ config, layer }) =>
  Promise.resolve({ kind: 'reshape', target: parseConfig(reshapeSchema, config, layer).target_shape });

const readPermute: PlainReader = ({ config, layer }) =>
  Promise.resolve({ kind: 'permute', dims: parseConfig(permuteSchema, config, layer).dims });

const readFlatten: PlainReader = () => Promise.resolve({ kind: 'flatten' });

const readRepeat: PlainReader = ({ config, layer }) =>
  Promise.resolve({ kind: 'repeat', count: parseConfig(repeatSchema, config, layer).n });

/** Readers by class. */
export const SHAPE_READERS: Readonly<Record<string, PlainReader>> = {
  Reshape: readReshape,
  Permute: readPermute,
  Flatten: readFlatten,
  RepeatVector: readRepeat,
};
