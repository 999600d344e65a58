/** Peers in Python: named where they are absent, and held against this program's numbers where they are present. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { BenchCase } from '../../src/cli/bench/cases';
import { runPeers } from '../../src/cli/bench/peers';
import { HAS_NATIVE } from '../engine/all-ops';
import { ROOT } from './run-cli';

const never = new AbortController().signal;
const python = process.env['TEMPOGRAD_PYTHON'] ?? 'python3';
const listed = spawnSync(python, [join(ROOT, 'bench', 'peers.py'), '--list'], { encoding: 'utf8' });
const present =
  listed.status === 0 ? Object.keys((JSON.parse(listed.stdout) as { present: Record<string, string> }).present) : [];
const canCompare = HAS_NATIVE && present.some((name) => name !== 'numpy');
const small: BenchCase = {
  ...{ id: 'S', what: 'small', engine: 'tensorflow', kind: 'LSTM', modes: ['exact pairs'] },
  ...{ steps: 12, units: 16, inputDim: 4, batch: 1, layers: 0, directions: 4 },
  ...{ repeats: 1, isCold: false, isWritten: false, target: {} },
};

afterEach(() => vi.unstubAllEnvs());

describe('peers', () => {
  it('are skipped with the reason where there is no Python', async () => {
    vi.stubEnv('TEMPOGRAD_PYTHON', join(ROOT, 'no-such-python'));
    const { results, skipped } = await runPeers(small, never, () => undefined);
    expect(results).toEqual([]);
    expect(skipped).toEqual([{ id: 'peers', why: expect.stringContaining('did not start') as string }]);
  });

  it('are not asked for estimates', async () => {
    const { results, skipped } = await runPeers({ ...small, modes: ['sketched pairs'] }, never, () => undefined);
    expect({ results, names: skipped.map(({ id }) => id) }).toEqual({ results: [], names: ['peers of S'] });
  });

  // Not skipped but left out where Python has no peers: nothing that users run needs them.
  if (!canCompare) return;
  describe(`of this Python (${present.join(', ')})`, () => {
    it.each(['SimpleRNN', 'GRU', 'LSTM'] as const)('have the same %s', { timeout: 300_000 }, async (kind) => {
      const { results, skipped } = await runPeers({ ...small, kind }, never, () => undefined);
      expect(skipped.filter(({ id }) => present.includes(id.split(' ')[0]))).toEqual([]);
      for (const { difference, seconds, isExtrapolated } of results) {
        expect(difference).toBeLessThan(1e-4);
        expect(seconds).toBeGreaterThan(0);
        expect(isExtrapolated).toBe(false);
      }
      expect(results.length).toBeGreaterThan(0);
    });

    it.each(['exact final', 'diagonal', 'spectrum', 'state pairs'] as const)(
      'compute %s',
      { timeout: 300_000 },
      async (mode) => {
        const { results, skipped } = await runPeers({ ...small, modes: [mode] }, never, () => undefined);
        expect(skipped.filter(({ id }) => present.includes(id.split(' ')[0]))).toEqual([]);
        expect(results.length).toBeGreaterThan(0);
      },
    );

    it('go through layers', { timeout: 300_000 }, async () => {
      const stack = { ...small, modes: ['stack pairs'], layers: 2 } as const;
      const { results } = await runPeers(stack, never, () => undefined);
      expect(results.every(({ difference }) => difference === null)).toBe(true);
    });
  });
});
