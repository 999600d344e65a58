/**
 * Which part of a run `--shard i/n` computes, and what of its events and chunks belongs to it.
 *
 * The cuts follow from the sizes and masks of the whole run and from n alone, so that n machines that know nothing of one
 * another cut alike. All pairs are cut between their tiles, everything else between sequences that go through the
 * products together; both are computed as the whole run computes them, so that the bits are the same.
 */
import { checksumOf } from '../core/checksum';
import { TempogradError } from '../core/errors';
import type { Direction, JacobianChunk } from '../core/jacobian';
import { shareOf } from '../core/share-out';
import type { Tensor } from '../core/tensor';
import type { LayerRun, PairsPart } from '../engine/engine';
import type { Pace } from '../engine/pace';
import { DEFAULT_EXPONENTS } from '../engine/propagate/spectrum-plan';
import type { SequenceRange } from '../engine/sequence-range';
import type { DoneEvent, RunPart, RunRequest, StatesEvent } from '../shared/run';
import type { Gathered } from './gathered';
import { spectrumOfStates } from './spectrum-diagnostics';
import { pairsSources } from './state-blocks';

/**
 * The part that a request asks for; null for the whole run.
 *
 * @param run - The layer with its states.
 * @param request - What is asked for.
 * @param sourceSteps - T of x.
 * @param chunkBytes - What a chunk of results may have.
 * @throws TempogradError `usage/bad-option` where the run cannot be cut into so many.
 */
export function cutRun(run: LayerRun, request: RunRequest, sourceSteps: number, chunkBytes: number): RunPart | null {
  const { shard, modes, exact: isExact, sketch } = request;
  if (!shard) return null;
  const { index, count } = shard;
  const directions = run.states.map(({ direction }) => direction);
  const hasPairs = modes.includes('pairs');
  const costs = directions.map((direction) =>
    hasPairs
      ? run.pairsTiles(direction, {
          sources: pairsSources(request, run, direction),
          isExact,
          chunkBytes,
          ...(sketch !== undefined && { sketch }),
        })
      : new Float64Array(),
  );
  const together = sequencesTogether(run, request, sourceSteps, chunkBytes);
  const groups = Math.ceil(run.batch / together);
  const most = Math.max(1, hasPairs ? Math.max(...costs.map(({ length }) => length)) : groups);
  if (count > most) throw tooMany(count, most, hasPairs, together);
  const own = shareOf(new Float64Array(groups).fill(1), index - 1, count);
  const [first, end] = [own.first, own.end].map((group) => Math.min(run.batch, group * together)) as [number, number];
  return {
    index,
    count,
    sequences: { first, count: end - first },
    tiles: hasPairs
      ? directions.map((direction, at) => {
          return { direction, ...shareOf(costs[at]!, index - 1, count), total: costs[at]!.length };
        })
      : [],
    chunkBytes,
    statesChecksum: checksumOf(run.states.flatMap(({ h, c }) => (c ? [h, c] : [h]))),
  };
}

/** Sequences that are not parted: those that the dearest mode takes through its products together. */
function sequencesTogether(run: LayerRun, request: RunRequest, sourceSteps: number, chunkBytes: number): number {
  const { modes, exact: isExact, exponents = DEFAULT_EXPONENTS } = request;
  const options = { chunkBytes, isExact, exponents };
  if (modes.includes('spectrum')) return run.sequencesAtOnce('spectrum', options);
  if (modes.includes('final')) return run.sequencesAtOnce('final', options);
  if (modes.includes('diagonal') && sourceSteps === run.steps) return run.sequencesAtOnce('diagonal', options);
  return 1;
}

function tooMany(count: number, most: number, hasPairs: boolean, together: number): TempogradError {
  const pieces = hasPairs
    ? `its pairs are computed in ${most} tiles`
    : `its sequences are computed ${together} at a time, in ${most} ${most === 1 ? 'go' : 'goes'}`;
  return new TempogradError('usage/bad-option', `the run cannot be cut into ${count} parts: ${pieces}`, {
    remedy: most === 1 ? 'Leave out --shard: the run is too small to be cut.' : `Use --shard i/${most} at most.`,
    details: { parts: count, most },
  });
}

/**
 * The tiles of pairs of a part, as the engine takes them.
 *
 * @param part - The part; null for the whole run.
 * @param direction - Which recurrence.
 */
export function pairsPartOf(part: RunPart | null, direction: Direction): { readonly part?: PairsPart } {
  const range = part?.tiles.find((tiles) => tiles.direction === direction);
  if (!part || !range) return {};
  const tiles = new Set(Array.from({ length: range.end - range.first }, (_, at) => range.first + at));
  return { part: { tiles, givesKnown: part.index === 1 } };
}

/**
 * What an array over the batch holds of some sequences.
 *
 * @param array - `[B, ...]`
 * @param batch - B
 * @param range - The sequences.
 */
export function rowsOf<A extends Float32Array | Float64Array | Int32Array | Uint8Array>(
  array: A,
  batch: number,
  { first, count }: SequenceRange,
): A {
  if (count === batch) return array;
  const width = array.length / batch;
  return array.subarray(first * width, (first + count) * width) as A;
}

/**
 * States of some sequences.
 *
 * @param event - Those of all.
 * @param batch - B
 * @param range - The sequences.
 */
export function statesOf(event: StatesEvent, batch: number, range: SequenceRange): StatesEvent {
  const { x, mask, h, c, gates } = event;
  return {
    ...event,
    x: rowsOf(x, batch, range),
    mask: mask && rowsOf(mask, batch, range),
    h: rowsOf(h, batch, range),
    c: c && rowsOf(c, batch, range),
    gates: Object.fromEntries(Object.entries(gates).map(([gate, values]) => [gate, rowsOf(values, batch, range)])),
  };
}

/**
 * A mask of some sequences.
 *
 * @param mask - Of all.
 * @param range - The sequences.
 */
export function maskOf(mask: Tensor<Uint8Array> | null, range: SequenceRange): Tensor<Uint8Array> | null {
  if (mask === null) return null;
  const [batch, steps] = mask.shape as readonly [number, number];
  return { shape: [range.count, steps], data: rowsOf(mask.data, batch, range) };
}

/**
 * What a chunk of Jacobians holds of some sequences; views, not copies.
 *
 * @param chunk - Of all.
 * @param batch - B
 * @param range - The sequences.
 */
export function chunkOf(chunk: JacobianChunk, batch: number, range: SequenceRange): JacobianChunk {
  const rows = <A extends Float32Array | Float64Array | Int32Array>(array: A): A => rowsOf(array, batch, range);
  if (chunk.mode === 'diagonal') {
    return { ...chunk, dhdx: rows(chunk.dhdx), dcdx: chunk.dcdx && rows(chunk.dcdx) };
  }
  return {
    ...chunk,
    dhTdx: rows(chunk.dhTdx),
    dcTdx: chunk.dcTdx && rows(chunk.dcTdx),
    scaleH: rows(chunk.scaleH),
    scaleC: chunk.scaleC && rows(chunk.scaleC),
    lognormH: rows(chunk.lognormH),
    lognormC: chunk.lognormC && rows(chunk.lognormC),
  };
}

/**
 * What a part gives besides its arrays for the summary of the whole run.
 *
 * @param part - The part.
 * @param gathered - Everything the part found.
 * @param pace - Lets messages in.
 */
export async function forMerging(
  part: RunPart,
  gathered: Gathered,
  pace: Pace,
): Promise<Pick<DoneEvent, 'exponents' | 'ofStates'>> {
  const exponents = Float64Array.from([...gathered.exponents.values()].flatMap((values) => [...values]));
  // States are those of all sequences in every part, so one part is enough.
  const isReader = part.index === 1 && gathered.started.modes.includes('spectrum');
  return { exponents, ...(isReader && { ofStates: await spectrumOfStates(gathered, pace) }) };
}
