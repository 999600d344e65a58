/**
 * The cases of `tempograd bench`: sizes, what is asked, and the target each is held to.
 *
 * Ids with a C are those of the performance page (an A behind them: long products in a basis of their rank); F2000 and
 * D8 are the two that every release must meet.
 */
import type { EngineName } from '../../engine/engine';
import type { ModelSizes } from './bench-model';

/**
 * What a case computes. `exact`: every row propagated; without: long products in a basis of their rank where that pays.
 * `stack pairs` are norms by the input of a model of layers, `sketched pairs` estimates from a few random directions.
 */
export type BenchMode =
  | 'diagonal'
  | 'final'
  | 'exact final'
  | 'pairs'
  | 'exact pairs'
  | 'state pairs'
  | 'sketched pairs'
  | 'stack pairs'
  | 'spectrum';

/** One case of an engine. */
export interface BenchCase extends ModelSizes {
  readonly id: string;
  readonly what: string;
  readonly engine: EngineName;
  readonly modes: readonly BenchMode[];
  /** How often it is measured, the first, cold run left out unless `isCold`. */
  readonly repeats: number;
  /** Only the first run counts. */
  readonly isCold: boolean;
  /** Whether every result goes to a file as it comes. */
  readonly isWritten: boolean;
  /** Lyapunov exponents, or directions of a sketch; 0 where neither is asked for. */
  readonly directions: number;
  /** What must be reached; what is left out is not held to anything. */
  readonly target: BenchTarget;
}

/** Bounds of a case. */
export interface BenchTarget {
  /** Useful FLOP/s over sgemm, at least; for pairs the FLOP of pushing every source, so that it may be above 1. */
  readonly ratio?: number;
  /** Bytes/s of results over the rate at which fresh memory fills, at least. */
  readonly fillRatio?: number;
  /** Above the loaded engine, at most. */
  readonly peakBytes?: number;
  /** Of the whole process, at most. */
  readonly residentBytes?: number;
  /** At most. */
  readonly seconds?: number;
  /** Until the first result, at most. */
  readonly firstSeconds?: number;
  /** At most so many times the time of another case of the same run. */
  readonly timesOf?: { readonly id: string; readonly factor: number };
}

/** The window's case, which has no engine. */
export const WINDOW_CASE = { id: 'C12', what: 'cold start of the window; a model of 100 MB opened in it' } as const;

const MEGABYTE = 1e6;
const ONE_CELL = {
  engine: 'tensorflow',
  layers: 0,
  isCold: false,
  isWritten: false,
  directions: 0,
} as const;
const LSTM = { ...ONE_CELL, kind: 'LSTM' } as const;
/** The LSTM of most cases. */
const MIDDLE = { units: 256, inputDim: 64, batch: 1, repeats: 1 } as const;
const SHORT = { ...MIDDLE, repeats: 3 } as const;
const C3_SIZE = { ...MIDDLE, steps: 1024 } as const;
const WIDE = { steps: 500, units: 1024, inputDim: 256, batch: 1, repeats: 1 } as const;

/** Every case of an engine, in the order in which they run: the cold one first, C3 before what is held against it. */
export const BENCH_CASES: readonly BenchCase[] = [
  {
    ...LSTM,
    ...{ id: 'C1', what: 'toy LSTM, diagonal, final and states, cold, plain TypeScript', engine: 'reference' },
    modes: ['diagonal', 'exact final'],
    ...{ steps: 20, units: 8, inputDim: 4, batch: 1, repeats: 1, isCold: true },
    target: { seconds: 0.015 },
  },
  {
    ...{ ...ONE_CELL, id: 'C2', what: 'GRU of a small layer, all pairs', kind: 'GRU', modes: ['pairs'] },
    ...{ steps: 100, units: 64, inputDim: 16, batch: 1, repeats: 9 },
    target: {},
  },
  {
    ...{ ...LSTM, id: 'F2000', what: 'LSTM final, h and c, every row', modes: ['exact final'] },
    ...{ ...SHORT, steps: 2000 },
    target: { ratio: 0.45 },
  },
  {
    ...{ ...LSTM, id: 'D8', what: 'LSTM diagonal, h and c, streamed', modes: ['diagonal'] },
    ...{ ...SHORT, steps: 1000, batch: 8 },
    target: { peakBytes: 600 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C4', what: 'LSTM diagonal of a large batch, h and c, streamed', modes: ['diagonal'] },
    ...{ ...SHORT, steps: 1000, batch: 32 },
    target: { fillRatio: 0.5, peakBytes: 600 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C5', what: 'LSTM final over a long run, h and c, every row', modes: ['exact final'] },
    ...{ ...MIDDLE, steps: 10_000 },
    target: { ratio: 0.6 },
  },
  {
    ...{ ...LSTM, id: 'C5A', what: 'the same with rows in a basis of their rank', modes: ['final'] },
    ...{ ...MIDDLE, steps: 10_000, repeats: 3 },
    target: {},
  },
  {
    ...{ ...LSTM, id: 'C6', what: 'LSTM final of a wide layer, h and c, every row', modes: ['exact final'], ...WIDE },
    target: { ratio: 0.8 },
  },
  {
    ...{ ...LSTM, id: 'C6A', what: 'the same with rows in a basis of their rank', modes: ['final'], ...WIDE },
    target: {},
  },
  {
    ...{ ...LSTM, id: 'C3', what: 'LSTM, all pairs of h and c, every row', modes: ['exact pairs'], ...C3_SIZE },
    target: { ratio: 4, residentBytes: 1500 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C3A', what: 'the same with sources in a basis of their rank', modes: ['pairs'], ...C3_SIZE },
    target: { residentBytes: 1500 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C3L', what: 'the same over 10 000 steps, the result streamed to disk', modes: ['pairs'] },
    ...{ ...MIDDLE, steps: 10_000, isWritten: true },
    target: { residentBytes: 3000 * MEGABYTE, timesOf: { id: 'C3A', factor: 30 } },
  },
  {
    ...{ ...ONE_CELL, id: 'C7', what: 'SimpleRNN, all pairs of states', kind: 'SimpleRNN', modes: ['state pairs'] },
    ...{ ...MIDDLE, steps: 1000 },
    target: { ratio: 20, residentBytes: 2500 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C7L', what: 'LSTM, all pairs of states', modes: ['state pairs'], ...MIDDLE, steps: 1000 },
    target: { ratio: 12.5, residentBytes: 2500 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C8', what: 'LSTM, 32 Lyapunov exponents', modes: ['spectrum'], directions: 32 },
    ...{ steps: 2000, units: 512, inputDim: 64, batch: 1, repeats: 3 },
    target: {},
  },
  {
    ...{ ...LSTM, id: 'C9', what: 'three bidirectional LSTMs, all pairs by the model’s input', modes: ['stack pairs'] },
    ...{ steps: 256, units: 128, inputDim: 32, batch: 1, repeats: 1, layers: 3 },
    target: { residentBytes: 1000 * MEGABYTE },
  },
  {
    ...{ ...LSTM, id: 'C10', what: 'LSTM of a wide layer, all pairs estimated', modes: ['sketched pairs'] },
    ...{ steps: 1000, units: 1024, inputDim: 64, batch: 1, repeats: 1, directions: 8 },
    target: { firstSeconds: 8 },
  },
];

/** All cases by id, as the help lists them. */
export function benchCaseList(): string {
  const rows = [...BENCH_CASES, WINDOW_CASE].map(({ id, what }) => `  ${id.padEnd(6)} ${what}`);
  return ['Cases:', ...rows].join('\n');
}
