/**
 * The numbers of a stored tensor, taken into a model: the one gate through which weights come into memory.
 *
 * Each tensor, and all that one reading keeps together, are held against their limits before anything is allocated.
 */
import { sizeOf, type RealTensor } from '../core/tensor';
import { checkLimit } from './limits';
import type { Reading } from './reading';
import type { StoredTensor } from './stored-tensor';

/** Numbers are kept as float32 unless the file has more. */
function keptBytes({ shape, dtype }: StoredTensor): number {
  return sizeOf(shape) * (/64|double/i.test(dtype) ? 8 : 4);
}

/**
 * The numbers of a tensor; values that are NaN or infinite are warned of and kept.
 *
 * @param tensor - Where it lies.
 * @param layer - Whose it is, for messages.
 * @param reading - The reading.
 * @throws TempogradError `reader/limit-exceeded` (`maxTensorBytes`, `maxKeptBytes`), and what reading throws.
 */
export async function takeTensor(tensor: StoredTensor, layer: string, reading: Reading): Promise<RealTensor> {
  admitTensor(tensor, reading);
  const values = await tensor.read();
  reading.onTensor?.(tensor, values);
  warnNotFinite(countNotFinite(values.data), tensor, layer, reading);
  return values;
}

/**
 * Counts a tensor among those that one reading takes.
 *
 * @param tensor - Where it lies.
 * @param reading - The reading.
 * @throws TempogradError `reader/limit-exceeded` (`maxTensorBytes`, `maxKeptBytes`).
 */
export function admitTensor(tensor: StoredTensor, reading: Reading): void {
  const bytes = keptBytes(tensor);
  checkLimit(`Size of tensor ${tensor.name} in bytes`, bytes, 'maxTensorBytes', reading.limits);
  checkLimit('Size of all tensors kept, in bytes', reading.kept.bytes + bytes, 'maxKeptBytes', reading.limits);
  reading.kept.bytes += bytes;
}

/**
 * Warns of values that are NaN or infinite, where there are any.
 *
 * @param count - How many.
 * @param tensor - The tensor.
 * @param layer - Whose it is.
 * @param reading - The reading.
 */
export function warnNotFinite(count: number, { name, shape }: StoredTensor, layer: string, reading: Reading): void {
  if (count === 0) return;
  reading.warnings.push({
    code: 'numerics/not-finite',
    message: `Layer ${layer}: tensor ${name} holds ${String(count)} values of ${String(sizeOf(shape))} that are NaN or infinite`,
    remedy: 'Results that depend on this tensor carry NaN; save the model from a state before training broke.',
  });
}

/**
 * How many numbers are NaN or infinite.
 *
 * @param data - The numbers.
 */
export function countNotFinite(data: Float32Array | Float64Array): number {
  let count = 0;
  for (let at = 0; at < data.length; at++) if (!Number.isFinite(data[at])) count++;
  return count;
}
