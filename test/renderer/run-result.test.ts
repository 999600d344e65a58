import { describe, expect, it } from 'vitest';
import { applyEvent, bytesOf, makeRunResult } from '../../src/renderer/stores/run-result';
import type { DiagonalEvent, RunRequest, StartedEvent } from '../../src/shared/run';

const REQUEST = { layer: 'rnn', warmUp: null } as RunRequest;

function started(overrides: Partial<StartedEvent> = {}): StartedEvent {
  return {
    kind: 'started',
    layer: 'rnn',
    cellKind: 'LSTM',
    engine: { name: 'reference', version: 'float64', reason: 'small' },
    batch: 2,
    steps: 4,
    sourceSteps: 4,
    units: 3,
    inputDim: 2,
    directions: ['forward'],
    parts: [{ direction: 'forward', kind: 'LSTM', units: 3, hiddenSize: 3, hasCell: true }],
    hasCell: true,
    modes: ['diagonal', 'final'],
    estimate: {} as StartedEvent['estimate'],
    ...overrides,
  };
}

/** A chunk whose entries say where they belong: 100 b + 10 t + u. */
function chunk(kind: 'diagonal' | 'final', start: number, count: number, width = 3): DiagonalEvent {
  const fill = (size: number): Float64Array =>
    Float64Array.from({ length: 2 * count * size }, (_, at) => {
      const b = Math.floor(at / (count * size));
      const t = start + (Math.floor(at / size) % count);
      return 100 * b + 10 * t + (at % size);
    });
  const norms = { total: fill(1), units: fill(width), features: fill(2) };
  return { kind, direction: 'forward', start, count, h: norms, c: norms } as DiagonalEvent;
}

describe('the result of a run', () => {
  it('puts chunks where they belong, newest source step first', () => {
    const result = makeRunResult(7, REQUEST, started());
    applyEvent(result, chunk('final', 2, 2));
    const set = result.final.forward!.h;
    expect([...set.computed]).toEqual([0, 0, 1, 1]);
    expect([...set.total]).toEqual([Number.NaN, Number.NaN, 20, 30, Number.NaN, Number.NaN, 120, 130]);
    applyEvent(result, chunk('final', 0, 2));
    expect([...set.total]).toEqual([0, 10, 20, 30, 100, 110, 120, 130]);
    expect([...set.units.subarray(3, 6)]).toEqual([10, 11, 12]);
    expect([...set.features.subarray(14, 16)]).toEqual([130, 131]);
    expect([...result.diagonal.forward!.h.computed]).toEqual([0, 0, 0, 0]);
  });

  it('has room for halves of different kinds', () => {
    const result = makeRunResult(
      7,
      REQUEST,
      started({
        directions: ['forward', 'backward'],
        parts: [
          { direction: 'forward', kind: 'LSTM', units: 3, hiddenSize: 3, hasCell: true },
          { direction: 'backward', kind: 'GRU', units: 5, hiddenSize: 5, hasCell: false },
        ],
      }),
    );
    expect(result.final.forward!.c!.units.length).toBe(2 * 4 * 3);
    expect(result.final.backward!.h.units.length).toBe(2 * 4 * 5);
    expect(result.final.backward!.c).toBeNull();
  });

  it('keeps no norms of a mode that was not asked for', () => {
    const result = makeRunResult(7, REQUEST, started({ modes: ['final'] }));
    applyEvent(result, chunk('diagonal', 0, 4));
    expect(result.diagonal).toEqual({});
  });

  it('keeps whole norms of all sequences but rows of the first ones only when there are too many', () => {
    const parts = [{ direction: 'forward', kind: 'LSTM', units: 1000, hiddenSize: 1000, hasCell: false } as const];
    const result = makeRunResult(
      7,
      REQUEST,
      started({ batch: 64, steps: 1000, sourceSteps: 1000, units: 1000, inputDim: 24, parts, modes: ['final'] }),
    );
    const set = result.final.forward!.h;
    expect(set.total.length).toBe(64_000);
    expect(set.detailSequences).toBe(31);
    expect(bytesOf(result)).toBe(64_000 * 8 + 31 * 1000 * 1024 * 4);
  });

  it('remembers how it ended', () => {
    const result = makeRunResult(7, REQUEST, started());
    applyEvent(result, { kind: 'progress', fraction: 0.4, stage: 'final', secondsElapsed: 1 });
    applyEvent(result, { kind: 'cancelled', fraction: 0.43 });
    expect([result.status, result.fraction, result.stage]).toEqual(['cancelled', 0.43, 'final']);
  });
});
