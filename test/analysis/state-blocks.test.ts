import { describe, expect, it } from 'vitest';
import { analyze, planRun } from '../../src/analysis/analyze';
import { STATE_BLOCKS } from '../../src/core/jacobian';
import { addNorms } from '../../src/core/linalg/scaling';
import { writeRun } from '../../src/export/write-run';
import { HAS_NATIVE } from '../engine/all-ops';
import { makeCell } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { readNpz } from '../support/read-npz';
import { orderOf } from './run-order';

const ENGINES = HAS_NATIVE ? (['tensorflow', 'wasm', 'reference'] as const) : (['wasm', 'reference'] as const);
const never = new AbortController().signal;
const [batch, steps] = [2, 13];
const cell = (kind: 'LSTM' | 'GRU', gain = 1) => makeCell({ kind, units: 4, inputDim: 3, batch, steps, gain });
const request = { modes: ['pairs' as const], stateBlocks: true };

describe.each(ENGINES)('blocks of the state on %s', (engine) => {
  it('are arrays of each direction that has a cell state, and make up the whole', async () => {
    const sink = makeMemorySink();
    const host = {
      openSink: () => sink,
      makeFolder: () => undefined,
      join: (folder: string, name: string) => `${folder}/${name}`,
      freeBytes: () => null,
    };
    const order = orderOf(cell('LSTM'), cell('LSTM', 0.5), { request: { engine, ...request }, batch, steps });
    const { record } = await writeRun(analyze(order, never), { npz: 'run.npz', csvFolder: null }, host);
    const arrays = readNpz(sink.bytes());
    for (const direction of ['forward', 'backward']) {
      const blocks = STATE_BLOCKS.map((block) => arrays.get(`lognorm_${block}_${direction}`)!);
      for (const { shape } of blocks) expect(shape).toEqual([batch, steps, steps]);
      arrays.get(`lognorm_ds_ds_${direction}`)!.data.forEach((norm, at) => {
        const joined = blocks.reduce((sum, { data }) => addNorms(sum, data[at]!), -Infinity);
        if (norm === -Infinity) expect(joined).toBe(-Infinity);
        else expect(joined).toBeCloseTo(norm, 3);
      });
    }
    expect(record.summary!.run.pairs).toHaveProperty('hidden');
    expect(record.summary!.run.pairs).toHaveProperty('cell');
  });

  it('are left out for a direction without a cell state', async () => {
    const order = orderOf(cell('GRU'), cell('LSTM'), { request: { engine, ...request }, batch, steps });
    const found = new Set<string>();
    for await (const { event } of analyze(order, never)) {
      if (event.kind === 'pairs' && event.quantity.startsWith('dc_d'))
        found.add(`${event.quantity} ${event.direction}`);
    }
    expect([...found].sort()).toEqual(['dc_dc backward', 'dc_dh backward', 'dc_dx backward']);
  });
});

describe('blocks of the state', () => {
  it('are refused where there is no cell state, before anything is computed', async () => {
    const order = orderOf(cell('GRU'), null, { request: { engine: 'reference', ...request }, batch, steps });
    const run = async (): Promise<void> => {
      for await (const _ of analyze(order, never)) void _;
    };
    await expect(run()).rejects.toMatchObject({ code: 'usage/bad-option' });
  });

  it('count in the estimate', () => {
    const planned = (stateBlocks: boolean) =>
      planRun(orderOf(cell('LSTM'), null, { request: { engine: 'wasm', ...request, stateBlocks }, batch, steps }))
        .estimate;
    expect(planned(true).resultBytes - planned(false).resultBytes).toBe(4 * 8 * batch * steps * steps);
    expect(planned(true).flop).toBeGreaterThan(planned(false).flop);
  });
});
