/** Runs that are cut into parts and put together again: the very bytes of one run, whatever the order of the parts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { analyze, planRun, type AnalysisOrder } from '../../src/analysis/analyze';
import { mergeSummaries } from '../../src/analysis/merge-summaries';
import type { TempogradError } from '../../src/core/errors';
import type { RecurrentModel } from '../../src/core/model';
import type { Summary } from '../../src/core/summary';
import type { EngineName } from '../../src/engine/engine';
import { mergeParts, orderParts } from '../../src/export/merge-parts';
import { writeRun } from '../../src/export/write-run';
import { OutputBatch } from '../../src/host/output-batch';
import { openPartFile } from '../../src/host/part-file';
import type { PartFile } from '../../src/shared/part-record';
import type { RunRequest } from '../../src/shared/run';
import { ENGINE_NAMES, noise } from '../engine/all-ops';
import { at, layer, model, recurrent, recurrentLayer, weights } from '../engine/model-builder';
import { makeCell, type Case } from '../engine/random-cells';
import { collectRun } from '../support/collect-run';
import { readNpz } from '../support/read-npz';

const SIGNAL = new AbortController().signal;
const folder = mkdtempSync(join(tmpdir(), 'tempograd-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is run. */
interface Run {
  readonly what: string;
  readonly cell: Case;
  readonly isBidirectional?: boolean;
  readonly below?: boolean;
  /** What is below is recurrent. */
  readonly isStacked?: boolean;
  readonly request: Partial<RunRequest>;
  /** Sequences have fewer steps than the longest one. */
  readonly isRagged?: boolean;
  readonly isMasked?: boolean;
  /** Bytes of a chunk, so small that the sequences of a small cell do not all go through the products together. */
  readonly chunkBytes?: number;
}

const small = { units: 5, inputDim: 3, batch: 7, steps: 24 } as const;
const RUNS: readonly Run[] = [
  {
    what: 'LSTM, a few sequences at a time',
    cell: { kind: 'LSTM', ...small },
    request: { modes: ['diagonal', 'final', 'states'] },
    chunkBytes: 4096,
  },
  {
    what: 'ragged GRU, one sequence at a time',
    cell: { kind: 'GRU', ...small },
    request: { modes: ['diagonal', 'final'] },
    isRagged: true,
    chunkBytes: 1024,
  },
  {
    what: 'spectrum of many sequences',
    cell: { kind: 'SimpleRNN', units: 40, inputDim: 2, batch: 80, steps: 12, activation: { name: 'softmax' } },
    request: { modes: ['spectrum', 'diagonal'], exponents: 2 },
  },
  {
    what: 'masked LSTM in two directions',
    cell: { kind: 'LSTM', ...small },
    request: { modes: ['diagonal', 'final', 'states', 'pairs', 'spectrum'] },
    isBidirectional: true,
    isMasked: true,
  },
  { what: 'pairs of a SimpleRNN', cell: { kind: 'SimpleRNN', ...small }, request: { modes: ['pairs'] } },
  {
    what: 'pairs of one sequence',
    cell: { kind: 'LSTM', ...small, batch: 1 },
    request: { modes: ['final', 'pairs'] },
  },
  { what: 'states of a GRU', cell: { kind: 'GRU', ...small }, request: { modes: ['states'] } },
  {
    // So wide and long that its rows are kept in a basis, sequence by sequence.
    what: 'SimpleRNN by the model’s input',
    cell: { kind: 'SimpleRNN', units: 128, inputDim: 2, batch: 2, steps: 130, gain: 0.5 },
    request: { modes: ['diagonal', 'final'], wrt: 'model-input' },
    below: true,
  },
  {
    what: 'two directions above two directions by the model’s input',
    cell: { kind: 'LSTM', ...small, batch: 3, steps: 14 },
    request: { modes: ['diagonal', 'final', 'pairs'], wrt: 'model-input' },
    isBidirectional: true,
    below: true,
    isStacked: true,
  },
];

function modelOf({ cell, isBidirectional = false, below = false, isStacked = false }: Run): RecurrentModel {
  const { inputDim } = cell;
  const backward = isBidirectional ? { backward: makeCell({ ...cell, units: 4 }) } : {};
  const input = layer('InputLayer', { kind: 'input', shape: [null, inputDim], integer: false }, []);
  const operation = recurrent(makeCell(cell), backward);
  if (!below) return model([input, recurrentLayer(operation, [at(0)])], 'onnx');
  if (isStacked) {
    const makeHalf = (units: number): ReturnType<typeof makeCell> => makeCell({ ...cell, kind: 'GRU', units });
    const lower = recurrent(makeHalf(inputDim - 1), { backward: makeHalf(1), returnSequences: true });
    return model([input, recurrentLayer(lower, [at(0)], 'below'), recurrentLayer(operation, [at(1)])], 'onnx');
  }
  const dense = {
    kind: 'dense',
    kernel: weights([inputDim, inputDim]),
    bias: null,
    activation: { name: 'tanh' },
  } as const;
  return model([input, layer('Dense', dense, [at(0)]), recurrentLayer(operation, [at(1)])], 'onnx');
}

function orderOf(run: Run, engine: EngineName, more: Partial<RunRequest>): AnalysisOrder {
  const { batch, steps, inputDim } = run.cell;
  const hasMask = run.isRagged || run.isMasked;
  const flags = noise(batch * steps, 3);
  const mask = Uint8Array.from({ length: batch * steps }, (_, at) => {
    const [b, t] = [Math.floor(at / steps), at % steps];
    return Number(run.isRagged ? t < steps - 2 * b : flags[at]! > -0.4);
  });
  return {
    model: modelOf(run),
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'layer-input' as const, atLayer: !run.below, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      modes: ['final' as const],
      ...{ engine, warmUp: null, span: null, exact: false, maxSeconds: null, maxMemoryBytes: null },
      ...run.request,
      ...more,
    },
    data: {
      input: { shape: [batch, steps, inputDim], data: Float64Array.from(noise(batch * steps * inputDim, 5)) },
      mask: hasMask ? { shape: [batch, steps], data: mask } : null,
      initialState: null,
    },
  };
}

/** Writes a run, or a part of one, under a name. */
async function write(order: AnalysisOrder, name: string): Promise<Summary> {
  const batch = new OutputBatch([]);
  const targets = {
    npz: join(folder, name),
    csvFolder: null,
    facts: { '--exponents': String(order.request.exponents ?? '') },
  };
  const { record } = await writeRun(analyze(order, SIGNAL), targets, batch.host(SIGNAL));
  await batch.commit();
  return record.summary!;
}

async function merge(files: readonly PartFile[], name: string): Promise<Summary> {
  const batch = new OutputBatch([]);
  const parts = orderParts(files);
  await mergeParts(parts, join(folder, name), batch.host(SIGNAL));
  await batch.commit();
  return mergeSummaries(parts);
}

/** A summary without what a merged one has of its own: its times, the number of parts, the order of its warnings. */
function comparable({ run, warnings, ...rest }: Summary): object {
  const { seconds: _, parts: __, ...others } = run;
  return { ...rest, run: others, warnings: warnings.map(({ code, message }) => `${code} ${message}`).sort() };
}

/** The memory with which a run's chunks have at most so many bytes. */
function memoryFor(order: AnalysisOrder, chunkBytes: number): number {
  const withLimit = (maxMemoryBytes: number): AnalysisOrder => ({
    ...order,
    request: { ...order.request, maxMemoryBytes },
  });
  let limit = planRun(withLimit(1)).cost.peakBytes;
  while (planRun(withLimit(limit)).chunkBytes < chunkBytes) limit += 512;
  return limit;
}

/** Into how many parts a run can be cut, by what it says when it is asked for too many. */
async function mostParts(order: AnalysisOrder): Promise<number> {
  const asked = { ...order, request: { ...order.request, shard: { index: 1, count: 100_000 } } };
  const failure: unknown = await collectRun(analyze(asked, SIGNAL)).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'usage/bad-option' });
  const { most } = (failure as TempogradError).details as { most: number };
  expect((failure as TempogradError).remedy).toMatch(`--shard i/${most} at most`);
  return most;
}

const TITLED = ENGINE_NAMES.flatMap((engine) => RUNS.map((run) => [engine, run.what, run] as const));

describe('a run in parts', () => {
  it.each(TITLED)('on %s: %s', async (engine, what, run) => {
    const name = `${engine}-${what}`.replace(/[^a-z]+/gi, '-');
    const settings = { maxMemoryBytes: run.chunkBytes ? memoryFor(orderOf(run, engine, {}), run.chunkBytes) : null };
    const most = await mostParts(orderOf(run, engine, settings));
    expect(most).toBeGreaterThan(1);
    const whole = await write(orderOf(run, engine, settings), `${name}.npz`);
    const bytes = readFileSync(join(folder, `${name}.npz`));
    for (const count of new Set([2, Math.min(3, most), most])) {
      const files: PartFile[] = [];
      for (let index = count; index >= 1; index--) {
        const part = `${name}-${index}.npz`;
        const summary = await write(orderOf(run, engine, { ...settings, shard: { index, count } }), part);
        expect(summary.hidden).toMatchObject({ verdict: 'undetermined', slope: null, lyapunovMax: null });
        expect(summary.hidden.why).toMatch(new RegExp(`^This is part ${index} of ${count}: .*merge`));
        expect(summary.run.part).toMatchObject({ index, count });
        files.push(await openPartFile(join(folder, part)));
      }
      const merged = await merge(files, `${name}-merged.npz`);
      expect(readFileSync(join(folder, `${name}-merged.npz`)).equals(bytes)).toBe(true);
      expect(comparable(merged)).toEqual(comparable(whole));
      expect(merged.run.parts).toBe(count);
    }
  });

  it('has of each sequence what one part computed, and nothing else', async () => {
    const run = RUNS.find(({ what }) => what === 'states of a GRU')!;
    await write(orderOf(run, 'reference', { shard: { index: 2, count: 3 } }), 'states-2.npz');
    const arrays = readNpz(readFileSync(join(folder, 'states-2.npz')));
    expect(arrays.get('h')!.shape).toEqual([3, run.cell.steps, run.cell.units]);
    expect([...arrays.keys()].filter((name) => name.startsWith('lognorm'))).toEqual([]);
  });

  it('is not written when it is cancelled', async () => {
    const run = RUNS.find(({ what }) => what === 'pairs of one sequence')!;
    const controller = new AbortController();
    const batch = new OutputBatch([]);
    const targets = { npz: join(folder, 'cancelled.npz'), csvFolder: null, facts: {} };
    const steps = analyze(orderOf(run, 'reference', { shard: { index: 1, count: 2 } }), controller.signal);
    const { record, files } = await writeRun(steps, targets, batch.host(controller.signal), ({ kind }) => {
      if (kind === 'pairs') controller.abort();
    });
    await batch.commit();
    expect({ isCancelled: record.isCancelled, files }).toEqual({ isCancelled: true, files: [] });
    expect(readdirSync(folder).filter((name) => name.startsWith('cancelled'))).toEqual([]);
  });
});
