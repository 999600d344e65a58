/**
 * The arrays of a run as tidy CSV: one file an array, one row a number, index columns first.
 *
 * Numbers are the shortest decimals that read back to the same float; NaN and infinities are spelled `nan`, `inf`,
 * `-inf` as NumPy and pandas read them. Rows come in the order of computing.
 */
import { blockNames } from '../core/diagnostics/gate-blocks';
import { LOSS_PARAMETERS } from '../core/diagnostics/loss-gradient';
import type { JacobianChunk, StateName } from '../core/jacobian';
import type { AnalysisStep } from '../shared/analysis-step';
import type { FileSink, OpenSink } from '../shared/file-sink';
import type { EigenvaluesEvent, LossGradientEvent, PairsEvent, SpectrumEvent, StartedEvent } from '../shared/run';
import { rowsOf } from './array-declarations';

const FLUSH_CHARACTERS = 1 << 20;

/** Rows between two yields; some milliseconds. */
export const ROWS_PER_SLICE = 1 << 13;

/** One CSV file that grows. */
class CsvFile {
  private position = 0;
  private pending: string[] = [];
  private pendingLength = 0;
  private rowsLeft = ROWS_PER_SLICE;

  constructor(
    readonly sink: FileSink,
    columns: readonly string[],
  ) {
    this.row(columns.join(','));
  }

  row(text: string): void {
    this.pending.push(text, '\n');
    this.pendingLength += text.length + 1;
    if (this.pendingLength > FLUSH_CHARACTERS) this.flush();
  }

  /** Whether so many rows were written that it is time to yield. */
  isSliceOver(): boolean {
    if (--this.rowsLeft > 0) return false;
    this.rowsLeft = ROWS_PER_SLICE;
    return true;
  }

  flush(): void {
    const bytes = new TextEncoder().encode(this.pending.join(''));
    this.sink.write(this.position, bytes);
    this.position += bytes.length;
    this.pending = [];
    this.pendingLength = 0;
  }
}

/**
 * A number as CSV text, with the digits that a float64 needs.
 *
 * @param value - Any number.
 */
export function csvDouble(value: number): string {
  return textOfSpecial(value) ?? String(value);
}

/**
 * A number as CSV text, rounded to float32 as the `.npz` is, with the digits that a float32 needs.
 *
 * @param value - Any number.
 */
export function csvSingle(value: number): string {
  const single = Math.fround(value);
  return textOfSpecial(single) ?? shortestSingle(single);
}

function textOfSpecial(value: number): string | null {
  if (Number.isNaN(value)) return 'nan';
  if (Number.isFinite(value)) return null;
  return value > 0 ? 'inf' : '-inf';
}

/** The shortest decimal that rounds to the same float32. */
function shortestSingle(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return String(Number(text));
  }
  return String(value);
}

type Numbers = Float32Array | Float64Array;

/** Writes the arrays of one run as CSV files of a folder. */
export class RunCsv {
  private readonly files = new Map<string, CsvFile>();

  /**
   * @param open - Opens a file of the folder by its name.
   * @param started - The run.
   */
  constructor(
    private readonly open: OpenSink,
    private readonly started: StartedEvent,
  ) {}

  /**
   * Writes what one step brings, with a yield every few thousand rows: a step may bring millions.
   *
   * @param step - A step of the run after `started`.
   */
  *add(step: AnalysisStep): Generator<void, void, void> {
    const { event, chunk } = step;
    if (event.kind === 'states') {
      yield* this.addSequence('x', 'feature', event.x);
      yield* this.addSequence('h', 'unit', event.h);
      if (event.c) yield* this.addSequence('c', 'unit', event.c);
      if (!this.started.modes.includes('states')) return;
      for (const [gate, values] of Object.entries(event.gates)) yield* this.addSequence(`gate_${gate}`, 'unit', values);
    }
    if (event.kind === 'pairs') yield* this.addPairs(event);
    if (event.kind === 'spectrum') yield* this.addSpectrum(event);
    if (event.kind === 'eigenvalues') this.addEigenvalues(event);
    if (event.kind === 'loss-gradient') yield* this.addLossGradient(event);
    if (!chunk) return;
    if (chunk.mode === 'diagonal') {
      yield* this.addBlocks('dh_dx', 'h', chunk, chunk.dhdx, null);
      if (chunk.dcdx) yield* this.addBlocks('dc_dx', 'c', chunk, chunk.dcdx, null);
      return;
    }
    yield* this.addBlocks('dhT_dx', 'h', chunk, chunk.dhTdx, chunk.scaleH);
    yield* this.addNorms('lognorm_dhT_dx', chunk, chunk.lognormH);
    if (!chunk.dcTdx || !chunk.lognormC) return;
    yield* this.addBlocks('dcT_dx', 'c', chunk, chunk.dcTdx, chunk.scaleC);
    yield* this.addNorms('lognorm_dcT_dx', chunk, chunk.lognormC);
  }

  /** Completes all files. */
  async close(): Promise<void> {
    for (const file of this.files.values()) {
      file.flush();
      await file.sink.commit();
    }
  }

  /** Drops all files. */
  async abort(): Promise<void> {
    for (const file of this.files.values()) await file.sink.abort();
  }

  private file(name: string, columns: readonly string[]): CsvFile {
    const known = this.files.get(name);
    if (known) return known;
    const made = new CsvFile(this.open(`${name}.csv`), columns);
    this.files.set(name, made);
    return made;
  }

  private *addSequence(name: string, column: string, values: Numbers): Generator<void, void, void> {
    const file = this.file(name, ['sequence', 'timestep', column, 'value']);
    const { batch, sourceSteps } = this.started;
    const steps = name === 'x' ? sourceSteps : this.started.steps;
    const width = values.length / (batch * steps);
    for (let index = 0; index < values.length; index++) {
      const row = Math.floor(index / width);
      file.row(`${Math.floor(row / steps)},${row % steps},${index % width},${csvSingle(values[index]!)}`);
      if (file.isSliceOver()) yield;
    }
  }

  private *addBlocks(
    name: string,
    state: StateName,
    chunk: JacobianChunk,
    values: Numbers,
    scale: Int32Array | null,
  ): Generator<void, void, void> {
    const columns = ['sequence', 'timestep', 'unit', 'feature', 'value', ...(scale ? ['scale'] : [])];
    const file = this.file(name, columns);
    const { start, count, direction } = chunk;
    const { batch, inputDim } = this.started;
    const { units, offset } = rowsOf(this.started, state, direction)!;
    let index = 0;
    for (let b = 0; b < batch; b++) {
      for (let t = 0; t < count; t++) {
        const tail = scale ? `,${scale[b * count + t]}` : '';
        for (let u = 0; u < units; u++) {
          for (let d = 0; d < inputDim; d++) {
            file.row(`${b},${start + t},${offset + u},${d},${csvSingle(values[index++]!)}${tail}`);
            if (file.isSliceOver()) yield;
          }
        }
      }
    }
  }

  /** Exponents, their curve, and singular values; one row each. */
  private *addSpectrum(event: SpectrumEvent): Generator<void, void, void> {
    const { direction, count, stateSize, lyapunov, isResolved, curve, curveSteps, logSingularValues } = event;
    const exponents = this.file('lyapunov', ['sequence', 'index', 'direction', 'value', 'resolved']);
    for (const [at, value] of lyapunov.entries()) {
      const row = `${Math.floor(at / count)},${at % count},${direction},${csvDouble(value)},${isResolved[at]}`;
      exponents.row(row);
      if (exponents.isSliceOver()) yield;
    }
    const running = this.file('lyapunov_curve', ['sequence', 'steps', 'index', 'direction', 'value']);
    for (const [at, value] of curve.entries()) {
      const point = Math.floor(at / count);
      const place = `${Math.floor(point / curveSteps.length)},${curveSteps[point % curveSteps.length]}`;
      running.row(`${place},${at % count},${direction},${csvDouble(value)}`);
      if (running.isSliceOver()) yield;
    }
    if (!logSingularValues) return;
    const values = this.file('singular_values', ['sequence', 'index', 'direction', 'value']);
    for (const [at, value] of logSingularValues.entries()) {
      values.row(`${Math.floor(at / stateSize)},${at % stateSize},${direction},${csvDouble(value)}`);
      if (values.isSliceOver()) yield;
    }
  }

  private addEigenvalues({ direction, steps, values, kernel }: EigenvaluesEvent): void {
    const file = this.file('eigenvalues', ['of', 'timestep', 'index', 'direction', 'real', 'imaginary']);
    const add = (of: string, timestep: string, pairs: Float64Array): void => {
      for (let at = 0; at < pairs.length; at += 2) {
        const place = `${of},${timestep},${at / 2},${direction}`;
        file.row(`${place},${csvDouble(pairs[at]!)},${csvDouble(pairs[at + 1]!)}`);
      }
    };
    const width = values.length / steps.length;
    steps.forEach((step, k) => add('A', String(step), values.subarray(k * width, (k + 1) * width)));
    const gates = blockNames(this.started.parts.find((part) => part.direction === direction)!.kind);
    const block = (kernel?.length ?? 0) / gates.length;
    if (kernel) gates.forEach((gate, k) => add(`U_${gate}`, '', kernel.subarray(k * block, (k + 1) * block)));
  }

  private *addLossGradient({ direction, logNorms, shares }: LossGradientEvent): Generator<void, void, void> {
    const columns = ['sequence', 'lag', 'parameter', 'direction', 'lognorm', 'share'];
    const file = this.file('loss_gradient_by_lag', columns);
    const { steps } = this.started;
    for (const [at, share] of shares.entries()) {
      const term = Math.floor(at / LOSS_PARAMETERS.length);
      const place = `${Math.floor(term / steps)},${term % steps},${LOSS_PARAMETERS[at % LOSS_PARAMETERS.length]!}`;
      file.row(`${place},${direction},${csvDouble(logNorms[at]!)},${csvDouble(share)}`);
      if (file.isSliceOver()) yield;
    }
  }

  /** Norms of targets by sources that are not after them; one row each. */
  private *addPairs(event: PairsEvent): Generator<void, void, void> {
    const { quantity, direction, sequence, targetStart, targetCount, sourceStart, sourceCount, logNorms } = event;
    const isJoined = event.isJoined ?? false;
    const rows = isJoined && this.started.parts.length > 1 ? 'both' : direction;
    const isInitial = quantity === 'dh_ds0';
    const name = isInitial ? 'lognorm_dh_dh0' : `lognorm_${quantity}`;
    const file = this.file(name, ['sequence', 'target', ...(isInitial ? [] : ['source']), 'direction', 'value']);
    for (let row = 0; row < targetCount; row++) {
      const t = targetStart + row;
      for (let column = 0; column < sourceCount; column++) {
        const s = sourceStart + column;
        if (!isInitial && !isJoined && (direction === 'forward' ? s > t : s < t)) continue;
        const place = isInitial ? `${sequence},${t}` : `${sequence},${t},${s}`;
        file.row(`${place},${rows},${csvDouble(logNorms[row * sourceCount + column]!)}`);
        if (file.isSliceOver()) yield;
      }
    }
  }

  private *addNorms(
    name: string,
    { direction, start, count }: JacobianChunk,
    values: Float64Array,
  ): Generator<void, void, void> {
    const file = this.file(name, ['sequence', 'timestep', 'direction', 'value']);
    for (let b = 0; b < this.started.batch; b++) {
      for (let t = 0; t < count; t++) {
        file.row(`${b},${start + t},${direction},${csvDouble(values[b * count + t]!)}`);
        if (file.isSliceOver()) yield;
      }
    }
  }
}
