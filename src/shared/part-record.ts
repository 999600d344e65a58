/**
 * What a part of a run (`analyze --shard`) says of itself, and a part as `merge` reads it.
 *
 * A part is an `.npz` of its own: the arrays of its sequences under the names of the run, the norms of its tiles of pairs
 * rectangle by rectangle, and this record. It comes from a file, so it is checked before it is believed.
 */
import { z } from 'zod';
import type { Summary } from '../core/summary';
import type { RunPart, SpectrumOfStates, StartedEvent } from './run';

/** The arrays that only parts have. */
export const PART_ARRAYS = {
  /** The record, bytes of JSON. */
  record: 'part',
  /** `[R, 8]` int32, one row a rectangle: quantity, direction, sequence, first target, targets, first source, sources, whether joined. */
  places: 'part_pairs_places',
  /** `[N]` float64, the rectangles' log norms one after the other. */
  values: 'part_pairs_values',
  /** `[directions, b]` float64, the leading exponent of each sequence. */
  exponents: 'part_exponents',
  /** `[b, T]` bytes, 1 = valid; absent without a mask. */
  mask: 'part_mask',
} as const;

/** Columns of a place. */
export const PLACE_COLUMNS = 8;

/** The directions by their number in a place. */
export const PLACE_DIRECTIONS = ['forward', 'backward'] as const;

const size = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const direction = z.enum(['forward', 'backward']);

const startedSchema = z.looseObject({
  kind: z.literal('started'),
  layer: z.string(),
  batch: size,
  steps: size,
  sourceSteps: size,
  inputDim: size,
  directions: z.array(direction).min(1).max(2),
  modes: z.array(z.string()),
  engine: z.object({ name: z.enum(['tensorflow', 'wasm', 'reference']), version: z.string(), reason: z.string() }),
  parts: z
    .array(
      z.looseObject({
        direction,
        kind: z.enum(['SimpleRNN', 'LSTM', 'GRU']),
        units: size,
        hiddenSize: size,
        hasCell: z.boolean(),
      }),
    )
    .min(1)
    .max(2),
  spectra: z
    .array(z.looseObject({ direction, count: size, stateSize: size, hasSingularValues: z.boolean() }))
    .optional(),
  part: z.looseObject({
    index: size,
    count: size.min(1),
    sequences: z.object({ first: size, count: size }),
    tiles: z.array(z.object({ direction, first: size, end: size, total: size })),
  }),
});

const recordSchema = z.looseObject({
  schema: z.literal(1),
  /** What decides the numbers of a run, by name; the same in all of its parts. */
  facts: z.record(z.string(), z.string()),
  started: startedSchema,
  /** Of the states of all sequences, as this machine computed them. */
  states: z.string(),
  /** Names of the quantities by their number in a place. */
  quantities: z.array(z.string()),
  summary: z.looseObject({ schema: z.literal(1) }),
  ofStates: z.array(z.looseObject({ direction, shortLag: z.looseObject({ isKnown: z.boolean() }) })).optional(),
});

/** The record of a part. */
export interface PartRecord {
  readonly schema: 1;
  readonly facts: Readonly<Record<string, string>>;
  readonly started: StartedEvent & { readonly part: RunPart };
  readonly states: string;
  readonly quantities: readonly string[];
  readonly summary: Summary;
  /** Of the first part, with the mode spectrum. */
  readonly ofStates?: readonly SpectrumOfStates[];
}

/**
 * The record that a text is; null where it is none.
 *
 * @param text - JSON.
 */
export function parsePartRecord(text: string): PartRecord | null {
  try {
    const { success, data } = recordSchema.safeParse(JSON.parse(text));
    return success ? (data as unknown as PartRecord) : null;
  } catch {
    return null;
  }
}

/** An array of a part, read by range. */
export interface PartArray {
  readonly shape: readonly number[];
  /** Elements `first .. first + count`. */
  read(first: number, count: number): Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** A part that is open. */
export interface OpenPart {
  /** Absent arrays are undefined. */
  array(name: string): Promise<PartArray | undefined>;
}

/** A part as a file. */
export interface PartFile {
  readonly path: string;
  readonly record: PartRecord;
  /** Opens it for as long as the work takes. */
  use<R>(work: (part: OpenPart) => Promise<R>): Promise<R>;
}
