/** `--wrt model-input` through recurrent layers: whole Jacobians against central differences, and pairs against both. */
import { describe, expect, it } from 'vitest';
import { analyze, planRun, type AnalysisOrder } from '../../src/analysis/analyze';
import type { EngineName } from '../../src/engine/engine';
import { RunCsv } from '../../src/export/csv';
import { RunArrays } from '../../src/export/run-arrays';
import type { AnalysisStep } from '../../src/shared/analysis-step';
import { ENGINE_NAMES, noise } from '../engine/all-ops';
import { makeMemorySink, type MemorySink } from '../export/memory-sink';
import { collectRun, type CollectedRun } from '../support/collect-run';
import { expectDifferences } from '../support/differences';
import { readNpz, type NpyArray } from '../support/read-npz';
import { STACK_NAMES, STACK_WIDTH, stackModel } from '../support/stack-models';

const STEPS = 6;
const REALS = { shape: [2, STEPS, STACK_WIDTH], data: Float64Array.from(noise(2 * STEPS * STACK_WIDTH, 5)) };
const TOLERANCE: Readonly<Record<EngineName, number>> = { reference: 1e-7, tensorflow: 1e-4, wasm: 1e-4 };

function orderOf(name: string, engine: EngineName, maxMemoryBytes: number | null = null): AnalysisOrder {
  return {
    model: stackModel(name, STEPS),
    source: { format: '', producer: '', path: '', bytes: 0, sha256: '' },
    version: 'test',
    request: {
      ...{ layer: 'memory', wrt: 'model-input' as const, atLayer: false, maskFile: null, initialStateFile: null },
      input: { kind: 'file' as const, path: 'x', key: null, header: null },
      modes: ['diagonal' as const, 'final' as const, 'pairs' as const],
      ...{ engine, warmUp: null, span: null, exact: true, maxSeconds: null, maxMemoryBytes },
    },
    data: { input: REALS, mask: null, initialState: null },
  };
}

/** A run in the engine's own numbers, and as it is written. */
async function runOf(
  order: AnalysisOrder,
): Promise<{ run: CollectedRun; file: Map<string, NpyArray>; csv: (name: string) => string[] }> {
  const sink = makeMemorySink();
  const sheets = new Map<string, MemorySink>();
  let arrays: RunArrays | null = null;
  let csv: RunCsv | null = null;
  async function* written(steps: AsyncIterable<AnalysisStep>): AsyncGenerator<AnalysisStep, void, void> {
    for await (const step of steps) {
      if (step.event.kind === 'started') {
        arrays = new RunArrays(sink, step.event);
        csv = new RunCsv((name) => {
          const sheet = makeMemorySink();
          sheets.set(name, sheet);
          return sheet;
        }, step.event);
      } else {
        arrays?.add(step);
        for (const _ of csv?.add(step) ?? []) void _;
      }
      yield step;
    }
  }
  const run = await collectRun(written(analyze(order, new AbortController().signal)));
  await (arrays as RunArrays | null)?.close();
  await (csv as RunCsv | null)?.close();
  return {
    run,
    file: readNpz(sink.bytes()),
    csv: (name) => sheets.get(name)!.bytes().toString().trim().split('\n').slice(1),
  };
}

/** Log norms of the blocks `[rows, D]` of an array `[.., rows, D]`. */
function blockNorms({ shape, data }: NpyArray): Float64Array {
  const size = shape.at(-1)! * shape.at(-2)!;
  const values = Float64Array.from(data, Number);
  return Float64Array.from({ length: values.length / size }, (_, at) => {
    const block = values.subarray(at * size, (at + 1) * size);
    return 0.5 * Math.log(block.reduce((sum, value) => sum + value ** 2, 0));
  });
}

function expectNear(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let at = 0; at < expected.length; at++) {
    if (expected[at] === -Infinity) expect(actual[at]).toBe(-Infinity);
    else expect(actual[at]).toBeCloseTo(expected[at]!, 3);
  }
}

describe.each(ENGINE_NAMES)('the derivative by the model’s input on %s', (engine) => {
  it.each(STACK_NAMES)('of %s', async (name) => {
    const { run, file } = await runOf(orderOf(name, engine));
    const model = stackModel(name, STEPS);
    await expectDifferences(model, model.layers.length - 1, REALS, run, TOLERANCE[engine]);
    const { steps, sourceSteps, parts } = run.started!;
    for (const state of ['h', 'c']) {
      const pairs = file.get(`lognorm_d${state}_dx`);
      if (!pairs) continue;
      expect(pairs.shape).toEqual([2, steps, sourceSteps]);
      const cells = (pick: (b: number, t: number, s: number) => boolean): number[] =>
        [...pairs.data].filter((_, at) => {
          const [b, t] = [Math.floor(at / (steps * sourceSteps)), Math.floor(at / sourceSteps) % steps];
          return pick(b, t, at % sourceSteps);
        });
      const diagonal = file.get(`d${state}_dx`);
      expect(diagonal !== undefined).toBe(steps === sourceSteps);
      if (diagonal)
        expectNear(
          cells((_, t, s) => t === s),
          blockNorms(diagonal),
        );
      if (parts.length > 1) continue;
      const last = parts[0]!.direction === 'forward' ? steps - 1 : 0;
      expectNear(
        cells((_, t) => t === last),
        file.get(`lognorm_d${state}T_dx`)!.data,
      );
    }
  });
});

describe('pairs by the model’s input', () => {
  const name = 'three layers of two directions';

  it('stand in the CSV with both directions together, sources after their target too', async () => {
    const { file, csv } = await runOf(orderOf(name, 'reference'));
    const rows = csv('lognorm_dh_dx.csv').map((line) => line.split(','));
    const norms = file.get('lognorm_dh_dx')!.data;
    expect(rows.length).toBe(norms.length);
    for (const [sequence, target, source, direction, value] of rows) {
      expect(direction).toBe('both');
      const place = (Number(sequence) * STEPS + Number(target)) * STEPS + Number(source);
      expect(Number(value)).toBe(norms[place]);
    }
  });

  it('are counted before the run, and cut to what memory there is', async () => {
    const { cost, estimate } = planRun(orderOf(name, 'reference'));
    expect(estimate.peakBytes).toBeGreaterThan(cost.peakBytes);
    const short = estimate.peakBytes - 1;
    const cut = planRun(orderOf(name, 'reference', short)).estimate.peakBytes;
    expect(cut).toBeLessThanOrEqual(short);
    const [whole, tight] = [await runOf(orderOf(name, 'reference')), await runOf(orderOf(name, 'reference', cut))];
    expectNear(tight.file.get('lognorm_dh_dx')!.data, whole.file.get('lognorm_dh_dx')!.data);
    await expect(runOf(orderOf(name, 'reference', cost.peakBytes))).rejects.toMatchObject({
      code: 'engine/out-of-memory',
    });
  });
});
