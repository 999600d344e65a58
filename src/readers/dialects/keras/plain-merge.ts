/**
 * Layers that join branches: Concatenate, Add, Subtract, Multiply, Average, Maximum, Minimum.
 */
import { z } from 'zod';
import { parseConfig } from './context';
import type { PlainReader } from './plain-reader';

const concatenateSchema = z.object({ axis: z.number().int().default(-1) });

type MergeOperation = 'add' | 'subtract' | 'multiply' | 'average' | 'maximum' | 'minimum';

const readConcatenate: PlainReader = ({ config, layer }) =>
  Promise.resolve({ kind: 'concatenate', axis: parseConfig(concatenateSchema, config, layer).axis });

function merge(operation: MergeOperation): PlainReader {
  return () => Promise.resolve({ kind: 'merge', operation });
}

/** Readers by class. */
export const MERGE_READERS: Readonly<Record<string, PlainReader>> = {
  Concatenate: readConcatenate,
  Add: merge('add'),
  Subtract: merge('subtract'),
  Multiply: merge('multiply'),
  Average: merge('average'),
  Maximum: merge('maximum'),
  Minimum: merge('minimum'),
};
