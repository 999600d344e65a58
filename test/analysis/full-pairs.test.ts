import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import type { CellDescription } from '../../src/core/model';
import { logNorm } from '../../src/core/linalg/scaling';
import { makeTensor } from '../../src/core/tensor';
import type { EngineName } from '../../src/engine/engine';
import { writeRun } from '../../src/export/write-run';
import { HAS_NATIVE, noise } from '../engine/all-ops';
import { makeCell, type Case } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { readNpz, type NpyArray } from '../support/read-npz';
import { orderOf, type OrderOptions } from './run-order';

const ENGINES: readonly EngineName[] = HAS_NATIVE ? ['tensorflow', 'wasm', 'reference'] : ['wasm', 'reference'];
const MODES = ['diagonal', 'final', 'pairs'] as const;
const [batch, steps] = [2, 17];
const never = new AbortController().signal;

function cell(kind: Case['kind'], more: Partial<Case> = {}): CellDescription {
  return makeCell({ kind, units: 4, inputDim: 3, batch, steps, ...more });
}

/** The arrays of a run with whole pairs. */
async function arraysOf(
  engine: EngineName,
  forward: CellDescription | null,
  backward: CellDescription | null,
  more: Partial<OrderOptions> = {},
): Promise<Map<string, NpyArray>> {
  const sink = makeMemorySink();
  const host = {
    openSink: () => sink,
    makeFolder: () => undefined,
    join: (folder: string, name: string) => `${folder}/${name}`,
    freeBytes: () => null,
  };
  const request = { engine, modes: [...MODES], full: true };
  const order = orderOf(forward, backward, { request, batch, steps, ...more });
  await writeRun(analyze(order, never), { npz: 'run.npz', csvFolder: null }, host);
  return readNpz(sink.bytes());
}

/** Block `[t, s]` of sequence b, scale applied. */
function blockOf(arrays: Map<string, NpyArray>, state: 'h' | 'c', b: number, t: number, s: number): Float64Array {
  const { shape, data } = arrays.get(`d${state}_dx_pairs`)!;
  const T = shape[1]!;
  const size = shape[3]! * shape[4]!;
  const place = (b * T + t) * T + s;
  const scale = arrays.get(`scale_d${state}_dx_pairs`)!.data[place]!;
  return Float64Array.from(data.subarray(place * size, (place + 1) * size), (value) => value * 2 ** scale);
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const largest = Math.max(...Array.from(expected, Math.abs), 1e-300);
  for (let at = 0; at < expected.length; at++) {
    expect(Math.abs(actual[at]! - expected[at]!) / largest).toBeLessThan(1e-4);
  }
}

const mask = Uint8Array.from(noise(batch * steps, 8), (v) => Number(v > -0.4));
const states = (width: number, seed: number) => makeTensor([batch, width], noise(batch * width, seed));
const LAYERS: readonly (readonly [
  what: string,
  forward: CellDescription | null,
  backward: CellDescription | null,
  more: Partial<OrderOptions>,
])[] = [
  ['SimpleRNN', cell('SimpleRNN'), null, {}],
  ['LSTM', cell('LSTM'), null, {}],
  ['GRU that runs backwards', null, cell('GRU'), {}],
  [
    'masked LSTM with an initial state',
    cell('LSTM'),
    null,
    { mask, initialState: { h0: states(4, 3), c0: states(4, 4) } },
  ],
  ['LSTM in two directions', cell('LSTM'), cell('LSTM', { gain: 0.3 }), {}],
  ['masked GRU in two directions', cell('GRU'), cell('GRU', { units: 6 }), { mask }],
];

describe.each(ENGINES)('whole pairs on %s', (engine) => {
  it.each(LAYERS)('of a %s agree with diagonal, final and their norms', async (_, forward, backward, more) => {
    const arrays = await arraysOf(engine, forward, backward, more);
    const isMasked = more.mask !== undefined;
    for (const state of arrays.has('dc_dx') ? (['h', 'c'] as const) : (['h'] as const)) {
      const { shape } = arrays.get(`d${state}_dx_pairs`)!;
      const [, , , units, inputDim] = shape as [number, number, number, number, number];
      const own = forward?.units ?? units;
      const size = units * inputDim;
      const norms = arrays.get(`lognorm_d${state}_dx`)!.data;
      for (let b = 0; b < batch; b++) {
        for (let t = 0; t < steps; t++) {
          const diagonal = arrays
            .get(`d${state}_dx`)!
            .data.subarray((b * steps + t) * size, (b * steps + t + 1) * size);
          // The block of a masked step by itself is zero.
          expectClose(blockOf(arrays, state, b, t, t), diagonal);
          const scale = arrays.get(`scale_d${state}T_dx`)!.data[b * steps + t]!;
          const final = Float64Array.from(
            arrays.get(`d${state}T_dx`)!.data.subarray((b * steps + t) * size, (b * steps + t + 1) * size),
            (value) => value * 2 ** scale,
          );
          const late = blockOf(arrays, state, b, steps - 1, t).subarray(0, forward ? own * inputDim : 0);
          expectClose(late, final.subarray(0, late.length));
          const early = blockOf(arrays, state, b, 0, t).subarray(forward ? own * inputDim : 0);
          if (backward) expectClose(early, final.subarray(forward ? own * inputDim : 0));
          for (let s = 0; s < steps; s++) {
            const norm = norms[(b * steps + t) * steps + s]!;
            const found = logNorm(blockOf(arrays, state, b, t, s));
            if (norm === -Infinity) expect(found).toBe(-Infinity);
            else expect(found).toBeCloseTo(norm, 3);
            if (isMasked && mask[b * steps + s] === 0) expect(found).toBe(-Infinity);
          }
        }
      }
    }
  });

  it('keep what float32 cannot hold', async () => {
    const arrays = await arraysOf(engine, cell('SimpleRNN', { gain: 1e-6 }), null);
    const scales = arrays.get('scale_dh_dx_pairs')!.data;
    const norms = arrays.get('lognorm_dh_dx')!.data;
    expect(norms[(steps - 1) * steps]!).toBeLessThan(-200);
    const { data } = arrays.get('dh_dx_pairs')!;
    const place = (steps - 1) * steps;
    const found = logNorm(data.subarray(place * 12, (place + 1) * 12)) + scales[place]! * Math.LN2;
    expect(found).toBeCloseTo(norms[place]!, 3);
  });
});

describe('whole pairs that are too large', () => {
  const order = (maxBytes: number) =>
    orderOf(cell('LSTM'), null, {
      request: { engine: 'reference', modes: ['pairs'], full: true, maxBytes },
      batch,
      steps,
    });
  const bytes = 4 * batch * steps * steps * (8 * 3 + 2);

  it('are refused before anything is computed', async () => {
    const given: string[] = [];
    const run = async (): Promise<void> => {
      for await (const { event } of analyze(order(bytes - 1), never)) given.push(event.kind);
    };
    await expect(run()).rejects.toMatchObject({ code: 'output/too-large', details: { bytes, maxBytes: bytes - 1 } });
    expect(given).toEqual([]);
  });

  it('are not refused at their size', async () => {
    let last = '';
    for await (const { event } of analyze(order(bytes), never)) last = event.kind;
    expect(last).toBe('done');
  });
});
