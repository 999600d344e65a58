/**
 * An ECharts instance in an element: made when the element is there, resized with it, redrawn at most once a frame.
 *
 * A redraw that took long makes the next one wait in proportion, so that a huge picture never takes the whole window; and
 * charts that are due together share out their frames (frame-queue.ts).
 */
import { effect, onBeforeUnmount, onMounted, shallowRef, stop, type Ref, type ShallowRef } from 'vue';
import type { ChartOption } from '../../charts/axis-style';
import { init, type ECharts } from './echarts';
import { inFrame } from './frame-queue';

/** Share of the time that drawing may take while data stream in. */
const DRAWING_SHARE = 0.25;

/** Where the pointer is, in the coordinates of the first plot. */
export interface ChartPointer {
  readonly x: number;
  readonly y: number;
}

/** What a chart tells of the pointer. */
export interface ChartEvents {
  readonly onHover?: (at: ChartPointer | null) => void;
  readonly onPick?: (at: ChartPointer) => void;
}

/**
 * The chart of an element.
 *
 * @param host - The element, null until it is mounted.
 * @param option - The option as it should be now; read reactively. null leaves the picture as it is.
 * @param events - What to call for pointer moves and clicks.
 */
export function useChart(
  host: Readonly<Ref<HTMLElement | null>>,
  option: () => ChartOption | null,
  events: ChartEvents = {},
): ShallowRef<ECharts | null> {
  const chart = shallowRef<ECharts | null>(null);
  let observer: ResizeObserver | null = null;
  let isScheduled = false;
  /** The size or the type has changed, which the option does not read. */
  let isForced = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let earliest = 0;
  let isGone = false;

  /** Draws the option of this moment; what the option read makes the next drawing due when it changes. */
  const draw = effect(
    () => {
      const instance = chart.value;
      if (!instance || instance.isDisposed()) return;
      const start = performance.now();
      const wanted = option();
      if (wanted) {
        instance.setOption(wanted, { replaceMerge: ['series'], lazyUpdate: false });
        instance.getZr().flush();
      }
      const end = performance.now();
      earliest = end + (end - start) * (1 / DRAWING_SHARE - 1);
    },
    { scheduler: schedule },
  );

  /** What the option read may have been touched without having become another. */
  function redraw(): void {
    isScheduled = false;
    if (isGone || !(isForced || draw.effect.dirty)) return;
    isForced = false;
    draw();
  }

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    const wait = earliest - performance.now();
    if (wait > 16) timer = setTimeout(() => inFrame(redraw), wait);
    else inFrame(redraw);
  }

  function force(): void {
    isForced = true;
    schedule();
  }

  function pointerOf(event: { offsetX: number; offsetY: number }): ChartPointer | null {
    const pixel = [event.offsetX, event.offsetY];
    if (!chart.value?.containPixel({ gridIndex: 0 }, pixel)) return null;
    const [x, y] = chart.value.convertFromPixel({ gridIndex: 0 }, pixel) as [number, number];
    return { x, y };
  }

  /** Undoes every zoom. */
  function showAll(instance: ECharts): void {
    const { dataZoom } = instance.getOption() as { dataZoom?: readonly unknown[] };
    dataZoom?.forEach((_, dataZoomIndex) =>
      instance.dispatchAction({ type: 'dataZoom', dataZoomIndex, start: 0, end: 100 }),
    );
  }

  function listen(instance: ECharts): void {
    const surface = instance.getZr();
    surface.on('mousemove', (event) => events.onHover?.(pointerOf(event)));
    surface.on('globalout', () => events.onHover?.(null));
    surface.on('dblclick', () => showAll(instance));
    surface.on('click', (event) => {
      const at = pointerOf(event);
      if (at) events.onPick?.(at);
    });
  }

  /** Resizing outside the observer's own callback, so that it cannot observe itself. */
  function fit(): void {
    if (isGone) return;
    chart.value?.resize();
    force();
  }

  onMounted(() => {
    const element = host.value;
    if (!element) return;
    chart.value = init(element, null, { renderer: 'canvas' });
    listen(chart.value);
    observer = new ResizeObserver(() => requestAnimationFrame(fit));
    observer.observe(element);
    void document.fonts?.ready.then(force);
  });

  onBeforeUnmount(() => {
    isGone = true;
    stop(draw);
    clearTimeout(timer);
    observer?.disconnect();
    chart.value?.dispose();
    chart.value = null;
  });

  return chart;
}
