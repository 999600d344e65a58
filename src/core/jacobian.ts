/**
 * The index convention, and the pieces in which Jacobians travel.
 *
 * Row = what is differentiated, column = with respect to what; this is the only place that says so.
 * A stored block is `[units, inputDim]` in row-major order: entry (u, d) is dh[u]/dx[d].
 * Source steps are counted from 0 at the input's own time index, also for a layer that runs backwards.
 */

/** Which Jacobians a run asks for. */
export type AnalysisMode = 'diagonal' | 'final' | 'states' | 'pairs' | 'spectrum';

/** The direction of one recurrence; a Bidirectional layer has one of each. */
export type Direction = 'forward' | 'backward';

/** The state that is differentiated: hidden h, or the cell state c of an LSTM. */
export type StateName = 'h' | 'c';

/**
 * Step Jacobians dh_t/dx_t (and dc_t/dx_t) of `count` timesteps from `start`, for all sequences.
 *
 * `dhdx` and `dcdx`: `[B, count, H, D]` row-major; a masked step is exactly zero. The receiver owns the arrays until
 * it asks for the next chunk, after which they may be reused: copy what is kept.
 */
export interface DiagonalChunk {
  readonly mode: 'diagonal';
  readonly direction: Direction;
  readonly start: number;
  readonly count: number;
  readonly dhdx: Float32Array | Float64Array;
  /** null for SimpleRNN and GRU. */
  readonly dcdx: Float32Array | Float64Array | null;
}

/**
 * Jacobians of the last state, dh_T/dx_s (and dc_T/dx_s), for `count` source steps from `start`, for all sequences.
 *
 * `dhTdx`, `dcTdx`: `[B, count, H, D]`; the true block at (b, s) is the stored one times 2^scale.
 * `scaleH`, `scaleC`: `[B, count]`, 0 unless float32 could not hold the block.
 * `lognormH`, `lognormC`: `[B, count]` float64, natural log of the Frobenius norm of the true block;
 * `-Infinity` only for an exact zero. A forward recurrence gives chunks with falling `start`, a backward one with
 * rising `start`. Ownership as for `DiagonalChunk`.
 */
export interface FinalChunk {
  readonly mode: 'final';
  readonly direction: Direction;
  readonly start: number;
  readonly count: number;
  readonly dhTdx: Float32Array | Float64Array;
  readonly dcTdx: Float32Array | Float64Array | null;
  readonly scaleH: Int32Array;
  readonly scaleC: Int32Array | null;
  readonly lognormH: Float64Array;
  readonly lognormC: Float64Array | null;
}

/** The four blocks of an LSTM's state Jacobian, each total: what differs is which rows and columns of ds_t/ds_s it has. */
export type StateBlock = 'dh_dh' | 'dh_dc' | 'dc_dh' | 'dc_dc';

/**
 * A family of Jacobians of any step with respect to any other: of h_t or c_t with respect to x_s, of h_t with respect
 * to the initial state ([h0; c0] of an LSTM), and of the whole state with respect to the whole state or by its blocks.
 */
export type PairsQuantity = 'dh_dx' | 'dc_dx' | 'dh_ds0' | 'ds_ds' | StateBlock;

/** The blocks, by what is differentiated and then by what it depends on. */
export const STATE_BLOCKS: readonly StateBlock[] = ['dh_dh', 'dh_dc', 'dc_dh', 'dc_dc'];

/**
 * Whether a quantity is of a state with respect to a state.
 *
 * @param quantity - The quantity.
 */
export function isStateQuantity(quantity: PairsQuantity): boolean {
  return quantity === 'ds_ds' || (STATE_BLOCKS as readonly string[]).includes(quantity);
}

/**
 * Natural logs of Frobenius norms for a rectangle of (target step t, source step s) of one sequence, at the input's own
 * time index.
 *
 * `logNorms`: `[targetCount, sourceCount]` row-major; `-Infinity` only for an exact zero: a source that comes after its
 * target in the order of computing, a dead layer, a masked source. A masked target has the norms of the step before
 * it. `dh_ds0` has one source. Rectangles of one quantity and sequence do not overlap, and what none covers is exactly
 * zero. The receiver owns the array.
 */
export interface PairsChunk {
  readonly mode: 'pairs';
  readonly direction: Direction;
  readonly quantity: PairsQuantity;
  readonly sequence: number;
  readonly targetStart: number;
  readonly targetCount: number;
  readonly sourceStart: number;
  readonly sourceCount: number;
  readonly logNorms: Float64Array;
  /** True where the rows of both directions are taken together, and sources after a target count as those before it. */
  readonly isJoined?: true;
}

/**
 * Whole Jacobians of one target step with respect to consecutive source steps of one sequence, dh_t/dx_s and dc_t/dx_s,
 * at the input's own time index.
 *
 * `dhdx`, `dcdx`: `[sourceCount, P or H, D]`; the true block of a source is the stored one times 2^scale.
 * `scaleH`, `scaleC`: `[sourceCount]`, 0 unless float32 could not hold the block. A masked target has the blocks of the
 * step before it, a masked source is zero, and what no chunk covers is exactly zero. Ownership as for `DiagonalChunk`.
 */
export interface PairBlocksChunk {
  readonly mode: 'pair-blocks';
  readonly direction: Direction;
  readonly sequence: number;
  readonly target: number;
  readonly sourceStart: number;
  readonly sourceCount: number;
  readonly dhdx: Float32Array | Float64Array;
  readonly dcdx: Float32Array | Float64Array | null;
  readonly scaleH: Int32Array;
  readonly scaleC: Int32Array | null;
}

/** A piece of a result as the engine gives it. */
export type JacobianChunk = DiagonalChunk | FinalChunk;
