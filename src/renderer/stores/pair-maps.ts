/**
 * Log norms of all pairs of steps that a run has told so far, one map for each quantity, direction and sequence.
 *
 * A cell takes five bytes: the natural log in float32 and a class, because "not computed" and "exactly zero" are not values
 * of a scale. Maps are kept in a stated order (the first sequence first, h before c before the whole state) as far as the
 * budget goes; what does not fit is counted, not silently lost. Cells of one source step lie side by side.
 */
import { CELL_CLASS, type MapData, type MapRange, type MapWindow } from '../../charts/map-data';
import type { Direction } from '../../core/jacobian';
import type { PairsEvent, RunRequest, StartedEvent } from '../../shared/run';

/** Most cells that the maps of one run may have, together; five bytes each, so 160 MB. */
const PAIRS_BUDGET_CELLS = 32e6;

/** Most cells of one map, so that its picture of one pixel a cell stays below 64 MiB: 4096 steps. */
export const MOST_MAP_CELLS = 4096 ** 2;

/** The families that the window keeps, in the order of their keeping. */
export const PAIR_QUANTITIES = ['dh_dx', 'dc_dx', 'ds_ds'] as const;

/** A family that the window keeps. */
export type PairQuantity = (typeof PAIR_QUANTITIES)[number];

/** Which map. */
interface PairMapKey {
  readonly quantity: PairQuantity;
  readonly direction: Direction;
  readonly sequence: number;
}

/** Log norms over (target step, source step); cell (t, s) lies at `s * targets + t`. */
export interface PairMap extends PairMapKey {
  readonly targets: number;
  readonly sources: number;
  /** Natural logs; `-Infinity` for an exact zero. */
  readonly values: Float32Array;
  /** `CELL_CLASS` of each cell. */
  readonly classes: Uint8Array;
  /** Smallest and largest finite value so far; low is above high before there is one. */
  low: number;
  high: number;
  hasNotFinite: boolean;
  hasZero: boolean;
  /** Cells that were told. */
  told: number;
  /** Cells that are not computed yet. */
  missing: number;
  /** Where cells have been told, oldest first. */
  readonly changes: MapWindow[];
  /** The map as it is drawn; another object once it has changed. */
  drawn: MapData | null;
}

/** The maps of a run. */
export interface PairMaps {
  readonly maps: ReadonlyMap<string, PairMap>;
  /** Keys that there would be, were there room. */
  readonly wanted: number;
}

const textOf = ({ quantity, direction, sequence }: PairMapKey): string => `${quantity} ${direction} ${sequence}`;

/** Maps in the order of their keeping. */
function* keysOf({ batch, parts }: StartedEvent): Generator<PairMapKey> {
  for (let sequence = 0; sequence < batch; sequence += 1) {
    for (const quantity of PAIR_QUANTITIES) {
      for (const { direction, hasCell } of parts) {
        if (quantity !== 'dc_dx' || hasCell) yield { quantity, direction, sequence };
      }
    }
  }
}

/**
 * Room for the maps of a run; empty without the mode pairs.
 *
 * @param request - What was asked.
 * @param started - The run's first event.
 * @param budget - Cells of all maps together.
 */
export function makePairMaps(request: RunRequest, started: StartedEvent, budget = PAIRS_BUDGET_CELLS): PairMaps {
  const maps = new Map<string, PairMap>();
  if (!started.modes.includes('pairs')) return { maps, wanted: 0 };
  let left = budget;
  let wanted = 0;
  for (const key of keysOf(started)) {
    wanted += 1;
    const sources = key.quantity === 'ds_ds' ? started.steps : started.sourceSteps;
    const cells = started.steps * sources;
    // Once one does not fit no later one does: what is kept is always the beginning of the list.
    if (cells > Math.min(left, MOST_MAP_CELLS)) left = 0;
    if (left === 0) continue;
    left -= cells;
    const isCausal = request.wrt === 'layer-input' && sources === started.steps;
    maps.set(textOf(key), emptyMap(key, started.steps, sources, isCausal));
  }
  return { maps, wanted };
}

function emptyMap(key: PairMapKey, targets: number, sources: number, isCausal: boolean): PairMap {
  const values = new Float32Array(targets * sources);
  const classes = new Uint8Array(targets * sources);
  let missing = targets * sources;
  if (isCausal) {
    // No state depends on what comes after it in the order of computing.
    for (let source = 0; source < sources; source += 1) {
      const start = source * targets;
      const [from, to] = key.direction === 'forward' ? [start, start + source] : [start + source + 1, start + targets];
      values.fill(-Infinity, from, to);
      classes.fill(CELL_CLASS.outside, from, to);
      missing -= to - from;
    }
  }
  return {
    ...key,
    targets,
    sources,
    values,
    classes,
    low: Infinity,
    high: -Infinity,
    hasNotFinite: false,
    hasZero: false,
    told: 0,
    missing,
    changes: [],
    drawn: null,
  };
}

/**
 * The map of a key; undefined where it is not kept.
 *
 * @param pairs - The maps.
 * @param key - Which one.
 */
export function pairMapOf(pairs: PairMaps, key: PairMapKey): PairMap | undefined {
  return pairs.maps.get(textOf(key));
}

/**
 * Nothing; puts a rectangle where it belongs.
 *
 * @param pairs - Changed in place.
 * @param event - Any rectangle; one of a map that is not kept is passed over.
 */
export function addRectangle(pairs: PairMaps, event: PairsEvent): void {
  const { quantity, targetStart, targetCount, sourceStart, sourceCount, logNorms } = event;
  const map = pairs.maps.get(textOf({ ...event, quantity: quantity as PairQuantity }));
  if (!map) return;
  const { values, classes, targets } = map;
  for (let source = 0; source < sourceCount; source += 1) {
    const to = (sourceStart + source) * targets + targetStart;
    for (let target = 0, from = source; target < targetCount; target += 1, from += sourceCount) {
      const value = logNorms[from]!;
      const at = to + target;
      if (value === -Infinity && classes[at] === CELL_CLASS.outside) continue;
      if (classes[at] === CELL_CLASS.notComputed) map.missing -= 1;
      values[at] = value;
      classes[at] = value === -Infinity ? CELL_CLASS.exactZero : CELL_CLASS.value;
      if (value - value === 0) {
        if (value < map.low) map.low = value;
        if (value > map.high) map.high = value;
      } else if (value === -Infinity) map.hasZero = true;
      else map.hasNotFinite = true;
    }
  }
  map.told += targetCount * sourceCount;
  map.changes.push({
    columnStart: sourceStart,
    columnEnd: sourceStart + sourceCount,
    rowStart: targetStart,
    rowEnd: targetStart + targetCount,
  });
  map.drawn = null;
}

/**
 * Nothing; after the end of a whole run every cell that no rectangle covered is exactly zero.
 *
 * @param pairs - Changed in place.
 */
export function finishPairMaps(pairs: PairMaps): void {
  for (const map of pairs.maps.values()) {
    const { classes, values } = map;
    let at = classes.indexOf(CELL_CLASS.notComputed);
    if (at < 0) continue;
    map.drawn = null;
    for (; at >= 0; at = classes.indexOf(CELL_CLASS.notComputed, at + 1)) {
      classes[at] = CELL_CLASS.exactZero;
      values[at] = -Infinity;
    }
    map.hasZero = true;
    map.missing = 0;
    map.changes.push({ columnStart: 0, columnEnd: map.sources, rowStart: 0, rowEnd: map.targets });
  }
}

/**
 * The map as a picture takes it, rows = target steps; the same object until a rectangle has come.
 *
 * @param map - The map.
 */
export function drawnPairMap(map: PairMap): MapData {
  const isEmpty = map.low > map.high;
  const range: MapRange = {
    low: isEmpty ? null : map.low,
    high: isEmpty ? null : map.high,
    hasZero: map.hasZero,
    hasMissing: map.missing > 0,
    hasNotFinite: map.hasNotFinite,
  };
  map.drawn ??= {
    values: map.values,
    rows: map.targets,
    columns: map.sources,
    rowStride: 1,
    columnStride: map.targets,
    offset: 0,
    computed: null,
    classes: map.classes,
    range,
    changes: map.changes,
  };
  return map.drawn;
}

/**
 * Bytes that the maps hold.
 *
 * @param pairs - The maps.
 */
export function pairBytes(pairs: PairMaps): number {
  let bytes = 0;
  for (const { values, classes } of pairs.maps.values()) bytes += values.byteLength + classes.byteLength;
  return bytes;
}
