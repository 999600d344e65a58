/**
 * The derivatives of what a recurrent layer gives to those above: the directions merged, all steps or the last one, and
 * its states; the same for tangents as `recurrentOutputs` is for values.
 */
import type { MergeMode, RecurrentOperation } from '../../core/model';
import { timeIndex } from '../../core/reference/run-cell';
import type { CellRun } from '../cells/run-cell';
import type { Mask } from '../layers/flow';
import type { Value } from '../ops';
import { ScaledColumns, sumColumns, type TileShape } from './scaled-columns';
import type { TangentRow, TangentRows } from './tangent-rows';

/** One direction of the layer after a tile was pushed through it. */
export interface DirectionRows {
  readonly run: CellRun;
  readonly sequence: number;
  /** h at every time index, and c of the last computed step. */
  readonly rows: { readonly h: readonly (ScaledColumns | null)[]; readonly c: ScaledColumns | null };
}

/**
 * One entry per output of the layer; the caller's to release.
 *
 * @param tile - The tile.
 * @param operation - The layer's operation.
 * @param mask - The layer's mask.
 * @param directions - Forward first.
 */
export function joinOutputs(
  tile: TileShape,
  operation: RecurrentOperation,
  mask: Mask | null,
  directions: readonly DirectionRows[],
): readonly TangentRows[] {
  const shown = directions.map((one) => new ShownRows(one, mask, operation.zeroOutputForMask));
  const merged = operation.mergeMode === 'none' || shown.length === 1 ? shown.map((one) => [one]) : [shown];
  const outputs = merged.map((parts): TangentRows => {
    const { steps } = parts[0]!.direction.run;
    const rowOf = (times: readonly number[]): TangentRow => mergeRow(tile, operation.mergeMode, parts, times);
    const widths =
      operation.mergeMode === 'concat' || parts.length === 1 ? parts.map((part) => part.width) : [parts[0]!.width];
    if (!operation.returnSequences) return { widths, rows: [rowOf(parts.map((part) => part.last))] };
    return {
      widths,
      rows: Array.from({ length: steps }, (_, at) => {
        const time = operation.outputReversed ? steps - 1 - at : at;
        return rowOf(parts.map(() => time));
      }),
    };
  });
  if (!operation.returnState) return outputs;
  const states = directions.flatMap(({ run, rows }): TangentRows[] => {
    const last = timeIndex(run.direction, run.steps, run.steps - 1);
    const one = (columns: ScaledColumns | null, width: number): TangentRows => {
      return { widths: [width], rows: [[columns?.retain() ?? null]] };
    };
    return [one(rows.h[last]!, run.hiddenSize), ...(run.c ? [one(rows.c, run.units)] : [])];
  });
  return [...outputs, ...states];
}

/** h of one direction as the layers above see it: what the mask hides is zero. */
class ShownRows {
  readonly width: number;
  /** Time index of the step computed last. */
  readonly last: number;
  private readonly isShown: Uint8Array;

  constructor(
    readonly direction: DirectionRows,
    mask: Mask | null,
    zeroOutputForMask: boolean,
  ) {
    const { run, sequence } = direction;
    const { steps } = run;
    this.width = run.hiddenSize;
    this.last = timeIndex(run.direction, steps, steps - 1);
    this.isShown = new Uint8Array(steps);
    let hasOutput = false;
    for (let n = 0; n < steps; n++) {
      const t = timeIndex(run.direction, steps, n);
      const isValid = mask === null || mask.data[sequence * steps + t] !== 0;
      hasOutput ||= isValid;
      this.isShown[t] = Number(hasOutput && (isValid || !zeroOutputForMask));
    }
  }

  at(t: number): ScaledColumns | null {
    return this.isShown[t] ? this.direction.rows.h[t]! : null;
  }

  /** The value of h, `[P, 1]`. */
  valueAt({ ops }: TileShape, t: number): Value {
    const { run, sequence } = this.direction;
    const from = (sequence * run.steps + t) * this.width;
    const h = run.h.slice(from, from + this.width);
    return ops.upload(this.isShown[t] ? h : h.fill(0), [this.width, 1]);
  }
}

/** The directions at a step, each at its own time. */
function mergeRow(tile: TileShape, mode: MergeMode, parts: readonly ShownRows[], times: readonly number[]): TangentRow {
  const columns = parts.map((part, at) => part.at(times[at]!));
  if (parts.length === 1 || mode === 'concat' || mode === 'none') return columns.map((part) => part?.retain() ?? null);
  if (mode !== 'mul') {
    const factor = mode === 'ave' ? 0.5 : 1;
    return [
      sumColumns(
        tile,
        columns.map((part) => ({ columns: part, factor })),
      ),
    ];
  }
  const { ops } = tile;
  const terms = columns.map((part, at) => {
    if (part === null) return { columns: null, factor: 1 };
    const other = parts[1 - at]!;
    const value = ops.tidy(() => ops.mul(part.value, other.valueAt(tile, times[1 - at]!)));
    return { columns: new ScaledColumns(tile, value, part.exponents), factor: 1 };
  });
  const sum = sumColumns(tile, terms);
  for (const term of terms) term.columns?.release();
  return [sum];
}
