/**
 * The arrays of a part of a run, written while they are computed.
 *
 * What belongs to sequences stands under the names of the run, with the part's own sequences on the first axis, so that
 * putting parts together is laying them one behind the other. Norms of pairs are kept as the rectangles that they come
 * in: a part has no cell that it did not compute, and `merge` lays them exactly as one run would.
 */
import type { PairsQuantity } from '../core/jacobian';
import type { AnalysisStep } from '../shared/analysis-step';
import type { FileSink } from '../shared/file-sink';
import { PART_ARRAYS, PLACE_COLUMNS, PLACE_DIRECTIONS, type PartRecord } from '../shared/part-record';
import type { DoneEvent, PairsEvent, RunPart, StartedEvent } from '../shared/run';
import { arrayBytes, declareArrays, isPairsArray } from './array-declarations';
import { NpzWriter, type ArrayDeclaration } from './npz-writer';
import { RunArrays } from './run-arrays';

/** Norms that are gathered before they are written. */
const GATHERED_NORMS = 1 << 17;

/** A run of which a part is computed. */
export type PartStarted = StartedEvent & { readonly part: RunPart };

/**
 * The arrays of a part, those that have a length of their own left out.
 *
 * @param started - The run.
 */
export function declarePart(started: PartStarted): readonly ArrayDeclaration[] {
  const { count } = started.part.sequences;
  return count === 0 ? [] : declareArrays(ownRun(started));
}

/**
 * Bytes that a part takes, about.
 *
 * @param started - The run.
 */
export function partBytes(started: PartStarted): number {
  const pairs = declareArrays(started).filter(({ name }) => isPairsArray(name));
  // Half of the pairs are exactly zero, and are not written.
  return arrayBytes(declarePart(started)) + arrayBytes(pairs) / 2 / started.part.count;
}

/** The part's sequences as a run of their own, without its pairs. */
function ownRun(started: PartStarted): StartedEvent {
  const modes = started.modes.filter((mode) => mode !== 'pairs');
  return { ...started, modes, batch: started.part.sequences.count };
}

/** Writes the arrays of one part. */
export class PartArrays {
  private readonly writer: NpzWriter;
  private readonly arrays: RunArrays | null;
  private readonly quantities: PairsQuantity[] = [];
  private readonly places: number[] = [];
  private gathered: Float64Array[] = [];
  private gatheredLength = 0;
  private mask: Uint8Array | null = null;
  private done: DoneEvent | null = null;

  /**
   * @param sink - The file.
   * @param started - The run, with its part.
   * @param facts - What decides the numbers of the run, by name.
   */
  constructor(
    sink: FileSink,
    private readonly started: PartStarted,
    private readonly facts: Readonly<Record<string, string>>,
  ) {
    this.writer = new NpzWriter(sink, declarePart(started));
    this.arrays = started.part.sequences.count > 0 ? new RunArrays(sink, ownRun(started), this.writer) : null;
  }

  /**
   * Writes what one step brings.
   *
   * @param step - A step of the run after `started`.
   */
  add(step: AnalysisStep): void {
    if (step.event.kind === 'states') this.mask = step.event.mask;
    if (step.event.kind === 'done') this.done = step.event;
    if (step.event.kind === 'pairs') this.addPairs(step.event);
    else this.arrays?.add(step);
  }

  /** Completes the file of a part that went through. */
  async close(): Promise<void> {
    if (!this.done?.exponents) throw new Error('a part ends with its exponents');
    this.arrays?.complete();
    this.writeGathered();
    const { writer, mask } = this;
    const { steps, directions, part } = this.started;
    const { count } = part.sequences;
    const rectangles = this.places.length / PLACE_COLUMNS;
    if (rectangles > 0) this.write(PART_ARRAYS.places, 'int32', [rectangles, PLACE_COLUMNS], this.places);
    this.write(PART_ARRAYS.exponents, 'float64', [directions.length, count], this.done.exponents);
    if (mask && count > 0) this.write(PART_ARRAYS.mask, 'uint8', [count, steps], mask);
    const record: PartRecord = {
      schema: 1,
      facts: this.facts,
      started: this.started,
      states: part.statesChecksum,
      quantities: this.quantities,
      summary: this.done.summary,
      ...(this.done.ofStates && { ofStates: this.done.ofStates }),
    };
    const bytes = new TextEncoder().encode(JSON.stringify(record));
    this.write(PART_ARRAYS.record, 'uint8', [bytes.length], bytes);
    await writer.close();
  }

  private write(
    name: string,
    type: ArrayDeclaration['type'],
    shape: readonly number[],
    values: ArrayLike<number>,
  ): void {
    this.writer.declare({ name, type, shape });
    this.writer.write(name, 0, values);
  }

  private addPairs(event: PairsEvent): void {
    const { quantity, direction, sequence, targetStart, targetCount, sourceStart, sourceCount, logNorms } = event;
    let number = this.quantities.indexOf(quantity);
    if (number < 0) number = this.quantities.push(quantity) - 1;
    const side = PLACE_DIRECTIONS.indexOf(direction);
    const isJoined = Number(event.isJoined ?? false);
    this.places.push(number, side, sequence, targetStart, targetCount, sourceStart, sourceCount, isJoined);
    this.gathered.push(logNorms);
    this.gatheredLength += logNorms.length;
    if (this.gatheredLength >= GATHERED_NORMS) this.writeGathered();
  }

  private writeGathered(): void {
    if (this.gatheredLength === 0) return;
    const joined = new Float64Array(this.gatheredLength);
    let at = 0;
    for (const norms of this.gathered) {
      joined.set(norms, at);
      at += norms.length;
    }
    this.writer.append(PART_ARRAYS.values, 'float64', joined);
    this.gathered = [];
    this.gatheredLength = 0;
  }
}
