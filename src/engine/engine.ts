/**
 * The one interface behind which TensorFlow, wasm and the float64 reference engine stand.
 *
 * All three answer the same questions with the same shapes; what differs is precision and speed.
 * An engine computes: it neither decides what to show nor reads a file. Long, because it is one interface with its types.
 */
import type { DiagonalChunk, Direction, FinalChunk, PairBlocksChunk, PairsChunk } from '../core/jacobian';
import type { RecurrentLayer, RecurrentModel } from '../core/model';
import type { PairsSource } from '../core/reference/propagate-pairs';
import type { RealTensor, Tensor } from '../core/tensor';
import type { SequenceRange } from './sequence-range';

/** The engines, best first. */
export type EngineName = 'tensorflow' | 'wasm' | 'reference';

/** Real numbers in the engine's own precision: float32, or float64 for `reference`. */
export type RealArray = Float32Array | Float64Array;

/** The state a recurrence starts from: `h0` `[B, P]`, `c0` `[B, H]`; P = H without a projection. */
export interface InitialState {
  readonly h0: RealTensor;
  /** null for SimpleRNN and GRU. */
  readonly c0: RealTensor | null;
}

/** What a recurrent layer is fed. */
export interface LayerInput {
  /** `[B, T, D]` */
  readonly x: RealTensor;
  /** Input of the backward cell where it differs (stacked cells in a Bidirectional); else null. */
  readonly backwardX: RealTensor | null;
  /** `[B, T]`, 1 = valid, 0 = masked; null without a mask. */
  readonly mask: Tensor<Uint8Array> | null;
  /** Directions without an entry start from zeros. */
  readonly initialState: Readonly<Partial<Record<Direction, InitialState>>>;
}

/** States and gates of one direction, at the input's own time index; a masked step repeats the state before it. */
export interface DirectionStates {
  readonly direction: Direction;
  /** `[B, T, P]` */
  readonly h: RealArray;
  /** `[B, T, H]`, null for SimpleRNN and GRU. */
  readonly c: RealArray | null;
  /** Gate name (`gateNames`) to `[B, T, H]`, after its activation. */
  readonly gates: Readonly<Record<string, RealArray>>;
}

/** What was seen of bases of lower rank. */
export interface BasisReport {
  /** Largest relative difference between what was kept in a basis and its probe in full; null where none was used. */
  probeError: number | null;
  /** How often something was computed anew in full because a basis had lost something. */
  redone: number;
}

/** What a propagation may use and when it must stop. */
export interface PropagateOptions {
  /** Aborts between chunks; the generator then ends by throwing `signal.reason`. */
  readonly signal: AbortSignal;
  /** Where long products may be kept in a basis of their rank; filled in as the run goes. Left out: every row propagated. */
  readonly basis?: BasisReport;
  /** The engine keeps a chunk's arrays below this many bytes (at least one timestep is always given). */
  readonly chunkBytes: number;
  /** Only these are wanted: in a chunk the others are left as they are or zero, and mean nothing. Left out: all. */
  readonly sequences?: SequenceRange;
}

/** How pairs were computed. */
export interface PairsReport extends BasisReport {
  /** Way of each kind of source. */
  readonly ways: Partial<Record<PairsSource, 'direct' | 'blocked' | 'sketch'>>;
}

/** A report of nothing yet. */
export function emptyPairsReport(): PairsReport {
  return { ways: {}, probeError: null, redone: 0 };
}

/** What `pairs` is asked for. */
export interface PairsOptions {
  /** `input`: dh_t/dx_s and dc_t/dx_s; `initial`: dh_t/ds_0; `state`: ds_t/ds_s, together with `initial`. */
  readonly sources: readonly PairsSource[];
  /** Every row propagated: no basis of lower rank for long products. */
  readonly isExact: boolean;
  /** As for the other propagations; what is held at once shrinks with it. */
  readonly chunkBytes: number;
  /** So many random combinations of the columns of a source stand for them, and norms are estimates; left out: exact. */
  readonly sketch?: number;
  /** Filled in as the run goes. */
  readonly report: PairsReport;
  /** Aborts between steps. */
  readonly signal: AbortSignal;
  /** A part of the pairs; left out: all. */
  readonly part?: PairsPart;
}

/** What decides the tiles of pairs. */
export type PairsTileOptions = Pick<PairsOptions, 'sources' | 'isExact' | 'chunkBytes' | 'sketch'>;

/** Some of the tiles that pairs are computed in; see `LayerRun.pairsTiles`. */
export interface PairsPart {
  readonly tiles: ReadonlySet<number>;
  /** Whether it gives what is known without computing: the norms before the first step that is not masked. */
  readonly givesKnown: boolean;
}

/** What of the spectrum is asked for. */
export interface SpectrumOptions {
  /** How many Lyapunov exponents; at most S are given. */
  readonly exponents: number | 'all';
  /** The first so many valid steps turn the tangents but are not counted. */
  readonly warmUp: number;
  readonly signal: AbortSignal;
  /** Only these are computed, and B of the result is their number; left out: all. */
  readonly sequences?: SequenceRange;
}

/** What decides how many sequences go together. */
export interface TileOptions {
  readonly chunkBytes: number;
  readonly isExact: boolean;
  readonly exponents: number | 'all';
}

/** Lyapunov exponents and singular values of one direction. */
export interface SpectrumResult {
  /** p */
  readonly count: number;
  /** S */
  readonly stateSize: number;
  /** `[B, p]`, nats per step, descending; -Infinity where a direction dies, NaN when no step was counted. */
  readonly lyapunov: Float64Array;
  /** `[B, p]`, 0 where rounding hides the exponent. */
  readonly isResolved: Uint8Array;
  /** Running estimates: `steps` `[C]` done in the order of computing, `values` `[B, C, p]`. */
  readonly curve: { readonly steps: Int32Array; readonly values: Float64Array };
  /** `[B, S]`, natural logs of the singular values of ds_T/ds_0, descending; null where they are out of reach. */
  readonly logSingularValues: Float64Array | null;
  /** Why there are no singular values; null where there are. */
  readonly reason: string | null;
}

/** A block as it is stored: the true one is the stored one times 2^scale. */
export interface StoredBlock {
  /** Row-major, the caller's. */
  readonly data: RealArray;
  readonly rows: number;
  readonly columns: number;
  /** 0 unless float32 could not hold the block. */
  readonly scale: number;
  /** ln of the Frobenius norm of the true block; -Infinity only for an exact zero. */
  readonly logNorm: number;
}

/** The Jacobians of one pair of steps. */
export interface PairBlock {
  /** dh_t/dx_s `[P, D]`. */
  readonly h: StoredBlock;
  /** dc_t/dx_s `[H, D]`; null for SimpleRNN and GRU. */
  readonly c: StoredBlock | null;
  /** ds_t/ds_s `[S, S]`, s = h or [h; c]; null where it was not asked for. */
  readonly state: StoredBlock | null;
}

/** One pair of steps, at the input's own time index. */
export interface BlockPlace {
  readonly sequence: number;
  readonly target: number;
  readonly source: number;
  /** Whether ds_t/ds_s is wanted too. */
  readonly hasState: boolean;
}

/**
 * Blocks of any pair of steps of one direction, on demand. A masked target has the block of the step before it, a masked
 * input gives zeros, a masked source of the state is the state before it.
 */
export interface BlockSource {
  /** Bytes of the products of segments that are kept at the moment. */
  readonly keptBytes: number;
  /** The block of one pair; soon where the products between its steps are kept. */
  block(place: BlockPlace, signal: AbortSignal): Promise<PairBlock>;
  /** Makes the products of all segments that are not kept yet; those made before it was aborted stay. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Frees the products; done with the run too. */
  dispose(): void;
}

/** A layer with its states computed, ready to be differentiated. Holds engine memory until disposed. */
export interface LayerRun {
  readonly batch: number;
  readonly steps: number;
  readonly units: number;
  readonly inputDim: number;
  /** One entry per direction, forward first. */
  readonly states: readonly DirectionStates[];
  /** dh_t/dx_t and dc_t/dx_t of one direction, timesteps ascending. */
  diagonal(direction: Direction, options: PropagateOptions): AsyncGenerator<DiagonalChunk, void, void>;
  /** dh_T/dx_s and dc_T/dx_s of one direction, newest source step first. */
  final(direction: Direction, options: PropagateOptions): AsyncGenerator<FinalChunk, void, void>;
  /** Log norms of the Jacobians of every step with respect to every other, in rectangles that do not overlap. */
  pairs(direction: Direction, options: PairsOptions): AsyncGenerator<PairsChunk, void, void>;
  /**
   * The tiles that `pairs` computes one apart from the other, by their cost in FLOP; a rule of sizes and masks alone.
   * Neighbours share work, so a part of a run takes consecutive ones.
   */
  pairsTiles(direction: Direction, options: PairsTileOptions): Float64Array;
  /**
   * How many sequences go through the products of a mode together: what a part of a run computes whole.
   *
   * @param mode - The mode.
   * @param options - As the mode gets them.
   */
  sequencesAtOnce(mode: 'diagonal' | 'final' | 'spectrum', options: TileOptions): number;
  /** The same Jacobians with respect to the input as whole blocks, target after target of a tile of sources. */
  pairBlocks(direction: Direction, options: PropagateOptions): AsyncGenerator<PairBlocksChunk, void, void>;
  /**
   * Blocks of any pair of steps, on demand.
   *
   * @param direction - Which recurrence.
   * @param maxBytes - What is kept for it takes at most so much.
   */
  openBlocks(direction: Direction, maxBytes: number): BlockSource;
  /**
   * The leading Lyapunov exponent per sequence, nats per step: growth of the first unit vector under the step state
   * Jacobians, the first `warmUp` steps left out. `[B]`; `-Infinity` when the vector dies, masked steps not counted; NaN
   * for sequences that are not wanted.
   */
  leadingExponent(
    direction: Direction,
    warmUp: number,
    signal: AbortSignal,
    sequences?: SequenceRange,
  ): Promise<Float64Array>;
  /** Lyapunov exponents of one direction, and the singular values of ds_T/ds_0 where they are within reach. */
  spectrum(direction: Direction, options: SpectrumOptions): Promise<SpectrumResult>;
  /** Frees engine memory; the run is unusable afterwards. */
  dispose(): void;
}

/** The Jacobians of a layer by the model's input, through everything below it; as those of `LayerRun`. */
export interface StackRun extends Pick<LayerRun, 'diagonal' | 'final'> {
  /** u `[B, T_u, D_u]`, the sequence that is differentiated against. */
  readonly sequence: RealTensor;
  /**
   * Bytes that are held at once.
   *
   * @param chunkBytes - What the caller allows a chunk.
   */
  bytes(chunkBytes: number): number;
  /**
   * The cost of each tile of `pairs` in FLOP.
   *
   * @param chunkBytes - What the caller allows a chunk.
   */
  tileFlop(chunkBytes: number): Float64Array;
  /** Log norms of dh_t/du_s and dc_t/du_s of all directions together, every target of a tile of sources at a time. */
  pairs(options: Pick<PairsOptions, 'chunkBytes' | 'signal' | 'part'>): AsyncGenerator<PairsChunk, void, void>;
}

/** A layer's way to the model's input; what is kept of the layers below lies on the host. */
export interface Stack {
  /** What the layer is fed. */
  readonly input: LayerInput;
  /** u `[B, T_u, D_u]` */
  readonly sequence: RealTensor;
  /**
   * The layer's derivatives through the layers below.
   *
   * @param layer - The layer.
   * @param input - What it was fed.
   * @param run - Its states.
   * @param maxBytes - What there is for a tile; left out: as much as it takes.
   */
  under(
    layer: RecurrentLayer,
    input: LayerInput,
    run: Pick<LayerRun, 'states' | 'batch' | 'steps'>,
    maxBytes?: number,
  ): StackRun;
}

/** An engine that is loaded. */
export interface Engine {
  readonly name: EngineName;
  /** Of the numerical library: `TensorFlow 2.18.1`. */
  readonly version: string;
  /** Live tensors, for leak checks; 0 for the reference engine. */
  tensorCount(): number;
  /**
   * Runs the layers below a recurrent layer at inference and gives that layer's input.
   *
   * @param model - The model.
   * @param layer - Index of the recurrent layer in `model.layers`.
   * @param inputs - One tensor per `model.inputs`: `[B, T, D]` real, or `[B, T]` Int32Array ids for an Embedding.
   * @param signal - Aborts between layers.
   * @throws TempogradError `cell/unsupported` naming the layer that stands in the way, `input/shape-mismatch`.
   */
  runBelow(model: RecurrentModel, layer: number, inputs: readonly Tensor[], signal: AbortSignal): Promise<LayerInput>;
  /**
   * Runs the layers below a recurrent layer as `runBelow` does, for derivatives by the model's input.
   *
   * @throws TempogradError also `cell/unsupported` where the layer does not depend on the first input, or the derivative
   * does not go through a layer below.
   */
  openStack(model: RecurrentModel, layer: number, inputs: readonly Tensor[], signal: AbortSignal): Promise<Stack>;
  /**
   * Computes the states and gates of a recurrent layer.
   *
   * @param layer - The layer.
   * @param input - Its input, as `runBelow` gives it or made by hand.
   * @param signal - Aborts between groups of timesteps.
   * @throws TempogradError `input/shape-mismatch` when D or the initial state does not fit.
   */
  openLayer(layer: RecurrentLayer, input: LayerInput, signal: AbortSignal): Promise<LayerRun>;
  /** Frees what the engine holds. */
  dispose(): void;
}
