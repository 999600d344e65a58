import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze';
import type { KeptRun } from '../../src/analysis/kept-run';
import { writeRun } from '../../src/export/write-run';
import { blockText } from '../../src/cli/block-text';
import { HAS_NATIVE } from '../engine/all-ops';
import { makeCell } from '../engine/random-cells';
import { makeMemorySink } from '../export/memory-sink';
import { readNpz } from '../support/read-npz';
import { orderOf } from './run-order';

const ENGINES = HAS_NATIVE ? (['tensorflow', 'wasm', 'reference'] as const) : (['wasm', 'reference'] as const);
const never = new AbortController().signal;
const [batch, steps] = [2, 15];
const cell = (gain: number) => makeCell({ kind: 'LSTM', units: 4, inputDim: 3, batch, steps, gain });

describe.each(ENGINES)('a block on %s', (engine) => {
  it.each([
    ['forwards', 12, 3],
    ['backwards', 3, 12],
    ['of a step by itself', 7, 7],
  ])('%s is that of whole pairs, in its arrays and from a kept run', async (_, target, source) => {
    const sink = makeMemorySink();
    const host = {
      openSink: () => sink,
      makeFolder: () => undefined,
      join: (folder: string, name: string) => `${folder}/${name}`,
      freeBytes: () => null,
    };
    const block = { target, source, sequence: 1 };
    const request = { engine, modes: ['pairs' as const], full: true, block };
    const order = orderOf(cell(1), cell(0.5), { request, batch, steps });
    let kept = null as KeptRun | null;
    const keep = (run: KeptRun): void => {
      kept = run;
    };
    const { record } = await writeRun(analyze(order, never, keep), { npz: 'run.npz', csvFolder: null }, host);
    const arrays = readNpz(sink.bytes());
    const place = (steps + target) * steps + source;
    for (const state of ['h', 'c'] as const) {
      const { shape, data } = arrays.get(`block_d${state}_dx`)!;
      expect(shape).toEqual([8, 3]);
      expect(arrays.get(`scale_block_d${state}_dx`)).toMatchObject({ shape: [], data: Int32Array.of(0) });
      const all = arrays.get(`d${state}_dx_pairs`)!.data.subarray(place * 24, (place + 1) * 24);
      data.forEach((value, at) => expect(value).toBeCloseTo(all[at]!, 5));
      expect(data.some((value) => value !== 0)).toBe(true);
    }
    for (const part of record.block!.parts) {
      const own = await kept!.block(part.direction, block, true, never);
      expect(own).toMatchObject({ direction: part.direction, h: part.h, c: part.c });
      expect(own.state).toMatchObject({ rows: 8, columns: 8 });
    }
    kept!.dispose();
  });
});

describe('a block', () => {
  const order = (block: { target: number; source: number; sequence: number }) =>
    orderOf(cell(1), null, { request: { engine: 'reference', modes: ['states'], block }, batch, steps });

  it.each([
    [steps, 0, 0],
    [0, steps, 0],
    [0, 0, batch],
  ])('that the run has not is refused: %i, %i of %i', async (target, source, sequence) => {
    const run = async (): Promise<void> => {
      for await (const _ of analyze(order({ target, source, sequence }), never)) void _;
    };
    await expect(run()).rejects.toMatchObject({ code: 'usage/bad-option' });
  });

  it('is shown by its norms and first entries', () => {
    const data = Float32Array.from({ length: 21 }, (_, at) => at + 1);
    const h = { data, rows: 3, columns: 7, scale: -4000, logNorm: -2768.5 };
    const c = { ...h, data: new Float32Array(21), scale: 0, logNorm: -Infinity };
    const parts = [{ direction: 'forward' as const, h, c, state: null }];
    expect(blockText({ kind: 'block', target: 9, source: 2, sequence: 1, parts })).toEqual([
      '  block dh_9/dx_2 of sequence 1: 3 x 7, log norm -2768.5000',
      '    1.000e+0 * 2^-4000  2.000e+0 * 2^-4000  3.000e+0 * 2^-4000  4.000e+0 * 2^-4000  5.000e+0 * 2^-4000  6.000e+0 * 2^-4000  ..',
      expect.stringContaining('8.000e+0 * 2^-4000'),
      expect.stringContaining('1.500e+1 * 2^-4000'),
      '  block dc_9/dx_2 of sequence 1: 3 x 7, exactly zero',
    ]);
    expect(blockText(null)).toEqual([]);
  });
});
