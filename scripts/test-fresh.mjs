/**
 * `npm run test:fresh [-- --keep]`: a new user's path as a test. A clone of the last commit, empty caches (also npm's and pip's), and
 * the two commands of the README; says how long each took.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from './setup/paths.mjs';
import { npmCommand, runCommand } from './setup/run-command.mjs';

const COMMAND_SECONDS = 3600;
const folder = mkdtempSync(join(tmpdir(), 'tempograd-fresh-'));
const clone = join(folder, 'tempograd');
const env = {
  ...process.env,
  TEMPOGRAD_CACHE: join(folder, 'cache'),
  npm_config_cache: join(folder, 'npm-cache'),
  PIP_CACHE_DIR: join(folder, 'pip-cache'),
  INIT_CWD: undefined,
};

const cloned = await runCommand('git', ['clone', '--quiet', '--no-hardlinks', PROJECT_ROOT, clone], {
  timeoutSeconds: 300,
});
if (!cloned.ok) {
  console.error(`test:fresh: ${cloned.stderr}`);
  process.exit(1);
}
const start = await timed('npm start', ['start']);
const pictures = existsSync(join(clone, 'tempograd-out')) ? readdirSync(join(clone, 'tempograd-out')) : [];
const test = await timed('npm test', ['test']);
console.log(`\ntest:fresh: left in tempograd-out: ${pictures.join(', ') || 'nothing'}`);
for (const { title, code, seconds } of [start, test])
  console.log(`test:fresh: ${title}: exit ${code}, ${seconds.toFixed(0)} s`);
const kept = process.argv.includes('--keep') || start.code !== 0 || test.code !== 0;
if (kept) console.log(`test:fresh: kept in ${folder}`);
else rmSync(folder, { recursive: true, force: true });
process.exitCode = start.code === 0 && test.code === 0 ? 0 : 1;

/** Runs an npm command in the clone, its output on this terminal. */
function timed(title, args) {
  console.log(`\n== ${title}`);
  const started = performance.now();
  const npm = npmCommand();
  return new Promise((done) => {
    const child = spawn(npm.command, [...npm.args, ...args], {
      cwd: clone,
      env,
      shell: npm.shell,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), COMMAND_SECONDS * 1000);
    child.once('close', (code) => {
      clearTimeout(timer);
      done({ title, code: code ?? 1, seconds: (performance.now() - started) / 1000 });
    });
  });
}
