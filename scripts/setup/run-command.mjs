/**
 * Runs a child process with a time limit and hands back what it said; never throws for a failed command.
 */
import { spawn } from 'node:child_process';

/**
 * Runs one command to its end.
 *
 * @param {string} command the program
 * @param {string[]} args its arguments
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutSeconds?: number, shell?: boolean }} options
 * @returns {Promise<{ ok: boolean, code: number | null, stdout: string, stderr: string, timedOut: boolean, missing: boolean }>}
 *   `missing` is true where the program itself was not found
 */
export function runCommand(command, args, options = {}) {
  const { cwd, env = process.env, timeoutSeconds = 600, shell = false } = options;
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, timeoutSeconds * 1000);
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', (error) => {
      clearTimeout(timer);
      done({
        ok: false,
        code: null,
        stdout,
        stderr: String(error.message),
        timedOut,
        missing: error.code === 'ENOENT',
      });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      done({ ok: code === 0, code, stdout, stderr, timedOut, missing: false });
    });
  });
}

/** Lines that are there for every failure and tell nothing about it. */
const NOISE =
  /^at |^throw er|^npm (notice|warn)|^npm error( code| errno| syscall|$)|complete log of this run|^Traceback|^WARNING: Retrying/;
const TELLING = /error|refused|denied|not found|failed|cannot|^E: /i;

/**
 * The first line of a failed command's output that says why, cut to one printable line.
 *
 * @param {{ stdout: string, stderr: string, timedOut: boolean, code: number | null }} result of {@link runCommand}
 */
export function failureReason(result) {
  if (result.timedOut) return 'no end within the time limit';
  const lines = `${result.stderr}\n${result.stdout}`.split('\n').map((line) => line.trim());
  const spoken = lines.filter((line) => line !== '' && !NOISE.test(line));
  return (spoken.find((line) => TELLING.test(line)) ?? spoken.at(-1) ?? `exit code ${result.code}`).slice(0, 240);
}

/** The command line of npm for this platform: the npm that started this script where there is one. */
export function npmCommand(env = process.env) {
  if (env.npm_execpath && /npm-cli\.js$/.test(env.npm_execpath)) {
    return { command: process.execPath, args: [env.npm_execpath], shell: false };
  }
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args: [], shell: process.platform === 'win32' };
}
