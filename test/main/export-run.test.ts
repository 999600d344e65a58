/** An export of a run whose steps are made here: what it tells of its progress, and what it leaves. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExportOrder } from '../../src/main/engine-messages';
import type { RunMaterial } from '../../src/main/engine-session';
import { exportRun } from '../../src/main/export-run';
import type { AnalysisStep } from '../../src/shared/analysis-step';
import type { RunEvent } from '../../src/shared/run';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-export-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const progress = (fraction: number): RunEvent => ({
  kind: 'progress',
  fraction,
  stage: 'final',
  secondsElapsed: fraction,
});

async function* stepsOf(events: readonly RunEvent[]): AsyncGenerator<AnalysisStep> {
  for (const event of events) yield await Promise.resolve({ event, chunk: null });
}

function exporting(events: readonly RunEvent[], told: number[]): ReturnType<typeof exportRun> {
  const request = { input: { kind: 'random' }, maskFile: null, initialStateFile: null };
  const material = { file: { path: join(folder, 'm.keras') }, request } as unknown as RunMaterial;
  const order = { format: 'json', path: join(folder, 'run.json') } as ExportOrder;
  return exportRun(stepsOf(events), new AbortController().signal, material, order, (fraction) => told.push(fraction));
}

describe('exportRun', () => {
  it('tells each hundredth once, and never goes back', async () => {
    const told: number[] = [];
    const done = { kind: 'done', summary: { layer: 'x' } } as unknown as RunEvent;
    await exporting([...[0, 0.004, 0.01, 0.012, 0.5, 0.49, 0.999].map(progress), done], told);
    expect(told).toEqual([0, 0.01, 0.5, 0.999]);
    expect(readdirSync(folder)).toEqual(['run.json']);
    rmSync(join(folder, 'run.json'));
  });

  it('leaves nothing when it was cancelled', async () => {
    const told: number[] = [];
    expect(await exporting([progress(0.3), { kind: 'cancelled', fraction: 0.3 }], told)).toBeNull();
    expect(told).toEqual([0.3]);
    expect(existsSync(join(folder, 'run.json'))).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });
});
