/** The flow map as a user meets it, on a fake bridge; the chart is recorded, and clicks are those that it would tell. */
import { mount, flushPromises, type VueWrapper } from '@vue/test-utils';
import axe from 'axe-core';
import { getActivePinia } from 'pinia';
import { afterEach, describe, expect, it, vi } from 'vitest';
import App from '../../src/renderer/App.vue';
import { useEngine } from '../../src/renderer/stores/engine';
import { useRunForm } from '../../src/renderer/stores/run-form';
import { useRuns } from '../../src/renderer/stores/runs';
import { useSelection } from '../../src/renderer/stores/selection';
import { useSession } from '../../src/renderer/stores/session';
import { useSettings } from '../../src/renderer/stores/settings';
import { largestEntries } from '../../src/renderer/stores/pair-block';
import { formatFromLog } from '../../src/charts/number-format';
import { pairLog, DEFAULT_FAKE, type FakeBridge, type FakeOptions } from './fake-bridge';
import { connectFake, until } from './set-up';

const surface = vi.hoisted(() => ({ clicks: [] as ((event: { offsetX: number; offsetY: number }) => void)[] }));

vi.mock('../../src/renderer/drawing/echarts', () => ({
  init: () => ({
    setOption: () => undefined,
    getZr: () => ({
      on: (name: string, handler: (event: { offsetX: number; offsetY: number }) => void) => {
        if (name === 'click') surface.clicks.push(handler);
      },
      flush: () => undefined,
    }),
    containPixel: () => true,
    convertFromPixel: (_: unknown, pixel: number[]) => pixel,
    resize: () => undefined,
    dispose: () => undefined,
    isDisposed: () => false,
  }),
}));

let wrapper: VueWrapper;
let bridge: FakeBridge;

async function openFlow(options: Partial<FakeOptions> = {}, steps = 40): Promise<void> {
  bridge = connectFake(options);
  await Promise.all([useSettings().load(), useSession().loadSamples(), useEngine().load()]);
  wrapper = mount(App, { attachTo: document.body, global: { plugins: [getActivePinia()!] } });
  await flushPromises();
  await find('sample-lstm-vanishing').trigger('click');
  await flushPromises();
  useRunForm().fields.steps = steps;
  await find('tab-flow').trigger('click');
  await flushPromises();
  // Those of the view before are gone.
  surface.clicks.splice(0);
}

const find = (testId: string) => wrapper.find(`[data-testid="${testId}"]`);
const text = (testId: string): string => find(testId).text();
const blocks = () => bridge.calls.filter(({ name }) => name === 'block').map(({ input }) => input);

async function runPairs(): Promise<void> {
  await find('run-pairs').trigger('click');
  await until(() => !useRuns().isRunning);
  await flushPromises();
}

/** A click on the cell of a pair, once the map has been read. */
async function clickCell(target: number, source: number): Promise<void> {
  await until(() => find('chart-flow').exists());
  await until(() => {
    surface.clicks[0]!({ offsetX: source, offsetY: target });
    return useSelection().pair !== null;
  });
  await flushPromises();
}

afterEach(() => wrapper.unmount());

describe('the flow map', () => {
  it('is one button away from a run without pairs, with what it will take', async () => {
    await openFlow();
    await wrapper.find('.run-bar').trigger('submit');
    await until(() => !useRuns().isRunning);
    await flushPromises();
    expect(wrapper.find('.flow-empty').text()).toContain('This run has no pairs of steps');
    expect(text('pairs-estimate')).toMatch(/about .* · .*B/);
    await runPairs();
    expect(wrapper.find('.flow-empty').exists()).toBe(false);
    expect(bridge.calls.filter(({ name }) => name === 'startRun').at(-1)!.input).toMatchObject({
      request: { modes: ['diagonal', 'final', 'states', 'pairs'] },
    });
  });

  it('opens the Jacobian behind a cell, whose norm is the number of the map', async () => {
    await openFlow();
    await runPairs();
    await clickCell(30, 12);
    await until(() => /log/.test(text('pair-block-norm')));
    expect(blocks()).toEqual([{ runId: 1, direction: 'forward', sequence: 0, target: 30, source: 12 }]);
    const number = formatFromLog(pairLog(30, 12, 'forward', DEFAULT_FAKE), 4);
    expect(text('pair-map-norm')).toContain(number);
    expect(text('pair-block-norm')).toBe(text('pair-map-norm'));
    expect(find('largest-entries').findAll('tbody tr')).toHaveLength(6);
  });

  it('asks for the whole state only where that is shown', async () => {
    await openFlow();
    await runPairs();
    await clickCell(30, 12);
    await until(() => blocks().length === 1);
    await wrapper
      .findAll('.segments button')
      .find((button) => button.text() === '∂s/∂s')!
      .trigger('click');
    await until(() => JSON.stringify(blocks().at(-1)).includes('hasState'));
    expect(blocks().at(-1)).toMatchObject({ hasState: true, target: 30, source: 12 });
  });

  it('is used by the arrow keys, and stays within the map', async () => {
    await openFlow();
    await runPairs();
    const chart = find('chart-flow');
    expect(chart.attributes('tabindex')).toBe('0');
    await chart.trigger('keydown', { key: 'ArrowLeft' });
    expect(useSelection().pair).toEqual({ target: 39, source: 39 });
    await chart.trigger('keydown', { key: 'ArrowLeft', shiftKey: true });
    await chart.trigger('keydown', { key: 'ArrowUp' });
    await chart.trigger('keydown', { key: 'ArrowRight' });
    expect(useSelection().pair).toEqual({ target: 38, source: 30 });
    for (let press = 0; press < 5; press += 1) await chart.trigger('keydown', { key: 'ArrowDown', shiftKey: true });
    expect(useSelection().pair).toEqual({ target: 39, source: 30 });
    await find('pair-source').setValue(4);
    expect(useSelection().pair).toEqual({ target: 39, source: 4 });
  });

  it('has the chosen target step as a table', async () => {
    await openFlow();
    await runPairs();
    await clickCell(20, 5);
    const frame = wrapper.find('.flow-map');
    await frame
      .findAll('.tool')
      .find((tool) => tool.text() === 'Table')!
      .trigger('click');
    const rows = frame.findAll('tbody tr').map((row) => row.findAll('td').map((cell) => cell.text()));
    expect(rows).toHaveLength(40);
    expect(rows[5]!.slice(0, 2)).toEqual(['5', '15']);
    expect(rows[21]![3]).toBe('0 (exact)');
  });

  it('says what is missing while it fills and after a failure', async () => {
    await openFlow({ failAt: 0.5 });
    await runPairs();
    expect(wrapper.find('.flow-map .blank').text()).toContain('ended before the first pairs');
  });

  it('says that a map is too large to be kept', async () => {
    await openFlow();
    await runPairs();
    const result = useRuns().selectedResult()!;
    (result.pairs.maps as Map<string, unknown>).clear();
    useRuns().revision += 1;
    await flushPromises();
    expect(wrapper.find('.flow-map .blank').text()).toContain('more than the window keeps');
    expect(wrapper.find('.flow-map .surface').classes()).toContain('is-blank');
  });

  it('has no accessibility violations', async () => {
    await openFlow();
    await runPairs();
    await clickCell(20, 5);
    await until(() => /log/.test(text('pair-block-norm')));
    const { violations } = await axe.run(wrapper.find('.flow-view').element, {
      rules: { 'color-contrast': { enabled: false } },
    });
    expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
  });
});

describe('the largest entries of a block', () => {
  it('come in their order, with the scale of the block in their logs', () => {
    const data = Float32Array.from([0.5, -4, 0, 1, 2, -0.25]);
    const found = largestEntries({ data, rows: 2, columns: 3, scale: -10, logNorm: 0 }, 3);
    expect(found.map(({ row, column, value }) => [row, column, value])).toEqual([
      [0, 1, -4],
      [1, 1, 2],
      [1, 0, 1],
    ]);
    expect(found[0]!.logSize).toBeCloseTo(Math.log(4 / 1024), 12);
  });
});
