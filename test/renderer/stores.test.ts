import { describe, expect, it } from 'vitest';
import { useProblem } from '../../src/renderer/stores/problem';
import { useRunForm } from '../../src/renderer/stores/run-form';
import { useRuns } from '../../src/renderer/stores/runs';
import { useSelection } from '../../src/renderer/stores/selection';
import { selectionReadout } from '../../src/renderer/stores/selection-readout';
import { fileNameOf, useSession } from '../../src/renderer/stores/session';
import type { RunMessage, RunRequest } from '../../src/shared/run';
import { connectFake, until } from './set-up';

async function openModel(options: Parameters<typeof connectFake>[0] = {}) {
  const bridge = connectFake(options);
  const session = useSession();
  await session.openSample('lstm-vanishing');
  return { bridge, session, runs: useRuns(), form: useRunForm(), selection: useSelection(), problem: useProblem() };
}

const request = (form: { runRequest: RunRequest | null }): RunRequest => form.runRequest!;

describe('a run', () => {
  it('fills the result of its layer and ends with a summary', async () => {
    const { runs, form, bridge } = await openModel();
    form.fields.steps = 40;
    await runs.start(request(form));
    expect(runs.isRunning).toBe(true);
    await until(() => !runs.isRunning);
    const result = runs.selectedResult()!;
    expect(result.status).toBe('done');
    expect(result.final.forward!.h.computed.every((flag) => flag === 1)).toBe(true);
    expect(runs.summaries.get('encoder')!.hidden.verdict).toBe('vanishing');
    expect(bridge.credit()).toBeGreaterThan(0);
  });

  it('takes messages that come before the reply to its start, and none of another run', async () => {
    const { runs, form, bridge } = await openModel({ pace: 1 });
    const started = runs.start(request(form));
    const stray: RunMessage = { runId: 99, sequence: 0, event: { kind: 'failed', error: bridge.options.failure } };
    runs.receive([stray]);
    await started;
    runs.receive([stray]);
    expect(useProblem().current).toBeNull();
    expect(runs.isRunning).toBe(true);
    await until(() => !runs.isRunning);
    expect(runs.selectedResult()!.status).toBe('done');
  });

  it('names a gap in the numbering as the fault it is', async () => {
    const { runs, form } = await openModel({ pace: 20 });
    await runs.start(request(form));
    await until(() => runs.selectedResult() !== null);
    const { runId } = runs.selectedResult()!;
    const late: RunMessage = {
      runId,
      sequence: 500,
      event: { kind: 'progress', fraction: 1, stage: 'final', secondsElapsed: 1 },
    };
    expect(() => runs.receive([late])).toThrow(/message 500 came where/);
  });

  it('stops a run that was cancelled before it had a number', async () => {
    const { runs, form } = await openModel({ pace: 20 });
    const started = runs.start(request(form));
    await runs.cancel();
    expect(runs.isCancelling).toBe(true);
    await started;
    await until(() => !runs.isRunning);
    expect(runs.isCancelling).toBe(false);
    expect(runs.summaries.size).toBe(0);
  });

  it('keeps what was computed when it is cancelled', async () => {
    const { runs, form } = await openModel({ pace: 3 });
    await runs.start(request(form));
    await until(() => (runs.selectedResult()?.fraction ?? 0) > 0.2);
    await runs.cancel();
    await until(() => !runs.isRunning);
    const result = runs.selectedResult()!;
    expect(result.status).toBe('cancelled');
    expect(result.diagonal.forward!.h.computed[0]).toBe(1);
    expect(useProblem().current).toBeNull();
    expect(runs.summaries.size).toBe(0);
  });

  it('keeps what was computed when it fails, and says why', async () => {
    const { runs, form, problem } = await openModel({ failAt: 0.5 });
    await runs.start(request(form));
    await until(() => !runs.isRunning);
    expect(runs.selectedResult()!.status).toBe('failed');
    expect(runs.selectedResult()!.diagonal.forward!.h.computed[0]).toBe(1);
    expect(problem.current!.error.code).toBe('engine/stopped');
  });

  it('ends by a message that main writes when the engine is gone before its first word', async () => {
    const { runs, form, bridge, problem } = await openModel({ pace: 50 });
    await runs.start(request(form));
    runs.receive([{ runId: 1, sequence: -1, event: { kind: 'failed', error: bridge.options.failure } }]);
    expect(runs.isRunning).toBe(false);
    expect(problem.current!.source).toBe('run');
  });

  it('starts one at a time', async () => {
    const { runs, form, bridge } = await openModel({ pace: 5 });
    await Promise.all([runs.start(request(form)), runs.start(request(form))]);
    expect(bridge.calls.filter(({ name }) => name === 'startRun')).toHaveLength(1);
  });

  it('leaves one result a layer, and forgets all of them with another model', async () => {
    const { runs, form, session, selection } = await openModel();
    form.fields.steps = 20;
    await runs.start(request(form));
    await until(() => !runs.isRunning);
    selection.selectLayer('context');
    await runs.start(request(form));
    await until(() => !runs.isRunning);
    expect([...runs.summaries.keys()]).toEqual(['encoder', 'context']);
    await session.close();
    expect([runs.results.size, runs.summaries.size, session.model]).toEqual([0, 0, null]);
  });

  it('gives the numbers of the selected place', async () => {
    const { runs, form } = await openModel();
    form.fields.steps = 30;
    await runs.start(request(form));
    await until(() => !runs.isRunning);
    const readout = selectionReadout(runs.selectedResult(), { sequence: 0, step: 29, direction: 'forward' })!;
    expect(readout.place).toBe('sequence 1 of 1 · t 29');
    expect(readout.value).toMatch(/‖∂h_t\/∂x_t‖ = .+‖∂c_T\/∂x_t‖ = /);
  });
});

describe('the run bar', () => {
  it('asks for what cli.md calls the default', async () => {
    const { form } = await openModel();
    expect(form.runRequest).toMatchObject({
      layer: 'encoder',
      wrt: 'layer-input',
      atLayer: false,
      input: { kind: 'random', steps: 200, batch: null, seed: 0 },
      modes: ['diagonal', 'final', 'states'],
    });
  });

  it('asks for nothing while a field is wrong or no mode is chosen', async () => {
    const { form } = await openModel();
    form.fields.steps = 0;
    expect(form.runRequest).toBeNull();
    form.fields.steps = 1.5;
    expect(form.runRequest).toBeNull();
    form.fields.steps = 1;
    expect(form.runRequest).not.toBeNull();
    Object.assign(form.fields.modes, { diagonal: false, final: false, states: false });
    expect(form.runRequest).toBeNull();
  });

  it('takes dropped data as the input of the next run', async () => {
    const { form, session } = await openModel();
    await session.openPaths(['/home/ada/sensors-june.csv']);
    await until(() => form.choice === 'file');
    expect(form.runRequest!.input).toMatchObject({ kind: 'file', path: '/home/ada/data/sensors-june.csv' });
    expect(form.options.map(({ choice }) => choice)).toEqual(['file', 'random', 'file-at-layer', 'random-at-layer']);
  });

  it('feeds a layer directly where something below it cannot be run', async () => {
    const { form, selection } = await openModel();
    selection.selectLayer('decoder');
    expect(form.runRequest).toMatchObject({ layer: 'decoder', atLayer: true });
    expect(form.options.map(({ choice }) => choice)).toEqual(['random-at-layer']);
  });

  it('tells the cost before anything runs, once for a burst of changes', async () => {
    const { form, bridge } = await openModel();
    form.fields.batch = 2;
    form.fields.batch = 3;
    await until(() => form.estimate?.batch === 3);
    const batches = bridge.calls
      .filter(({ name }) => name === 'estimate')
      .map(({ input }) => (input as { request: { input: { batch: number } } }).request.input.batch);
    expect(batches.filter((batch) => batch > 1)).toEqual([3]);
  });
});

describe('the session', () => {
  it('keeps the open model when another file cannot be read', async () => {
    const { session, bridge, problem } = await openModel();
    bridge.options.openFailure = { code: 'reader/truncated', message: 'too short', remedy: 'copy again', details: {} };
    await session.openPaths(['/home/ada/broken.h5']);
    expect(session.model!.fileName).toBe('turbine-forecast.keras');
    expect(problem.current!.error.code).toBe('reader/truncated');
    expect(session.opening).toBeNull();
  });

  it('selects the first layer that can be analysed', async () => {
    const { selection, session } = await openModel();
    expect(selection.layer).toBe('encoder');
    expect(session.usableLayers.map(({ name }) => name)).toEqual(['encoder', 'context', 'decoder']);
  });

  it('reads the model again with a choice, keeps the layer and forgets the runs', async () => {
    const { session, selection, runs, form } = await openModel();
    form.fields.steps = 20;
    await runs.start(request(form));
    await until(() => !runs.isRunning);
    selection.selectLayer('context');
    await session.choose({ activation: 'relu' });
    await session.choose({ resetAfter: false });
    expect(session.model!.choices).toEqual({ activation: 'relu', recurrentActivation: null, resetAfter: false });
    expect(selection.layer).toBe('context');
    expect(runs.summaries.size).toBe(0);
  });

  it('opens a file with a limit that was raised for it', async () => {
    const { session, bridge } = await openModel();
    await session.openPaths(['/home/ada/big.keras'], { maxZipRatio: 900 });
    expect(bridge.calls.findLast(({ name }) => name === 'openPaths')?.input).toEqual({
      paths: ['/home/ada/big.keras'],
      limits: { maxZipRatio: 900 },
    });
  });

  it('names files of any platform', () => {
    expect(['/a/b.keras', 'C:\\models\\b.keras', '/a/saved_model/'].map(fileNameOf)).toEqual([
      'b.keras',
      'b.keras',
      'saved_model',
    ]);
  });
});

describe('options of a run', () => {
  it('are those of the command when nobody has touched them', async () => {
    const { form } = await openModel();
    expect(request(form)).toMatchObject({
      wrt: 'layer-input',
      maskFile: null,
      initialStateFile: null,
      engine: null,
      warmUp: null,
      span: null,
    });
    expect(form.optionCount).toBe(0);
  });

  it('reach the request, a mask only with an input of the layer’s own', async () => {
    const { form } = await openModel();
    Object.assign(form.fields, { wrt: 'model-input', engine: 'reference', warmUp: 0, span: 300 });
    await form.chooseFile('mask');
    await form.chooseFile('initialState');
    expect(request(form)).toMatchObject({
      wrt: 'model-input',
      engine: 'reference',
      warmUp: 0,
      span: 300,
      maskFile: null,
      initialStateFile: '/home/ada/initial-state.npz',
    });
    form.fields.choice = 'random-at-layer';
    expect(request(form)).toMatchObject({ atLayer: true, wrt: 'layer-input', maskFile: '/home/ada/mask.npz' });
    expect(form.optionCount).toBe(5);
    form.resetOptions();
    expect(form.optionCount).toBe(0);
  });

  it.each([
    ['warmUp', -1, 'Warm-up takes'],
    ['span', 0, 'Span takes'],
    ['span', Number.NaN, 'Span takes'],
    ['steps', 1_000_001, 'T takes'],
    ['batch', 1.5, 'B takes'],
  ] as const)('hold the run back: %s %d', async (field, value, words) => {
    const { form } = await openModel();
    Object.assign(form.fields, { [field]: value });
    expect(form.runRequest).toBeNull();
    expect(form.fieldProblem).toContain(words);
  });

  it('let go of the files of another model', async () => {
    const { form, session } = await openModel();
    await form.chooseFile('initialState');
    session.forget();
    await session.openSample('lstm-carrying');
    expect(form.fields.initialState).toBeNull();
  });
});
