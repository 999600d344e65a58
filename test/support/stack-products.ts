/**
 * Log norms of all pairs through a chain of recurrent layers by products of float64 step Jacobians, source by source, every
 * block with an exponent of its own: a witness that nothing underflows in. Knows layers that give all steps, one or two
 * directions side by side, masks that reach every layer, and nothing else.
 */
import { cellsOf, type RecurrentLayer } from '../../src/core/model';
import { logNorm } from '../../src/core/linalg/scaling';
import { makeReferenceCell, stepJacobians } from '../../src/core/reference/reference-cell';
import { isValidStep, stateBefore, timeIndex } from '../../src/core/reference/run-cell';
import type { LayerInput, LayerRun } from '../../src/engine/engine';
import { trajectoryOf } from '../../src/engine/trajectories';

/** A matrix times e^exponent, its norm near 1; null is zero. */
type Block = { readonly data: Float64Array; readonly exponent: number } | null;

/** One layer of the chain at its input. */
export interface ChainLayer {
  readonly layer: RecurrentLayer;
  readonly input: LayerInput;
  readonly run: LayerRun;
}

/** `[T, T]` of one sequence. */
export interface ChainNorms {
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** Norms of the states of the last layer by every `gap`-th step of the input of the first, NaN for the others; rows of both directions together. */
export function chainNorms(chain: readonly ChainLayer[], sequence: number, gap = 1): ChainNorms {
  const { steps } = chain[0]!.run;
  const width = chain[0]!.input.x.shape[2]!;
  const norms = {
    h: emptyNorms(steps, gap),
    c: emptyNorms(steps, gap),
  };
  const top = chain.at(-1)!;
  for (let s = 0; s < steps; s += gap) {
    const seed = Float64Array.from({ length: width * width }, (_, at) => Number(at % (width + 1) === 0));
    let fed: Block[] = Array.from({ length: steps }, (_, t) => (t === s ? { data: seed, exponent: 0 } : null));
    for (const one of chain) {
      const directions = cellsOf(one.layer.operation).map(({ direction, cell: description }) => {
        const cell = makeReferenceCell(description);
        const trajectory = trajectoryOf(one.run, one.input, description, direction, sequence);
        const states: Block[] = [];
        let state: Block = null;
        for (let n = 0; n < steps; n++) {
          const t = timeIndex(direction, steps, n);
          if (isValidStep(trajectory, t)) {
            const x = trajectory.x.subarray(t * cell.inputDim, (t + 1) * cell.inputDim);
            const { stateJacobian, inputJacobian } = stepJacobians(cell, x, stateBefore(trajectory, cell, n));
            state = sum(
              product(stateJacobian, state, cell.stateSize, width),
              product(inputJacobian, fed[t]!, cell.stateSize, width),
            );
          }
          states[t] = state;
        }
        return { states, cell };
      });
      if (one === top) {
        for (const { states, cell } of directions) {
          states.forEach((block, t) => {
            const split = cell.hiddenSize * width;
            addNorm(norms.h, t * steps + s, block, 0, split);
            if (cell.hasCell) addNorm(norms.c, t * steps + s, block, split, block?.data.length ?? 0);
          });
        }
      }
      fed = Array.from(
        { length: steps },
        (_, t) =>
          directions
            .map(({ states, cell }): { block: Block; rows: number } => {
              const block = states[t]!;
              return {
                block: block && { ...block, data: block.data.slice(0, cell.hiddenSize * width) },
                rows: cell.hiddenSize,
              };
            })
            .reduce<{ block: Block; rows: number }>((above, under) => stack(above, under, width), {
              block: null,
              rows: 0,
            }).block,
      );
    }
  }
  return norms;
}

function emptyNorms(steps: number, gap: number): Float64Array {
  return Float64Array.from({ length: steps * steps }, (_, at) => ((at % steps) % gap === 0 ? -Infinity : NaN));
}

function addNorm(norms: Float64Array, at: number, block: Block, from: number, to: number): void {
  if (!block) return;
  const own = logNorm(block.data.subarray(from, to)) + block.exponent;
  const larger = Math.max(own, norms[at]!);
  if (larger === -Infinity) return;
  norms[at] = larger + 0.5 * Math.log(Math.exp(2 * (own - larger)) + Math.exp(2 * (norms[at]! - larger)));
}

function product(matrix: Float64Array, block: Block, rows: number, columns: number): Block {
  if (!block) return null;
  const inner = matrix.length / rows;
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      for (let j = 0; j < columns; j++) data[i * columns + j] += matrix[i * inner + k]! * block.data[k * columns + j]!;
    }
  }
  return normal(data, block.exponent);
}

function sum(a: Block, b: Block): Block {
  if (!a || !b) return a ?? b;
  const exponent = Math.max(a.exponent, b.exponent);
  const [left, right] = [Math.exp(a.exponent - exponent), Math.exp(b.exponent - exponent)];
  return normal(
    a.data.map((value, at) => value * left + b.data[at]! * right),
    exponent,
  );
}

function stack(
  above: { block: Block; rows: number },
  under: { block: Block; rows: number },
  columns: number,
): { block: Block; rows: number } {
  const rows = above.rows + under.rows;
  if (!above.block && !under.block) return { block: null, rows };
  const exponent = Math.max(above.block?.exponent ?? -Infinity, under.block?.exponent ?? -Infinity);
  const data = new Float64Array(rows * columns);
  for (const [part, first] of [
    [above, 0],
    [under, above.rows * columns],
  ] as const) {
    part.block?.data.forEach((value, at) => (data[first + at] = value * Math.exp(part.block!.exponent - exponent)));
  }
  return { block: { data, exponent }, rows };
}

function normal(data: Float64Array, exponent: number): Block {
  const norm = logNorm(data);
  if (norm === -Infinity) return null;
  const factor = Math.exp(-norm);
  return { data: data.map((value) => value * factor), exponent: exponent + norm };
}
