import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/core/errors';
import { makeRandom } from '../../../src/core/random';
import { mutateFiles } from './mutate-files';
import { buildReader, endReader, readInChild } from './reader-pool';
import { loadSeeds } from './seeds';

/** Of each format; `npm run fuzz` takes many more. */
const MUTANTS = Number(process.env['TEMPOGRAD_FUZZ_MUTANTS'] ?? 300);

beforeAll(buildReader, 60_000);
afterAll(endReader);

describe.each([...loadSeeds()])('%s mutants', (format, models) => {
  it(
    'end in a model or in a code of the closed list',
    async () => {
      const outcomes = new Map<string, number>();
      const killed: number[] = [];
      for (let seed = 0; seed < MUTANTS; seed++) {
        const random = makeRandom(seed);
        const mutant = await mutateFiles(models[seed % models.length]!, seed % 2 === 0, random);
        const result = await readInChild(mutant);
        if (result === 'killed') killed.push(seed);
        else if (result === 'crashed') expect.fail(`mutant ${String(seed)} crashed the reader`);
        else if (result.code !== null && !(ERROR_CODES as readonly string[]).includes(result.code)) {
          expect.fail(`mutant ${String(seed)}: ${result.message}`);
        }
        const outcome = typeof result === 'string' ? result : (result.code ?? 'opened');
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // Both ends must be met, or the mutants would show nothing.
      expect(outcomes.get('opened') ?? 0).toBeGreaterThan(0);
      expect(outcomes.size).toBeGreaterThan(2);
      // The HDF5 library itself can loop on damaged files; such a child is killed, and that must stay rare.
      expect(killed.length).toBeLessThanOrEqual(Math.ceil(MUTANTS / 50));
      if (process.env['TEMPOGRAD_FUZZ_REPORT']) console.log(format, Object.fromEntries(outcomes), 'killed:', killed);
    },
    MUTANTS * 2000,
  );
});
