/**
 * `npm run verify:python [-- MUTANTS]`: what was read and what was written, checked by Python's own readers.
 *
 * Mutants of every format that are accepted here must hold the same tensors for h5py, torch, safetensors, onnx, numpy and
 * TensorFlow; the exports of a run must give the same numbers to numpy as NPZ and as CSV. Python is
 * TEMPOGRAD_PYTHON or python3; a format whose package is not installed there is named and left out.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import { PROJECT_ROOT } from './setup/paths.mjs';

const python = process.env.TEMPOGRAD_PYTHON ?? 'python3';
const mutants = process.argv[2] ?? '300';
const sample = 'resources/samples/carrying-lstm.keras';
const bundleFolder = resolve(PROJECT_ROOT, 'node_modules/.cache/tempograd-verify');
const folder = mkdtempSync(join(tmpdir(), 'tempograd-verify-'));

/** Runs a program with its output shown, and tells whether it ended with 0. */
function run(program, args) {
  const { status, error } = spawnSync(program, args, { cwd: PROJECT_ROOT, stdio: 'inherit' });
  if (error) console.error(`verify: ${program} did not start: ${error.message}`);
  return status === 0;
}

try {
  await build({
    configFile: false,
    logLevel: 'error',
    root: PROJECT_ROOT,
    build: {
      ssr: resolve(PROJECT_ROOT, 'test/readers/fuzz/write-mutants.ts'),
      outDir: bundleFolder,
      emptyOutDir: true,
      rollupOptions: { output: { entryFileNames: 'write-mutants.mjs' } },
    },
  });
  const arrays = join(folder, 'run.npz');
  const summary = join(folder, 'run.json');
  const exportArgs = [
    '--steps',
    '12',
    '--batch',
    '2',
    '--out',
    arrays,
    '--csv',
    join(folder, 'csv'),
    `--json=${summary}`,
  ];
  const isRight = [
    run(process.execPath, [join(bundleFolder, 'write-mutants.mjs'), folder, mutants]) &&
      run(python, ['scripts/verify/compare.py', folder]),
    run(process.execPath, ['bin/tempograd.mjs', 'analyze', sample, ...exportArgs]) &&
      run(python, ['scripts/verify/exports.py', arrays, join(folder, 'csv'), summary]),
  ].every(Boolean);
  console.log(isRight ? 'verify: no difference' : 'verify: FAILED');
  process.exitCode = isRight ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
