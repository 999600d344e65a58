/**
 * A virtual display for machines without one: an Xvfb of one's own on a number it picks itself, ended with the process that started it.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../setup/run-command.mjs';
import { hasDisplay, isOnPath } from '../setup/system-libraries.mjs';

/** Tells programs started below that their display is one of these: nobody looks at it and no GPU draws on it. */
const VIRTUAL_MARK = 'TEMPOGRAD_VIRTUAL_DISPLAY';
const START_SECONDS = 20;
const SCREEN = '1600x1000x24';

/**
 * A display to draw on: the machine's own, else a virtual one.
 *
 * @returns {Promise<{ env: NodeJS.ProcessEnv, virtual: boolean, close: () => void } | null>} `env` is to be given to the program that draws;
 *   null where there is neither a display nor Xvfb
 */
export async function openDisplay() {
  if (hasDisplay()) return { env: process.env, virtual: process.env[VIRTUAL_MARK] === '1', close: () => {} };
  return isOnPath('Xvfb') ? startXvfb() : null;
}

/** Runs Xvfb until the pipe it reads from closes: also a parent that was killed leaves no server and no file behind. */
const SERVE = `folder=$1; shift
Xvfb "$@" &
server=$!
exec 3>&-
cat >/dev/null
kill "$server"
wait "$server"
rm -rf "$folder"`;

/** Starts Xvfb with a secret of its own, so that no other user of the machine can look on. */
async function startXvfb() {
  const folder = mkdtempSync(join(tmpdir(), 'tempograd-display-'));
  const authority = join(folder, 'authority');
  const cookie = randomBytes(16).toString('hex');
  const guarded = isOnPath('xauth') && (await addCookie(authority, ':0', cookie));
  const auth = guarded ? ['-auth', authority] : [];
  const args = [folder, '-displayfd', '3', '-screen', '0', SCREEN, '-nolisten', 'tcp', '-noreset', ...auth];
  const server = spawn('sh', ['-c', SERVE, 'sh', ...args], { stdio: ['pipe', 'ignore', 'ignore', 'pipe'] });
  const close = () => server.stdin.end();
  const number = await readDisplayNumber(server);
  if (number === null) {
    close();
    return null;
  }
  if (guarded) await addCookie(authority, `:${number}`, cookie);
  const env = {
    ...process.env,
    DISPLAY: `:${number}`,
    [VIRTUAL_MARK]: '1',
    ...(guarded ? { XAUTHORITY: authority } : {}),
  };
  delete env.WAYLAND_DISPLAY;
  return { env, virtual: true, close };
}

async function addCookie(authority, display, cookie) {
  writeFileSync(authority, '', { flag: 'a', mode: 0o600 });
  return (await runCommand('xauth', ['-f', authority, 'add', display, '.', cookie], { timeoutSeconds: 20 })).ok;
}

/** The number Xvfb writes once it listens; null when it ends or stays silent. */
function readDisplayNumber(server) {
  return new Promise((done) => {
    let text = '';
    const timer = setTimeout(() => done(null), START_SECONDS * 1000);
    const finish = (value) => {
      clearTimeout(timer);
      done(value);
    };
    server.stdio[3].on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) finish(text.trim());
    });
    server.stdio[3].once('end', () => finish(null));
    server.once('error', () => finish(null));
  });
}
