/** The flow map as a user sees it: a sample, all pairs, a click on a cell, and the Jacobian behind it. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchApp, PICTURES, sendRequest, type RunningApp } from './launch-app';
import { CARRYING_MODEL } from './models';

let running: RunningApp;
let page: Page;

beforeAll(async () => {
  running = await launchApp({ args: [CARRYING_MODEL] });
  page = running.page;
  mkdirSync(PICTURES, { recursive: true });
  await page.getByTestId('layer-service_memory').waitFor();
  await page
    .getByTestId('engine-chip')
    .getByText(/TensorFlow|wasm|reference/i)
    .waitFor();
});

afterAll(async () => {
  expect(await running?.violations()).toEqual([]);
  await running?.close();
});

/** The numbers of a line like `0.01234  (log₁₀ −1.909)`. */
function logOf(text: string): number {
  const found = /log₁₀ ([−\d.]+)/.exec(text);
  if (!found) throw new Error(`no logarithm in "${text}"`);
  return Number(found[1]!.replace('−', '-'));
}

describe('the flow map', () => {
  it('is empty with one button before a run, and fills when it is pressed', async () => {
    await page.getByLabel('Timesteps T').fill('120');
    await page.getByTestId('tab-flow').click();
    await page.screenshot({ path: join(PICTURES, 'flow-empty.png') });
    await page.getByTestId('run-pairs').click();
    await page.getByText(/Done in/).waitFor({ timeout: 60_000 });
    await page.getByTestId('chart-flow').locator('canvas').first().waitFor();
  });

  it('shows the Jacobian behind a cell, whose norm is the number on the map', async () => {
    const box = (await page.getByTestId('chart-flow').locator('canvas').first().boundingBox())!;
    await page.waitForTimeout(500);
    // Left of the middle and near the bottom: a lag of some fifty steps.
    await page.mouse.click(box.x + box.width * 0.4, box.y + box.height * 0.8);
    await expect.poll(() => page.getByTestId('pair-block-norm').innerText(), { timeout: 20_000 }).toMatch(/log₁₀/);
    const map = logOf(await page.getByTestId('pair-map-norm').innerText());
    const block = logOf(await page.getByTestId('pair-block-norm').innerText());
    expect(Math.abs(map - block)).toBeLessThanOrEqual(0.0011);
    const target = Number(await page.getByTestId('pair-target').inputValue());
    const source = Number(await page.getByTestId('pair-source').inputValue());
    expect(target - source).toBeGreaterThan(10);
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.7);
    await page.screenshot({ path: join(PICTURES, 'flow-light.png') });
  });

  it('is exactly zero above the diagonal, the Jacobian too', async () => {
    const box = (await page.getByTestId('chart-flow').locator('canvas').first().boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.6, box.y + box.height * 0.2);
    await expect.poll(() => page.getByTestId('pair-block-norm').innerText(), { timeout: 20_000 }).toBe('0 (exact)');
    expect(await page.getByTestId('pair-map-norm').innerText()).toBe('0 (exact)');
    await page.getByTestId('pair-target').fill('100');
    await page.getByTestId('pair-target').press('Tab');
    await expect.poll(() => page.getByTestId('pair-block-norm').innerText(), { timeout: 20_000 }).toMatch(/log₁₀/);
  });

  it('moves by keys', async () => {
    const before = Number(await page.getByTestId('pair-source').inputValue());
    await page.getByTestId('chart-flow').press('ArrowRight');
    expect(Number(await page.getByTestId('pair-source').inputValue())).toBe(before + 1);
  });

  it('is legible in the dark, too', async () => {
    await sendRequest(page, 'setTheme', { theme: 'dark' });
    await page.locator('[data-theme="dark"]').first().waitFor();
    await page.waitForTimeout(600);
    await page.screenshot({ path: join(PICTURES, 'flow-dark.png') });
  });
});
