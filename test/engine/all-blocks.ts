/** Whole blocks of pairs, and the oracle: products of closed-form step Jacobians, one pair after the other. */
import type { PairBlocksChunk } from '../../src/core/jacobian';
import { identity, multiply } from '../../src/core/linalg/products';
import { largestMagnitude, logNorm } from '../../src/core/linalg/scaling';
import { newStepJacobians, type ReferenceCell } from '../../src/core/reference/cell';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../../src/core/reference/run-cell';

/** Numbers that are true up to a factor e^shift. */
export interface ShiftedBlock {
  readonly values: Float64Array;
  readonly shift: number;
}

/** A block of h or c by `t:s`, sequence after sequence. */
export type BlockMap = ReadonlyMap<string, ShiftedBlock>;

/** Blocks of a stream of chunks; one that is given twice makes it throw, zeros are left out. */
export async function gatherBlocks(
  chunks: AsyncIterable<PairBlocksChunk>,
  batch: number,
): Promise<readonly { readonly h: BlockMap; readonly c: BlockMap }[]> {
  const found = Array.from({ length: batch }, () => ({
    h: new Map<string, ShiftedBlock>(),
    c: new Map<string, ShiftedBlock>(),
  }));
  const given = new Set<string>();
  for await (const chunk of chunks) {
    for (let k = 0; k < chunk.sourceCount; k++) {
      const key = `${String(chunk.target)}:${String(chunk.sourceStart + k)}`;
      const place = `${String(chunk.sequence)}:${key}`;
      if (given.has(place)) throw new Error(`${place} was given twice`);
      given.add(place);
      const take = (map: Map<string, ShiftedBlock>, data: ArrayLike<number>, scales: Int32Array): void => {
        const size = data.length / chunk.sourceCount;
        const values = Float64Array.from({ length: size }, (_, at) => data[k * size + at]!);
        if (values.every((value) => value === 0)) return;
        map.set(key, { values, shift: scales[k]! * Math.LN2 });
      };
      take(found[chunk.sequence]!.h, chunk.dhdx, chunk.scaleH);
      if (chunk.dcdx) take(found[chunk.sequence]!.c, chunk.dcdx, chunk.scaleC!);
    }
  }
  return found;
}

/** ds_t/ds_s `[S, S]` of every pair (or of some sources) of one sequence by plain products; s = -1 for the initial state. */
export function statesByProducts(
  cell: ReferenceCell,
  trajectory: Trajectory,
  wanted: readonly number[] | null = null,
): BlockMap {
  const { steps, direction, x } = trajectory;
  const { stateSize: size, inputDim } = cell;
  const stepped = Array.from({ length: steps }, (_, n) => {
    const t = timeIndex(direction, steps, n);
    if (!isValidStep(trajectory, t)) return identity(size);
    const jacobians = newStepJacobians(cell);
    cell.linearise(x.subarray(t * inputDim, (t + 1) * inputDim), stateBefore(trajectory, cell, n), jacobians, 'both');
    return jacobians.stateJacobian;
  });
  const found = new Map<string, ShiftedBlock>();
  for (let source = -1; source < steps; source++) {
    const s = source < 0 ? -1 : timeIndex(direction, steps, source);
    if (wanted && !wanted.includes(s)) continue;
    let values = identity(size);
    let shift = 0;
    for (let n = Math.max(source, 0); n < steps; n++) {
      if (n > source) values = multiply(stepped[n]!, values, size, size, size);
      const largest = largestMagnitude(values);
      if (largest > 0 && (largest < 1e-100 || largest > 1e100)) {
        shift += Math.log(largest);
        values = values.map((value) => value / largest);
      }
      found.set(`${String(timeIndex(direction, steps, n))}:${String(s)}`, { values, shift });
    }
  }
  return found;
}

/** dh_t/dx_s and dc_t/dx_s of every pair of one sequence; zeros are left out. */
export function blocksByProducts(
  cell: ReferenceCell,
  trajectory: Trajectory,
  wanted: readonly number[] | null = null,
): { h: BlockMap; c: BlockMap } {
  const { steps, x, direction } = trajectory;
  const { stateSize: size, inputDim, hiddenSize } = cell;
  const h = new Map<string, ShiftedBlock>();
  const c = new Map<string, ShiftedBlock>();
  for (const [key, { values, shift }] of statesByProducts(cell, trajectory, wanted)) {
    const s = Number(key.split(':')[1]);
    if (s < 0 || !isValidStep(trajectory, s)) continue;
    const jacobians = newStepJacobians(cell);
    const before = stateBefore(trajectory, cell, timeIndex(direction, steps, s));
    cell.linearise(x.subarray(s * inputDim, (s + 1) * inputDim), before, jacobians, 'both');
    const block = multiply(values, jacobians.inputJacobian, size, size, inputDim);
    const put = (map: Map<string, ShiftedBlock>, part: Float64Array): void => {
      if (part.some((value) => value !== 0)) map.set(key, { values: part, shift });
    };
    put(h, block.subarray(0, hiddenSize * inputDim));
    if (cell.hasCell) put(c, block.subarray(hiddenSize * inputDim));
  }
  return { h, c };
}

/** ln of the norm of a block. */
export function normOf({ values, shift }: ShiftedBlock): number {
  return logNorm(values) + shift;
}

/** The largest difference of two blocks over the largest entry of the second. */
export function blockError(actual: ShiftedBlock | undefined, expected: ShiftedBlock | undefined): number {
  if (!actual || !expected) return actual === expected ? 0 : Infinity;
  const factor = Math.exp(actual.shift - expected.shift);
  const largest = largestMagnitude(expected.values);
  let error = 0;
  expected.values.forEach((value, at) => {
    const difference = Math.abs(actual.values[at]! * factor - value) / largest;
    error = Math.max(error, Number.isNaN(difference) ? Infinity : difference);
  });
  return error;
}

/** The largest error of any block; Infinity where one has a block that the other has not. */
export function largestBlockError(actual: BlockMap, expected: BlockMap): number {
  let error = 0;
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    error = Math.max(error, blockError(actual.get(key), expected.get(key)));
  }
  return error;
}
