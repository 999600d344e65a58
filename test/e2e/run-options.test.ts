/** What lies behind More in the run bar does what the same options of the command do. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { npyHeader } from '../../src/export/npy-header';
import { NpzWriter } from '../../src/export/npz-writer';
import { openFileSink } from '../../src/host/file-sink';
import { answerDialogs, APP, launchApp, makeFolder, ROOT, type RunningApp } from './launch-app';

const SAMPLE = join(ROOT, 'resources/samples/vanishing-lstm.keras');
/** Units of its LSTM. */
const UNITS = 32;
const STEPS = 60;
const BATCH = 2;

type Summary = Record<string, unknown> & { run: Record<string, unknown>; model: Record<string, unknown> };

let folder: string;
let maskFile: string;
let statesFile: string;
let running: RunningApp;
let page: Page;

function commandLine(options: readonly string[]): Promise<Summary> {
  const words = [join(APP, 'out/main/cli.js'), 'analyze', SAMPLE, ...options, '--json', '--progress', 'none'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, words, { maxBuffer: 1e9 }, (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(JSON.parse(stdout) as Summary),
    );
  });
}

/** A summary without what no two runs share: time, and the path as it was typed. */
function comparable(summary: Summary): object {
  const { seconds: _seconds, ...run } = summary.run;
  const { path: _path, ...model } = summary.model;
  return JSON.parse(JSON.stringify({ ...summary, run, model })) as object;
}

/** Presses Run, waits for its end, and gives the summary that the window exports. */
async function runInWindow(): Promise<Summary> {
  await page.getByTestId('run-button').click();
  await expect.poll(() => page.locator('.status-bar').innerText(), { timeout: 30_000 }).toMatch(/Done in/);
  const path = join(folder, `window-${Date.now()}.json`);
  await answerDialogs(running.app, path);
  await page.locator('.verdict-pictures .picture').first().getByRole('button', { name: 'Export' }).click();
  await page.getByRole('menuitem', { name: /Summary/ }).click();
  await page.getByText(/^Saved window-/).waitFor();
  return JSON.parse(readFileSync(path, 'utf8')) as Summary;
}

/** Chooses a file in a native dialog. */
async function choose(testId: string, path: string): Promise<void> {
  await answerDialogs(running.app, path);
  await page.getByTestId(testId).click();
}

async function writeStates(path: string): Promise<void> {
  const shape = [BATCH, UNITS];
  const writer = new NpzWriter(openFileSink(path), [
    { name: 'h0', type: 'float32', shape },
    { name: 'c0', type: 'float32', shape },
  ]);
  const values = Float32Array.from({ length: BATCH * UNITS }, (_, at) => Math.sin(at) / 2);
  writer.write('h0', 0, values);
  writer.write(
    'c0',
    0,
    values.map((value) => -value),
  );
  await writer.close();
}

/** The last ten steps of the second sequence are padding. */
function writeMask(path: string): void {
  const mask = Float32Array.from({ length: BATCH * STEPS }, (_, at) => (at >= BATCH * STEPS - 10 ? 0 : 1));
  writeFileSync(path, Buffer.concat([npyHeader('float32', [BATCH, STEPS]), Buffer.from(mask.buffer)]));
}

beforeAll(async () => {
  folder = makeFolder('options');
  maskFile = join(folder, 'mask.npy');
  statesFile = join(folder, 'states.npz');
  writeMask(maskFile);
  await writeStates(statesFile);
  running = await launchApp({ args: [SAMPLE] });
  page = running.page;
  await page.getByTestId('layer-recent_load').waitFor();
  await page.getByLabel('Timesteps T').fill(String(STEPS));
  await page.getByLabel('Sequences B').fill(String(BATCH));
});

afterAll(async () => {
  expect(await running?.violations()).toEqual([]);
  await running?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('more options', () => {
  it('are out of the way until they are asked for', async () => {
    expect(await page.locator('#run-options').count()).toBe(0);
    await page.getByTestId('more-options').click();
    await page.locator('#run-options').waitFor();
    expect(await page.getByTestId('more-options').getAttribute('aria-expanded')).toBe('true');
  });

  it('say what is wrong with a number, and hold the run back', async () => {
    await page.getByTestId('span').fill('0');
    expect(await page.getByTestId('estimate').innerText()).toBe('Span takes a whole number from 1 on');
    expect(await page.getByTestId('run-button').isDisabled()).toBe(true);
    await page.getByTestId('span').fill('');
    await expect.poll(() => page.getByTestId('run-button').isDisabled()).toBe(false);
  });

  it('engine, warm-up, span, model input and initial state give what the command gives', async () => {
    await page.getByTestId('engine-choice').selectOption({ label: 'Reference, float64' });
    await page.getByTestId('warm-up').fill('20');
    await page.getByTestId('span').fill('500');
    await page.getByLabel('With respect to').selectOption('model-input');
    await choose('choose-initialState', statesFile);
    await page.getByTestId('choose-initialState').getByText('states.npz').waitFor();
    expect(await page.getByTestId('more-options').innerText()).toBe('More · 5 set');
    const seen = await runInWindow();
    const options = ['--steps', String(STEPS), '--batch', String(BATCH), '--engine', 'reference', '--warm-up', '20'];
    const expected = await commandLine([
      ...options,
      ...['--span', '500', '--wrt', 'model-input', '--initial-state', statesFile],
    ]);
    expect(comparable(seen)).toEqual(comparable(expected));
    // And not merely because the options are ignored on both sides.
    expect(comparable(await commandLine(options))).not.toEqual(comparable(expected));
  });

  it('a mask gives what the command gives, for an input at the layer', async () => {
    await page.getByTestId('reset-options').click();
    expect(await page.getByTestId('choose-mask').isDisabled()).toBe(true);
    await page
      .locator('label', { hasText: /^Input/ })
      .locator('select')
      .selectOption({ label: 'Random, at the layer' });
    await choose('choose-mask', maskFile);
    await page.getByTestId('choose-mask').getByText('mask.npy').waitFor();
    const seen = await runInWindow();
    const expected = await commandLine([
      ...['--steps', String(STEPS), '--batch', String(BATCH), '--at-layer', '--mask', maskFile],
    ]);
    expect(comparable(seen)).toEqual(comparable(expected));
  });

  it('a file that does not fit is said, and the next run works without it', async () => {
    await page.getByLabel('Timesteps T').fill('61');
    await page.getByTestId('run-button').click();
    await page.getByTestId('error-panel').waitFor();
    expect(await page.getByTestId('error-code').innerText()).toBe('input/shape-mismatch');
    await page.getByRole('button', { name: 'Without mask file' }).click();
    expect((await runInWindow()).run['steps']).toBe(61);
    expect(await page.getByTestId('error-panel').count()).toBe(0);
  });
});
