/**
 * Whole Jacobians of pairs in the arrays of a run: a row of targets at a time, nothing held back.
 *
 * The two halves of a Bidirectional layer meet at t = s alone. Elsewhere the rows of the other half are zeros, which are
 * written with those that are not, so that a row of sources stays one piece of the file.
 */
import type { Direction, PairBlocksChunk, StateName } from '../core/jacobian';
import type { StartedEvent } from '../shared/run';
import { rowsOf, type Rows } from './array-declarations';
import type { NpzWriter } from './npz-writer';

type Numbers = Float32Array | Float64Array;

/** The half of a step by itself that came first. */
interface FirstHalf {
  readonly direction: Direction;
  readonly scale: number;
  readonly isZero: boolean;
}

/** Writes whole blocks. */
export class PairBlockArrays {
  /** By state and place, until the other half is there. */
  private readonly sameStep = new Map<string, FirstHalf>();

  /**
   * @param writer - The file.
   * @param started - The run.
   */
  constructor(
    private readonly writer: NpzWriter,
    private readonly started: StartedEvent,
  ) {}

  /**
   * Writes the blocks of one target.
   *
   * @param chunk - The blocks.
   */
  add(chunk: PairBlocksChunk): void {
    this.addState('h', chunk, chunk.dhdx, chunk.scaleH);
    if (chunk.dcdx && chunk.scaleC) this.addState('c', chunk, chunk.dcdx, chunk.scaleC);
  }

  private addState(state: StateName, chunk: PairBlocksChunk, values: Numbers, scales: Int32Array): void {
    const { direction, target, sourceStart, sourceCount } = chunk;
    const rows = rowsOf(this.started, state, direction)!;
    const half = rows.units * this.started.inputDim;
    const write = (first: number, end: number): void => {
      if (first >= end) return;
      const from = first - sourceStart;
      const part = values.subarray(from * half, (end - sourceStart) * half);
      const place = this.placeOf(chunk, first);
      const size = rows.total * this.started.inputDim;
      this.writer.write(`d${state}_dx_pairs`, place * size, this.widened(part, rows));
      this.writer.write(`scale_d${state}_dx_pairs`, place, scales.subarray(from, end - sourceStart));
    };
    const end = sourceStart + sourceCount;
    if (rows.units === rows.total || target < sourceStart || target >= end) {
      write(sourceStart, end);
      return;
    }
    write(sourceStart, target);
    write(target + 1, end);
    const at = target - sourceStart;
    this.addSameStep(state, chunk, rows, values.subarray(at * half, (at + 1) * half), scales[at]!);
  }

  /** The place of a pair among all pairs. */
  private placeOf({ sequence, target }: PairBlocksChunk, source: number): number {
    const { steps } = this.started;
    return (sequence * steps + target) * steps + source;
  }

  /** Blocks with the rows of the other direction, which are zeros. */
  private widened(values: Numbers, rows: Rows): Numbers {
    if (rows.units === rows.total) return values;
    const { inputDim } = this.started;
    const half = rows.units * inputDim;
    const size = rows.total * inputDim;
    const wide = new Float32Array((values.length / half) * size);
    for (let k = 0; k * half < values.length; k++) {
      wide.set(values.subarray(k * half, (k + 1) * half), k * size + rows.offset * inputDim);
    }
    return wide;
  }

  /** One half of the block of a step by itself; the larger scale of both is that of the block. */
  private addSameStep(state: StateName, chunk: PairBlocksChunk, rows: Rows, own: Numbers, scale: number): void {
    const { writer, started } = this;
    const { inputDim } = started;
    const place = this.placeOf(chunk, chunk.target);
    const [name, scaleName] = [`d${state}_dx_pairs`, `scale_d${state}_dx_pairs`];
    const key = `${state} ${String(place)}`;
    const isZero = own.every((value) => value === 0);
    const other = this.sameStep.get(key);
    if (other) this.sameStep.delete(key);
    else this.sameStep.set(key, { direction: chunk.direction, scale, isZero });
    const joint = !other || other.isZero ? scale : isZero ? other.scale : Math.max(scale, other.scale);
    const start = (direction: Direction): number =>
      (place * rows.total + rowsOf(started, state, direction)!.offset) * inputDim;
    writer.write(name, start(chunk.direction), shrunk(own, scale - joint));
    if (other && !other.isZero && other.scale !== joint) {
      const units = rowsOf(started, state, other.direction)!.units;
      const there = writer.readFloats(name, start(other.direction), units * inputDim);
      writer.write(name, start(other.direction), shrunk(there, other.scale - joint));
    }
    writer.write(scaleName, place, [joint]);
  }
}

/** Values times 2^exponent; what is lost is below float32's reach beside the other half. */
function shrunk(values: Numbers, exponent: number): Numbers {
  return exponent === 0 ? values : values.map((value) => value * 2 ** exponent);
}
