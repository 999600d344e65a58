import { describe, expect, it } from 'vitest';
import type { Direction } from '../../src/core/jacobian';
import { cellAt } from '../../src/charts/map-data';
import {
  addRectangle,
  drawnPairMap,
  finishPairMaps,
  makePairMaps,
  pairBytes,
  pairMapOf,
  type PairMap,
} from '../../src/renderer/stores/pair-maps';
import { makeRunResult, applyEvent, bytesOf } from '../../src/renderer/stores/run-result';
import type { PairsEvent, RunRequest, StartedEvent } from '../../src/shared/run';

const REQUEST = { layer: 'rnn', wrt: 'layer-input' } as RunRequest;
const T = 4;

function started(directions: readonly Direction[] = ['forward'], hasCell = false, batch = 1): StartedEvent {
  return {
    kind: 'started',
    batch,
    steps: T,
    sourceSteps: T,
    units: 3,
    inputDim: 2,
    directions,
    hasCell,
    modes: ['pairs'],
    parts: directions.map((direction) => ({ direction, kind: 'LSTM', units: 3, hiddenSize: 3, hasCell })),
  } as unknown as StartedEvent;
}

function rectangle(place: Partial<PairsEvent>, logNorms: readonly number[]): PairsEvent {
  return {
    kind: 'pairs',
    quantity: 'dh_dx',
    direction: 'forward',
    sequence: 0,
    targetStart: 0,
    targetCount: 1,
    sourceStart: 0,
    sourceCount: 1,
    ...place,
    logNorms: Float64Array.from(logNorms),
  };
}

const cells = (map: PairMap): (number | undefined)[][] =>
  Array.from({ length: map.targets }, (_, t) =>
    Array.from({ length: map.sources }, (__, s) => cellAt(drawnPairMap(map), t, s)),
  );

const key = { quantity: 'dh_dx', direction: 'forward', sequence: 0 } as const;
const Z = -Infinity;

describe('the maps of all pairs', () => {
  it('know before the first number that no step depends on a later one', () => {
    const pairs = makePairMaps(REQUEST, started(['forward', 'backward']));
    const forward = pairMapOf(pairs, key)!;
    expect(cells(forward)).toEqual([
      [undefined, Z, Z, Z],
      [undefined, undefined, Z, Z],
      [undefined, undefined, undefined, Z],
      [undefined, undefined, undefined, undefined],
    ]);
    const backward = pairMapOf(pairs, { ...key, direction: 'backward' })!;
    expect(cells(backward)[3]).toEqual([Z, Z, Z, undefined]);
  });

  it('claim nothing of the kind by the input of the model', () => {
    const map = pairMapOf(makePairMaps({ ...REQUEST, wrt: 'model-input' }, started()), key)!;
    expect(
      cells(map)
        .flat()
        .every((cell) => cell === undefined),
    ).toBe(true);
  });

  it('take rectangles where they belong, with zeros and NaN as what they are', () => {
    const pairs = makePairMaps(REQUEST, started());
    const place = { targetStart: 1, targetCount: 2, sourceStart: 0, sourceCount: 2 };
    addRectangle(pairs, rectangle(place, [-1, -2, -Infinity, Number.NaN]));
    const map = pairMapOf(pairs, key)!;
    expect(cells(map)).toEqual([
      [undefined, Z, Z, Z],
      [-1, -2, Z, Z],
      [Z, Number.NaN, undefined, Z],
      [undefined, undefined, undefined, undefined],
    ]);
    expect(drawnPairMap(map).range).toEqual({
      low: -2,
      high: -1,
      hasZero: true,
      hasMissing: true,
      hasNotFinite: true,
    });
  });

  it('are another object for the picture only once something has come', () => {
    const pairs = makePairMaps(REQUEST, started([...(['forward', 'backward'] as const)]));
    const map = pairMapOf(pairs, key)!;
    const before = drawnPairMap(map);
    addRectangle(pairs, rectangle({ direction: 'backward' }, [-1]));
    expect(drawnPairMap(map)).toBe(before);
    addRectangle(pairs, rectangle({}, [-1]));
    expect(drawnPairMap(map)).not.toBe(before);
    const change = { columnStart: 0, columnEnd: 1, rowStart: 0, rowEnd: 1 };
    expect(drawnPairMap(map).changes).toEqual([change]);
  });

  it('are zero at the end where nothing was told', () => {
    const pairs = makePairMaps(REQUEST, started());
    addRectangle(pairs, rectangle({ targetStart: 3 }, [-1]));
    finishPairMaps(pairs);
    const map = pairMapOf(pairs, key)!;
    expect(cells(map)).toEqual([
      [Z, Z, Z, Z],
      [Z, Z, Z, Z],
      [Z, Z, Z, Z],
      [-1, Z, Z, Z],
    ]);
    expect(drawnPairMap(map).range!.hasMissing).toBe(false);
  });

  it('keep the first ones that fit the budget and count the others', () => {
    const pairs = makePairMaps(REQUEST, started(['forward'], true, 2), 3 * T * T + 1);
    expect([...pairs.maps.keys()]).toEqual(['dh_dx forward 0', 'dc_dx forward 0', 'ds_ds forward 0']);
    expect(pairs.wanted).toBe(6);
    expect(pairBytes(pairs)).toBe(3 * T * T * 5);
    expect(makePairMaps(REQUEST, started(), T * T - 1).maps.size).toBe(0);
    const long = { ...started(), steps: 4097, sourceSteps: 4097 };
    expect(makePairMaps(REQUEST, long).maps.size).toBe(0);
    addRectangle(pairs, rectangle({ sequence: 1 }, [-1]));
    expect(pairMapOf(pairs, { ...key, sequence: 1 })).toBeUndefined();
  });

  it('are part of the result of a run', () => {
    const result = makeRunResult(1, REQUEST, started());
    applyEvent(result, rectangle({ targetStart: 2, sourceStart: 1 }, [-0.5]));
    expect(cells(pairMapOf(result.pairs, key)!)[2]![1]).toBe(-0.5);
    expect(bytesOf(result)).toBe(2 * T * T * 5);
  });
});
