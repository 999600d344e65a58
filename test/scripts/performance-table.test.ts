/** The figures of docs/performance.md from the benchmark's own JSON. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchCommand } from '../../src/cli/bench/bench-command';
import { measureGrowth, writeGrowth } from '../../src/cli/bench/growth';
import type { PeerResult } from '../../src/cli/bench/peers';
import { ROOT } from '../cli/run-cli';

const never = new AbortController().signal;
let folder: string;
let page: string;

function makeTable(...words: readonly string[]): { readonly status: number | null; readonly text: string } {
  const script = join(ROOT, 'scripts', 'performance-table.mjs');
  const { status } = spawnSync(process.execPath, [script, ...words, '--page', page], { encoding: 'utf8' });
  return { status, text: readFileSync(page, 'utf8') };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tempograd-table-'));
  page = join(folder, 'performance.md');
  copyFileSync(join(ROOT, 'docs', 'performance.md'), page);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the figures', () => {
  it('are those of a run, with its load, and replace the ones before', async () => {
    const parts: string[] = [];
    const order = { ids: ['C1'], isJson: true, hasPeers: false, growthFolder: null };
    await benchCommand(order, { out: (text) => void parts.push(text) }, never);
    const run = JSON.parse(parts.join('')) as { peers: PeerResult[]; cases: { id: string; isMet: boolean }[] };
    const peer: PeerResult = {
      ...{ id: 'C1', peer: 'jax', version: '1.2.3', seconds: 0.002, coldSeconds: 0.31, measuredSeconds: 0.002 },
      ...{ isExtrapolated: true, share: 0.125, law: 'by law', difference: 1e-7, ownSeconds: 0.01, times: 31 },
    };
    const file = join(folder, 'run.json');
    writeFileSync(file, JSON.stringify({ ...run, peers: [peer] }));
    const { status, text } = makeTable(file);
    expect(status).toBe(0);
    expect(text).toMatch(/^\| C1 \| toy LSTM.*\| (yes|no) \|$/m);
    expect(text).toContain(
      '| C1 | jax 1.2.3 | 2.00 ms | 0.310 s | carried from 13 %: by law | 10.0 ms | 31.0 | 1e-7 |',
    );
    expect(text).toMatch(/load \d+\.\d before and \d+\.\d after: cases C1\./);
    expect(text).not.toContain('Not filled in yet');
    expect(makeTable(file).text).toBe(text);
  });

  it('of growth come with their picture', async () => {
    const rest = { firstChunkSeconds: 0, sgemm: null, drift: null, ratio: 1, peakBytes: 0, residentBytes: 0 };
    const growth = await measureGrowth(never, () => undefined, {
      measure: ({ steps }) => Promise.resolve([{ ...rest, seconds: steps / 1000, isVoid: false }]),
    });
    const machine = { date: '2026-01-02T00:00:00Z', cores: 2, loadBefore: [0.1, 0, 0] };
    writeGrowth(join(folder, 'growth'), { ...growth, machine });
    const { status, text } = makeTable('--growth', join(folder, 'growth'));
    expect(status).toBe(0);
    expect(text).toMatch(/^\| final by T \| 250: 0\.250 s; .*8000: 8\.00 s \| {2}\| 1\.00 \| at most 1 \|$/m);
    expect(existsSync(join(folder, 'images', 'growth.svg'))).toBe(true);
  });

  it('are not made of nothing', () => {
    expect(makeTable().status).not.toBe(0);
  });
});
