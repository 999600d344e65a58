/**
 * The flow map of four million cells: while it fills and after it, moving and zooming it never holds the window up for long.
 *
 * What is measured is the main thread's own work for each frame (the DevTools protocol's TaskDuration) over wheel turns and
 * pointer moves, so that neither the software renderer nor another process on the machine decides.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchApp, PICTURES, type RunningApp } from './launch-app';
import { CARRYING_MODEL } from './models';

const STEPS = '2000';
const MOVES = 60;

let running: RunningApp;
let page: Page;
let devtools: CDPSession;

beforeAll(async () => {
  running = await launchApp({ args: [CARRYING_MODEL] });
  page = running.page;
  devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable');
  await page.getByTestId('layer-service_memory').waitFor();
  await page
    .getByTestId('engine-chip')
    .getByText(/TensorFlow|wasm|reference/i)
    .waitFor();
});

afterAll(async () => {
  await running?.close();
});

async function taskMilliseconds(): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return 1000 * metrics.find(({ name }) => name === 'TaskDuration')!.value;
}

/** Frames since the window was opened. */
const frames = (): Promise<number> => page.evaluate(() => (window as unknown as { frames: number }).frames);

/** Counts frames from now on. */
const countFrames = (): Promise<void> =>
  page.evaluate(() => {
    const counter = window as unknown as { frames: number };
    counter.frames = 0;
    const count = (): void => {
      counter.frames += 1;
      requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
  });

/** Main-thread work of a frame around each step, sorted, milliseconds. */
async function workOf(step: (index: number) => Promise<void>): Promise<number[]> {
  const spent: number[] = [];
  for (let index = 0; index < MOVES; index += 1) {
    const [before, first] = [await taskMilliseconds(), await frames()];
    await step(index);
    await expect.poll(frames, { interval: 5 }).toBeGreaterThan(first);
    spent.push(((await taskMilliseconds()) - before) / ((await frames()) - first));
  }
  return spent.sort((a, b) => a - b);
}

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;

async function panAndZoom(name: string): Promise<number> {
  const box = (await page.getByTestId('chart-flow').locator('canvas').first().boundingBox())!;
  const [x, y] = [box.x + box.width * 0.4, box.y + box.height * 0.6];
  await page.mouse.move(x, y);
  const zoom = await workOf((index) => page.mouse.wheel(0, index % 20 < 10 ? -120 : 120));
  await page.mouse.wheel(0, -600);
  await page.mouse.down();
  const pan = await workOf((index) => page.mouse.move(x + 4 * (index % 30), y + 3 * (index % 30)));
  await page.mouse.up();
  const hover = await workOf((index) => page.mouse.move(x + 5 * (index % 40), y - 3 * (index % 40)));
  for (const [what, spent] of Object.entries({ zoom, pan, hover })) {
    console.log(
      `${name} ${what}: median ${quantile(spent, 0.5).toFixed(1)} ms, p95 ${quantile(spent, 0.95).toFixed(1)} ms`,
    );
  }
  return Math.max(quantile(zoom, 0.95), quantile(pan, 0.95), quantile(hover, 0.95));
}

describe('a flow map of four million cells', () => {
  it('is moved and zoomed without long waits while it fills and after it', async () => {
    await page.getByLabel('Timesteps T').fill(STEPS);
    await page.getByTestId('tab-flow').click();
    await page.getByTestId('run-pairs').click();
    await page.getByText(/Filling/).waitFor({ timeout: 60_000 });
    await countFrames();
    mkdirSync(PICTURES, { recursive: true });
    const filling = await panAndZoom('filling');
    await page.screenshot({ path: join(PICTURES, 'flow-filling.png') });
    await page.getByText(/Done in/).waitFor({ timeout: 100_000 });
    await page.waitForTimeout(1500);
    const whole = await panAndZoom('whole');
    await page.screenshot({ path: join(PICTURES, 'flow-whole.png') });
    // No target: a map that is drawn cell by cell takes seconds for a frame on any machine.
    expect(Math.max(filling, whole)).toBeLessThan(1000);
  });
});
