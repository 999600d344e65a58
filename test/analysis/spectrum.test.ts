/** The mode spectrum from the request to arrays, tables and summary, on every engine. */
import { describe, expect, it } from 'vitest';
import { analyze, planRun } from '../../src/analysis/analyze';
import { eigenvalueBytes, eigenvalueSteps } from '../../src/analysis/eigenvalues-of-run';
import { readSpectra } from '../../src/analysis/spectrum-diagnostics';
import { meanFieldExponent } from '../../src/core/diagnostics/critical-gain';
import { parameterSensitivity as parameterSensitivityOf } from '../../src/core/diagnostics/parameter-sensitivity';
import { cellsOf, isRecurrent, type CellKind, type RecurrentModel } from '../../src/core/model';
import type { Summary } from '../../src/core/summary';
import type { EngineName } from '../../src/engine/engine';
import { arrayBytes, declareArrays } from '../../src/export/array-declarations';
import { RunArrays } from '../../src/export/run-arrays';
import { RunCsv } from '../../src/export/csv';
import type { RunRequest, StartedEvent } from '../../src/shared/run';
import { ENGINE_NAMES, noise } from '../engine/all-ops';
import { at, layer, model, recurrent, recurrentLayer } from '../engine/model-builder';
import { makeCell, relativeError } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { readNpz, type NpyArray } from '../support/read-npz';

const SIGNAL = new AbortController().signal;
const [B, T, D, H] = [2, 30, 3, 4];
const INPUT = { shape: [B, T, D], data: Float64Array.from(noise(B * T * D, 5)) };

function modelOf(kind: CellKind, isBidirectional = false): RecurrentModel {
  const cell = makeCell({ kind, units: H, inputDim: D, batch: B, steps: T });
  const backward = isBidirectional ? { backward: makeCell({ kind, units: 5, inputDim: D, batch: B, steps: T }) } : {};
  const input = layer('InputLayer', { kind: 'input', shape: [null, D], integer: false }, []);
  return model([input, recurrentLayer(recurrent(cell, backward), [at(0)])], 'onnx');
}

function orderOf(built: RecurrentModel, engine: EngineName, request: Partial<RunRequest> = {}) {
  return {
    model: built,
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'layer-input' as const, atLayer: false, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      modes: ['spectrum' as const],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes: null },
      ...request,
    },
    data: { input: INPUT, mask: null, initialState: null },
  };
}

interface Written {
  readonly arrays: Readonly<Record<string, NpyArray>>;
  readonly tables: ReadonlyMap<string, string>;
  readonly summary: Summary;
  readonly started: StartedEvent;
}

async function write(built: RecurrentModel, engine: EngineName, request: Partial<RunRequest> = {}): Promise<Written> {
  const npz = makeMemorySink();
  const files = new Map<string, ReturnType<typeof makeMemorySink>>();
  let arrays: RunArrays | null = null;
  let csv: RunCsv | null = null;
  let summary: Summary | null = null;
  let started: StartedEvent | null = null;
  for await (const step of analyze(orderOf(built, engine, request), SIGNAL)) {
    if (step.event.kind === 'started') {
      started = step.event;
      arrays = new RunArrays(npz, started);
      csv = new RunCsv((name) => {
        files.set(name, makeMemorySink());
        return files.get(name)!;
      }, started);
    }
    if (step.event.kind === 'done') ({ summary } = step.event);
    arrays?.add(step);
    for (const _slice of csv?.add(step) ?? []);
  }
  await arrays!.close();
  await csv!.close();
  const tables = new Map([...files].map(([name, sink]) => [name, new TextDecoder().decode(sink.bytes())]));
  return { arrays: Object.fromEntries(readNpz(npz.bytes())), tables, summary: summary!, started: started! };
}

describe.each(ENGINE_NAMES)('the mode spectrum on %s', (engine) => {
  it('writes exponents, their curve and singular values as declared', async () => {
    const { arrays, tables, summary, started } = await write(modelOf('LSTM'), engine);
    expect(Object.keys(arrays)).toEqual(declareArrays(started).map(({ name }) => name));
    expect(arrays['lyapunov']!.shape).toEqual([B, 2 * H]);
    expect(arrays['lyapunov_curve']!.shape).toEqual([B, 4, 2 * H]);
    expect([...arrays['lyapunov_curve_steps']!.data]).toEqual([8, 16, 24, 30]);
    expect([...arrays['lyapunov_resolved']!.data]).toEqual(new Array(B * 2 * H).fill(1));
    expect(arrays['singular_values']!.shape).toEqual([B, 2 * H]);
    const lyapunov = arrays['lyapunov']!.data;
    const reference = await write(modelOf('LSTM'), 'reference');
    expect(relativeError(lyapunov, reference.arrays['lyapunov']!.data)).toBeLessThan(1e-5);
    const rows = tables.get('lyapunov.csv')!.trim().split('\n');
    expect(rows[0]).toBe('sequence,index,direction,value,resolved');
    expect(rows[2]).toBe(`0,1,forward,${String(lyapunov[1])},1`);
    expect(rows.length).toBe(1 + lyapunov.length);
    expect(tables.get('lyapunov_curve.csv')!.trim().split('\n').length).toBe(1 + B * 4 * 2 * H);
    expect(tables.get('singular_values.csv')!.trim().split('\n').length).toBe(1 + B * 2 * H);
    const [{ lyapunov: means, lyapunovStd, fixedPoints, logSingularRange, eigenvalues, ...rest }] = summary.spectra!;
    const steps = [...arrays['eigenvalues_A_steps']!.data];
    expect(steps.slice(0, 5)).toEqual([0, 7, 15, 22, 29]);
    expect(arrays['eigenvalues_A']!.shape).toEqual([6, 2 * H, 2]);
    expect(eigenvalues!.steps.map(({ step, isLargest }) => [step, isLargest])).toEqual(
      steps.map((step, k) => [step, k === 5]),
    );
    const pairs = arrays['eigenvalues_A']!.data;
    for (const [k, { spectralRadius, norm, leading, unstable }] of eigenvalues!.steps.entries()) {
      const first = 4 * H * k;
      expect(leading).toEqual([0, 1, 2, 3].map((i) => [pairs[first + 2 * i], pairs[first + 2 * i + 1]]));
      const moduli = Array.from({ length: 2 * H }, (_, i) =>
        Math.hypot(pairs[first + 2 * i]!, pairs[first + 2 * i + 1]!),
      );
      expect(spectralRadius).toBeCloseTo(Math.max(...moduli), 12);
      expect(unstable).toBe(moduli.filter((modulus) => modulus >= 1).length);
      expect(norm! * (1 + 1e-12)).toBeGreaterThanOrEqual(Math.max(...moduli));
      expect(eigenvalues!.steps[5]!.norm!).toBeGreaterThanOrEqual(norm!);
    }
    expect(arrays['eigenvalues_U']!.shape).toEqual([4, H, 2]);
    for (const [gate, [leading]] of Object.entries(eigenvalues!.kernel!)) {
      expect(Math.hypot(leading![0]!, leading![1]!)).toBeCloseTo(summary.diagnostics.spectralRadius![gate]!, 10);
    }
    const listed = tables.get('eigenvalues.csv')!.trim().split('\n');
    expect(listed[1]).toBe(`A,0,0,forward,${String(pairs[0])},${String(pairs[1])}`);
    expect(listed.length).toBe(1 + 6 * 2 * H + 4 * H);
    expect(relativeError(pairs, reference.arrays['eigenvalues_A']!.data)).toBeLessThan(1e-3);
    const values = arrays['singular_values']!.data;
    const [largest, smallest] = logSingularRange;
    expect(largest).toBeCloseTo((values[0]! + values[2 * H]!) / 2, 10);
    expect(smallest).toBeCloseTo((values[2 * H - 1]! + values[4 * H - 1]!) / 2, 10);
    expect(fixedPoints!.starts).toBe(16);
    expect(fixedPoints!.lost + fixedPoints!.points.reduce((sum, { visits }) => sum + visits, 0)).toBe(16);
    for (const { residual } of fixedPoints!.points) expect(residual).toBeLessThan(1e-10);
    expect(rest).toEqual({ direction: 'forward', stateSize: 2 * H, unresolved: 0 });
    expect(means[0]).toBeCloseTo((lyapunov[0]! + lyapunov[2 * H]!) / 2, 12);
    expect(lyapunovStd[0]).toBeCloseTo(Math.abs(lyapunov[0]! - lyapunov[2 * H]!) / 2, 12);
  });

  it('reads dimension, condition and ranks off them', async () => {
    const { arrays, summary } = await write(modelOf('GRU'), engine);
    const { diagnostics } = summary;
    const logs = arrays['singular_values']!.data;
    expect(Object.keys(diagnostics.conditionNumber!)).toEqual(['10', 'full']);
    const condition = Math.exp((logs[0]! - logs[H - 1]! + logs[H]! - logs[2 * H - 1]!) / 2);
    expect(diagnostics.conditionNumber!['full']! / condition).toBeCloseTo(1, 12);
    expect(diagnostics.conditionNumber!['10']!).toBeGreaterThan(1);
    for (const rank of [diagnostics.effectiveRank!, diagnostics.stableRank!]) {
      expect(rank['full']!).toBeGreaterThanOrEqual(1);
      expect(rank['10']!).toBeLessThanOrEqual(H);
    }
    expect(diagnostics.kaplanYorkeDimension).toBe(0);
    expect(diagnostics.entropyRate).toBe(0);
    expect(diagnostics.pascanuBound).toBeUndefined();
  });

  it('keeps the directions apart', async () => {
    const { arrays, summary } = await write(modelOf('LSTM', true), engine, { exponents: 3 });
    expect(arrays['lyapunov_forward']!.shape).toEqual([B, 3]);
    expect(arrays['lyapunov_backward']!.shape).toEqual([B, 3]);
    expect(arrays['singular_values_backward']!.shape).toEqual([B, 10]);
    expect(arrays['eigenvalues_A_backward']!.shape).toEqual([6, 10, 2]);
    expect(arrays['eigenvalues_U_forward']!.shape).toEqual([4, H, 2]);
    expect(summary.spectra!.map(({ direction }) => direction)).toEqual(['forward', 'backward']);
    expect(Object.keys(summary.diagnostics.effectiveRank!)).toEqual([
      '10_forward',
      'full_forward',
      '10_backward',
      'full_backward',
    ]);
    expect(summary.diagnostics.entropyRate).toEqual({ forward: 0, backward: 0 });
    expect(Object.keys(summary.diagnostics.chronoRange!)).toEqual(['forward', 'backward']);
  });

  it('the estimate knows the size of what is written', async () => {
    const built = modelOf('LSTM');
    const { started } = await write(built, engine, { exponents: 2 });
    const { estimate } = planRun(orderOf(built, engine, { exponents: 2 }));
    expect(arrayBytes(declareArrays(started)) / estimate.resultBytes).toBeCloseTo(1, 1);
  });
});

describe('diagnostics with a place of their own', () => {
  it('D4, D11, D13 and D26 are in the summary', async () => {
    const built = modelOf('SimpleRNN');
    const { summary } = await write(built, 'reference', { modes: ['final', 'spectrum'] });
    const { jacobianAudit, largestRealPart, meanField, parameterSensitivity, spectralRadius } = summary.diagnostics;
    expect(jacobianAudit!['forward']).toBeGreaterThan(0);
    expect(jacobianAudit!['forward']).toBeLessThan(1e-9);
    expect(largestRealPart!['h']).toBeLessThanOrEqual(spectralRadius!['h']!);
    const { data } = cellsOf(built.layers.find(isRecurrent)!.operation)[0]!.cell.recurrentKernel;
    const mean = Array.from(data).reduce((sum, value) => sum + value, 0) / data.length;
    const squares = Array.from(data).reduce((sum, value) => sum + (value - mean) ** 2, 0);
    expect(meanField!['h']!.gain).toBeCloseTo(Math.sqrt(squares / H), 12);
    expect(meanField!['h']!.exponent).toBeCloseTo(meanFieldExponent(meanField!['h']!.gain!, { name: 'tanh' }), 12);
    expect(parameterSensitivity).toBeCloseTo(parameterSensitivityOf(Math.exp(summary.hidden.slope!)), 12);
    const without = await write(built, 'reference', { modes: ['states'] });
    expect(without.summary.diagnostics.jacobianAudit).toBeUndefined();
    expect(without.summary.diagnostics.parameterSensitivity).toBeUndefined();
  });
});

describe('eigenvalues', () => {
  it('are left out above 256 states, and so are their bytes', () => {
    expect([eigenvalueSteps(256, 100), eigenvalueSteps(256, 2), eigenvalueSteps(257, 100)]).toEqual([6, 3, 0]);
    const large = makeCell({ kind: 'GRU', units: 257, inputDim: 1, batch: 1, steps: 1 });
    expect(eigenvalueBytes([large], 100)).toBe(0);
    const spectrum = { count: 1, stateSize: 257, lyapunov: Float64Array.of(0), isResolved: Uint8Array.of(1) };
    const rest = {
      curve: { steps: new Int32Array(), values: new Float64Array() },
      logSingularValues: null,
      reason: null,
    };
    const shortLag = { isKnown: false, conditionNumber: null, effectiveRank: null, stableRank: null };
    const { warnings } = readSpectra(new Map([['forward', { ...spectrum, ...rest }]]), 1, [
      { direction: 'forward', shortLag, fixedPoints: null, eigenvalues: null },
    ]);
    expect(warnings.map(({ code, message }) => [code, message])).toEqual([
      ['diagnostics/left-out', expect.stringContaining('eigenvalues of A_t')],
    ]);
  });
});

describe('readings of the weights', () => {
  it('are given in every mode', async () => {
    const simple = await write(modelOf('SimpleRNN'), 'reference', { modes: ['states'] });
    const { pascanuBound, spectralNorm, chronoRange } = simple.summary.diagnostics;
    expect(pascanuBound!['h']).toBeCloseTo(spectralNorm!['h']!, 12);
    expect(chronoRange).toBeUndefined();
    expect(simple.summary.spectra).toBeUndefined();
    const lstm = await write(modelOf('LSTM'), 'reference', { modes: ['states'] });
    const range = lstm.summary.diagnostics.chronoRange as readonly number[];
    expect(range[0]).toBeGreaterThan(1);
    expect(range[1]).toBeGreaterThanOrEqual(range[0]!);
  });
});

describe('what is out of reach', () => {
  it('is left out of the declaration and said', async () => {
    const wide = makeCell({ kind: 'SimpleRNN', units: 200, inputDim: D, batch: B, steps: T, gain: 0.5 });
    const input = layer('InputLayer', { kind: 'input', shape: [null, D], integer: false }, []);
    const built = model([input, recurrentLayer(recurrent(wide), [at(0)])], 'onnx');
    const { arrays, summary } = await write(built, 'reference', { exponents: 2 });
    expect(Object.keys(arrays)).toContain('lyapunov');
    expect(Object.keys(arrays)).not.toContain('singular_values');
    expect(summary.diagnostics.conditionNumber!['full']).toBeNull();
    expect(summary.warnings.some(({ message }) => message.includes('--exponents all'))).toBe(true);
  });
});
