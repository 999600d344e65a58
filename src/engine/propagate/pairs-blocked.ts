/**
 * Norms of all pairs leaf by leaf: every source is carried from one leaf's end to the next by one product, and meets all
 * targets of a leaf in one rectangle.
 *
 * Over a leaf of w steps a source costs two products with S columns instead of w pushed steps, and the targets' rows
 * are never moved. Results come in the order of time, and only the sources are kept.
 */
import type { CellRun } from '../cells/run-cell';
import type { ValidSteps } from '../cells/valid-steps';
import type { Pace } from '../pace';
import type { Arithmetic } from './arithmetic';
import type { SequenceBlock } from './pairs-direct';
import { initialSource, runLeaf, type LeafOrder } from './pairs-leaf';
import { meetAll, type CarriedSources } from './quadrant';
import { disposeRows, multiplyRows, type ScaledMatrix } from './row-blocks';

/**
 * Blocks of norms of one sequence.
 *
 * @param arithmetic - Operations and cell.
 * @param run - States.
 * @param valid - The computed steps.
 * @param sequence - Which sequence.
 * @param order - What is wanted.
 * @param pace - Lets messages in.
 */
export async function* pairsBlocked(
  arithmetic: Arithmetic,
  run: CellRun,
  valid: ValidSteps,
  sequence: number,
  order: LeafOrder,
  pace: Pace,
): AsyncGenerator<SequenceBlock, void, void> {
  const { ops } = arithmetic;
  const steps = valid.of(sequence).length;
  let carried: readonly CarriedSources[] = [];
  try {
    for (let lo = 0; lo < steps; lo += order.leafSteps) {
      const { blocks, result } = await runLeaf(arithmetic, run, valid, sequence, lo, order, pace);
      try {
        for (const block of blocks) yield { sequence, block };
        for await (const block of meetAll(arithmetic, result.targets, carried, pace)) yield { sequence, block };
        if (!result.total) continue;
        carried = await carry(arithmetic, carried, result.total, pace);
        const isFirst = lo === 0 && order.hasInitial;
        const initial = isFirst ? initialSource(arithmetic, result.total) : null;
        carried = [...carried, ...(initial ? [{ source: 'initial' as const, blocks: initial }] : [])];
        carried = [...carried, { source: order.source, blocks: result.sources! }];
      } finally {
        disposeRows(arithmetic, result.targets);
        if (result.total) ops.dispose(result.total.value);
      }
    }
  } finally {
    for (const { blocks } of carried) disposeRows(arithmetic, [blocks]);
  }
}

/** Carries all sources over a leaf. */
async function carry(
  arithmetic: Arithmetic,
  carried: readonly CarriedSources[],
  total: ScaledMatrix,
  pace: Pace,
): Promise<readonly CarriedSources[]> {
  const { ops } = arithmetic;
  const moved: CarriedSources[] = [];
  const value = ops.keep(ops.transpose(total.value, [1, 0]));
  for (const { source, blocks } of carried) {
    moved.push({ source, blocks: multiplyRows(arithmetic, blocks, { value, exponent: total.exponent }) });
  }
  ops.dispose(value);
  await pace.breathe();
  return moved;
}
