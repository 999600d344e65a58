/**
 * A layer run in float64: every sequence of the batch has a trajectory of its own, and chunks are filled from all.
 */
import type { DiagonalChunk, Direction, FinalChunk, PairBlocksChunk, PairsChunk } from '../core/jacobian';
import { gateNames, type CellDescription } from '../core/model';
import type { CellState, ReferenceCell } from '../core/reference/cell';
import { leadingGrowth } from '../core/reference/leading-exponent';
import { propagateDiagonal } from '../core/reference/propagate-diagonal';
import { propagateFinal, type FinalBlock } from '../core/reference/propagate-final';
import { makeReferenceCell } from '../core/reference/reference-cell';
import { cellSteps, type GatedTrajectory } from '../core/reference/run-cell';
import type { RealTensor } from '../core/tensor';
import type {
  BlockSource,
  DirectionStates,
  InitialState,
  LayerRun,
  PairsOptions,
  PropagateOptions,
  SpectrumOptions,
  SpectrumResult,
} from './engine';
import type { Mask } from './layers/flow';
import { Pace } from './pace';
import { holdsWanted, type SequenceRange } from './sequence-range';
import { referenceBlock, referencePairBlocks } from './propagate/reference-pair-blocks';
import { referencePairs, referencePairsTiles } from './propagate/reference-pairs';
import { referenceSpectrum } from './propagate/reference-spectrum';

/** One direction with the trajectories of all sequences. */
export interface ReferenceDirection {
  readonly direction: Direction;
  readonly cell: ReferenceCell;
  /** One per sequence. */
  readonly trajectories: readonly GatedTrajectory[];
}

/** What one direction is fed. */
export interface DirectionInput {
  /** `[B, T, D]` */
  readonly x: RealTensor;
  readonly mask: Mask | null;
  /** null = zeros. */
  readonly initial: InitialState | null;
}

/**
 * The trajectories of a batch in one direction.
 *
 * @param description - The cell.
 * @param direction - Its direction.
 * @param input - Its input.
 * @param pace - Lets messages in between steps.
 */
export async function runDirection(
  description: CellDescription,
  direction: Direction,
  input: DirectionInput,
  pace: Pace,
): Promise<ReferenceDirection> {
  const cell = makeReferenceCell(description);
  const { units, hiddenSize, hasCell } = cell;
  const [batch, steps, width] = input.x.shape;
  const trajectories: GatedTrajectory[] = [];
  for (let b = 0; b < batch; b++) {
    const x = Float64Array.from(input.x.data.subarray(b * steps * width, (b + 1) * steps * width));
    const mask = input.mask?.data.slice(b * steps, (b + 1) * steps) ?? null;
    const rowOf = (state: RealTensor | null | undefined, width: number): Float64Array =>
      state ? Float64Array.from(state.data.subarray(b * width, (b + 1) * width)) : new Float64Array(width);
    const initial: CellState = {
      h: rowOf(input.initial?.h0, hiddenSize),
      c: hasCell ? rowOf(input.initial?.c0, units) : null,
    };
    const run = cellSteps(cell, x, { direction, mask, initial });
    let step = run.next();
    for (; !step.done; step = run.next()) await pace.breathe();
    trajectories.push(step.value);
  }
  return { direction, cell, trajectories };
}

/** A layer's states in float64, ready to be differentiated. */
export class ReferenceRun implements LayerRun {
  readonly units: number;
  readonly inputDim: number;
  readonly batch: number;
  readonly steps: number;
  readonly states: readonly DirectionStates[];

  /**
   * @param directions - One or two, forward first; cells of the first give units and inputDim.
   */
  constructor(private readonly directions: readonly ReferenceDirection[]) {
    const [{ cell, trajectories }] = directions;
    this.units = cell.units;
    this.inputDim = cell.inputDim;
    this.batch = trajectories.length;
    this.steps = trajectories[0].steps;
    this.states = directions.map(statesOf);
  }

  /** See `LayerRun.diagonal`. */
  async *diagonal(direction: Direction, options: PropagateOptions): AsyncGenerator<DiagonalChunk, void, void> {
    const { cell, trajectories } = this.pick(direction);
    const pace = new Pace(options.signal);
    const hiddenBlock = cell.hiddenSize * cell.inputDim;
    const cellBlock = cell.units * cell.inputDim;
    const size = this.chunkSteps(cell, options.chunkBytes);
    const sources = trajectories.map((trajectory) => propagateDiagonal(cell, trajectory));
    const dhdx = new Float64Array(this.batch * size * hiddenBlock);
    const dcdx = cell.hasCell ? new Float64Array(this.batch * size * cellBlock) : null;
    for (let start = 0; start < this.steps; start += size) {
      const count = Math.min(size, this.steps - start);
      for (const [b, source] of sources.entries()) {
        if (!holdsWanted(options.sequences, b, 1)) continue;
        for (let step = 0; step < count; step++) {
          const { value } = source.next();
          if (!value) throw new Error('a sequence ended before its last step');
          const at = b * count + step;
          dhdx.set(value.dhdx, at * hiddenBlock);
          if (dcdx && value.dcdx) dcdx.set(value.dcdx, at * cellBlock);
          await pace.breathe();
        }
      }
      const blocks = this.batch * count;
      yield {
        mode: 'diagonal',
        direction,
        start,
        count,
        dhdx: dhdx.subarray(0, blocks * hiddenBlock),
        dcdx: dcdx?.subarray(0, blocks * cellBlock) ?? null,
      };
      await pace.breathe();
    }
  }

  /** See `LayerRun.final`. */
  async *final(direction: Direction, options: PropagateOptions): AsyncGenerator<FinalChunk, void, void> {
    const { cell, trajectories } = this.pick(direction);
    const pace = new Pace(options.signal);
    const { units, hiddenSize, inputDim } = cell;
    const size = this.chunkSteps(cell, options.chunkBytes);
    const sources = trajectories.map((trajectory) => propagateFinal(cell, trajectory));
    for (let done = 0; done < this.steps; done += size) {
      const count = Math.min(size, this.steps - done);
      const h = newBlocks(this.batch * count, hiddenSize * inputDim);
      const c = cell.hasCell ? newBlocks(this.batch * count, units * inputDim) : null;
      const start = direction === 'forward' ? this.steps - done - count : done;
      for (const [b, source] of sources.entries()) {
        if (!holdsWanted(options.sequences, b, 1)) continue;
        for (let step = 0; step < count; step++) {
          const { value } = source.next();
          if (!value) throw new Error('a sequence ended before its first step');
          const at = b * count + value.step - start;
          store(h, at, value.h);
          if (c && value.c) store(c, at, value.c);
          await pace.breathe();
        }
      }
      yield {
        mode: 'final',
        direction,
        start,
        count,
        dhTdx: h.jacobians,
        dcTdx: c?.jacobians ?? null,
        scaleH: h.scales,
        scaleC: c?.scales ?? null,
        lognormH: h.logNorms,
        lognormC: c?.logNorms ?? null,
      };
      await pace.breathe();
    }
  }

  /** See `LayerRun.pairs`. */
  pairs(direction: Direction, options: PairsOptions): AsyncGenerator<PairsChunk, void, void> {
    const { cell, trajectories } = this.pick(direction);
    return referencePairs(cell, trajectories, options);
  }

  /** See `LayerRun.pairBlocks`. */
  async *pairBlocks(direction: Direction, { signal }: PropagateOptions): AsyncGenerator<PairBlocksChunk, void, void> {
    const { cell, trajectories } = this.pick(direction);
    for (const [sequence, trajectory] of trajectories.entries()) {
      yield* referencePairBlocks(cell, trajectory, sequence, new Pace(signal));
    }
  }

  /** See `LayerRun.openBlocks`: nothing is kept. */
  openBlocks(direction: Direction): BlockSource {
    const { cell, trajectories } = this.pick(direction);
    return {
      keptBytes: 0,
      block: (place, signal) => referenceBlock(cell, trajectories[place.sequence]!, place, new Pace(signal)),
      prepare: () => Promise.resolve(),
      dispose: () => undefined,
    };
  }

  /** See `LayerRun.pairsTiles`. */
  pairsTiles(direction: Direction, { sources }: Pick<PairsOptions, 'sources'>): Float64Array {
    const { cell, trajectories } = this.pick(direction);
    return referencePairsTiles(cell, trajectories, sources);
  }

  /** See `LayerRun.sequencesAtOnce`. */
  sequencesAtOnce(): number {
    return 1;
  }

  /** See `LayerRun.leadingExponent`. */
  async leadingExponent(
    direction: Direction,
    warmUp: number,
    signal: AbortSignal,
    sequences?: SequenceRange,
  ): Promise<Float64Array> {
    const { cell, trajectories } = this.pick(direction);
    const pace = new Pace(signal);
    const exponents = new Float64Array(this.batch).fill(NaN);
    for (const [b, trajectory] of trajectories.entries()) {
      if (!holdsWanted(sequences, b, 1)) continue;
      const growth = leadingGrowth(cell, trajectory, warmUp);
      let step = growth.next();
      for (; !step.done; step = growth.next()) await pace.breathe();
      exponents[b] = step.value;
    }
    return exponents;
  }

  /** See `LayerRun.spectrum`. */
  spectrum(direction: Direction, options: SpectrumOptions): Promise<SpectrumResult> {
    const { cell, trajectories } = this.pick(direction);
    return referenceSpectrum(cell, trajectories, options);
  }

  /** Nothing: the arrays belong to JavaScript. */
  dispose(): void {
    // Nothing is held outside JavaScript's memory.
  }

  private pick(direction: Direction): ReferenceDirection {
    const found = this.directions.find((candidate) => candidate.direction === direction);
    if (!found) throw new Error(`the layer has no ${direction} direction`);
    return found;
  }

  private chunkSteps(cell: ReferenceCell, chunkBytes: number): number {
    const bytes = this.batch * cell.stateSize * cell.inputDim * Float64Array.BYTES_PER_ELEMENT;
    return Math.min(this.steps, Math.max(1, Math.floor(chunkBytes / bytes)));
  }
}

/** Blocks of one state of all sequences, `[B, count, H, D]`, with scales and log norms. */
interface Blocks {
  readonly jacobians: Float64Array;
  readonly scales: Int32Array;
  readonly logNorms: Float64Array;
}

function newBlocks(count: number, block: number): Blocks {
  return {
    jacobians: new Float64Array(count * block),
    scales: new Int32Array(count),
    logNorms: new Float64Array(count),
  };
}

function store(blocks: Blocks, at: number, { jacobian, scale, logNorm }: FinalBlock): void {
  blocks.jacobians.set(jacobian, at * jacobian.length);
  blocks.scales[at] = scale;
  blocks.logNorms[at] = logNorm;
}

function statesOf({ direction, cell, trajectories }: ReferenceDirection): DirectionStates {
  const joined = (arrays: readonly Float64Array[]): Float64Array => {
    const [{ length }] = arrays;
    const whole = new Float64Array(arrays.length * length);
    arrays.forEach((array, b) => whole.set(array, b * length));
    return whole;
  };
  const cells = trajectories.map(({ c }) => c).filter((c) => c !== null);
  return {
    direction,
    h: joined(trajectories.map(({ h }) => h)),
    c: cell.hasCell ? joined(cells) : null,
    gates: Object.fromEntries(
      gateNames(cell.kind).map((name) => [name, joined(trajectories.map(({ gates }) => gates[name]))]),
    ),
  };
}
