import { describe, expect, it } from 'vitest';
import { logNorm } from '../../src/core/linalg/scaling';
import type { EngineName } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';
import { NO_DATA } from '../../src/host/reader-messages';
import type { EngineWork, RunMaterial } from '../../src/main/engine-session';
import { makeEngineWork } from '../../src/main/engine-work';
import type { PairsEvent, RunRequest } from '../../src/shared/run';
import { orderOf } from '../analysis/run-order';
import { HAS_NATIVE } from '../engine/all-ops';
import { makeCell } from '../engine/random-cells';

const [batch, steps] = [2, 140];
const { signal } = new AbortController();

function material(engine: EngineName, modes: RunRequest['modes'], more: Partial<RunRequest> = {}): RunMaterial {
  const cell = (gain: number) => makeCell({ kind: 'LSTM', units: 4, inputDim: 3, batch, steps, gain });
  const { model, request } = orderOf(cell(1), cell(0.6), { request: { engine, modes, ...more }, batch, steps });
  return { model, file: { path: '', bytes: 0, sha256: '' }, request, data: NO_DATA };
}

async function runTo(work: EngineWork, given: RunMaterial, runId: number): Promise<PairsEvent[]> {
  const pairs: PairsEvent[] = [];
  for await (const event of work.analyze(given, runId, signal)) if (event.kind === 'pairs') pairs.push(event);
  return pairs;
}

const ENGINES: readonly EngineName[] = HAS_NATIVE ? ['tensorflow', 'wasm', 'reference'] : ['wasm', 'reference'];
const QUESTION = { runId: 4, sequence: 1, target: 135, source: 2, direction: 'forward' } as const;

describe.each(ENGINES)('blocks of the last run on %s', (engine) => {
  it('agree with its norms, before they are prepared and after, and hold nothing once it is forgotten', async () => {
    const library = await loadEngine(engine);
    const before = library.tensorCount();
    const work = makeEngineWork('test');
    const pairs = await runTo(work, material(engine, ['pairs']), 4);
    const normOf = (quantity: string, direction: string, t: number, s: number): number => {
      const found = pairs.find((event) => {
        const { targetStart, targetCount, sourceStart, sourceCount } = event;
        const isThere =
          t >= targetStart && t < targetStart + targetCount && s >= sourceStart && s < sourceStart + sourceCount;
        return isThere && event.quantity === quantity && event.direction === direction && event.sequence === 1;
      })!;
      return found.logNorms[(t - found.targetStart) * found.sourceCount + s - found.sourceStart]!;
    };
    const expectBlocks = async (): Promise<void> => {
      for (const [direction, target, source] of [['forward', 135, 2] as const, ['backward', 2, 135] as const]) {
        const block = (await work.block({ ...QUESTION, direction, target, source, hasState: true }, signal))!;
        expect(block.direction).toBe(direction);
        expect(block.h.logNorm).toBeCloseTo(normOf('dh_dx', direction, target, source), 3);
        expect(block.c!.logNorm).toBeCloseTo(normOf('dc_dx', direction, target, source), 3);
        expect(block.state!.logNorm).toBeCloseTo(normOf('ds_ds', direction, target, source), 3);
        expect(logNorm(block.h.data) + block.h.scale * Math.LN2).toBeCloseTo(block.h.logNorm, 3);
      }
    };
    await expectBlocks();
    expect(work.hasPreparation()).toBe(true);
    const abort = new AbortController();
    abort.abort();
    await work.prepareBlocks(abort.signal);
    expect(work.hasPreparation()).toBe(engine !== 'reference');
    await work.prepareBlocks(signal);
    expect(work.hasPreparation()).toBe(false);
    await expectBlocks();
    work.forget();
    expect(library.tensorCount()).toBe(before);
    await expect(work.block(QUESTION, signal)).rejects.toMatchObject({ code: 'usage/bad-option' });
  });
});

describe('blocks', () => {
  it('are refused of a run that is no longer the last, and of pairs that it has not', async () => {
    const work = makeEngineWork('test');
    await runTo(work, material('reference', ['pairs']), 4);
    expect(await work.block(QUESTION, signal)).toMatchObject({ direction: 'forward' });
    for (const wrong of [{ target: steps }, { source: steps }, { sequence: batch }, { runId: 3 }]) {
      await expect(work.block({ ...QUESTION, ...wrong }, signal)).rejects.toMatchObject({ code: 'usage/bad-option' });
    }
    await runTo(work, material('reference', ['pairs']), 5);
    await expect(work.block(QUESTION, signal)).rejects.toMatchObject({ code: 'usage/bad-option' });
    expect(await work.block({ ...QUESTION, runId: 5 }, signal)).not.toBeNull();
    await runTo(work, material('reference', ['states']), 6);
    expect(work.hasPreparation()).toBe(false);
    await expect(work.block({ ...QUESTION, runId: 6 }, signal)).rejects.toMatchObject({ code: 'usage/bad-option' });
  });

  it('are given up with their signal', async () => {
    const work = makeEngineWork('test');
    await runTo(work, material('reference', ['pairs']), 4);
    const abort = new AbortController();
    abort.abort();
    expect(await work.block(QUESTION, abort.signal)).toBeNull();
  });
});
