/**
 * A large map on the screen, moved and zoomed without being painted again: it is painted whole, a slice at a time, at the
 * few sizes that are looked at (one pixel a cell, or the extreme of 2 x 2, 4 x 4 ... cells), and a window of it is copied.
 * While the map grows on an unchanged scale only what has changed is painted over.
 *
 * As with use-live-map.ts only whole pictures are shown, range, scale and picture together. The size that is taken has at
 * most as many pixels as the screen, so that no peak falls between two of them.
 */
import { computed, onScopeDispose, shallowRef, watch } from 'vue';
import { rangeInSlices, type MapData, type MapScale, type MapWindow } from '../../charts/map-data';
import type { ThemeName } from '../../charts/palette';
import { copyWindow, levelCanvas, paintLevel } from './map-painter';
import { inSlices } from './slices';
import { EMPTY_RANGE, type DrawnMap, type LiveMap, type LiveMapSource } from './use-live-map';
import { usePacedPasses } from './use-paced-passes';

/** A picture of the whole map whose pixels stand for 2^level x 2^level cells. */
interface Level {
  readonly level: number;
  readonly canvas: HTMLCanvasElement;
  readonly map: MapData;
  /** How many of the map's changes are on it. */
  readonly changes: number;
  readonly scale: MapScale;
  readonly theme: ThemeName;
}

/**
 * The level whose pixels are the smallest that are no smaller than the screen's.
 *
 * @param view - The window of the map.
 * @param width - Device pixels.
 * @param height - Device pixels.
 */
export function levelOf(view: MapWindow, width: number, height: number): number {
  const cells = Math.max((view.columnEnd - view.columnStart) / width, (view.rowEnd - view.rowStart) / height);
  return Math.max(0, Math.ceil(Math.log2(cells) - 1e-9));
}

/** The smallest window that holds others; null for none. */
export function aroundAll(views: readonly MapWindow[]): MapWindow | null {
  if (views.length === 0) return null;
  const all = { columnStart: Infinity, columnEnd: 0, rowStart: Infinity, rowEnd: 0 };
  for (const view of views) {
    all.columnStart = Math.min(all.columnStart, view.columnStart);
    all.columnEnd = Math.max(all.columnEnd, view.columnEnd);
    all.rowStart = Math.min(all.rowStart, view.rowStart);
    all.rowEnd = Math.max(all.rowEnd, view.rowEnd);
  }
  return all;
}

const isSameScale = (a: MapScale, b: MapScale): boolean => a.low === b.low && a.high === b.high && a.kind === b.kind;

/**
 * The map of a source, followed until the scope ends.
 *
 * @param source - The map, its scale and the theme.
 */
export function useLevelMap(source: LiveMapSource): LiveMap {
  const drawn = shallowRef<DrawnMap | null>(null);
  const levels = new Map<number, Level>();
  /** Two by turns: a chart draws an image again only when it is another one. */
  const screens = [0, 1].map(() => document.createElement('canvas'));
  let turn = 0;
  let wanted: number | null = null;
  const { isBusy, isWanted, passNow, passInTurn } = usePacedPasses(pass);
  const current = computed(() => source.map());

  /** Whether a picture is one of these values on this scale, be it of earlier ones. */
  const fits = (level: Level, map: MapData, scale: MapScale, theme: ThemeName): boolean =>
    level.map.values === map.values && level.theme === theme && isSameScale(level.scale, scale);

  async function pass(): Promise<void> {
    const map = current.value;
    const theme = source.theme();
    if (map === null) {
      drawn.value = null;
      return;
    }
    const scaleOf = source.scaleOf();
    const range = await inSlices(rangeInSlices(map, scaleOf(EMPTY_RANGE).logarithmic), isWanted);
    if (range === null) return;
    const scale = scaleOf(range);
    const level = wanted;
    if (level !== null) {
      const changes = map.changes?.length ?? 0;
      const before = levels.get(level);
      const isKept = before && map.changes && fits(before, map, scale, theme);
      const canvas = isKept ? before.canvas : levelCanvas(map, level);
      const view = isKept
        ? aroundAll(map.changes.slice(before.changes, changes))
        : { columnStart: 0, columnEnd: map.columns, rowStart: 0, rowEnd: map.rows };
      if (view && !(await inSlices(paintLevel(canvas, map, view, scale, theme, level), isWanted))) return;
      // Another scale beside an older picture would lie; older numbers on the same scale are only late.
      for (const [key, other] of levels) if (!fits(other, map, scale, theme)) levels.delete(key);
      levels.set(level, { level, canvas, map, changes, scale, theme });
    }
    if (isWanted()) drawn.value = { map, range, scale, theme, painted: null };
  }

  watch(
    () => [current.value, source.theme(), source.scaleOf()] as const,
    ([map]) => {
      if (map !== null && drawn.value?.map.values === map.values) return passInTurn();
      drawn.value = null;
      levels.clear();
      passNow();
    },
    { immediate: true },
  );

  onScopeDispose(() => {
    levels.clear();
  });

  /** The wanted level, else the nearest one that is there. */
  function nearest(level: number): Level | null {
    const found = [...levels].sort(([a], [b]) => Math.abs(a - level) - Math.abs(b - level))[0];
    return found?.[1] ?? null;
  }

  return {
    drawn,
    isBusy,
    paint(view, width, height) {
      const ratio = window.devicePixelRatio;
      const level = levelOf(view, width * ratio, height * ratio);
      wanted = level;
      const shown = nearest(level);
      // One that is there but late has its turn with the next numbers, unless there will be none.
      if (shown?.level !== level) passNow();
      else if (shown.map !== drawn.value?.map) passInTurn();
      if (shown === null) return null;
      const screen = screens[(turn = 1 - turn)]!;
      copyWindow(shown.canvas, shown.level, view, screen, width * ratio, height * ratio);
      return { image: screen, view };
    },
  };
}
