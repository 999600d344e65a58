/**
 * A kernel put together from parts: each gate's block may lie in a tensor of its own, or be some rows or columns of one.
 */
import type { RealTensor } from '../../../core/tensor';
import type { StoredTensor } from '../../stored-tensor';

/** One gate's block of a tensor: element (row, unit) at `offset + row * rowStride + unit * unitStride`. */
export interface GatePart {
  readonly tensor: StoredTensor;
  readonly offset: number;
  readonly rowStride: number;
  readonly unitStride: number;
  /** The gate is wanted as one minus what the file computes: sigmoid(-a) = 1 - sigmoid(a). */
  readonly isNegated?: boolean;
}

/** Parts of each gate in canonical order; several of one gate are added, none stands for zeros. */
export type GateParts = readonly (readonly GatePart[])[];

/** The numbers of a tensor, read once however often it is asked for. */
export type NumbersOf = (tensor: StoredTensor) => Promise<RealTensor>;

/**
 * Whether a tensor is there and has a shape.
 *
 * @param tensor - The tensor.
 * @param wanted - The shape.
 */
export function hasShape(tensor: StoredTensor | undefined, wanted: readonly number[]): tensor is StoredTensor {
  return tensor?.shape.length === wanted.length && wanted.every((size, axis) => size === tensor.shape[axis]);
}

/**
 * A whole tensor `[rows, H]` or `[H]` as one gate's block.
 *
 * @param tensor - The tensor.
 */
export function wholePart(tensor: StoredTensor): GatePart {
  return { tensor, offset: 0, rowStride: tensor.shape.at(-1) ?? 0, unitStride: 1 };
}

/**
 * A column block of `[rows, blocks * H]` or `[blocks * H]`.
 *
 * @param tensor - The tensor.
 * @param block - The number of the block.
 * @param units - H.
 */
export function columnPart(tensor: StoredTensor, block: number, units: number): GatePart {
  return { tensor, offset: block * units, rowStride: tensor.shape.at(-1) ?? 0, unitStride: 1 };
}

/**
 * A row block of `[..., blocks * H, rows]`: the block is stored transposed.
 *
 * @param tensor - The tensor.
 * @param block - The number of the block, counted through leading axes.
 * @param units - H.
 */
export function rowPart(tensor: StoredTensor, block: number, units: number): GatePart {
  const width = tensor.shape.at(-1) ?? 0;
  return { tensor, offset: block * units * width, rowStride: 1, unitStride: width };
}

/**
 * Gates side by side.
 *
 * @param gates - Their parts, in canonical order.
 * @param rows - Rows, 1 for a bias.
 * @param units - H.
 * @param numbersOf - Reads a tensor.
 * @returns `[rows, G*H]`, float64 where a part is, or where parts are added.
 */
export async function joinParts(
  gates: GateParts,
  rows: number,
  units: number,
  numbersOf: NumbersOf,
): Promise<RealTensor> {
  const numbers = new Map<StoredTensor, RealTensor>();
  for (const { tensor } of gates.flat()) if (!numbers.has(tensor)) numbers.set(tensor, await numbersOf(tensor));
  const columns = gates.length * units;
  // A sum of two float32 has more digits than a float32 keeps.
  const isDouble =
    gates.some((parts) => parts.length > 1) || [...numbers.values()].some(({ data }) => data instanceof Float64Array);
  const joined = isDouble ? new Float64Array(rows * columns) : new Float32Array(rows * columns);
  for (const [gate, parts] of gates.entries()) {
    for (const { tensor, offset, rowStride, unitStride, isNegated } of parts) {
      const values = numbers.get(tensor)!.data;
      for (let row = 0; row < rows; row++) {
        for (let unit = 0; unit < units; unit++) {
          const value = values[offset + row * rowStride + unit * unitStride] ?? NaN;
          const at = row * columns + gate * units + unit;
          joined[at] = (joined[at] ?? NaN) + (isNegated ? -value : value);
        }
      }
    }
  }
  return { shape: [rows, columns], data: joined };
}
