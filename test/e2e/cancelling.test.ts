/**
 * Cancel at moments spread over a long run: it ends as cancelled, by itself, whatever the run is doing.
 *
 * The times depend on what else the machine does, so they are printed, not judged; running.test.ts holds the 200 ms.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerDialogs, launchApp, makeFolder, PICTURES, type RunningApp } from './launch-app';
import { writeLstm } from './models';

const STEPS = '60000';
const UNITS = 64;
/** Milliseconds after Run: at once, while states are computed, sent and drawn, and while Jacobians are. */
const MOMENTS = [0, 30, 100, 300, 500, 700, 900, 1200, 1800, 3000, 5000];

interface Cancelled {
  /** When Cancel was pressed, milliseconds after Run. */
  readonly at: number;
  /** What the run bar said then. */
  readonly stage: string;
  /** Milliseconds from the press until the bar offers Run again. */
  readonly took: number;
}

let folder: string;
let running: RunningApp;
let page: Page;

/** Presses Run, then Cancel after a while, as quickly as the page lets it. */
function runAndCancel(after: number): Promise<Cancelled> {
  return page.evaluate(async (wait) => {
    const pause = (milliseconds: number): Promise<unknown> =>
      new Promise((resolve) => setTimeout(resolve, milliseconds));
    const find = (id: string): HTMLElement | null => document.querySelector(`[data-testid="${id}"]`);
    const start = performance.now();
    find('run-button')!.click();
    while (find('cancel-button') === null) await pause(1);
    while (performance.now() - start < wait) await pause(2);
    const pressed = performance.now();
    const stage = find('progress')!
      .innerText.replace(/^\d+ % · /, '')
      .split(' ·')[0]!;
    find('cancel-button')!.click();
    while (find('run-button') === null) await pause(1);
    return { at: Math.round(pressed - start), stage, took: Math.round(performance.now() - pressed) };
  }, after);
}

const enginePid = (): Promise<number | undefined> =>
  running.app.evaluate(({ app }) => app.getAppMetrics().find(({ name }) => name === 'tempograd-engine')?.pid);

beforeAll(async () => {
  folder = makeFolder('cancel');
  await writeLstm(join(folder, 'long.h5'), UNITS);
  running = await launchApp({ args: [join(folder, 'long.h5')] });
  page = running.page;
  await page.getByTestId('layer-memory').waitFor();
  await page
    .getByTestId('engine-chip')
    .getByText(/TensorFlow|wasm|reference/i)
    .waitFor();
  await page.getByLabel('Timesteps T').fill(STEPS);
});

afterAll(async () => {
  await running?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('Cancel', () => {
  it.each(['verdict', 'states'])('ends a run at every moment, with the %s on show', async (view) => {
    await page.getByTestId(`tab-${view}`).click();
    const pid = await enginePid();
    const cancels: Cancelled[] = [];
    for (const moment of MOMENTS) {
      cancels.push(await runAndCancel(moment));
      const bar = await page.locator('.status-bar').innerText();
      expect(bar).toMatch(/cancelled|Not run yet/);
      expect(await page.getByTestId('error-panel').count()).toBe(0);
    }
    console.info(
      `Cancel at T = ${STEPS}, H = ${UNITS}, ${view}: ` +
        cancels.map(({ at, stage, took }) => `${took} ms (at ${at} ms, ${stage})`).join(', '),
    );
    // Never by killing the process.
    expect(await enginePid()).toBe(pid);
    // The moments did reach the parts of a run that they are meant for.
    expect(new Set(cancels.map(({ stage }) => stage)).size).toBeGreaterThan(1);
  });

  it.each([
    ['CSV', 'Tables'],
    ['NPZ', 'Arrays'],
  ])('ends an export as %s and leaves its folder as it was', async (_format, item) => {
    await page.getByTestId('tab-verdict').click();
    await runAndCancel(1500);
    const target = join(folder, item);
    mkdirSync(target);
    writeFileSync(join(target, 'final.csv'), 'mine');
    await answerDialogs(running.app, item === 'Tables' ? target : join(target, 'run.npz'));
    await page.locator('.verdict-pictures .picture').first().getByRole('button', { name: 'Export' }).click();
    await page.getByRole('menuitem', { name: new RegExp(item) }).click();
    await page.getByTestId('cancel-export').waitFor();
    // Until it has begun to write.
    await expect.poll(() => readdirSync(target).length, { timeout: 20_000 }).toBeGreaterThan(1);
    // It says how far it is, and goes on.
    const percent = async (): Promise<number> => parseInt(await page.getByTestId('export-percent').innerText(), 10);
    const first = await percent();
    await expect.poll(percent, { timeout: 20_000 }).toBeGreaterThan(first);
    await page.screenshot({ path: join(PICTURES, `exporting-${item.toLowerCase()}.png`) });
    // A run waits for it, says so, and can be cancelled at once.
    await page.getByTestId('run-button').click();
    expect(await page.getByTestId('progress').innerText()).toBe('Waiting for the export…');
    await page.getByTestId('cancel-button').click();
    await page.getByTestId('run-button').waitFor({ timeout: 2000 });
    const pressed = performance.now();
    await page.getByTestId('cancel-export').click();
    await page.getByText('Export cancelled; nothing was written').waitFor();
    console.info(`Cancel of an export as ${item}: ${Math.round(performance.now() - pressed)} ms`);
    expect(readdirSync(target)).toEqual(['final.csv']);
    expect(readFileSync(join(target, 'final.csv'), 'utf8')).toBe('mine');
    expect(await page.getByTestId('error-panel').count()).toBe(0);
  });

  it('leaves nothing behind that the next run could not do without', async () => {
    await page.getByTestId('tab-verdict').click();
    await page.getByLabel('Timesteps T').fill('100');
    await page.getByTestId('run-button').click();
    await page
      .getByTestId('verdict-h')
      .getByText(/vanishing|carried|exploding|undetermined/i)
      .first()
      .waitFor();
  });
});
