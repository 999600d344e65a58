import { describe, expect, it } from 'vitest';
import type { DiagonalChunk, FinalChunk } from '../../src/core/jacobian';
import { declareArrays } from '../../src/export/array-declarations';
import { RunArrays } from '../../src/export/run-arrays';
import type { AnalysisStep } from '../../src/shared/analysis-step';
import type { RunEvent, StartedEvent, StepNorms } from '../../src/shared/run';
import { makeMemorySink } from './memory-sink';
import { readNpz } from '../support/read-npz';

const EMPTY: StepNorms = { total: new Float64Array(), units: new Float64Array(), features: new Float64Array() };

function started(over: Partial<StartedEvent>): StartedEvent {
  const engine = { name: 'reference', version: '', reason: '' } as const;
  return {
    kind: 'started',
    layer: 'rnn',
    cellKind: 'SimpleRNN',
    engine,
    batch: 1,
    steps: 2,
    sourceSteps: 2,
    units: 1,
    inputDim: 1,
    directions: ['forward'],
    hasCell: false,
    parts: [{ direction: 'forward', kind: 'SimpleRNN', units: 1, hiddenSize: 1, hasCell: false }],
    modes: ['diagonal', 'final', 'states'],
    estimate: { flop: 0, peakBytes: 0, resultBytes: 0, seconds: 0, engine, batch: 1, steps: 2 },
    ...over,
  };
}

function chunkStep(chunk: DiagonalChunk | FinalChunk): AnalysisStep {
  const event = {
    kind: chunk.mode,
    direction: chunk.direction,
    start: chunk.start,
    count: chunk.count,
    h: EMPTY,
    c: null,
  };
  return { event: event as RunEvent, chunk };
}

function finalChunk(
  direction: 'forward' | 'backward',
  start: number,
  values: number[],
  scale: number[],
  lognorm: number[],
): FinalChunk {
  return {
    mode: 'final',
    direction,
    start,
    count: scale.length,
    dhTdx: Float32Array.from(values),
    dcTdx: null,
    scaleH: Int32Array.from(scale),
    scaleC: null,
    lognormH: Float64Array.from(lognorm),
    lognormC: null,
  };
}

const STATES: AnalysisStep = {
  event: { kind: 'states', x: Float32Array.from([1, 2]), mask: null, h: new Float32Array(2), c: null, gates: {} },
  chunk: null,
};

describe('RunArrays', () => {
  it('puts chunks of a batch, newest first, in their places', async () => {
    const sink = makeMemorySink();
    const run = started({ batch: 2, steps: 3, sourceSteps: 3, units: 1, inputDim: 1, modes: ['diagonal'] });
    const arrays = new RunArrays(sink, run);
    arrays.add({ event: { ...STATES.event, x: new Float32Array(6), h: new Float32Array(6) } as RunEvent, chunk: null });
    const diagonal = (start: number, values: number[]): DiagonalChunk => ({
      mode: 'diagonal',
      direction: 'forward',
      start,
      count: values.length / 2,
      dhdx: Float32Array.from(values),
      dcdx: null,
    });
    arrays.add(chunkStep(diagonal(1, [11, 12, 21, 22])));
    arrays.add(chunkStep(diagonal(0, [10, 20])));
    await arrays.close();
    expect([...readNpz(sink.bytes()).get('dh_dx')!.data]).toEqual([10, 11, 12, 20, 21, 22]);
  });

  it('brings the halves of a Bidirectional layer to one scale, and lets a zero half take the scale of the other', async () => {
    const sink = makeMemorySink();
    const run = started({
      directions: ['forward', 'backward'],
      parts: [
        { direction: 'forward', kind: 'SimpleRNN', units: 1, hiddenSize: 1, hasCell: false },
        { direction: 'backward', kind: 'SimpleRNN', units: 1, hiddenSize: 1, hasCell: false },
      ],
      modes: ['final'],
    });
    const arrays = new RunArrays(sink, run);
    arrays.add({ event: { ...STATES.event, h: new Float32Array(4) } as RunEvent, chunk: null });
    arrays.add(chunkStep(finalChunk('forward', 0, [1.5, 1.25], [-200, -3], [-138, -2])));
    arrays.add(chunkStep(finalChunk('backward', 0, [0, 1.5], [0, 0], [-Infinity, 0.4])));
    await arrays.close();
    const file = readNpz(sink.bytes());
    expect([...file.get('scale_dhT_dx')!.data]).toEqual([-200, 0]);
    expect([...file.get('dhT_dx')!.data]).toEqual([1.5, 0, 1.25 / 8, 1.5]);
    expect([...file.get('lognorm_dhT_dx_forward')!.data]).toEqual([-138, -2]);
    expect([...file.get('lognorm_dhT_dx_backward')!.data]).toEqual([-Infinity, 0.4]);
  });

  it('keeps a run that ended early with NaN where nothing was computed', async () => {
    const sink = makeMemorySink();
    const arrays = new RunArrays(sink, started({ modes: ['final'] }));
    arrays.add(STATES);
    arrays.add(chunkStep(finalChunk('forward', 1, [5], [0], [1.6])));
    await arrays.closePartial('run.partial.npz');
    const file = readNpz(sink.bytes());
    expect([...file.get('dhT_dx')!.data]).toEqual([NaN, 5]);
    expect([...file.get('lognorm_dhT_dx')!.data]).toEqual([NaN, 1.6]);
  });

  it('declares the names and shapes of docs/cli.md for an LSTM', () => {
    const run = started({
      batch: 2,
      steps: 3,
      sourceSteps: 3,
      units: 4,
      inputDim: 5,
      hasCell: true,
      parts: [{ direction: 'forward', kind: 'LSTM', units: 4, hiddenSize: 4, hasCell: true }],
    });
    const shapes = Object.fromEntries(declareArrays(run).map((a) => [a.name, a.shape]));
    expect(shapes).toEqual({
      x: [2, 3, 5],
      h: [2, 3, 4],
      c: [2, 3, 4],
      gate_i: [2, 3, 4],
      gate_f: [2, 3, 4],
      gate_g: [2, 3, 4],
      gate_o: [2, 3, 4],
      dh_dx: [2, 3, 4, 5],
      dc_dx: [2, 3, 4, 5],
      dhT_dx: [2, 3, 4, 5],
      dcT_dx: [2, 3, 4, 5],
      scale_dhT_dx: [2, 3],
      scale_dcT_dx: [2, 3],
      lognorm_dhT_dx: [2, 3],
      lognorm_dcT_dx: [2, 3],
    });
  });
});

describe('pairs of two directions', () => {
  it('are joined where a step meets itself, and each has its own side of the diagonal', async () => {
    const memory = makeMemorySink();
    const part = { kind: 'SimpleRNN', units: 1, hiddenSize: 1, hasCell: false } as const;
    const run = started({
      modes: ['pairs'],
      directions: ['forward', 'backward'],
      parts: [
        { direction: 'forward', ...part },
        { direction: 'backward', ...part },
      ],
    });
    const arrays = new RunArrays(memory, run);
    const add = (direction: 'forward' | 'backward', logNorms: number[]): void => {
      const place = { sequence: 0, targetStart: 0, targetCount: 2, sourceStart: 0, sourceCount: 2 };
      const event = { kind: 'pairs', direction, quantity: 'dh_dx', ...place, logNorms: Float64Array.from(logNorms) };
      arrays.add({ event: event as RunEvent, chunk: null });
    };
    arrays.add({
      event: {
        kind: 'states',
        x: Float32Array.of(1, 2),
        mask: null,
        h: Float32Array.of(1, 2, 3, 4),
        c: null,
        gates: {},
      },
      chunk: null,
    });
    const none = -Infinity;
    add('forward', [Math.log(3), none, 1, none]);
    add('backward', [Math.log(4), 2, none, Math.log(7)]);
    await arrays.close();
    const read = readNpz(memory.bytes());
    const [own, ahead, behind, dead] = read.get('lognorm_dh_dx')!.data;
    expect(own).toBeCloseTo(Math.log(5), 12);
    expect([ahead, behind]).toEqual([2, 1]);
    expect(dead).toBeCloseTo(Math.log(7), 12);
    expect([...read.get('lognorm_ds_ds_forward')!.data]).toEqual([none, none, none, none]);
  });
});
