/**
 * `npm run check`: what should hold before each commit: format, lint, types, layers, unused code, unit tests. Runs all of them and says
 * which failed.
 */
import { spawn } from 'node:child_process';
import { PROJECT_ROOT } from './setup/paths.mjs';
import { npmCommand } from './setup/run-command.mjs';

const CHECKS = {
  format: ['exec', '--', 'prettier', '--check', '--log-level', 'warn', '.'],
  lint: ['run', '--silent', 'lint'],
  types: ['run', '--silent', 'typecheck'],
  layers: ['exec', '--', 'depcruise', 'src', '--config', '.dependency-cruiser.cjs'],
  'unused code': ['exec', '--', 'knip'],
  'unit tests': ['exec', '--', 'vitest', 'run', '--project', 'unit', '--project', 'window', '--reporter=dot'],
};

const failed = [];
for (const [name, args] of Object.entries(CHECKS)) {
  const started = performance.now();
  const code = await run(args);
  console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (code !== 0) failed.push(name);
}
if (failed.length > 0) console.log(`check: failed: ${failed.join(', ')}`);
process.exitCode = failed.length > 0 ? 1 : 0;

/** Runs one npm command line with its output on this terminal. */
function run(args) {
  const npm = npmCommand();
  return new Promise((done) => {
    const child = spawn(npm.command, [...npm.args, ...args], {
      cwd: PROJECT_ROOT,
      shell: npm.shell,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', () => done(1));
    child.once('close', (code) => done(code ?? 1));
  });
}
