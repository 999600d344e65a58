/**
 * A tile of sources pushed through one direction of a recurrent layer: G_t <- A_t G_{t-1} + B_t X_t, where X_t is the
 * derivative of what the layer is fed.
 *
 * Norms are read back to keep the columns in range. Where they are not wanted themselves that is done every few steps;
 * steps in which columns went too far meanwhile are taken again one by one. What is fed stands in one product with the
 * state, and what is zero is left out of it.
 */
import { timeIndex } from '../../core/reference/run-cell';
import type { CellRun } from '../cells/run-cell';
import type { BareCell } from '../cells/tensor-cell';
import type { Value } from '../ops';
import type { Pace } from '../pace';
import { columnNorms } from './column-norms';
import { commonExponents, exponentShift, NO_EXPONENT, ScaledColumns, type TileShape } from './scaled-columns';
import type { StepOperators } from './step-operators';
import type { TangentRows } from './tangent-rows';

/** Steps between two looks at the norms. */
const UNSEEN_STEPS = 8;

/** Columns that grew or shrank by more than so many powers of two between two looks may have lost something. */
const FARTHEST_UNSEEN = 60;

/** Norms as kept that are further than this from 1 may have lost something too. */
const FARTHEST_KEPT = 100;

/** h with a norm below 2 to minus this, as kept, gets exponents of its own where it is passed on. */
const FARTHEST_PASSED = 32;

/** The state's derivative; blocks are h and c, or both joined, with the same exponents. */
interface PushedState {
  readonly blocks: readonly ScaledColumns[];
  /** log2 of the true norms of h and of c; null where they were not read. */
  readonly norms: readonly Float64Array[] | null;
  /** Whether a norm was too far from 1 as it was kept. */
  readonly isFar: boolean;
}

/** What a step gave; columns are the receiver's until it returns, null = exactly zero. */
export interface RecurrenceStep {
  /** At the input's own time index. */
  readonly time: number;
  readonly h: ScaledColumns | null;
  readonly c: ScaledColumns | null;
  /** log2 of the norms of each source, of h and of c; null where they were not asked for or all is zero. */
  readonly norms: readonly Float64Array[] | null;
}

/** What is pushed. */
export interface RecurrenceOrder {
  readonly tile: TileShape;
  readonly cell: BareCell;
  readonly run: CellRun;
  readonly operators: StepOperators;
  /** What the layer is fed. */
  readonly input: TangentRows;
  readonly sequence: number;
  /** Whether norms of every step are wanted. */
  readonly isMeasured: boolean;
  /** So many steps in the order of computing; the rest is not asked for. */
  readonly steps: number;
}

/**
 * Pushes a tile through the steps of a recurrence, in the order of computing.
 *
 * @param order - What is pushed.
 * @param pace - Lets messages in.
 * @param receive - Gets every step; a masked one has the columns of the step before it.
 *
 * Numerics: products in the engine's precision with exact exponents. Source: method.md 2.5 (Stacked) and 2.7.
 */
export async function pushRecurrence(
  order: RecurrenceOrder,
  pace: Pace,
  receive: (step: RecurrenceStep) => void,
): Promise<void> {
  const recurrence = new Recurrence(order);
  try {
    const stride = order.isMeasured ? 1 : UNSEEN_STEPS;
    for (let first = 0; first < order.steps; first += stride) {
      await recurrence.advance(first, Math.min(stride, order.steps - first), pace, receive);
    }
  } finally {
    recurrence.dispose();
  }
}

class Recurrence {
  private state: PushedState | null = null;
  /** What is added to the exponents of h where it is passed on, `[w]`; null for nothing. */
  private passedShift: Int32Array | null = null;
  /** Computed steps so far. */
  private computed = 0;
  private readonly isSplit: boolean;

  constructor(private readonly order: RecurrenceOrder) {
    const { cell } = order;
    this.isSplit = cell.stateBlocks === 2 && cell.isFactored;
  }

  dispose(): void {
    free(this.state);
    this.state = null;
  }

  /** Takes `count` steps, `first` the first of them in the order of computing. */
  async advance(first: number, count: number, pace: Pace, receive: (step: RecurrenceStep) => void): Promise<void> {
    const before = this.state;
    const { computed } = this;
    const states: (PushedState | null)[] = [];
    const take = async (isEachRead: boolean): Promise<void> => {
      for (let at = 0; at < count; at++) {
        states.push(this.step(first + at, isEachRead || at === count - 1));
        await pace.breathe();
      }
    };
    try {
      await take(count === 1);
      if (count > 1 && hasLost(before, this.state)) {
        for (const state of states.splice(0)) free(state);
        this.state = before;
        this.computed = computed;
        await take(true);
      }
      states.forEach((state, at) => {
        this.give(first + at, state, receive);
      });
    } finally {
      if (before !== this.state) free(before);
      for (const state of states) if (state !== this.state) free(state);
    }
  }

  /** The state after a step. */
  private step(n: number, isRead: boolean): PushedState | null {
    const { order, state } = this;
    const { run, sequence } = order;
    const time = timeIndex(run.direction, run.steps, n);
    const isValid = run.mask === null || run.mask[sequence * run.steps + time] !== 0;
    const next = isValid
      ? this.pushed(time)
      : state && { ...state, blocks: state.blocks.map((block) => block.retain()) };
    this.state = next && isRead && next.norms === null ? this.measured(next) : next;
    return this.state;
  }

  /** The state after a computed step. */
  private pushed(time: number): PushedState | null {
    const { order, state, isSplit } = this;
    const { tile, cell, operators, input } = order;
    const { ops } = tile;
    const n = this.computed++;
    const fed = input.rows[time]!;
    const present = [...(state?.blocks.slice(0, 1) ?? []), ...fed.filter((part) => part !== null)];
    if (present.length === 0) return null;
    const exponents = commonExponents(present);
    const widths = [cell.operatorColumns - cell.inputDim, ...input.widths];
    const { kernel, carry } = operators.at(n, widths, [state !== null, ...fed.map((part) => part !== null)]);
    const aligned = present.map((part) => part.withExponents(exponents));
    const carried = isSplit && state ? state.blocks[1]!.withExponents(exponents) : null;
    const values = ops.tidy(() => {
      const columns = aligned.map(({ value }) => value);
      const product = ops.matMul(kernel, columns.length === 1 ? columns[0]! : ops.concat(columns, 0));
      if (!isSplit) return [product];
      if (!carry) throw new Error('a split state without diagonals');
      const parts = ops.split(product, 2, 0);
      const [memory, next] = parts.map((part, at) => {
        return carried ? ops.add(part, ops.mul(carry[at]!, carried.value)) : part;
      }) as [Value, Value];
      return [cell.projection ? ops.matMul(cell.projection, memory, true, false) : memory, next];
    });
    for (const part of aligned) part.release();
    carried?.release();
    return { blocks: values.map((value) => new ScaledColumns(tile, value, exponents)), norms: null, isFar: false };
  }

  /** The state with its norms, brought back into range; takes over the argument. */
  private measured({ blocks }: PushedState): PushedState {
    const { tile } = this.order;
    const { exponents } = blocks[0]!;
    const kept = this.withRows(blocks, (rows) =>
      columnNorms(
        tile,
        rows.map(({ value }) => value),
      ),
    );
    const larger = Float64Array.from(exponents, (_, k) => Math.max(...kept.map((list) => list[k]!)));
    const next = Int32Array.from(exponents, (exponent, k) => {
      return larger[k] === -Infinity ? NO_EXPONENT : exponent + exponentShift(larger[k]!);
    });
    const isSame = next.every((exponent, k) => exponent === exponents[k]);
    return {
      blocks: isSame ? blocks : blocks.map((block) => block.settled(next)),
      norms: kept.map((list) => list.map((norm, k) => norm + exponents[k]!)),
      isFar: kept.some((list) => list.some((norm) => norm !== -Infinity && !(Math.abs(norm) < FARTHEST_KEPT))),
    };
  }

  /** Calls `use` with the rows of h and of c, which live until it returns. */
  private withRows<R>(blocks: readonly ScaledColumns[], use: (rows: readonly ScaledColumns[]) => R): R {
    const { tile, cell } = this.order;
    if (this.isSplit || cell.stateBlocks === 1) return use(blocks);
    const [joined] = blocks;
    const parts = tile.ops.split(joined!.value, cell.blockSizes, 0);
    const rows = parts.map((value) => new ScaledColumns(tile, value, joined!.exponents));
    try {
      return use(rows);
    } finally {
      for (const row of rows) row.release();
    }
  }

  /** Hands a step over. */
  private give(n: number, state: PushedState | null, receive: (step: RecurrenceStep) => void): void {
    const { run, isMeasured } = this.order;
    const time = timeIndex(run.direction, run.steps, n);
    if (state === null) {
      receive({ time, h: null, c: null, norms: null });
      return;
    }
    if (state.norms) this.settlePassed(state);
    this.withRows(state.blocks, ([h, c = null]) => {
      const passed = this.passed(h!);
      receive({ time, h: passed, c, norms: isMeasured ? state.norms : null });
      passed.release();
    });
  }

  /** h as it is passed on. */
  private passed(h: ScaledColumns): ScaledColumns {
    const { passedShift } = this;
    if (!passedShift) return h.retain();
    const moved = (exponent: number, k: number): number =>
      exponent === NO_EXPONENT ? exponent : exponent + passedShift[k]!;
    return h.withExponents(h.exponents.map(moved));
  }

  /** Whether h is so much smaller than c that it needs exponents of its own. */
  private settlePassed({ blocks, norms }: PushedState): void {
    this.passedShift = null;
    if (!norms || norms.length === 1) return;
    const { exponents } = blocks[0]!;
    const shifts = Int32Array.from(norms[0]!, (norm, k) => {
      const kept = norm - exponents[k]!;
      return kept < -FARTHEST_PASSED ? exponentShift(kept) : 0;
    });
    if (shifts.some((shift) => shift !== 0)) this.passedShift = shifts;
  }
}

/** Whether something may have been lost between two looks. */
function hasLost(before: PushedState | null, after: PushedState | null): boolean {
  if (!after?.norms) return false;
  if (after.isFar) return true;
  return after.norms.some((list, block) =>
    list.some((norm, k) => {
      const earlier = before?.norms?.[block]?.[k] ?? -Infinity;
      return earlier !== -Infinity && !(Math.abs(norm - earlier) < FARTHEST_UNSEEN);
    }),
  );
}

function free(state: PushedState | null): void {
  for (const block of state?.blocks ?? []) block.release();
}
