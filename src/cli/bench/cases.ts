/**
 * The cases of `tempograd bench`: sizes, what is asked, and the target each is held to.
 *
 * Ids with a C are those of the performance page; F2000 and D8 are the two that every release must meet.
 */
import { PLAIN_LSTM, type CellDescription, type CellKind } from '../../core/model';
import { makeRandom, type RandomSource } from '../../core/random';
import { makeTensor, type RealTensor } from '../../core/tensor';
import type { EngineName } from '../../engine/engine';

/** What a case computes: the two propagations, or norms of all pairs by inputs or by states, with a basis or without. */
export type BenchMode = 'diagonal' | 'final' | 'pairs' | 'exact pairs' | 'state pairs';

/** One case. */
export interface BenchCase {
  readonly id: string;
  readonly what: string;
  readonly engine: EngineName;
  readonly kind: CellKind;
  readonly modes: readonly BenchMode[];
  readonly steps: number;
  readonly units: number;
  readonly inputDim: number;
  readonly batch: number;
  /** How often it is measured, the first, cold run left out unless `isCold`. */
  readonly repeats: number;
  /** Only the first run counts. */
  readonly isCold: boolean;
  /** What must be reached; null = not held to it. */
  readonly target: BenchTarget;
}

/** Bounds of a case. */
export interface BenchTarget {
  /** Useful FLOP/s over sgemm, at least; for pairs the FLOP of pushing every source, so that it may be above 1. */
  readonly ratio: number | null;
  /** Bytes/s of results over the rate at which fresh memory fills, at least. */
  readonly fillRatio: number | null;
  /** Above the loaded engine, at most. */
  readonly peakBytes: number | null;
  /** At most. */
  readonly seconds: number | null;
}

const NO_TARGET: BenchTarget = { ratio: null, fillRatio: null, peakBytes: null, seconds: null };
const MEGABYTE = 1e6;

/** Every case, in the order in which they run: the cold one first. */
export const BENCH_CASES: readonly BenchCase[] = [
  {
    id: 'C1',
    what: 'toy LSTM, diagonal, final and states, cold, plain TypeScript',
    engine: 'reference',
    kind: 'LSTM',
    modes: ['diagonal', 'final'],
    ...{ steps: 20, units: 8, inputDim: 4, batch: 1, repeats: 1, isCold: true },
    target: { ...NO_TARGET, seconds: 0.015 },
  },
  {
    id: 'F2000',
    what: 'LSTM final, h and c, every row',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['final'],
    ...{ steps: 2000, units: 256, inputDim: 64, batch: 1, repeats: 3, isCold: false },
    target: { ...NO_TARGET, ratio: 0.45 },
  },
  {
    id: 'D8',
    what: 'LSTM diagonal, h and c, streamed',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['diagonal'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 8, repeats: 3, isCold: false },
    target: { ...NO_TARGET, peakBytes: 600 * MEGABYTE },
  },
  {
    id: 'C4',
    what: 'LSTM diagonal of a large batch, streamed',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['diagonal'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 32, repeats: 3, isCold: false },
    target: { ...NO_TARGET, fillRatio: 0.5, peakBytes: 600 * MEGABYTE },
  },
  {
    id: 'C5',
    what: 'LSTM final over a long run, h and c, every row',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['final'],
    ...{ steps: 10_000, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 0.6 },
  },
  {
    id: 'C6',
    what: 'LSTM final of a wide layer, h and c, every row',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['final'],
    ...{ steps: 500, units: 1024, inputDim: 256, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 0.8 },
  },
  {
    id: 'C2',
    what: 'GRU of a small layer, all pairs',
    engine: 'tensorflow',
    kind: 'GRU',
    modes: ['pairs'],
    ...{ steps: 100, units: 64, inputDim: 16, batch: 1, repeats: 3, isCold: false },
    target: NO_TARGET,
  },
  {
    id: 'C3',
    what: 'LSTM, all pairs of h and c, every row',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['exact pairs'],
    ...{ steps: 1024, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 4, peakBytes: 1500 * MEGABYTE },
  },
  {
    id: 'C3A',
    what: 'the same with sources in a basis of their rank',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['pairs'],
    ...{ steps: 1024, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 4, peakBytes: 1500 * MEGABYTE },
  },
  {
    id: 'C7',
    what: 'SimpleRNN, all pairs of states',
    engine: 'tensorflow',
    kind: 'SimpleRNN',
    modes: ['state pairs'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 20, peakBytes: 2500 * MEGABYTE },
  },
  {
    id: 'C7L',
    what: 'LSTM, all pairs of states',
    engine: 'tensorflow',
    kind: 'LSTM',
    modes: ['state pairs'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 12.5, peakBytes: 2500 * MEGABYTE },
  },
];

/**
 * A Keras-like cell with seeded weights: kernels of variance 1/inputs, forget bias 1.
 *
 * @param units - H
 * @param inputDim - D
 * @param kind - Which cell.
 */
export function benchCell(units: number, inputDim: number, kind: CellKind = 'LSTM'): CellDescription {
  const random = makeRandom(0);
  const width = { SimpleRNN: 1, GRU: 3, LSTM: 4 }[kind] * units;
  const common = {
    units,
    inputDim,
    kernel: makeTensor([inputDim, width], normal(random, inputDim * width, 1 / Math.sqrt(inputDim))),
    recurrentKernel: makeTensor([units, width], normal(random, units * width, 1 / Math.sqrt(units))),
    activation: { name: 'tanh' },
    clip: null,
  } as const;
  if (kind === 'SimpleRNN') return { kind, ...common, bias: null };
  const recurrentActivation = { name: 'sigmoid' } as const;
  if (kind === 'GRU') return { kind, ...common, bias: null, recurrentActivation, resetAfter: true };
  const bias = new Float32Array(width);
  bias.fill(1, units, 2 * units);
  const outputActivation = { name: 'tanh' } as const;
  return { ...PLAIN_LSTM, kind, ...common, bias: makeTensor([width], bias), recurrentActivation, outputActivation };
}

/**
 * Seeded standard-normal input, `[B, T, D]`.
 *
 * @param size - Sizes of the case.
 */
export function benchInput({ batch, steps, inputDim }: BenchCase): RealTensor {
  return makeTensor([batch, steps, inputDim], normal(makeRandom(1), batch * steps * inputDim, 1));
}

function normal(random: RandomSource, size: number, scale: number): Float32Array {
  return Float32Array.from({ length: size }, () => random.nextNormal() * scale);
}
