/** What survives: a page that crashes, settings that are damaged, a restart of the program. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { launchApp, makeFolder, type RunningApp } from './launch-app';
import { LSTM_MODEL } from './models';

const profile = makeFolder('recovery');
const settingsFile = join(profile, 'settings.json');

let running: RunningApp | null = null;

async function launch(args: readonly string[] = []): Promise<RunningApp> {
  await running?.close();
  running = await launchApp({ profile, args });
  return running;
}

afterAll(async () => {
  await running?.close();
  rmSync(profile, { recursive: true, force: true });
});

describe('damaged settings', () => {
  it('cost one message, are kept, and the window opens', async () => {
    mkdirSync(profile, { recursive: true });
    writeFileSync(settingsFile, '{"theme":"pur');
    const { page } = await launch();
    await page.getByText(/settings were damaged/i).waitFor();
    expect(readFileSync(`${settingsFile}.bad`, 'utf8')).toBe('{"theme":"pur');
  });
});

describe('the next start', () => {
  it('knows theme, window and recent files of the one before', async () => {
    const first = await launch([LSTM_MODEL]);
    await first.page.getByTestId('layer-memory').waitFor();
    await first.app.evaluate(({ BrowserWindow, Menu }) => {
      BrowserWindow.getAllWindows()[0]!.setBounds({ x: 40, y: 30, width: 1111, height: 777 });
      Menu.getApplicationMenu()?.getMenuItemById('theme-dark')?.click();
    });
    const { app, page } = await launch();
    await page.getByText('model.keras').first().waitFor();
    const [bounds, isDark] = await app.evaluate(({ BrowserWindow, nativeTheme }) => [
      BrowserWindow.getAllWindows()[0]!.getBounds(),
      nativeTheme.shouldUseDarkColors,
    ]);
    expect(bounds).toMatchObject({ width: 1111, height: 777 });
    expect(isDark).toBe(true);
    expect(existsSync(settingsFile)).toBe(true);
  });
});

describe('a page that crashes', () => {
  it('comes back with the model that was open, and runs it', async () => {
    const { app, page } = await launch([LSTM_MODEL]);
    await page.getByTestId('layer-memory').waitFor();
    const again = await app.evaluate(async ({ BrowserWindow }) => {
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      const loaded = new Promise<void>((resolve) => webContents.once('did-finish-load', () => resolve()));
      webContents.forcefullyCrashRenderer();
      await loaded;
      const script = `new Promise((resolve) => {
        const until = (selector, next) => {
          const found = document.querySelector(selector);
          if (found) next(found); else setTimeout(() => until(selector, next), 50);
        };
        until('[data-testid="layer-memory"]', () => until('[data-testid="run-button"]:not(:disabled)', (button) => {
          button.click();
          const look = () => {
            const text = document.querySelector('[data-testid="verdict-h"]')?.textContent ?? '';
            if (/vanishing|carried|exploding|undetermined/i.test(text)) resolve(text); else setTimeout(look, 50);
          };
          look();
        }));
      })`;
      return (await webContents.executeJavaScript(script)) as string;
    });
    expect(again).toMatch(/vanishing/i);
  });
});
