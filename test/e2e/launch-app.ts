/**
 * Starts the built program as a user would, under the machine's display or a virtual one, and drives it by Playwright.
 *
 * Each launch has a profile folder of its own. File dialogs cannot be pressed by anything: `answerDialogs` replaces the
 * functions of Electron's `dialog` in the main process; it is the only thing in these tests that a user cannot do.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { _electron, type ElectronApplication, type Page } from 'playwright-core';
import { openDisplay } from '../../scripts/run/display.mjs';
import { chromiumSwitches, describeMachine } from '../../scripts/run/electron.mjs';
import { findElectron } from '../../scripts/setup/electron-path.mjs';
import { cacheDirectory, cacheLayout, projectLayout } from '../../scripts/setup/paths.mjs';

/** Root of the checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Folder of the built program that is tested; another than the checkout can be named. */
export const APP = process.env['TEMPOGRAD_APP'] ?? ROOT;

/** A folder for pictures to look at. */
export const PICTURES = join(ROOT, 'out', 'e2e-pictures');

const LAUNCH_LIMIT_MS = 30_000;

/** A running program. */
export interface RunningApp {
  readonly app: ElectronApplication;
  readonly page: Page;
  /** Its profile folder. */
  readonly profile: string;
  /** Content-security-policy violations since the start. */
  violations(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** How a program is started. */
export interface LaunchOptions {
  /** Files and options after the app's own path. */
  readonly args?: readonly string[];
  /** Instead of a fresh profile; then it is kept. */
  readonly profile?: string;
  readonly env?: Readonly<Record<string, string>>;
}

let display: Awaited<ReturnType<typeof openDisplay>> | undefined;

/** Executable, switches and environment for the machine this runs on. */
export async function electronStart(): Promise<{
  dist: string;
  executable: string;
  switches: string[];
  env: Record<string, string>;
}> {
  display ??= await openDisplay();
  if (!display) throw new Error('there is neither a display nor Xvfb');
  const electron = findElectron(projectLayout(), cacheLayout(cacheDirectory()));
  if (!electron) throw new Error('there is no Electron; npm run setup says why');
  const env = Object.fromEntries(
    Object.entries(display.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const switches = chromiumSwitches(describeMachine(display.virtual));
  return { dist: electron.dist, executable: electron.executable, switches, env };
}

/** A fresh folder below the system's temporary one. */
export function makeFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `tempograd-${name}-`));
}

/**
 * The program, its window loaded.
 *
 * @param options - Arguments and profile.
 */
export async function launchApp(options: LaunchOptions = {}): Promise<RunningApp> {
  const { dist, switches, env } = await electronStart();
  // Without a path of its own, Playwright holds the program's start back until it is connected; else the two race.
  process.env['ELECTRON_OVERRIDE_DIST_PATH'] = dist;
  const profile = options.profile ?? makeFolder('profile');
  const app = await _electron.launch({
    args: [...switches, `--user-data-dir=${profile}`, APP, ...(options.args ?? [])],
    cwd: ROOT,
    env: { ...env, ...options.env },
    timeout: LAUNCH_LIMIT_MS,
  });
  const page = await app.firstWindow();
  await page.waitForLoadState('load');
  const violations = watchViolations(page);
  await page.locator('#app > *').first().waitFor();
  return {
    app,
    page,
    profile,
    violations: async () => violations,
    async close() {
      await app.close();
      if (options.profile === undefined) rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Chromium reports every violation on the console, whichever frame or worker it was in. */
function watchViolations(page: Page): string[] {
  const found: string[] = [];
  page.on('console', (message) => {
    if (/Content Security Policy|violates the following/i.test(message.text())) found.push(message.text());
  });
  return found;
}

/**
 * Answers the native file dialogs from now on.
 *
 * @param app - The program.
 * @param path - The path that is chosen; null = cancelled.
 */
export async function answerDialogs(app: ElectronApplication, path: string | null): Promise<void> {
  await app.evaluate(({ dialog }, chosen) => {
    const filePaths = chosen === null ? [] : [chosen];
    dialog.showOpenDialog = () => Promise.resolve({ canceled: chosen === null, filePaths });
    dialog.showSaveDialog = () => Promise.resolve({ canceled: chosen === null, filePath: chosen ?? '' });
  }, path);
}

/**
 * Drops real files on the window, as the system would: the page gets `File`s whose paths only the preload can read.
 *
 * @param page - The window.
 * @param paths - Absolute paths.
 */
export async function dropFiles(page: Page, paths: readonly string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...paths], dragOperationsMask: 1 };
  const { width, height } = await page.evaluate(() => ({ width: innerWidth, height: innerHeight }));
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: width / 2, y: height / 2, data });
  }
  await session.detach();
}

/**
 * Sends a request over the bridge as the page would, any name and any argument.
 *
 * @param page - The window.
 * @param name - Name of the request.
 * @param input - Its argument.
 */
export async function sendRequest(page: Page, name: string, input: unknown): Promise<unknown> {
  return page.evaluate(
    ([requestName, argument]) => {
      const bridge = (window as unknown as { tempograd: { request(name: unknown, input: unknown): Promise<unknown> } })
        .tempograd;
      return bridge.request(requestName, argument);
    },
    [name, input] as const,
  );
}
