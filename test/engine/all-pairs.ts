/** Pairs of an engine as whole arrays, and the oracle: products of closed-form step Jacobians, one after the other. */
import type { PairsChunk, PairsQuantity } from '../../src/core/jacobian';
import { multiply } from '../../src/core/linalg/products';
import { largestMagnitude, logNorm } from '../../src/core/linalg/scaling';
import { newStepJacobians, type ReferenceCell } from '../../src/core/reference/cell';
import { gateNames } from '../../src/core/model';
import type { PairsSource } from '../../src/core/reference/propagate-pairs';
import { emptyPairsReport, type PairsOptions } from '../../src/engine/engine';
import { ReferenceRun } from '../../src/engine/reference-run';
import { isValidStep, stateBefore, timeIndex, type Trajectory } from '../../src/core/reference/run-cell';

/** Quantity to one array a sequence: `[T * T]`, or `[T]` for dh_ds0. */
export type PairsArrays = Readonly<Record<PairsQuantity, readonly Float64Array[]>>;

/** Chunks laid into arrays; what no chunk covers is -Infinity. A cell that is written twice makes it throw. */
export async function gatherPairs(
  chunks: AsyncIterable<PairsChunk>,
  batch: number,
  steps: number,
): Promise<PairsArrays> {
  const make = (size: number): Float64Array[] =>
    Array.from({ length: batch }, () => new Float64Array(size).fill(-Infinity));
  const square = steps * steps;
  const arrays = {
    ...{ dh_dx: make(square), dc_dx: make(square), ds_ds: make(square), dh_ds0: make(steps) },
    ...{ dh_dh: make(square), dh_dc: make(square), dc_dh: make(square), dc_dc: make(square) },
  };
  const written = new Set<string>();
  for await (const chunk of chunks) {
    const width = chunk.quantity === 'dh_ds0' ? 1 : steps;
    const array = arrays[chunk.quantity][chunk.sequence]!;
    for (let i = 0; i < chunk.targetCount; i++) {
      for (let j = 0; j < chunk.sourceCount; j++) {
        const at = (chunk.targetStart + i) * width + chunk.sourceStart + j;
        const key = `${chunk.quantity}:${String(chunk.sequence)}:${String(at)}`;
        if (written.has(key)) throw new Error(`${key} was written twice`);
        written.add(key);
        array[at] = chunk.logNorms[i * chunk.sourceCount + j]!;
      }
    }
  }
  return arrays;
}

/** Every pair of one sequence by plain products in float64; scaled only where a product would leave the range. */
export function pairsByProducts(cell: ReferenceCell, trajectory: Trajectory): Record<PairsQuantity, Float64Array> {
  const { steps, direction, x } = trajectory;
  const { stateSize: size, inputDim, hiddenSize } = cell;
  const square = steps * steps;
  const filled = (length: number): Float64Array => new Float64Array(length).fill(-Infinity);
  const result = {
    ...{ dh_dx: filled(square), dc_dx: filled(square), ds_ds: filled(square), dh_ds0: filled(steps) },
    ...{ dh_dh: filled(square), dh_dc: filled(square), dc_dh: filled(square), dc_dc: filled(square) },
  };
  const steppedBy = (n: number): { a: Float64Array; b: Float64Array } => {
    const t = timeIndex(direction, steps, n);
    const jacobians = newStepJacobians(cell);
    if (!isValidStep(trajectory, t)) {
      for (let u = 0; u < size; u++) jacobians.stateJacobian[u * size + u] = 1;
      return { a: jacobians.stateJacobian, b: jacobians.inputJacobian };
    }
    const part = x.subarray(t * inputDim, (t + 1) * inputDim);
    cell.linearise(part, stateBefore(trajectory, cell, n), jacobians, 'both');
    return { a: jacobians.stateJacobian, b: jacobians.inputJacobian };
  };
  const all = Array.from({ length: steps }, (_, n) => steppedBy(n));
  for (let source = -1; source < steps; source++) {
    let product: Float64Array = Float64Array.from({ length: size * size }, (_, at) => Number(at % (size + 1) === 0));
    let shift = 0;
    for (let n = Math.max(source, 0); n < steps; n++) {
      if (n > source) product = multiply(all[n]!.a, product, size, size, size);
      const largest = largestMagnitude(product);
      if (largest > 0 && (largest < 1e-100 || largest > 1e100)) {
        shift += Math.log(largest);
        product = product.map((value) => value / largest);
      }
      const t = timeIndex(direction, steps, n);
      const rows = (matrix: Float64Array, columns: number, from: number, to: number): number =>
        logNorm(matrix.subarray(from * columns, to * columns)) + shift;
      if (source < 0) {
        result.dh_ds0[t] = rows(product, size, 0, hiddenSize);
        continue;
      }
      const at = t * steps + timeIndex(direction, steps, source);
      const input = multiply(product, all[source]!.b, size, size, inputDim);
      result.dh_dx[at] = rows(input, inputDim, 0, hiddenSize);
      if (cell.hasCell) result.dc_dx[at] = rows(input, inputDim, hiddenSize, size);
      result.ds_ds[at] = rows(product, size, 0, size);
      const block = (fromRow: number, toRow: number, from: number, to: number): number => {
        const part: number[] = [];
        for (let row = fromRow; row < toRow; row++) part.push(...product.subarray(row * size + from, row * size + to));
        return logNorm(part) + shift;
      };
      if (!cell.hasCell) continue;
      result.dh_dh[at] = block(0, hiddenSize, 0, hiddenSize);
      result.dh_dc[at] = block(0, hiddenSize, hiddenSize, size);
      result.dc_dh[at] = block(hiddenSize, size, 0, hiddenSize);
      result.dc_dc[at] = block(hiddenSize, size, hiddenSize, size);
    }
  }
  return result;
}

/** The largest difference of two arrays of log norms; Infinity where only one of them is -Infinity. */
export function largestGap(actual: Float64Array, expected: Float64Array): number {
  let gap = 0;
  expected.forEach((value, at) => {
    const own = actual[at]!;
    if (own === value) return;
    const difference = Math.abs(own - value);
    gap = Math.max(gap, Number.isNaN(difference) ? Infinity : difference);
  });
  return gap;
}

/** Options for some sources. */
export function optionsFor(sources: readonly PairsSource[]): PairsOptions {
  return {
    sources,
    isExact: false,
    chunkBytes: 2 ** 24,
    report: emptyPairsReport(),
    signal: new AbortController().signal,
  };
}

/** All sources. */
export const ALL_SOURCES = ['input', 'initial', 'state'] as const;

/** Pairs of one sequence by the float64 reference. */
export async function* referencePairs(cell: ReferenceCell, trajectory: Trajectory): AsyncGenerator<PairsChunk> {
  // The gates play no part.
  const gates = Object.fromEntries(gateNames(cell.kind).map((name) => [name, new Float64Array()]));
  const run = new ReferenceRun([{ direction: trajectory.direction, cell, trajectories: [{ ...trajectory, gates }] }]);
  yield* run.pairs(trajectory.direction, optionsFor(['input', 'initial']));
}
