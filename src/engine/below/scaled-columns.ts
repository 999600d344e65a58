/**
 * Columns of a derivative with an exponent for each source, shared between the layers that read them.
 *
 * The columns of one tile of sources stand side by side, D for each source; the true ones are those kept times
 * 2^exponent. Exponents are multiples of `EXPONENT_STEP`, so that columns that meet in a sum mostly have the same.
 */
import type { Ops, Value } from '../ops';

/** The exponent of a source whose columns are exactly zero. */
export const NO_EXPONENT = -(2 ** 30);

/** Exponents are multiples of this. */
export const EXPONENT_STEP = 64;

/** Norms are kept within half a step of 2 to this: room for a strong contraction below, for squares above. */
export const KEPT_EXPONENT = 16;

/** The largest power of two by which columns are multiplied at once: float32 holds it and its inverse. */
const FARTHEST_POWER = 126;

/** Sources of a tile and the width of each. */
export interface TileShape {
  readonly ops: Ops;
  /** Whether numbers are float64. */
  readonly isDouble: boolean;
  /** The numbers of a value, in the engine's own precision. */
  read(value: Value): ArrayLike<number>;
  /** w */
  readonly sources: number;
  /** D of the model's input. */
  readonly width: number;
}

/** `[F, w D]`, freed when its last user lets go. */
export class ScaledColumns {
  private users = 1;

  /**
   * @param tile - Whose columns.
   * @param value - `[F, w D]`, owned from now on.
   * @param exponents - `[w]`; never changed.
   */
  constructor(
    private readonly tile: TileShape,
    readonly value: Value,
    readonly exponents: Int32Array,
  ) {
    tile.ops.keep(value);
  }

  /** One more user. */
  retain(): this {
    this.users++;
    return this;
  }

  /** One user less. */
  release(): void {
    this.users--;
    if (this.users === 0) this.tile.ops.dispose(this.value);
  }

  /**
   * The same columns with other exponents; the caller's to release.
   *
   * @param exponents - `[w]`
   *
   * Numerics: exact but for what falls below the smallest number of the engine's precision.
   */
  withExponents(exponents: Int32Array): ScaledColumns {
    const { tile, value } = this;
    const powers = powersBetween(tile, this.exponents, exponents);
    if (powers === null) return this.retain();
    const { ops } = tile;
    // A power that the precision cannot hold is taken in two steps.
    const isFar = powers.some((power) => Math.abs(power) > FARTHEST_POWER);
    const first = isFar ? powers.map((power) => Math.trunc(power / 2)) : powers;
    const scaled = ops.tidy(() => {
      const once = ops.mul(value, factorRow(tile, first));
      if (!isFar) return once;
      return ops.mul(
        once,
        factorRow(
          tile,
          powers.map((power, k) => power - first[k]!),
        ),
      );
    });
    return new ScaledColumns(tile, scaled, exponents);
  }

  /**
   * The same columns, some of whose sources turned out to be zero; lets go of this.
   *
   * @param exponents - `[w]`, `NO_EXPONENT` for those.
   */
  settled(exponents: Int32Array): ScaledColumns {
    const kept = Int32Array.from(exponents, (exponent, k) =>
      exponent === NO_EXPONENT ? this.exponents[k]! : exponent,
    );
    const { ops } = this.tile;
    const moved = this.withExponents(kept);
    const made = new ScaledColumns(this.tile, ops.reshape(moved.value, moved.value.shape), exponents);
    moved.release();
    this.release();
    return made;
  }
}

/** How far each source's columns move when exponents change; null where none do. */
function powersBetween({ sources }: TileShape, from: Int32Array, to: Int32Array): Int32Array | null {
  let isSame = true;
  for (let k = 0; k < sources && isSame; k++) isSame = from[k] === to[k] || from[k] === NO_EXPONENT;
  if (isSame) return null;
  return from.map((exponent, k) => (exponent === NO_EXPONENT ? 0 : exponent - to[k]));
}

/** `[1, w D]`, 2^power for each source. */
function factorRow({ ops, sources, width }: TileShape, powers: Int32Array): Value {
  const factors = new Float64Array(sources * width);
  powers.forEach((power, k) => factors.fill(2 ** power, k * width, (k + 1) * width));
  return ops.upload(factors, [1, factors.length]);
}

/**
 * The larger exponent of each source.
 *
 * @param columns - At least one.
 */
export function commonExponents(columns: readonly ScaledColumns[]): Int32Array {
  let common = columns[0]!.exponents;
  for (const { exponents } of columns) {
    if (exponents === common || exponents.every((exponent, k) => exponent <= common[k])) continue;
    common = Int32Array.from(exponents, (exponent, k) => Math.max(exponent, common[k]));
  }
  return common;
}

/**
 * How far an exponent moves for a norm, in whole steps; 0 where it is near enough, zero or not finite.
 *
 * @param log2Norm - Of the columns as they are kept.
 */
export function exponentShift(log2Norm: number): number {
  if (!Number.isFinite(log2Norm)) return 0;
  return EXPONENT_STEP * Math.round((log2Norm - KEPT_EXPONENT) / EXPONENT_STEP);
}

/**
 * a + b of columns, each null for zero; new columns, or null.
 *
 * @param tile - Whose columns.
 * @param terms - With the factor of each.
 */
export function sumColumns(
  tile: TileShape,
  terms: readonly { readonly columns: ScaledColumns | null; readonly factor: number }[],
): ScaledColumns | null {
  const present = terms.flatMap(({ columns, factor }) => (columns ? [{ columns, factor }] : []));
  if (present.length === 0) return null;
  if (present.length === 1 && present[0]!.factor === 1) return present[0]!.columns.retain();
  const { ops } = tile;
  const common = commonExponents(present.map(({ columns }) => columns));
  const aligned = present.map(({ columns }) => columns.withExponents(common));
  const sum = ops.tidy(() =>
    aligned
      .map(({ value }, at) => {
        const { factor } = present[at]!;
        return factor === 1 ? value : ops.mul(value, ops.constant(factor));
      })
      .reduce((total, value) => ops.add(total, value)),
  );
  for (const columns of aligned) columns.release();
  return new ScaledColumns(tile, sum, common);
}
