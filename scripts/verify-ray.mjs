/**
 * `npm run verify:ray`: the Ray example of docs/beyond-one-machine.md on a real Ray of this machine.
 *
 * A run in parts must give the bytes of one run, and a part that is lost must be computed again. Python is TEMPOGRAD_PYTHON
 * or python3; where it or its package ray is missing, the check is named and left out, with the reason.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from './setup/paths.mjs';

const python = process.env.TEMPOGRAD_PYTHON ?? 'python3';
const launcher = join(PROJECT_ROOT, 'bin/tempograd.mjs');
const sample = join(PROJECT_ROOT, 'resources/samples/carrying-lstm.keras');
const PARTS = 5;
const RUN = [sample, '--mode', 'diagonal,final,states,pairs', '--steps', '120', '--batch', '6'];

const probe = spawnSync(python, ['-c', 'import ray; print(ray.__version__)'], { encoding: 'utf8' });
if (probe.error || probe.status !== 0) {
  const reason = probe.error ? `${python} did not start` : `${python} has no package ray (pip install ray)`;
  console.log(`verify: skipped: the Ray example of docs/beyond-one-machine.md: ${reason}`);
  process.exit(0);
}

const folder = mkdtempSync(join(tmpdir(), 'tempograd-ray-'));
try {
  const whole = join(folder, 'whole.npz');
  run(process.execPath, [launcher, 'analyze', ...RUN, '--out', whole]);
  const example = ['scripts/examples/ray-parts.py', '--parts', String(PARTS), '--folder', folder];
  const words = [...example, '--tempograd', `"${process.execPath}" "${launcher}"`, '--', ...RUN];
  for (const what of ['all parts', 'one part that was lost']) {
    run(python, words);
    const names = readdirSync(join(folder, 'parts'));
    const isSame = readFileSync(join(folder, 'run.npz')).equals(readFileSync(whole));
    if (names.length !== PARTS || !isSame) throw new Error(`${what}: the merged run differs from one run`);
    console.log(`verify: Ray ${probe.stdout.trim()}: ${what} computed, ${PARTS} merged: the bytes of one run`);
    rmSync(join(folder, 'parts', '2.npz'));
  }
} catch (error) {
  console.error(`verify: FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs a program; its output is shown where it fails. */
function run(program, args) {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: PROJECT_ROOT, encoding: 'utf8' });
  if (error) throw new Error(`${program} did not start: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`);
}
