/** Every way in which a file comes to the window, and what it says when the file is not right. */
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { spawn } from 'node:child_process';
import { answerDialogs, dropFiles, APP, electronStart, launchApp, PICTURES, ROOT, type RunningApp } from './launch-app';
import { GRU_MODEL, LSTM_MODEL, makeDropFolder, makeModelFolder, writePaddedModel, type DropFolder } from './models';

let files: DropFolder;
let running: RunningApp;
let page: Page;

const layer = (name: string): Promise<void> => page.getByTestId(`layer-${name}`).waitFor();
const fileName = (): Promise<string> => page.locator('.top-bar, header').first().innerText();

async function problem(): Promise<{ code: string; message: string; remedy: string }> {
  await page.getByTestId('error-panel').waitFor();
  const text = (id: string): Promise<string> => page.getByTestId(id).innerText();
  return { code: await text('error-code'), message: await text('error-message'), remedy: await text('error-remedy') };
}

beforeAll(async () => {
  files = makeDropFolder();
  running = await launchApp({ args: [LSTM_MODEL] });
  page = running.page;
});

afterAll(async () => {
  expect(await running?.violations()).toEqual([]);
  await running?.close();
  rmSync(files.folder, { recursive: true, force: true });
});

afterEach(async () => {
  const dismiss = page.getByRole('button', { name: 'Dismiss' });
  if (await dismiss.isVisible()) await dismiss.click();
});

describe('a file comes', () => {
  it('by the command line', async () => {
    await layer('memory');
    expect(await fileName()).toContain('model.keras');
  });

  it('by a drop of a real file', async () => {
    await dropFiles(page, [GRU_MODEL]);
    await page.getByTestId('layer-list').getByText('GRU 4').first().waitFor();
  });

  it('by a drop of a folder that holds one model', async () => {
    await dropFiles(page, [files.modelFolder]);
    await expect.poll(fileName, { timeout: 10_000 }).toContain('last.keras');
  });

  it('by the open dialog, unless it is cancelled', async () => {
    await answerDialogs(running.app, null);
    await page.evaluate(() =>
      (window as never as { tempograd: { request(n: string, i: object): unknown } }).tempograd.request('openDialog', {
        purpose: 'model',
      }),
    );
    expect(await fileName()).toContain('last.keras');
    await answerDialogs(running.app, LSTM_MODEL);
    await running.app.evaluate(({ Menu }) => Menu.getApplicationMenu()?.getMenuItemById('open-model')?.click());
    await expect.poll(fileName, { timeout: 10_000 }).toContain('model.keras');
    await layer('memory');
  });

  it('by a second instance, which hands it over and ends', async () => {
    const { executable, switches, env } = await electronStart();
    const second = spawn(
      executable,
      [...switches, `--user-data-dir=${running.profile}`, APP, basename(files.modelFolder)],
      {
        env,
        cwd: files.folder,
        stdio: 'ignore',
      },
    );
    const code = await new Promise((resolve) => second.once('exit', resolve));
    expect(code).toBe(0);
    await expect.poll(fileName, { timeout: 10_000 }).toContain('last.keras');
  });

  it('by a drop of data onto the open model', async () => {
    // At once, without waiting for the model to be open.
    await dropFiles(page, [LSTM_MODEL]);
    await dropFiles(page, [files.table]);
    await page.getByText('sensors.csv · 40 × 3').waitFor();
    await layer('memory');
  });
});

describe('several models at once', () => {
  const rows = () => page.getByTestId('candidates').getByRole('button');
  let folder: string;

  beforeAll(() => {
    folder = makeModelFolder();
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('are a list to choose from, which is left by Escape and opens nothing then', async () => {
    const before = await fileName();
    await dropFiles(page, [folder, join(folder, 'checkpoint')]);
    await rows().first().waitFor();
    expect(await rows().locator('.name').allInnerTexts()).toEqual([
      '2.keras',
      '10.keras',
      'policy.pt',
      'voice.onnx',
      'model.ckpt.index',
    ]);
    expect(await rows().first().innerText()).toMatch(/2\.keras\n\d+ kB\nKeras/);
    expect(await rows().last().innerText()).toMatch(/several files\nTensorFlow checkpoint · in checkpoint/);
    await page.keyboard.press('Escape');
    await rows().first().waitFor({ state: 'detached' });
    expect(await fileName()).toBe(before);
  });

  it('are chosen from by keys, and data that came along goes with the one that is chosen', async () => {
    await dropFiles(page, [folder, files.table]);
    await rows().first().waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(fileName, { timeout: 10_000 }).toContain('10.keras');
    await page.getByText('sensors.csv · 40 × 3').waitFor();
    expect(await rows().count()).toBe(0);
  });

  it('are chosen from by a click', async () => {
    await dropFiles(page, [LSTM_MODEL, GRU_MODEL]);
    await rows().first().click();
    await expect.poll(fileName, { timeout: 10_000 }).toContain('model.keras');
    await page.getByTestId('layer-list').getByText('GRU 4').first().waitFor();
    await dropFiles(page, [LSTM_MODEL]);
    await layer('memory');
  });
});

describe('weights without an architecture', () => {
  const order = () => page.getByTestId('layer-order');

  it('are listed with what is assumed about their order: nothing', async () => {
    await dropFiles(page, [join(ROOT, 'test/fixtures/keras/keras3-weights-v3-stacked/model.weights.h5')]);
    await order().waitFor();
    expect(await order().innerText()).toMatch(/no order is assumed/);
    await page.screenshot({ path: join(PICTURES, 'weights-only.png') });
    await dropFiles(page, [LSTM_MODEL]);
    await layer('memory');
    expect(await order().count()).toBe(0);
  });
});

describe('a file that is not right', () => {
  it('is named with its code, its message and what can be done; the open model stays', async () => {
    await dropFiles(page, [files.text]);
    expect(await problem()).toMatchObject({
      code: 'reader/unknown-format',
      message: expect.stringContaining('notes.keras'),
    });
    await layer('memory');
  });

  it('is told when it ends too early', async () => {
    await dropFiles(page, [files.truncated]);
    const { code, message, remedy } = await problem();
    expect(code).toMatch(/^reader\/(truncated|corrupt)$/);
    expect(message).not.toBe('');
    expect(remedy).not.toBe('');
    await layer('memory');
  });

  it('is told when its data does not fit the model, before and without running', async () => {
    await dropFiles(page, [files.wideTable]);
    await page.getByText('wide.csv · 40 × 5').waitFor();
    await page.getByTestId('run-button').click();
    const { code, message } = await problem();
    expect(code).toBe('input/shape-mismatch');
    expect(message).toMatch(/40, 5/);
    await layer('memory');
  });

  it('is opened with a higher limit when the user says so, which is forgotten with it', async () => {
    const padded = join(files.folder, 'padded.keras');
    await writePaddedModel(padded);
    await dropFiles(page, [padded]);
    await page.getByTestId('error-panel').waitFor();
    const raiser = page.getByTestId('limit-raiser');
    expect(await page.getByTestId('error-code').innerText()).toBe('reader/limit-exceeded');
    expect(await raiser.innerText()).toMatch(/maxZipRatio[\s\S]*200[\s\S]*unpacking/);
    await page.getByTestId('limit-value').fill('100');
    expect(await page.getByTestId('open-anyway').isDisabled()).toBe(true);
    await page.getByTestId('limit-value').fill('300');
    await page.getByTestId('open-anyway').click();
    // Still too low: the same limit again, with what the user had said.
    await raiser.getByText('300', { exact: true }).waitFor();
    await page.getByTestId('open-anyway').click();
    await expect.poll(fileName, { timeout: 10_000 }).toContain('padded.keras');
    await layer('memory');
    await page.getByTestId('run-button').click();
    await expect.poll(() => page.locator('.status-bar').innerText(), { timeout: 30_000 }).toMatch(/Done in/);
    await dropFiles(page, [padded]);
    await raiser.getByText('200', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await dropFiles(page, [LSTM_MODEL]);
    await expect.poll(fileName, { timeout: 10_000 }).toContain('model.keras');
  });

  it('is told when it is gone', async () => {
    const reply = await page.evaluate(() =>
      (window as never as { tempograd: { request(n: string, i: object): Promise<unknown> } }).tempograd.request(
        'openPaths',
        {
          paths: ['/nowhere/model.keras'],
        },
      ),
    );
    expect(reply).toMatchObject({ ok: false, error: { code: 'reader/not-readable' } });
  });
});

describe('what was opened', () => {
  it('is remembered, newest first, and survives a restart', async () => {
    const recent = await page.evaluate(async () => {
      const { tempograd } = window as never as {
        tempograd: { request(n: string, i: object): Promise<{ value: { recentFiles: string[] } }> };
      };
      return (await tempograd.request('getSettings', {})).value.recentFiles;
    });
    expect(recent[0]).toBe(LSTM_MODEL);
    expect(new Set(recent).size).toBe(recent.length);
  });
});
