/**
 * The window as a user meets it, on a fake bridge; charts are recorded, not drawn, because there is no canvas here. Above 300
 * lines because every state of the one window is gone through.
 */
import { mount, flushPromises, type VueWrapper } from '@vue/test-utils';
import { getActivePinia } from 'pinia';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import App from '../../src/renderer/App.vue';
import { runCommand } from '../../src/renderer/commands';
import { useEngine } from '../../src/renderer/stores/engine';
import { useProblem } from '../../src/renderer/stores/problem';
import { useExports } from '../../src/renderer/stores/run-exports';
import { useRuns } from '../../src/renderer/stores/runs';
import { useSelection } from '../../src/renderer/stores/selection';
import { useSession } from '../../src/renderer/stores/session';
import { useSettings } from '../../src/renderer/stores/settings';
import type { FakeBridge, FakeOptions } from './fake-bridge';
import { connectFake, until } from './set-up';

const drawn = vi.hoisted(() => ({ options: [] as Record<string, unknown>[] }));

vi.mock('../../src/renderer/drawing/echarts', () => ({
  init: () => ({
    setOption: (option: Record<string, unknown>) => drawn.options.push(option),
    getZr: () => ({ on: () => undefined, flush: () => undefined }),
    resize: () => undefined,
    dispose: () => undefined,
    isDisposed: () => false,
    renderToSVGString: () => '<svg></svg>',
  }),
}));

let wrapper: VueWrapper;
let bridge: FakeBridge;

async function openWindow(options: Partial<FakeOptions> = {}): Promise<void> {
  bridge = connectFake(options);
  await Promise.all([useSettings().load(), useSession().loadSamples(), useEngine().load()]);
  wrapper = mount(App, { attachTo: document.body, global: { plugins: [getActivePinia()!] } });
  await flushPromises();
}

const find = (testId: string) => wrapper.find(`[data-testid="${testId}"]`);
const text = (testId: string): string => find(testId).text();

async function openSample(): Promise<void> {
  await find('sample-lstm-vanishing').trigger('click');
  await flushPromises();
}

async function run(): Promise<void> {
  await wrapper.find('.run-bar').trigger('submit');
  await until(() => !useRuns().isRunning);
  await flushPromises();
}

beforeEach(() => drawn.options.splice(0));
afterEach(() => wrapper.unmount());

describe('an empty window', () => {
  it('offers the four samples with a line each, recent files, and says what engine there is', async () => {
    await openWindow({ recent: ['/home/ada/vad.h5'] });
    expect(wrapper.findAll('.sample')).toHaveLength(4);
    expect(text('sample-gru-sensors')).toContain('eight sensor channels');
    expect(wrapper.find('.recent').text()).toContain('vad.h5');
    expect(text('engine-chip')).toBe('TensorFlow 2.18.1 · native · 2 cores');
    expect(wrapper.find('.run-bar').exists()).toBe(false);
  });

  it('says what is wrong with a file, with code, message and remedy, and stays usable', async () => {
    await openWindow({
      openFailure: {
        code: 'reader/truncated',
        message: 'vad.h5 ends at byte 40',
        remedy: 'Copy it again.',
        details: {},
      },
    });
    await openSample();
    expect(find('error-panel').attributes('role')).toBe('alert');
    expect(text('error-code')).toBe('reader/truncated');
    expect(text('error-message')).toBe('vad.h5 ends at byte 40');
    expect(text('error-remedy')).toBe('Copy it again.');
    await find('error-panel').findAll('button')[1]!.trigger('click');
    expect(find('error-panel').exists()).toBe(false);
    expect(wrapper.findAll('.sample')).toHaveLength(4);
  });

  it('takes files dropped anywhere', async () => {
    await openWindow();
    const transfer = { types: ['Files'], files: [new File(['x'], 'model.keras')], dropEffect: 'none' };
    const drag = (type: string): void => {
      window.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), { dataTransfer: transfer }));
    };
    drag('dragenter');
    await flushPromises();
    expect(wrapper.find('.drop-shade').exists()).toBe(true);
    drag('drop');
    await flushPromises();
    expect(wrapper.find('.drop-shade').exists()).toBe(false);
    expect(bridge.calls.find(({ name }) => name === 'openPaths')?.input).toEqual({ paths: ['/home/ada/model.keras'] });
    expect(text('layer-list')).toContain('encoder');
  });
});

describe('an open model', () => {
  it('lists its layers: what each is, which can be analysed, and why the others cannot', async () => {
    await openWindow();
    await openSample();
    expect(text('layer-encoder')).toContain('LSTM 32 ← 8');
    expect(text('layer-context')).toContain('Bidirectional GRU 2×24 ← 32');
    expect(text('layer-encoder')).toContain('not run');
    expect(text('layer-attention')).toContain('Attention is not a recurrence');
    expect(find('layer-attention').element.tagName).toBe('DIV');
    expect(text('layer-decoder')).toContain('attention below it cannot be run');
    expect(wrapper.find('.side').text()).toContain('Recurrent dropout 0.2: off');
  });

  it('tells what a run will take before it starts', async () => {
    await openWindow();
    await openSample();
    await until(() => find('estimate').exists() && text('estimate').includes('MB'));
    expect(text('estimate')).toMatch(/^about \d+ ms · \d+ MB$/);
  });

  it('says what there is when no layer can be analysed', async () => {
    await openWindow({ hasRecurrent: false });
    await openSample();
    expect(wrapper.find('.no-recurrent').text()).toContain('No recurrent layer');
    expect(wrapper.find('.no-recurrent').text()).toContain('Conv2D has no time axis');
    expect(wrapper.find('.run-bar').exists()).toBe(false);
  });
});

describe('a run in the window', () => {
  it('ends with verdicts for h and c, chips, and a row a state', async () => {
    await openWindow();
    await openSample();
    expect(text('verdict-h')).toContain('Not run');
    await run();
    expect(text('verdict-h')).toContain('Vanishing');
    expect(text('verdict-h')).toContain('−0.042');
    expect(text('verdict-c')).toContain('Carried');
    expect(text('layer-encoder')).toContain('h vanishing');
    const rows = wrapper.findAll('.verdict-view table tbody tr');
    expect(rows.map((row) => row.findAll('td')[1]!.text())).toEqual(['h', 'c']);
    expect(rows[0]!.text()).toContain('−0.042 ± 0.003');
  });

  it('draws while it runs, and shows progress and Cancel', async () => {
    await openWindow({ pace: 8 });
    await openSample();
    await wrapper.find('.run-bar').trigger('submit');
    await until(() => (useRuns().selectedResult()?.fraction ?? 0) > 0.1);
    await until(() => find('progress').exists() && /%/.test(text('progress')));
    expect(find('run-button').exists()).toBe(false);
    await until(() => drawn.options.length > 2);
    await find('cancel-button').trigger('click');
    await until(() => !useRuns().isRunning);
    await flushPromises();
    expect(text('verdict-h')).toContain('Partial');
    expect(wrapper.find('.status-bar').text()).toContain('Partial: cancelled at');
    expect(find('run-button').exists()).toBe(true);
  });

  it('keeps the picture when it fails', async () => {
    await openWindow({ failAt: 0.6 });
    await openSample();
    await run();
    expect(text('error-code')).toBe('engine/stopped');
    expect(find('chart-lag').exists()).toBe(true);
    expect(text('layer-encoder')).toContain('partial');
  });

  it('shows one card for a layer without a cell state, and each direction apart', async () => {
    await openWindow({ kind: 'GRU', bidirectional: true });
    await openSample();
    await run();
    expect(find('verdict-c').exists()).toBe(false);
    const headings = find('verdict-h')
      .findAll('.figures .link')
      .map((link) => link.text());
    expect(headings).toEqual(['Hidden state h, forward', 'Hidden state h, backward']);
    await find('verdict-h').findAll('.figures .link')[1]!.trigger('click');
    expect(useSelection().direction).toBe('backward');
  });

  it('calls the time in which a growing gradient doubles by its name', async () => {
    await openWindow({ kind: 'SimpleRNN', slopes: [0.11, 0], verdicts: ['exploding', 'carried'] });
    await openSample();
    await run();
    expect(text('verdict-h')).toContain('Exploding');
    expect(text('verdict-h')).toContain('doubling, steps');
    const table = wrapper.find('.verdict-view table');
    expect(table.text()).toContain('Doubling time');
    expect(table.text()).not.toContain('Half-life');
    expect(table.find('tbody').text()).toMatch(/doubles in \d/);
  });

  it('claims no horizon where nothing could be read', async () => {
    await openWindow({ hasNaN: true, verdicts: ['undetermined', 'carried'] });
    await openSample();
    await run();
    expect(text('verdict-h')).toContain('Undetermined');
    expect(
      find('verdict-h')
        .findAll('.number')
        .map((number) => number.text()),
    ).toEqual(['—', '—', '—', '58 %']);
  });
});

describe('the views', () => {
  beforeEach(async () => {
    await openWindow();
    await openSample();
    await run();
  });

  it('are tabs that the arrow keys reach', async () => {
    await find('tab-verdict').trigger('keydown', { key: 'ArrowRight' });
    expect(useSelection().view).toBe('flow');
    expect(find('tab-flow').attributes('aria-selected')).toBe('true');
    await find('tab-flow').trigger('keydown', { key: 'End' });
    expect(useSelection().view).toBe('weights');
  });

  it('ask for signed values of one unit, then of one feature', async () => {
    await find('tab-steps').trigger('click');
    await flushPromises();
    const slices = () => bridge.calls.filter(({ name }) => name === 'jacobianSlice').map(({ input }) => input);
    expect(slices()).toEqual([{ runId: 1, direction: 'forward', sequence: 0, axis: 'unit', index: 0, state: 'h' }]);
    await wrapper
      .findAll('.segments button')
      .find((button) => button.text() === 'One feature')!
      .trigger('click');
    await flushPromises();
    expect(slices().at(-1)).toMatchObject({ axis: 'feature', index: 0 });
  });

  it('show every state and gate of the layer', async () => {
    await find('tab-states').trigger('click');
    await flushPromises();
    expect(wrapper.findAll('.small-maps h2').map((title) => title.text())).toEqual(['h', 'c', 'i', 'f', 'g', 'o']);
  });

  it('show each gate of a kernel with its statistics', async () => {
    await find('tab-weights').trigger('click');
    await flushPromises();
    expect(bridge.calls.filter(({ name }) => name === 'weightMatrix').map(({ input }) => input)).toContainEqual({
      layer: 'encoder',
      direction: 'forward',
      role: 'recurrent_kernel',
      gate: 'f',
    });
    const table = wrapper.find('.weights-view table').text();
    expect(table).toContain('Recurrent kernel');
    expect(table).toContain('Orthogonality margin');
  });

  it('have a table beside the picture, with every position', async () => {
    const frame = wrapper.find('.verdict-pictures .picture');
    await frame
      .findAll('.tool')
      .find((tool) => tool.text() === 'Table')!
      .trigger('click');
    await flushPromises();
    const table = frame.find('.data-table');
    expect(table.findAll('th').map((cell) => cell.text())).toEqual(['lag', '‖∂h‖', '‖∂c‖']);
    expect(table.findAll('tbody tr')).toHaveLength(200);
    expect(table.find('tbody td:nth-child(2)').text()).toMatch(/^\d\.\d+$/);
  });

  it('explain themselves, and Escape closes the explanation', async () => {
    await wrapper.find('.verdict-card .figure .tool').trigger('click');
    expect(wrapper.find('.explain').text()).toContain('Nats per step');
    window.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape' }));
    await flushPromises();
    expect(wrapper.find('.explain').exists()).toBe(false);
  });

  it('export a picture as SVG and the arrays of the run', async () => {
    const frame = wrapper.find('.verdict-pictures .picture');
    const menu = async (item: string): Promise<void> => {
      await frame
        .findAll('.tool')
        .find((tool) => tool.text() === 'Export')!
        .trigger('click');
      await frame
        .findAll('[role=menuitem]')
        .find((entry) => entry.text().includes(item))!
        .trigger('click');
      await flushPromises();
    };
    await menu('SVG');
    const picture = bridge.calls.find(({ name }) => name === 'exportPicture')!.input as {
      name: string;
      bytes: Uint8Array;
    };
    expect(picture.name).toBe('how-far-the-last-state-reaches-back.svg');
    expect(new TextDecoder().decode(picture.bytes)).toBe('<svg></svg>');
    expect(wrapper.find('.status-bar').text()).toContain('Saved how-far-the-last-state-reaches-back.svg');
    await menu('NPZ');
    expect(bridge.calls.find(({ name }) => name === 'exportRun')!.input).toMatchObject({
      format: 'npz',
      request: { layer: 'encoder' },
    });
  });

  it('say how much of an export is written', async () => {
    useExports().accept('encoder.npz');
    await flushPromises();
    expect(text('export-status')).toContain('Writing encoder.npz…');
    expect(find('export-percent').exists()).toBe(false);
    useExports().acceptProgress(0.436);
    await flushPromises();
    expect(text('export-percent')).toBe('43 %');
    expect(find('export-percent').attributes('aria-valuenow')).toBe('43');
    await useExports().cancel();
    await flushPromises();
    expect(find('export-percent').exists()).toBe(false);
    useExports().accept(null);
    useExports().acceptProgress(0.9);
    expect(useExports().fraction).toBeNull();
  });

  it('follow the commands of the menu', async () => {
    runCommand('view-weights');
    expect(useSelection().view).toBe('weights');
    runCommand('keys');
    await flushPromises();
    expect(wrapper.find('dialog').text()).toContain('Per Timestep');
    runCommand('cancel');
    runCommand('about');
    await flushPromises();
    expect(wrapper.find('dialog').text()).toContain('0.1.0');
    runCommand('export-report');
    await flushPromises();
    expect(bridge.calls.at(-1)!.input).toMatchObject({ format: 'report' });
    runCommand('close-model');
    await flushPromises();
    expect(wrapper.findAll('.sample')).toHaveLength(4);
    expect(bridge.calls.some(({ name }) => name === 'closeModel')).toBe(false);
  });
});

describe('trouble with the engine', () => {
  it.each([
    ['not-responding', 'does not respond'],
    ['restarting', 'started again'],
    ['stopped', 'has stopped'],
  ] as const)('is said while it is %s', async (state, words) => {
    await openWindow();
    useEngine().accept({ ...useEngine().status, state });
    await flushPromises();
    expect(wrapper.find('.notice').text()).toContain(words);
  });

  it('ends with a restart by hand', async () => {
    await openWindow({ engine: 'stopped' });
    await wrapper.find('.notice button').trigger('click');
    await flushPromises();
    expect(wrapper.find('.notice').exists()).toBe(false);
  });

  it('shows a fault of the window itself as one, with something to copy', async () => {
    await openWindow();
    useProblem().showThrown(new Error('boom'));
    await flushPromises();
    expect(text('error-code')).toBe('bug');
    expect(text('error-message')).toBe('Internal fault: boom');
  });

  it('switches between the looks', async () => {
    await openWindow({ theme: 'light' });
    expect(document.documentElement.dataset['theme']).toBe('light');
    await find('theme-toggle').trigger('click');
    await flushPromises();
    expect(document.documentElement.dataset['theme']).toBe('dark');
  });
});
