/**
 * Writes mutants that the readers accept, with the tensors that were read from them, for `npm run verify:python`.
 *
 * Arguments: a folder, and the number of mutants of each format.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeRandom } from '../../../src/core/random';
import { mutateFiles } from './mutate-files';
import { buildReader, endReader, readInChild } from './reader-pool';
import { loadSeeds } from './seeds';

const [folder = '', count = '0'] = process.argv.slice(2);

/** Blind changes of the numbers themselves are accepted most often, and aware ones go deepest: both are wanted. */
async function writeMutants(): Promise<void> {
  await buildReader();
  const lines: string[] = [];
  for (const [format, models] of loadSeeds()) {
    for (let seed = 0; seed < Number(count); seed++) {
      const mutant = await mutateFiles(models[seed % models.length]!, seed % 2 === 0, makeRandom(seed));
      const answer = await readInChild(mutant);
      if (typeof answer === 'string' || answer.code !== null || answer.tensors.length === 0) continue;
      const base = join(format, String(seed));
      for (const [name, bytes] of mutant.files) {
        const path = join(folder, base, name);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, bytes);
      }
      lines.push(JSON.stringify({ format, seed, path: join(base, mutant.main), tensors: answer.tensors }));
    }
  }
  writeFileSync(join(folder, 'accepted.jsonl'), `${lines.join('\n')}\n`);
  endReader();
}

await writeMutants();
