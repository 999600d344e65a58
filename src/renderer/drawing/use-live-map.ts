/**
 * A map on the screen while it grows: its range is read and its picture painted a slice at a time, and only a whole one is
 * shown. Until then the one before stays, so that the window never waits for a picture.
 *
 * Range, scale and picture are published together, because a new scale beside an old picture would lie.
 */
import { computed, shallowRef, watch, type Ref, type ShallowRef } from 'vue';
import { rangeInSlices, type MapData, type MapRange, type MapScale } from '../../charts/map-data';
import type { MapPainter } from '../../charts/map-chart';
import type { ThemeName } from '../../charts/palette';
import { canvasInSlices, isSamePicture, wantedPicture, type WantedPicture } from './map-painter';
import { inSlices } from './slices';
import { usePacedPasses } from './use-paced-passes';

/** A picture that is whole. */
interface Painted {
  readonly wanted: WantedPicture;
  readonly canvas: HTMLCanvasElement;
}

/** What is on the screen. */
export interface DrawnMap {
  readonly map: MapData;
  readonly range: MapRange;
  readonly scale: MapScale;
  readonly theme: ThemeName;
  /** null until its size on the screen is known. */
  readonly painted: Painted | null;
}

/** What a live map is given; all three are read reactively. */
export interface LiveMapSource {
  readonly map: () => MapData | null;
  readonly scaleOf: () => (range: MapRange) => MapScale;
  readonly theme: () => ThemeName;
}

/** A live map. */
export interface LiveMap {
  /** null while nothing could be drawn yet. */
  readonly drawn: Readonly<ShallowRef<DrawnMap | null>>;
  /** Whether a picture is on its way. */
  readonly isBusy: Readonly<Ref<boolean>>;
  /** Gives the newest whole picture and asks for the wanted one. */
  readonly paint: MapPainter;
}

/** A range with no value in it. */
export const EMPTY_RANGE: MapRange = { low: null, high: null, hasZero: false, hasMissing: false, hasNotFinite: false };

/**
 * The map of a source, followed until the scope ends.
 *
 * @param source - The map, its scale and the theme.
 */
export function useLiveMap(source: LiveMapSource): LiveMap {
  const drawn = shallowRef<DrawnMap | null>(null);
  let wanted: WantedPicture | null = null;
  const { isBusy, isWanted, passNow, passInTurn } = usePacedPasses(pass);
  /** The same object until something it is made of changes. */
  const current = computed(() => source.map());

  /** Nothing of the map before stands in for another one. */
  function isSameShape(map: MapData): boolean {
    const before = drawn.value?.map;
    return before?.rows === map.rows && before.columns === map.columns && before.values === map.values;
  }

  async function picture(map: MapData, scale: MapScale, theme: ThemeName): Promise<Painted | null> {
    if (wanted === null) return null;
    const { view } = wanted;
    if (view.columnEnd > map.columns || view.rowEnd > map.rows) return null;
    const asked = wanted;
    const canvas = await inSlices(canvasInSlices(map, scale, theme, asked), isWanted);
    return canvas && { wanted: asked, canvas };
  }

  async function pass(): Promise<void> {
    const map = current.value;
    const theme = source.theme();
    if (map === null) {
      drawn.value = null;
      return;
    }
    const scaleOf = source.scaleOf();
    const before = drawn.value;
    const isSame = before?.map === map && before.theme === theme;
    const range = isSame
      ? before.range
      : await inSlices(rangeInSlices(map, scaleOf(EMPTY_RANGE).logarithmic), isWanted);
    if (range === null) return;
    const scale = scaleOf(range);
    const painted = await picture(map, scale, theme);
    if (isWanted()) drawn.value = { map, range, scale, theme, painted };
  }

  watch(
    () => [current.value, source.theme(), source.scaleOf()] as const,
    ([map]) => {
      if (map !== null && isSameShape(map)) return passInTurn();
      drawn.value = null;
      passNow();
    },
    { immediate: true },
  );

  return {
    drawn,
    isBusy,
    paint(view, width, height) {
      const asked = wantedPicture(view, width, height, window.devicePixelRatio);
      wanted = asked;
      const painted = drawn.value?.painted ?? null;
      if (painted === null || !isSamePicture(painted.wanted, asked)) passNow();
      return painted && { image: painted.canvas, view: painted.wanted.view };
    },
  };
}
