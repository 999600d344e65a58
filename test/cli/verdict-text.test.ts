import { describe, expect, it } from 'vitest';
import { verdictText } from '../../src/cli/verdict-text';
import type { LayerVerdict, Summary } from '../../src/core/summary';

const verdict = { verdict: 'undetermined', slope: null, slopeInterval: null, halfLife: null, why: 'WHY' };

function textOf(run: Partial<Summary['run']>, places: readonly string[] = []): readonly string[] {
  const summary = {
    engine: { name: 'reference', version: 'float64', reason: '' },
    layer: { name: 'memory', kind: 'LSTM', units: 8, outputSize: 8, inputDim: 4, direction: 'forward' },
    run: { batch: 1, steps: 20, seed: 0, input: null, seconds: 1, modes: ['final'], ...run },
    hidden: verdict as unknown as LayerVerdict,
    cell: verdict as unknown as LayerVerdict,
    assumptions: [],
    warnings: [],
  } as unknown as Summary;
  return verdictText(summary, 20, places).trimEnd().split('\n').slice(1);
}

describe('verdictText', () => {
  it('without final tells what was computed and where it is, and no row of dashes', () => {
    expect(textOf({ modes: ['pairs'] })).toEqual([
      '  pairs: log norms of h, c and the state for 210 pairs of a step and one not later; --out FILE or --csv FOLDER writes them',
      '  no verdict: it rests on the mode final, which was not asked for',
    ]);
    expect(textOf({ modes: ['diagonal', 'states', 'pairs'], batch: 3 }, ['run.npz'])).toEqual([
      '  computed: diagonal, states; in run.npz',
      '  pairs: log norms of h, c and the state for 210 pairs of a step and one not later, of each of 3 sequences; in run.npz',
      '  no verdict: it rests on the mode final, which was not asked for',
    ]);
  });

  it('with final has the rows and the sentences of the verdict', () => {
    const lines = textOf({ modes: ['final', 'pairs'] });
    expect(lines.slice(2, 4)).toEqual(['  h: WHY', '  c: WHY']);
    expect(lines[0]).toMatch(/^ {2}h +undetermined/);
    expect(lines[4]).toMatch(/^ {2}pairs: /);
    expect(textOf({}).join()).not.toContain('pairs');
  });
});
