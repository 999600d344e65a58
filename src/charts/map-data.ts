/**
 * What a map is: values in rows and columns, what each cell is, the value behind a cell and the range of all of them.
 *
 * A map may have millions of cells, so it is a view of the arrays that a run fills, never a copy.
 */
import type { ColourScaleKind } from './colour-map';

/** A matrix of values in a larger array: entry (row, column) is `values[offset + row * rowStride + column * columnStride]`. */
export interface MapData {
  readonly values: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly offset: number;
  /** `[columns]`, 1 where the column is there; null = all. */
  readonly computed: Uint8Array | null;
  /** `CELL_CLASS` of each of `values`; left out: values, and what `computed` says is not there. */
  readonly classes?: Uint8Array;
  /** What `rangeOf` would find, where it is known already. */
  readonly range?: MapRange;
  /** Windows in which cells have changed, oldest first; grows with the map. Left out: any cell may have. */
  readonly changes?: readonly MapWindow[];
}

/** What a cell of a map with classes is. */
export const CELL_CLASS = {
  notComputed: 0,
  exactZero: 1,
  value: 2,
  /** Zero because it cannot be otherwise, and left blank: a source after its target. */
  outside: 3,
} as const;

/** How values become colours. */
export interface MapScale {
  readonly kind: ColourScaleKind;
  /** Values at the two ends of the table. */
  readonly low: number;
  readonly high: number;
  /** True where the values are logs, so that `-Infinity` is an exact zero. */
  readonly logarithmic: boolean;
}

/** Half-open ranges of columns and rows. */
export interface MapWindow {
  readonly columnStart: number;
  readonly columnEnd: number;
  readonly rowStart: number;
  readonly rowEnd: number;
}

/** Which special classes a map holds. */
export interface MapRange {
  /** null when there is no finite value. */
  readonly low: number | null;
  readonly high: number | null;
  readonly hasZero: boolean;
  readonly hasMissing: boolean;
  readonly hasNotFinite: boolean;
}

/**
 * The value of a cell, undefined when it is not computed.
 *
 * @param map - The map.
 * @param row - 0 .. rows - 1.
 * @param column - 0 .. columns - 1.
 */
export function cellAt(map: MapData, row: number, column: number): number | undefined {
  if (map.computed && !map.computed[column]) return undefined;
  const position = map.offset + row * map.rowStride + column * map.columnStride;
  return map.classes?.[position] === CELL_CLASS.notComputed ? undefined : map.values[position];
}

/** Cells that are looked at between two yields; well below a millisecond. */
export const CELLS_PER_SLICE = 2 ** 16;

/**
 * The finite range of a map and which special classes occur in it.
 *
 * @param map - The map.
 * @param logarithmic - True where `-Infinity` means an exact zero; otherwise 0 does.
 */
export function rangeOf(map: MapData, logarithmic: boolean): MapRange {
  return wholeOf(rangeInSlices(map, logarithmic));
}

/**
 * As `rangeOf`, with a yield after every slice of work, for maps too large to be gone through at once.
 *
 * @param map - The map.
 * @param logarithmic - True where `-Infinity` means an exact zero; otherwise 0 does.
 */
export function* rangeInSlices(map: MapData, logarithmic: boolean): Generator<void, MapRange, void> {
  if (map.range) return map.range;
  const sums: RangeSums = { low: Infinity, high: -Infinity, hasZero: false, hasNotFinite: false };
  const zero = logarithmic ? -Infinity : 0;
  let hasMissing = false;
  let cells = 0;
  for (let column = 0; column < map.columns; column += 1) {
    if (map.computed && !map.computed[column]) {
      hasMissing = true;
      continue;
    }
    addColumn(sums, map, column, zero);
    cells += map.rows;
    if (cells < CELLS_PER_SLICE) continue;
    cells = 0;
    yield;
  }
  const { low, high, hasZero, hasNotFinite } = sums;
  const empty = low > high;
  return { low: empty ? null : low, high: empty ? null : high, hasZero, hasMissing, hasNotFinite };
}

interface RangeSums {
  low: number;
  high: number;
  hasZero: boolean;
  hasNotFinite: boolean;
}

function addColumn(sums: RangeSums, { values, rows, rowStride, ...map }: MapData, column: number, zero: number): void {
  let { low, high } = sums;
  let position = map.offset + column * map.columnStride;
  for (let row = 0; row < rows; row += 1, position += rowStride) {
    const value = values[position] as number;
    if (value === zero) sums.hasZero = true;
    if (value - value === 0) {
      if (value < low) low = value;
      if (value > high) high = value;
    } else if (value !== zero) sums.hasNotFinite = true;
  }
  sums.low = low;
  sums.high = high;
}

/**
 * What a generator gives at its end, without a pause.
 *
 * @param slices - Yields between two slices of work.
 */
export function wholeOf<T>(slices: Generator<void, T, void>): T {
  for (;;) {
    const step = slices.next();
    if (step.done === true) return step.value;
  }
}
