/**
 * The arrays of a run, written to an `.npz` while they are computed.
 *
 * Names and shapes are those of docs/cli.md. A Bidirectional layer's rows are forward units, then backward units; its
 * two halves come in separate passes and are brought to one scale at the end.
 */
import { isStateQuantity, type Direction, type DiagonalChunk, type FinalChunk, type StateName } from '../core/jacobian';
import { addNorms } from '../core/linalg/scaling';
import type { AnalysisStep } from '../shared/analysis-step';
import type { FileSink } from '../shared/file-sink';
import type { EigenvaluesEvent, PairsEvent, SpectrumEvent, StartedEvent, StatesEvent } from '../shared/run';
import { declareArrays, isPairsArray, isWholePairsArray, pairsArray, rowsOf } from './array-declarations';
import { writeBlock } from './block-arrays';
import { NpzWriter } from './npz-writer';
import { PairBlockArrays } from './pair-block-arrays';

type Numbers = Float32Array | Float64Array;

/** Stands for the scale of a block that is exactly zero, which any scale fits. */
const ANY_SCALE = -(2 ** 31);

/** Writes the arrays of one run. */
export class RunArrays {
  private readonly pairBlocks: PairBlockArrays;
  /** Scales of each direction, `[B * T]`, per state; kept until both halves are there. */
  private readonly scales = new Map<StateName, Map<Direction, Int32Array>>();
  /** Log norms of a step by itself of the direction that came first, by array; the other half adds to them. */
  private readonly sameStep = new Map<string, { readonly direction: Direction; readonly norms: Float64Array }>();

  constructor(
    sink: FileSink,
    private readonly started: StartedEvent,
    private readonly writer = new NpzWriter(sink, declareArrays(started)),
  ) {
    this.pairBlocks = new PairBlockArrays(this.writer, started);
  }

  /**
   * Writes what one step brings.
   *
   * @param step - A step of the run after `started`.
   */
  add(step: AnalysisStep): void {
    if (step.event.kind === 'states') this.addStates(step.event);
    if (step.event.kind === 'pairs') this.addPairs(step.event);
    if (step.event.kind === 'block') writeBlock(this.writer, this.started, step.event);
    if (step.event.kind === 'spectrum') this.addSpectrum(step.event);
    if (step.event.kind === 'eigenvalues') this.addEigenvalues(step.event);
    if (step.event.kind === 'loss-gradient') {
      const suffix = this.started.parts.length === 1 ? '' : `_${step.event.direction}`;
      this.writer.write(`lognorm_loss_gradient_by_lag${suffix}`, 0, step.event.logNorms);
      this.writer.write(`loss_gradient_by_lag${suffix}`, 0, step.event.shares);
    }
    if (step.chunk?.mode === 'diagonal') this.addDiagonal(step.chunk);
    if (step.chunk?.mode === 'final') this.addFinal(step.chunk);
    if (step.blocks) this.pairBlocks.add(step.blocks);
  }

  /** Completes the file. */
  async close(): Promise<void> {
    this.complete();
    await this.writer.close();
  }

  /** Writes what is known only at the end; for a writer that has more arrays. */
  complete(): void {
    this.writeScales();
    const names = declareArrays(this.started).map(({ name }) => name);
    // Of a sequence that is masked throughout there are none; a part without the first sequence has none either.
    this.writer.fillMissing(names.filter((name) => name.startsWith('eigenvalues_')));
    // What no rectangle covers is exactly zero.
    this.writer.fillMissing(names.filter(isPairsArray), -Infinity);
    this.writer.leaveZeros(names.filter(isWholePairsArray));
  }

  /**
   * Completes the file of a run that ended early: what is missing is NaN.
   *
   * @param name - Its name, which says that it is partial.
   */
  async closePartial(name: string): Promise<void> {
    this.writeScales();
    this.writer.fillMissing();
    await this.writer.close(name);
  }

  private addStates(event: StatesEvent): void {
    this.writer.write('x', 0, event.x);
    this.writer.write('h', 0, event.h);
    if (event.c) this.writer.write('c', 0, event.c);
    if (!this.started.modes.includes('states')) return;
    for (const [gate, values] of Object.entries(event.gates)) this.writer.write(`gate_${gate}`, 0, values);
  }

  private addSpectrum(event: SpectrumEvent): void {
    const suffix = this.started.parts.length === 1 ? '' : `_${event.direction}`;
    this.writer.write(`lyapunov${suffix}`, 0, event.lyapunov);
    this.writer.write(`lyapunov_resolved${suffix}`, 0, Int32Array.from(event.isResolved));
    this.writer.write(`lyapunov_curve${suffix}`, 0, event.curve);
    this.writer.write(`lyapunov_curve_steps${suffix}`, 0, Int32Array.from(event.curveSteps));
    if (event.logSingularValues) this.writer.write(`singular_values${suffix}`, 0, event.logSingularValues);
  }

  private addEigenvalues({ direction, steps, values, kernel }: EigenvaluesEvent): void {
    const suffix = this.started.parts.length === 1 ? '' : `_${direction}`;
    this.writer.write(`eigenvalues_A${suffix}`, 0, values);
    this.writer.write(`eigenvalues_A_steps${suffix}`, 0, Int32Array.from(steps));
    if (kernel) this.writer.write(`eigenvalues_U${suffix}`, 0, kernel);
  }

  /** A rectangle of norms; each direction writes its own side of the diagonal, where both meet they are joined. */
  private addPairs(event: PairsEvent): void {
    const name = pairsArray(this.started, event);
    const { quantity, sequence, direction, targetStart, targetCount, sourceStart, sourceCount, logNorms } = event;
    const { steps, sourceSteps } = this.started;
    if (quantity === 'dh_ds0') {
      this.writer.write(name, sequence * steps + targetStart, logNorms);
      return;
    }
    const columns = isStateQuantity(quantity) ? steps : sourceSteps;
    for (let row = 0; row < targetCount; row++) {
      const t = targetStart + row;
      if (event.isJoined) {
        const part = logNorms.subarray(row * sourceCount, (row + 1) * sourceCount);
        this.writer.write(name, (sequence * steps + t) * columns + sourceStart, part);
        continue;
      }
      // Sources that come after the target in the order of computing belong to the other direction, or to nobody.
      const first = direction === 'forward' ? sourceStart : Math.max(sourceStart, t);
      const end = direction === 'forward' ? Math.min(sourceStart + sourceCount, t + 1) : sourceStart + sourceCount;
      if (first >= end) continue;
      const part = logNorms.subarray(row * sourceCount + first - sourceStart, row * sourceCount + end - sourceStart);
      const place = (sequence * steps + t) * columns;
      if (isStateQuantity(quantity) || this.started.parts.length === 1 || t < first || t >= end) {
        this.writer.write(name, place + first, part);
        continue;
      }
      if (first < t) this.writer.write(name, place + first, part.subarray(0, t - first));
      this.writer.write(name, place + t, [this.joinSameStep(name, event, t, part[t - first]!)]);
      if (t + 1 < end) this.writer.write(name, place + t + 1, part.subarray(t + 1 - first));
    }
  }

  /** The norm of step t by itself of both directions, as far as they are known. */
  private joinSameStep(name: string, { direction, sequence }: PairsEvent, t: number, own: number): number {
    const { batch, steps } = this.started;
    const made = { direction, norms: new Float64Array(batch * steps).fill(-Infinity) };
    const kept = this.sameStep.get(name) ?? made;
    this.sameStep.set(name, kept);
    const place = sequence * steps + t;
    if (kept.direction !== direction) return addNorms(kept.norms[place]!, own);
    kept.norms[place] = own;
    return own;
  }

  private addDiagonal(chunk: DiagonalChunk): void {
    this.writeBlocks('dh_dx', 'h', chunk, chunk.dhdx);
    if (chunk.dcdx) this.writeBlocks('dc_dx', 'c', chunk, chunk.dcdx);
  }

  private addFinal(chunk: FinalChunk): void {
    this.writeBlocks('dhT_dx', 'h', chunk, chunk.dhTdx);
    this.keepScales('h', chunk, chunk.scaleH, chunk.lognormH);
    if (chunk.dcTdx && chunk.scaleC && chunk.lognormC) {
      this.writeBlocks('dcT_dx', 'c', chunk, chunk.dcTdx);
      this.keepScales('c', chunk, chunk.scaleC, chunk.lognormC);
    }
  }

  /** Blocks `[B, count, H, D]` into `[B, T, H of all directions, D]`. */
  private writeBlocks(name: string, state: StateName, chunk: DiagonalChunk | FinalChunk, values: Numbers): void {
    const { batch, inputDim } = this.started;
    // Where both modes are there, T of x is T of the layer.
    const steps = this.started.sourceSteps;
    const rows = rowsOf(this.started, state, chunk.direction)!;
    const block = rows.units * inputDim;
    const stride = rows.total * inputDim;
    for (let b = 0; b < batch; b++) {
      const first = b * chunk.count;
      if (block === stride) {
        const part = values.subarray(first * block, (first + chunk.count) * block);
        this.writer.write(name, (b * steps + chunk.start) * stride, part);
        continue;
      }
      for (let t = 0; t < chunk.count; t++) {
        const part = values.subarray((first + t) * block, (first + t + 1) * block);
        this.writer.write(name, (b * steps + chunk.start + t) * stride + rows.offset * inputDim, part);
      }
    }
  }

  private keepScales(state: StateName, chunk: FinalChunk, scale: Int32Array, lognorm: Float64Array): void {
    const { batch, parts } = this.started;
    const steps = this.started.sourceSteps;
    const halves = this.scales.get(state) ?? new Map<Direction, Int32Array>();
    this.scales.set(state, halves);
    const kept = halves.get(chunk.direction) ?? new Int32Array(batch * steps);
    halves.set(chunk.direction, kept);
    const suffix = parts.length === 1 ? '' : `_${chunk.direction}`;
    for (let b = 0; b < batch; b++) {
      const from = b * chunk.count;
      for (let t = 0; t < chunk.count; t++) {
        kept[b * steps + chunk.start + t] = lognorm[from + t] === -Infinity ? ANY_SCALE : scale[from + t]!;
      }
      const place = b * steps + chunk.start;
      this.writer.write(`lognorm_d${state}T_dx${suffix}`, place, lognorm.subarray(from, from + chunk.count));
    }
  }

  private writeScales(): void {
    for (const [state, halves] of this.scales) {
      const [first, second] = [...halves.values()];
      if (second) this.joinScales(state, first!, second);
      this.writer.write(
        `scale_d${state}T_dx`,
        0,
        first!.map((scale) => (scale === ANY_SCALE ? 0 : scale)),
      );
    }
  }

  /**
   * One scale for both halves of each block: the larger, where they differ; the other half shrinks by the difference.
   * What is lost is below float32's reach beside the larger half; `lognorm_*` keeps each half's own norm.
   */
  private joinScales(state: StateName, forward: Int32Array, backward: Int32Array): void {
    const { inputDim } = this.started;
    const halves = [rowsOf(this.started, state, 'forward')!, rowsOf(this.started, state, 'backward')!] as const;
    for (let index = 0; index < forward.length; index++) {
      const [a, b] = [forward[index]!, backward[index]!];
      if (a === b) continue;
      if (a === ANY_SCALE || b === ANY_SCALE) {
        forward[index] = Math.max(a, b);
        continue;
      }
      const joint = Math.max(a, b);
      const half = halves[a < b ? 0 : 1];
      const start = (index * half.total + half.offset) * inputDim;
      const values = this.writer.readFloats(`d${state}T_dx`, start, half.units * inputDim);
      const factor = 2 ** (Math.min(a, b) - joint);
      this.writer.write(
        `d${state}T_dx`,
        start,
        values.map((value) => value * factor),
      );
      forward[index] = joint;
    }
  }
}
