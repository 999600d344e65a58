/** Layers that start a mask: Embedding and Masking. */
import { TempogradError } from '../../core/errors';
import type { PlainOperation } from '../../core/model';
import { asReal, type Flow, type LayerContext, type Mask } from './flow';

type Operation<K extends PlainOperation['kind']> = Extract<PlainOperation, { kind: K }>;

/**
 * Rows of a table at given ids, and the mask of the ids that are not 0.
 *
 * @param context - The layer.
 * @param operation - The table `[V, E]`.
 * @param input - Ids, any shape; reals are cut to integers as Keras does.
 * @returns Value `[.., E]`.
 * @throws TempogradError `input/shape-mismatch` for an id outside the table.
 */
export function runEmbedding(context: LayerContext, operation: Operation<'embedding'>, input: Flow): Flow {
  const { ops, layer } = context;
  const [rows] = operation.table.shape;
  const ids = Int32Array.from(ops.read(asReal(ops, input.value)), Math.trunc);
  const wrong = ids.findIndex((id) => id < 0 || id >= rows);
  if (wrong >= 0) {
    throw new TempogradError(
      'input/shape-mismatch',
      `id ${ids[wrong]} is outside the table of layer ${layer.name}, which has ${rows} rows`,
      { remedy: `Give ids from 0 to ${rows - 1}.`, details: { layer: layer.name, id: ids[wrong], rows } },
    );
  }
  const { table } = operation;
  const value = ops.gather(ops.upload(table.data, table.shape), ops.uploadInts(ids, input.value.shape), 0);
  const mask: Mask = { shape: input.value.shape, data: Uint8Array.from(ids, (id) => Number(id !== 0)) };
  return { value, mask: operation.maskZero ? mask : null };
}

/**
 * The input with its masked steps set to zero, and the mask of the steps in which any entry differs from a value.
 *
 * @param context - The layer.
 * @param operation - The value that marks padding.
 * @param input - `[.., D]`.
 */
export function runMasking(context: LayerContext, operation: Operation<'masking'>, input: Flow): Flow {
  const { ops } = context;
  const x = asReal(ops, input.value);
  const { maskValue } = operation;
  // The framework compares in float32; in float64 an input may hold either of the two numbers.
  const isPadding = ops.logicalOr(
    ops.equal(x, ops.constant(maskValue)),
    ops.equal(x, ops.constant(Math.fround(maskValue))),
  );
  const isValid = ops.any(ops.logicalNot(isPadding), [-1], true);
  const kept = ops.read(ops.toReal(isValid));
  const value = ops.select(isValid, x, ops.constant(0));
  return { value, mask: { shape: x.shape.slice(0, -1), data: Uint8Array.from(kept) } };
}
