/** A run as a user sees it: started, drawn, cancelled, and survived when the engine does not. */
import { rmSync } from 'node:fs';
import type { ElectronApplication, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dropFiles, launchApp, type RunningApp } from './launch-app';
import { CARRYING_MODEL, makeDropFolder, type DropFolder } from './models';

/** Enough steps for a run of some seconds. */
const LONG = '30000';

let files: DropFolder;
let running: RunningApp;
let page: Page;

const status = (): Promise<string> => page.locator('footer, .status-bar').last().innerText();
const steps = (): ReturnType<Page['getByLabel']> => page.getByLabel('Timesteps T');

async function startLongRun(): Promise<void> {
  await steps().fill(LONG);
  await page.getByTestId('run-button').click();
  await page.getByTestId('cancel-button').waitFor();
  await expect
    .poll(() => page.getByTestId('progress').innerText(), { timeout: 30_000 })
    .toMatch(/Step Jacobians|Reaching back/);
}

/** Milliseconds from the press of Cancel until the window can run again. */
function cancelTime(): Promise<number> {
  return page.evaluate(async () => {
    const begun = performance.now();
    document.querySelector<HTMLButtonElement>('[data-testid="cancel-button"]')!.click();
    while (document.querySelector('[data-testid="run-button"]') === null)
      await new Promise((resolve) => setTimeout(resolve, 2));
    return performance.now() - begun;
  });
}

async function runToTheEnd(count: string): Promise<void> {
  await steps().fill(count);
  await page.getByTestId('run-button').click();
  await page
    .getByTestId('verdict-h')
    .getByText(/vanishing|carried|exploding|undetermined/i)
    .first()
    .waitFor();
  await page.getByTestId('run-button').waitFor();
}

/** Process id of the engine's own process. */
async function enginePid(app: ElectronApplication): Promise<number> {
  const pid = await app.evaluate(
    ({ app: main }) => main.getAppMetrics().find(({ name }) => name === 'tempograd-engine')?.pid,
  );
  if (pid === undefined) throw new Error('there is no engine process');
  return pid;
}

beforeAll(async () => {
  files = makeDropFolder();
  running = await launchApp({ args: [CARRYING_MODEL] });
  page = running.page;
  await page.getByTestId('layer-service_memory').waitFor();
  await page
    .getByTestId('engine-chip')
    .getByText(/TensorFlow|wasm|reference/i)
    .waitFor();
});

afterAll(async () => {
  expect(await running?.violations()).toEqual([]);
  await running?.close();
  rmSync(files.folder, { recursive: true, force: true });
});

describe('a run', () => {
  it('shows its verdicts, its curve and its estimate', async () => {
    await runToTheEnd('60');
    expect(await page.getByTestId('verdict-h').innerText()).toMatch(/nats per step/);
    expect(await page.getByTestId('verdict-c').isVisible()).toBe(true);
    const curve = page.getByTestId('chart-lag').locator('canvas').first();
    expect((await curve.boundingBox())?.height).toBeGreaterThan(100);
    expect(await page.getByTestId('estimate').innerText()).toMatch(/\d/);
  });

  it('runs on dropped data', async () => {
    await dropFiles(page, [files.eightColumns]);
    await page.getByText('eight.csv · 150 × 8').waitFor();
    await page.getByTestId('run-button').click();
    await expect.poll(status, { timeout: 20_000 }).toMatch(/Done/);
    await page.getByLabel('Input').selectOption({ label: 'Random numbers' });
  });

  it('is cancelled within 200 ms, keeps what was drawn, and is never an error', async () => {
    const pid = await enginePid(running.app);
    const times: number[] = [];
    // Another program may take the processor for a moment, which is not this one's delay: up to five attempts.
    while (times.length < 5 && !times.some((time) => time <= 200)) {
      await startLongRun();
      times.push(await cancelTime());
      expect(await page.getByTestId('error-panel').isVisible()).toBe(false);
      expect(await status()).toMatch(/cancelled/i);
    }
    expect(Math.min(...times)).toBeLessThanOrEqual(200);
    // And never by killing the process.
    expect(await enginePid(running.app)).toBe(pid);
  });

  it('is cancelled by Escape', async () => {
    await startLongRun();
    await page.keyboard.press('Escape');
    await page.getByTestId('run-button').waitFor({ timeout: 2000 });
  });
});

describe('an engine that is killed while it runs', () => {
  it('costs one clear message, and the next run works', async () => {
    await startLongRun();
    process.kill(await enginePid(running.app), 'SIGKILL');
    await page.getByTestId('error-panel').waitFor();
    expect(await page.getByTestId('error-panel').count()).toBe(1);
    expect(await page.getByTestId('error-code').innerText()).toBe('engine/stopped');
    expect(await page.getByTestId('error-remedy').innerText()).toMatch(/again/);
    await runToTheEnd('50');
    expect(await page.getByTestId('error-panel').count()).toBe(0);
  });

  it('is shown as not responding when it only hangs, and comes back', async () => {
    const pid = await enginePid(running.app);
    process.kill(pid, 'SIGSTOP');
    await page.getByText(/does not respond/).waitFor({ timeout: 8000 });
    process.kill(pid, 'SIGCONT');
    await page.getByText(/does not respond/).waitFor({ state: 'detached', timeout: 5000 });
    expect(await enginePid(running.app)).toBe(pid);
  });

  it('leaves the window alive while nothing runs, with the model in the next process', async () => {
    const before = await enginePid(running.app);
    process.kill(before, 'SIGKILL');
    await expect.poll(() => enginePid(running.app).catch(() => before), { timeout: 10_000 }).not.toBe(before);
    await runToTheEnd('40');
  });
});

describe('a window that stands still', () => {
  it('does not let the engine run ahead of it, and still gets the end', async () => {
    const counts = await page.evaluate(async (count) => {
      type Item = { readonly event?: { readonly kind: string } };
      const { tempograd } = window as unknown as {
        tempograd: {
          request(name: string, input: object): Promise<{ value: { runId: number } }>;
          onRunMessage(receive: (item: Item) => void): void;
        };
      };
      const pause = (milliseconds: number): Promise<unknown> =>
        new Promise((resolve) => setTimeout(resolve, milliseconds));
      let messages = 0;
      let ending = '';
      tempograd.onRunMessage(({ event }) => {
        if (event?.kind === 'cancelled') ending = event.kind;
        else messages++;
      });
      const request = {
        layer: 'service_memory',
        wrt: 'layer-input',
        atLayer: false,
        input: { kind: 'random', steps: count, batch: 1, seed: 0 },
        maskFile: null,
        initialStateFile: null,
        modes: ['diagonal', 'final'],
        engine: null,
        warmUp: null,
        span: null,
        exact: true,
        maxSeconds: null,
        maxMemoryBytes: null,
      };
      const reply = await tempograd.request('startRun', { request });
      for (let waited = 0; messages < 16 && waited < 30_000; waited += 50) await pause(50);
      await pause(1000);
      const reached = messages;
      await tempograd.request('cancelRun', { runId: reply.value.runId });
      for (let waited = 0; ending === '' && waited < 5000; waited += 50) await pause(50);
      return { reached, messages, ending };
    }, Number(LONG));
    // The first credit is for 16 messages or pieces; only the ending needs none.
    expect(counts).toEqual({ reached: 16, messages: 16, ending: 'cancelled' });
  });
});
