/**
 * The arrays of a run, written to an `.npz` while they are computed.
 *
 * Names and shapes are those of docs/cli.md. A Bidirectional layer's rows are forward units, then backward units; its
 * two halves come in separate passes and are brought to one scale at the end.
 */
import type { Direction, DiagonalChunk, FinalChunk } from '../core/jacobian';
import type { AnalysisStep } from '../shared/analysis-step';
import type { FileSink } from '../shared/file-sink';
import type { StartedEvent, StatesEvent } from '../shared/run';
import { NPY_BYTES } from './npy-header';
import { NpzWriter, type ArrayDeclaration } from './npz-writer';

type Numbers = Float32Array | Float64Array;

/** Stands for the scale of a block that is exactly zero, which any scale fits. */
const ANY_SCALE = -(2 ** 31);

/** What is written of a run beside its Jacobians. */
export interface ArrayOptions {
  /** Gate names in canonical order; empty for SimpleRNN. */
  readonly gates: readonly string[];
}

/**
 * The arrays that a run will write, in their order in the file.
 *
 * @param started - The run.
 * @param options - Its gates.
 */
export function declareArrays(started: StartedEvent, options: ArrayOptions): readonly ArrayDeclaration[] {
  const { batch, steps, inputDim, hasCell, modes } = started;
  const units = started.units * started.directions.length;
  const states = hasCell ? ['h', 'c'] : ['h'];
  const real = (name: string, ...shape: number[]): ArrayDeclaration => ({ name, type: 'float32', shape });
  const declarations = [real('x', batch, steps, inputDim), ...states.map((name) => real(name, batch, steps, units))];
  if (modes.includes('states'))
    declarations.push(...options.gates.map((gate) => real(`gate_${gate}`, batch, steps, units)));
  if (modes.includes('diagonal'))
    declarations.push(...states.map((name) => real(`d${name}_dx`, batch, steps, units, inputDim)));
  if (modes.includes('final')) {
    declarations.push(...states.map((name) => real(`d${name}T_dx`, batch, steps, units, inputDim)));
    declarations.push(
      ...states.map((name) => ({ name: `scale_d${name}T_dx`, type: 'int32', shape: [batch, steps] }) as const),
    );
    for (const name of states) {
      for (const suffix of suffixes(started.directions)) {
        declarations.push({ name: `lognorm_d${name}T_dx${suffix}`, type: 'float64', shape: [batch, steps] });
      }
    }
  }
  return declarations;
}

/**
 * Bytes of all arrays that a run will write.
 *
 * @param declarations - What `declareArrays` gave.
 */
export function arrayBytes(declarations: readonly ArrayDeclaration[]): number {
  return declarations.reduce((sum, { shape, type }) => sum + shape.reduce((p, n) => p * n, 1) * NPY_BYTES[type], 0);
}

function suffixes(directions: readonly Direction[]): readonly string[] {
  return directions.length === 2 ? directions.map((direction) => `_${direction}`) : [''];
}

/** Writes the arrays of one run. */
export class RunArrays {
  private readonly writer: NpzWriter;
  /** Scales of each direction, `[B * T]`, per array; kept until both halves are there. */
  private readonly scales = new Map<string, Int32Array[]>();

  constructor(
    sink: FileSink,
    private readonly started: StartedEvent,
    options: ArrayOptions,
  ) {
    this.writer = new NpzWriter(sink, declareArrays(started, options));
  }

  /**
   * Writes what one step brings.
   *
   * @param step - A step of the run after `started`.
   */
  add(step: AnalysisStep): void {
    if (step.event.kind === 'states') this.addStates(step.event);
    if (step.chunk?.mode === 'diagonal') this.addDiagonal(step.chunk);
    if (step.chunk?.mode === 'final') this.addFinal(step.chunk);
  }

  /** Completes the file. */
  async close(): Promise<void> {
    this.writeScales();
    await this.writer.close();
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

  private addDiagonal(chunk: DiagonalChunk): void {
    this.writeBlocks('dh_dx', chunk, chunk.dhdx);
    if (chunk.dcdx) this.writeBlocks('dc_dx', chunk, chunk.dcdx);
  }

  private addFinal(chunk: FinalChunk): void {
    this.writeBlocks('dhT_dx', chunk, chunk.dhTdx);
    this.keepScales('dhT_dx', chunk, chunk.scaleH, chunk.lognormH);
    if (chunk.dcTdx && chunk.scaleC && chunk.lognormC) {
      this.writeBlocks('dcT_dx', chunk, chunk.dcTdx);
      this.keepScales('dcT_dx', chunk, chunk.scaleC, chunk.lognormC);
    }
  }

  /** Blocks `[B, count, H, D]` into `[B, T, H of all directions, D]`. */
  private writeBlocks(name: string, chunk: DiagonalChunk | FinalChunk, values: Numbers): void {
    const { batch, steps, units, inputDim, directions } = this.started;
    const block = units * inputDim;
    const stride = block * directions.length;
    const offset = directions.indexOf(chunk.direction) * block;
    for (let b = 0; b < batch; b++) {
      const first = b * chunk.count;
      if (directions.length === 1) {
        const part = values.subarray(first * block, (first + chunk.count) * block);
        this.writer.write(name, (b * steps + chunk.start) * stride, part);
        continue;
      }
      for (let t = 0; t < chunk.count; t++) {
        const part = values.subarray((first + t) * block, (first + t + 1) * block);
        this.writer.write(name, (b * steps + chunk.start + t) * stride + offset, part);
      }
    }
  }

  private keepScales(name: string, chunk: FinalChunk, scale: Int32Array, lognorm: Float64Array): void {
    const { batch, steps, directions } = this.started;
    const kept = this.scales.get(name) ?? directions.map(() => new Int32Array(batch * steps));
    this.scales.set(name, kept);
    const index = directions.indexOf(chunk.direction);
    const suffix = suffixes(directions)[index]!;
    for (let b = 0; b < batch; b++) {
      const from = b * chunk.count;
      for (let t = 0; t < chunk.count; t++) {
        kept[index]![b * steps + chunk.start + t] = lognorm[from + t] === -Infinity ? ANY_SCALE : scale[from + t]!;
      }
      this.writer.write(
        `lognorm_${name}${suffix}`,
        b * steps + chunk.start,
        lognorm.subarray(from, from + chunk.count),
      );
    }
  }

  private writeScales(): void {
    for (const [name, [first, second]] of this.scales) {
      if (second) this.joinScales(name, first!, second);
      this.writer.write(
        `scale_${name}`,
        0,
        first!.map((scale) => (scale === ANY_SCALE ? 0 : scale)),
      );
    }
  }

  /**
   * One scale for both halves of each block: the larger, where they differ; the other half shrinks by the difference.
   * What is lost is below float32's reach beside the larger half; `lognorm_*` keeps each half's own norm.
   */
  private joinScales(name: string, forward: Int32Array, backward: Int32Array): void {
    const block = this.started.units * this.started.inputDim;
    for (let index = 0; index < forward.length; index++) {
      const [a, b] = [forward[index]!, backward[index]!];
      if (a === b) continue;
      if (a === ANY_SCALE || b === ANY_SCALE) {
        forward[index] = Math.max(a, b);
        continue;
      }
      const joint = Math.max(a, b);
      const start = 2 * index * block + (a < b ? 0 : block);
      const half = this.writer.readFloats(name, start, block);
      const factor = 2 ** (Math.min(a, b) - joint);
      this.writer.write(
        name,
        start,
        half.map((value) => value * factor),
      );
      forward[index] = joint;
    }
  }
}
