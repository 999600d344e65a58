/** The Jacobians of one pair of steps, as plain data. */
import type { Direction } from '../core/jacobian';

/** A block as it is stored: the true one is the stored one times 2^scale. */
export interface StoredBlockData {
  /** `[rows, columns]` */
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
  /** 0 unless float32 could not hold the block. */
  readonly scale: number;
  /** ln of the Frobenius norm of the true block; -Infinity only for an exact zero. */
  readonly logNorm: number;
}

/** The Jacobians of one pair of steps in one direction. */
export interface BlockPart {
  readonly direction: Direction;
  /** dh_t/dx_s `[P, D]`. */
  readonly h: StoredBlockData;
  /** dc_t/dx_s `[H, D]`; null without a cell state. */
  readonly c: StoredBlockData | null;
  /** ds_t/ds_s `[S, S]`; null where it was not asked for. */
  readonly state: StoredBlockData | null;
}

/** The Jacobians of the one pair of steps that a run was asked for. */
export interface BlockEvent {
  readonly kind: 'block';
  readonly target: number;
  readonly source: number;
  readonly sequence: number;
  /** One per direction. */
  readonly parts: readonly BlockPart[];
}
