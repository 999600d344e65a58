/**
 * The block of any pair of steps on demand: from its source to the end of a segment, over whole segments by their kept
 * products, and on to its target.
 */
import { addNorms } from '../../core/linalg/scaling';
import { storedScale } from '../../core/linalg/stored-scale';
import { newReals, type CellRun } from '../cells/run-cell';
import type { TensorCell } from '../cells/tensor-cell';
import { validSteps } from '../cells/valid-steps';
import type { BlockPlace, BlockSource, PairBlock, StoredBlock } from '../engine';
import type { Ops } from '../ops';
import { Pace } from '../pace';
import { chooseArithmetic } from './arithmetic';
import { storeBlock } from './block-buffer';
import { readColumns } from './pair-blocks';
import { blockOfPair } from './pair-place';
import { PushedColumns, type PushedNorms } from './pushed-columns';
import { KEPT_EXPONENT, pushSteps, SegmentProducts, type SegmentTask } from './segment-products';

/**
 * Blocks of one direction; see `BlockSource`.
 *
 * Numerics: as pushed pairs; products of segments are kept in the precision of the columns.
 *
 * @param ops - Operations.
 * @param cell - The cell.
 * @param run - Its states.
 * @param maxBytes - What the products may take.
 */
export function openBlockSource(ops: Ops, cell: TensorCell, run: CellRun, maxBytes: number): BlockSource {
  const arithmetic = chooseArithmetic(ops, cell);
  const valid = validSteps(run.direction, run.batch, run.steps, run.mask);
  const numberBytes = arithmetic.cell === cell ? 4 : 8;
  const task: SegmentTask = { arithmetic, run, valid, numberBytes };
  const products = new SegmentProducts(task, maxBytes);
  return {
    get keptBytes() {
      return products.bytes;
    },
    block: (place, signal) => computeBlock(ops, task, products, place, new Pace(signal)),
    prepare: (signal) => products.prepare(new Pace(signal)),
    dispose: () => products.dispose(),
  };
}

function computeBlock(
  ops: Ops,
  task: SegmentTask,
  products: SegmentProducts,
  place: BlockPlace,
  pace: Pace,
): Promise<PairBlock> {
  const { arithmetic, run, valid } = task;
  const { cell } = arithmetic;
  const { sequence } = place;
  const { direction, steps } = run;
  const { hiddenSize, stateSize, blockSizes, inputDim } = cell;
  const times = { sequence, direction, steps, valid: valid.of(sequence), hiddenSize, stateSize };
  const compute = (from: number, to: number, isInput: boolean): Promise<readonly StoredBlock[]> =>
    betweenSteps(ops, task, products, { sequence, from, to, isInput }, pace);
  return blockOfPair(times, place, blockSizes, inputDim, (length) => newReals(ops, length), {
    input: (from, to) => compute(from, to, true),
    state: async (from, to) => joinRows(ops, await compute(from, to, false)),
  });
}

/** A way between two computed steps. */
interface Way {
  readonly sequence: number;
  readonly from: number;
  readonly to: number;
  /** Whether x is the source; else the whole state. */
  readonly isInput: boolean;
}

/** The rows of h and of c with respect to one source. */
async function betweenSteps(
  ops: Ops,
  task: SegmentTask,
  products: SegmentProducts,
  { sequence, from, to, isInput }: Way,
  pace: Pace,
): Promise<readonly StoredBlock[]> {
  const { arithmetic } = task;
  const { cell } = arithmetic;
  const columns = new PushedColumns(arithmetic, 1, KEPT_EXPONENT);
  let norms: PushedNorms | null = null;
  try {
    if (!isInput) columns.injectState();
    for (let next = isInput ? from : from + 1; next <= to;) {
      const segment = next / products.steps;
      const isWhole = next > from && Number.isInteger(segment) && next + products.steps - 1 <= to;
      const product = isWhole ? products.get(sequence, segment) : undefined;
      if (product) {
        columns.multiply(product);
        norms = columns.measure();
        next += products.steps;
        await pace.breathe();
        continue;
      }
      const end = Math.min(to + 1, (Math.floor(segment) + 1) * products.steps);
      const stepping = pushSteps(task, columns, sequence, next, end, pace, (step, vectors) => {
        const isSource = isInput && step === from;
        if (isSource) columns.injectInput(cell.inputJacobians(vectors).map((value) => arithmetic.ops.keep(value)));
      });
      for await (norms of stepping);
      next = end;
    }
    const read = readColumns(arithmetic, columns, norms!, 1);
    const width = columns.widthOf(0);
    return cell.blockSizes.map((rows, state) => {
      const raw = read.block(state, 0, 0);
      const data = newReals(ops, rows * width);
      const scale = storeBlock(raw, data, 0, rows, width);
      return { data, rows, columns: width, scale, logNorm: raw.logNorm };
    });
  } finally {
    columns.dispose();
  }
}

/** Rows of h above rows of c, in one block with one scale. */
function joinRows(ops: Ops, parts: readonly StoredBlock[]): StoredBlock {
  if (parts.length === 1) return parts[0];
  const { columns } = parts[0];
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const logNorm = parts.reduce((sum, part) => addNorms(sum, part.logNorm), -Infinity);
  const scale = storedScale(logNorm);
  const data = newReals(ops, rows * columns);
  let start = 0;
  for (const part of parts) {
    const factor = 2 ** (part.scale - scale);
    for (const value of part.data) data[start++] = value * factor;
  }
  return { data, rows, columns, scale, logNorm };
}
