/**
 * The derivative of a layer's output by a tile of sources, step by step.
 *
 * A row is one step; its features are parts side by side, each with exponents of its own, and null where it is known to
 * be zero. A vector without a time axis has one row.
 */
import type { Ops, Value } from '../ops';
import { commonExponents, ScaledColumns, type TileShape } from './scaled-columns';

/** Parts of one step; null = exactly zero. */
export type TangentRow = readonly (ScaledColumns | null)[];

/** One output of a layer. */
export interface TangentRows {
  /** Features of each part. */
  readonly widths: readonly number[];
  /** One a step. */
  readonly rows: readonly TangentRow[];
}

/**
 * Frees all rows.
 *
 * @param rows - The rows.
 */
export function releaseRows({ rows }: TangentRows): void {
  for (const row of rows) for (const part of row) part?.release();
}

/**
 * The same rows for another user.
 *
 * @param row - The row.
 */
export function retainRow(row: TangentRow): TangentRow {
  return row.map((part) => part?.retain() ?? null);
}

/**
 * A row as one part; the caller's to release. Null for zero.
 *
 * @param tile - Whose columns.
 * @param row - The row.
 * @param widths - Features of each part.
 */
export function joinRow(tile: TileShape, row: TangentRow, widths: readonly number[]): ScaledColumns | null {
  const present = row.filter((part) => part !== null);
  if (present.length === 0) return null;
  if (row.length === 1) return present[0]!.retain();
  const { ops } = tile;
  const common = commonExponents(present);
  const aligned = row.map((part) => part?.withExponents(common) ?? null);
  const value = ops.tidy(() =>
    ops.concat(
      aligned.map((part, at) => part?.value ?? zeros(ops, widths[at]!, tile)),
      0,
    ),
  );
  for (const part of aligned) part?.release();
  return new ScaledColumns(tile, value, common);
}

function zeros(ops: Ops, rows: number, { sources, width }: TileShape): Value {
  return ops.fill([rows, sources * width], 0);
}
