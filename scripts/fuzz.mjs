/**
 * `npm run fuzz [-- MUTANTS]`: the mutation tests of the readers with many more mutants for each format than `npm test` takes
 * (100 000 when no number is given).
 */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { PROJECT_ROOT } from './setup/paths.mjs';

const mutants = process.argv[2] ?? '100000';
if (!/^[1-9]\d*$/.test(mutants)) {
  console.error(`fuzz: the number of mutants has to be a whole number, not "${mutants}"`);
  process.exit(2);
}
const vitest = resolve(PROJECT_ROOT, 'node_modules/vitest/vitest.mjs');
const child = spawn(process.execPath, [vitest, 'run', '--project', 'unit', '--testTimeout', '0', 'fuzz'], {
  cwd: PROJECT_ROOT,
  env: { ...process.env, TEMPOGRAD_FUZZ_MUTANTS: mutants },
  stdio: 'inherit',
});
child.once('close', (code) => {
  process.exitCode = code ?? 1;
});
