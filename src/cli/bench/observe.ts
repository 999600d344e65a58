/**
 * What is looked at while a case is measured, and how far it is from float64.
 *
 * Looking costs a few copies a chunk; the float64 values are computed afterwards, at the states that the engine had.
 */
import type { DiagonalChunk, FinalChunk, PairsQuantity } from '../../core/jacobian';
import { addNorms } from '../../core/linalg/scaling';
import { makeReferenceCell } from '../../core/reference/reference-cell';
import { sketchBand } from '../../core/sketch';
import { loadEngine } from '../../engine/load-engine';
import type { LayerRun } from '../../engine/engine';
import type { Ops } from '../../engine/ops';
import { measureError, sampledSteps, summariseErrors, type BenchError, type SampledBlock } from './accuracy';
import type { BenchCase, BenchMode } from './cases';
import { makeCaseModel, openCase, type BenchChunk, type CaseModel } from './open-case';
import { pushedNorms } from './pushed-norms';
import { SampledPairs } from './sampled-pairs';
import { referenceExponents } from './spectrum-reference';
import { trajectoryOf } from './trajectory-of';

/** So small that the reference engine pushes one source at a time. */
const ONE_SOURCE_BYTES = 2 ** 10;

/** Share of pairs for which the band of a sketch is stated. */
const SHARE_IN_BAND = 0.95;

/** What was seen of one mode. */
export interface Observation {
  /** Looks at a chunk while it is valid. */
  look(chunk: BenchChunk): void;
  /** The error, once all chunks were seen. */
  error(run: LayerRun, ops: Ops | null, signal: AbortSignal): Promise<BenchError>;
}

/**
 * Ready to look at a mode of a case.
 *
 * @param benchCase - The case.
 * @param mode - The mode.
 * @param model - Its model.
 */
export function observe(benchCase: BenchCase, mode: BenchMode, model: CaseModel): Observation {
  if (mode === 'diagonal') return observeBlocks(benchCase, mode, model);
  if (mode === 'final' || mode === 'exact final') return observeBlocks(benchCase, 'final', model);
  if (mode === 'spectrum') return observeSpectrum(benchCase, model);
  if (mode === 'stack pairs') return observeStack(benchCase);
  const band = mode === 'sketched pairs' ? sketchBand(benchCase.directions) : null;
  return observePairs(benchCase, mode === 'state pairs' ? 'state' : 'input', model, band);
}

function observeBlocks(benchCase: BenchCase, mode: 'diagonal' | 'final', { cells, x }: CaseModel): Observation {
  const wanted = sampledSteps(benchCase.steps);
  const sampled: SampledBlock[] = [];
  return {
    look: (chunk) => {
      if (chunk.mode !== mode) return;
      const { start, count } = chunk;
      for (let i = 0; i < count; i++) if (wanted.has(start + i)) sampled.push(takeBlock(chunk, i, benchCase));
    },
    error: (run) => Promise.resolve(measureError(mode, cells[0]!, x, run, sampled)),
  };
}

/** A copy of the blocks of the first sequence at one timestep. */
function takeBlock(chunk: DiagonalChunk | FinalChunk, i: number, { units, inputDim }: BenchCase): SampledBlock {
  const length = units * inputDim;
  const copy = (data: Float32Array | Float64Array, scale: number): SampledBlock['blocks'][number] => ({
    data: data.slice(i * length, (i + 1) * length),
    scale,
  });
  const step = chunk.start + i;
  if (chunk.mode === 'diagonal') {
    return { step, blocks: [copy(chunk.dhdx, 0), ...(chunk.dcdx ? [copy(chunk.dcdx, 0)] : [])] };
  }
  const ofCell = chunk.dcTdx && chunk.scaleC ? [copy(chunk.dcTdx, chunk.scaleC[i])] : [];
  return { step, blocks: [copy(chunk.dhTdx, chunk.scaleH[i]), ...ofCell] };
}

function observePairs(
  benchCase: BenchCase,
  kind: 'input' | 'state',
  { cells, x }: CaseModel,
  band: readonly [low: number, high: number] | null,
): Observation {
  const sampled = new SampledPairs(benchCase, kind);
  return {
    look: (chunk) => {
      if (chunk.mode === 'pairs') sampled.look(chunk);
    },
    error: (run, ops) => {
      if (!ops) throw new Error('pairs are measured on the native engine only');
      const cell = makeReferenceCell(cells[0]!);
      const targetsOf = (source: number): readonly number[] => sampled.targetsOf(source);
      const expected = pushedNorms(ops, cell, trajectoryOf(x, run), kind, sampled.sources, targetsOf);
      const differences: number[] = [];
      for (const { target, source, h, c } of expected) {
        const add = (quantity: PairsQuantity, value: number): void => {
          const given = sampled.at(quantity, target, source);
          differences.push(given === value ? 0 : given - value);
        };
        if (kind === 'state') add('ds_ds', addNorms(h, c));
        else add('dh_dx', h);
        if (kind === 'input' && cell.hasCell) add('dc_dx', c);
      }
      const error = summariseErrors('log norms', differences.map(Math.abs));
      return Promise.resolve(band ? withinBand(error, differences, band) : error);
    },
  };
}

function observeSpectrum({ directions }: BenchCase, { cells, x }: CaseModel): Observation {
  let exponents: Float64Array = new Float64Array(0);
  return {
    look: (chunk) => {
      if (chunk.mode === 'spectrum') exponents = chunk.result.lyapunov;
    },
    error: (run, ops) => {
      if (!ops) throw new Error('spectra are measured on the native engine only');
      const expected = referenceExponents(ops, makeReferenceCell(cells[0]!), trajectoryOf(x, run), directions);
      return Promise.resolve(
        summariseErrors(
          'exponents',
          Array.from(expected, (value, i) => gap(exponents[i], value)),
        ),
      );
    },
  };
}

/** Norms through layers are held against the float64 engine's own, a few sources of it. */
function observeStack(benchCase: BenchCase): Observation {
  const sampled = new SampledPairs(benchCase, 'input');
  return {
    look: (chunk) => {
      if (chunk.mode === 'pairs') sampled.look(chunk);
    },
    error: async (_run, _ops, signal) => {
      const engine = await loadEngine('reference');
      const reference = await openCase(engine, benchCase, makeCaseModel(benchCase), signal);
      const errors: number[] = [];
      try {
        const part = { tiles: new Set(sampled.sources), givesKnown: false };
        for await (const chunk of reference.stack!.pairs({ chunkBytes: ONE_SOURCE_BYTES, signal, part })) {
          const expected = new SampledPairs(benchCase, 'input');
          expected.look(chunk);
          const source = chunk.sourceStart;
          for (const target of sampled.targetsOf(source)) {
            const value = expected.at(chunk.quantity, target, source);
            errors.push(gap(sampled.at(chunk.quantity, target, source), value));
          }
        }
      } finally {
        reference.dispose();
      }
      return summariseErrors('log norms', errors);
    },
  };
}

/** A sketch is held to its band: 95 of 100 pairs lie in it. */
function withinBand(
  error: BenchError,
  differences: readonly number[],
  [low, high]: readonly [number, number],
): BenchError {
  const shareInBand = differences.filter((gap) => gap >= low && gap <= high).length / differences.length;
  return { ...error, shareInBand, isWithin: shareInBand >= SHARE_IN_BAND };
}

/** The difference of two values, of which both may be -Infinity. */
function gap(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b);
}
