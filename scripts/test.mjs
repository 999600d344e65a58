/**
 * `npm test`: sets up what is missing, builds, runs every suite (units, native engine, readers, command line, components, then the built
 * window under a display or Xvfb) and adds the results up. The last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { ensureBuilt } from './run/build.mjs';
import { openDisplay } from './run/display.mjs';
import { addCounts, countReport, isSuccess, lastLine, noCounts } from './run/test-report.mjs';
import { BINDING } from './setup/binding.mjs';
import { ELECTRON } from './setup/electron-binary.mjs';
import { findElectron } from './setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from './setup/paths.mjs';
import { runCommand } from './setup/run-command.mjs';
import { runSetup } from './setup/steps.mjs';

/** Against a suite that hangs; a whole run takes minutes. */
const SUITE_SECONDS = 2400;
const say = (line) => console.log(line);
const context = { project: projectLayout(), cache: cacheLayout(cacheDirectory()), say };
const { root } = context.project;
const vitest = resolve(root, 'node_modules/vitest/vitest.mjs');
const started = performance.now();

const counts = await runEverything();
for (const { name, file, message } of counts.failures)
  say(`\nFAILED ${relative(root, file)}\n  ${name}\n${indent(message)}`);
for (const { name, file } of counts.skips) say(`skipped: ${relative(root, file)}: ${name}`);
say(`\ntests took ${((performance.now() - started) / 1000).toFixed(0)} s`);
if (counts.complete && counts.skipped > 0)
  say('this machine has the native engine and a window: a skipped test counts as a failure of the run');
console.log(lastLine(counts));
process.exitCode = isSuccess(counts, counts.complete) ? 0 : 1;

/** Setup, build, suites; what cannot even start counts as one failure. */
async function runEverything() {
  const { state, fatal } = await runSetup(context);
  if (fatal || !(await ensureBuilt(root, say))) {
    const message = fatal ? 'see the lines above' : 'the build failed: see the lines above';
    return {
      ...addCounts(noCounts(), {
        ...noCounts(),
        failed: 1,
        failures: [{ name: '(setup and build)', file: resolve(root, 'scripts/test.mjs'), message }],
      }),
      complete: false,
    };
  }
  const has = (step) => state.steps.some((outcome) => outcome.step === step && outcome.ok);
  const display = findElectron(context.project, context.cache) ? await openDisplay() : null;
  try {
    const suites = await runSuite('unit, engine, readers, command line, components', ['unit', 'window'], process.env);
    const window = display ? await runSuite('window', ['e2e'], display.env) : await countUnrunnable(['e2e']);
    return { ...addCounts(suites, window), complete: has(BINDING) && has(ELECTRON) && display !== null };
  } finally {
    display?.close();
  }
}

/** Runs the named vitest projects and counts. */
async function runSuite(title, projects, env) {
  say(`\n== ${title}`);
  const folder = mkdtempSync(join(tmpdir(), 'tempograd-test-'));
  const report = join(folder, 'report.json');
  const args = [
    'run',
    ...projects.flatMap((name) => ['--project', name]),
    '--passWithNoTests',
    '--silent=passed-only',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ];
  try {
    const code = await runVisibly([vitest, ...args], env);
    return countReport(readReport(report), code, title);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without an Electron or a display the window suite cannot start: its tests are counted as skipped. */
async function countUnrunnable(projects) {
  say('\n== window: cannot run here (no Electron or no display)');
  const listed = await runCommand(
    process.execPath,
    [vitest, 'list', ...projects.flatMap((name) => ['--project', name]), '--json'],
    { cwd: root },
  );
  const tests = JSON.parse(listed.stdout.slice(listed.stdout.indexOf('[')) || '[]');
  return { ...noCounts(), skipped: tests.length, skips: tests.map(({ name, file }) => ({ name, file })) };
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** Runs a Node program with its output on this terminal; hands back its exit code. */
function runVisibly(args, env) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      // CI: no snapshot is written silently. Without a terminal no colours either.
      env: { ...env, CI: '1', ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), SUITE_SECONDS * 1000);
    child.once('close', (code) => {
      clearTimeout(timer);
      done(code);
    });
  });
}

function indent(text) {
  return text
    .split('\n')
    .slice(0, 30)
    .map((line) => `    ${line}`)
    .join('\n');
}
