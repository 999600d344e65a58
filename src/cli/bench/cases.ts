/**
 * The cases of `tempograd bench`: sizes, what is asked, and the target each is held to.
 *
 * Ids with a C are those of the performance page; F2000 and D8 are the two that every release must meet.
 */
import { PLAIN_LSTM, type CellDescription } from '../../core/model';
import { makeRandom, type RandomSource } from '../../core/random';
import { makeTensor, type RealTensor } from '../../core/tensor';
import type { EngineName } from '../../engine/engine';

/** One case. */
export interface BenchCase {
  readonly id: string;
  readonly what: string;
  readonly engine: EngineName;
  readonly modes: readonly ('diagonal' | 'final')[];
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
  /** Useful FLOP/s over sgemm, at least. */
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
    modes: ['diagonal', 'final'],
    ...{ steps: 20, units: 8, inputDim: 4, batch: 1, repeats: 1, isCold: true },
    target: { ...NO_TARGET, seconds: 0.015 },
  },
  {
    id: 'F2000',
    what: 'LSTM final, h and c, every row',
    engine: 'tensorflow',
    modes: ['final'],
    ...{ steps: 2000, units: 256, inputDim: 64, batch: 1, repeats: 3, isCold: false },
    target: { ...NO_TARGET, ratio: 0.45 },
  },
  {
    id: 'D8',
    what: 'LSTM diagonal, h and c, streamed',
    engine: 'tensorflow',
    modes: ['diagonal'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 8, repeats: 3, isCold: false },
    target: { ...NO_TARGET, peakBytes: 600 * MEGABYTE },
  },
  {
    id: 'C4',
    what: 'LSTM diagonal of a large batch, streamed',
    engine: 'tensorflow',
    modes: ['diagonal'],
    ...{ steps: 1000, units: 256, inputDim: 64, batch: 32, repeats: 3, isCold: false },
    target: { ...NO_TARGET, fillRatio: 0.5, peakBytes: 600 * MEGABYTE },
  },
  {
    id: 'C5',
    what: 'LSTM final over a long run, h and c, every row',
    engine: 'tensorflow',
    modes: ['final'],
    ...{ steps: 10_000, units: 256, inputDim: 64, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 0.6 },
  },
  {
    id: 'C6',
    what: 'LSTM final of a wide layer, h and c, every row',
    engine: 'tensorflow',
    modes: ['final'],
    ...{ steps: 500, units: 1024, inputDim: 256, batch: 1, repeats: 1, isCold: false },
    target: { ...NO_TARGET, ratio: 0.8 },
  },
];

/**
 * A Keras-like LSTM with seeded weights: kernels of variance 1/inputs, forget bias 1.
 *
 * @param units - H
 * @param inputDim - D
 */
export function benchCell(units: number, inputDim: number): CellDescription {
  const random = makeRandom(0);
  const width = 4 * units;
  const bias = new Float32Array(width);
  bias.fill(1, units, 2 * units);
  return {
    kind: 'LSTM',
    units,
    inputDim,
    kernel: makeTensor([inputDim, width], normal(random, inputDim * width, 1 / Math.sqrt(inputDim))),
    recurrentKernel: makeTensor([units, width], normal(random, units * width, 1 / Math.sqrt(units))),
    bias: makeTensor([width], bias),
    activation: { name: 'tanh' },
    recurrentActivation: { name: 'sigmoid' },
    outputActivation: { name: 'tanh' },
    ...PLAIN_LSTM,
  };
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
