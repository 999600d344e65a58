/**
 * Starts the built program in Electron, with the switches that this machine needs and no others.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** Chromium's own log lines (`[pid:date/time:ERROR:file(line)] ...`): about D-Bus, GPU and the like, of no use to a user. */
const CHROMIUM_LINE = /^\[\d+:\d{4}\/\d{6}\.\d+:(VERBOSE\d*|INFO|WARNING|ERROR):/;

/**
 * The switches for Chromium that the machine calls for.
 *
 * @param {{ platform: string, isRoot: boolean, hasGpu: boolean }} machine what it is
 * @returns {string[]}
 */
export function chromiumSwitches({ platform, isRoot, hasGpu }) {
  if (platform !== 'linux') return [];
  return [...(isRoot ? ['--no-sandbox'] : []), ...(hasGpu ? [] : ['--disable-gpu'])];
}

/** What {@link chromiumSwitches} has to know of this machine; under a virtual display no GPU is used. */
export function describeMachine(virtualDisplay) {
  const devices = existsSync('/dev/dri') ? readdirSync('/dev/dri') : [];
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    hasGpu: !virtualDisplay && devices.some((name) => name.startsWith('renderD')),
  };
}

/**
 * Why Chromium's sandbox cannot work here, with what mends it; null where it can. Tempograd never turns it off for an ordinary user.
 *
 * @param {string} executable the Electron binary
 */
export function sandboxProblem(executable) {
  if (process.platform !== 'linux' || process.getuid?.() === 0) return null;
  const helper = resolve(dirname(executable), 'chrome-sandbox');
  const info = statSync(helper, { throwIfNoEntry: false });
  if (info && info.uid === 0 && (info.mode & 0o4000) !== 0) return null;
  const restricted =
    setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1' ||
    setting('/proc/sys/kernel/unprivileged_userns_clone') === '0';
  if (!restricted) return null;
  return `this system forbids the user namespaces that the window's sandbox needs. Allow the sandbox helper once: sudo chown root:root '${helper}' && sudo chmod 4755 '${helper}'`;
}

function setting(path) {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

/**
 * Runs the program to its end.
 *
 * @param {{ executable: string, root: string, args: string[], switches?: string[], display: { env: NodeJS.ProcessEnv, virtual: boolean },
 *   timeoutSeconds?: number, signal?: AbortSignal }} start what to start; without a time limit it runs until its window is closed or the
 *   signal closes it
 * @returns {Promise<number>} its exit code; 124 when the time limit ended it
 */
export function runElectron({ executable, root, args, switches = [], display, timeoutSeconds, signal }) {
  const env = { ...display.env };
  delete env.ELECTRON_RUN_AS_NODE;
  const child = spawn(executable, [...chromiumSwitches(describeMachine(display.virtual)), ...switches, root, ...args], {
    cwd: process.env.INIT_CWD ?? process.cwd(),
    env,
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (!CHROMIUM_LINE.test(line) && line.trim() !== '') process.stderr.write(`${line}\n`);
  });
  const forward = (name) => child.kill(name);
  process.on('SIGINT', forward);
  process.on('SIGTERM', forward);
  signal?.addEventListener('abort', () => child.kill('SIGTERM'));
  return new Promise((done) => {
    let timer;
    const finish = (code) => {
      clearTimeout(timer);
      process.removeListener('SIGINT', forward);
      process.removeListener('SIGTERM', forward);
      done(code);
    };
    if (timeoutSeconds !== undefined) {
      timer = setTimeout(() => {
        process.stderr.write(`start: no end after ${timeoutSeconds} s; stopped\n`);
        child.kill('SIGKILL');
        finish(124);
      }, timeoutSeconds * 1000);
    }
    child.once('error', (error) => {
      process.stderr.write(`start: ${error.message}\n`);
      finish(1);
    });
    child.once('close', (code, killedBy) => finish(code ?? (killedBy ? 1 : 0)));
  });
}
