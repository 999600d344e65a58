/** Every view in both themes: rules of WCAG 2.1 A and AA by axe, and a picture of each to look at. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dropFiles, launchApp, makeFolder, PICTURES, ROOT, type RunningApp } from './launch-app';
import { makeDropFolder, makeModelFolder, writePaddedModel } from './models';

const THEMES = ['light', 'dark'] as const;
const VIEWS = ['verdict', 'flow', 'steps', 'states', 'weights'] as const;

let running: RunningApp;
let page: Page;

async function setTheme(theme: string): Promise<void> {
  await page.evaluate(async (name) => {
    const { tempograd } = window as unknown as {
      tempograd: { request(name: string, input: object): Promise<unknown> };
    };
    await tempograd.request('setTheme', { theme: name });
  }, theme);
  await page.waitForTimeout(300);
}

/** What axe objects to, one line each; and a picture. */
async function inspect(name: string): Promise<string[]> {
  await page.waitForTimeout(400);
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    type Found = { id: string; nodes: { target: string[]; failureSummary: string }[] };
    const { axe: rules } = window as unknown as {
      axe: { run(root: Document, options: object): Promise<{ violations: Found[] }> };
    };
    const { violations } = await rules.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] });
    return violations.flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.target.join(' ')}: ${node.failureSummary.replace(/\s+/g, ' ')}`),
    );
  });
}

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  running = await launchApp();
  page = running.page;
  // While the engine starts its chip fades in and out, which axe would measure at a chance moment.
  await page
    .getByTestId('engine-chip')
    .getByText(/TensorFlow|wasm|reference/i)
    .waitFor();
});

afterAll(async () => {
  expect(await running?.violations()).toEqual([]);
  await running?.close();
});

describe('the empty window', () => {
  it('offers the four samples', async () => {
    await page.getByTestId('sample-vanishing-lstm').waitFor();
    expect(await page.locator('[data-testid^="sample-"]').count()).toBe(4);
  });

  it.each(THEMES)('meets the rules in the %s theme', async (theme) => {
    await setTheme(theme);
    expect(await inspect(`empty-${theme}`)).toEqual([]);
  });
});

describe('a sample that was run', () => {
  it('is opened by one click and run by another', async () => {
    await page.getByTestId('sample-carrying-lstm').click();
    await page.getByTestId('layer-service_memory').waitFor();
    await page.getByRole('button', { name: 'All pairs' }).click();
    await page.getByTestId('run-button').click();
    await page
      .getByTestId('verdict-c')
      .getByText(/carried/i)
      .first()
      .waitFor({ timeout: 20_000 });
  });

  for (const theme of THEMES) {
    it.each(VIEWS)(`meets the rules in the ${theme} theme: %s`, async (view) => {
      await setTheme(theme);
      await page.getByTestId(`tab-${view}`).click();
      await page.waitForTimeout(300);
      expect(await inspect(`${view}-${theme}`)).toEqual([]);
    });
  }

  it('meets the rules with more options on show', async () => {
    await page.getByTestId('tab-verdict').click();
    await page.getByTestId('more-options').click();
    for (const theme of THEMES) {
      await setTheme(theme);
      expect(await inspect(`options-${theme}`)).toEqual([]);
    }
    await page.getByTestId('more-options').click();
  });

  it('meets the rules with an error on show', async () => {
    await dropFiles(page, [makeDropFolder().text]);
    await page.getByTestId('error-panel').waitFor();
    for (const theme of THEMES) {
      await setTheme(theme);
      expect(await inspect(`error-${theme}`)).toEqual([]);
    }
  });
});

describe('what is asked when a file is opened', () => {
  it('meets the rules: which of several models', async () => {
    const folder = makeModelFolder();
    await dropFiles(page, [folder, join(folder, 'checkpoint')]);
    await page.getByTestId('candidates').waitFor();
    for (const theme of THEMES) {
      await setTheme(theme);
      expect(await inspect(`chooser-${theme}`)).toEqual([]);
    }
    await page.keyboard.press('Escape');
  });

  it('meets the rules: a limit that could be raised', async () => {
    const padded = join(makeFolder('padded'), 'padded.keras');
    await writePaddedModel(padded);
    await dropFiles(page, [padded]);
    await page.getByTestId('limit-raiser').waitFor();
    for (const theme of THEMES) {
      await setTheme(theme);
      expect(await inspect(`limit-${theme}`)).toEqual([]);
    }
  });
});

describe('weights without an architecture', () => {
  it('meet the rules', async () => {
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await dropFiles(page, [join(ROOT, 'test/fixtures/keras/keras3-weights-v3-stacked/model.weights.h5')]);
    await page.getByTestId('layer-order').waitFor();
    for (const theme of THEMES) {
      await setTheme(theme);
      expect(await inspect(`weights-only-${theme}`)).toEqual([]);
    }
  });
});

describe('the keyboard', () => {
  it('reaches the tabs and moves between them', async () => {
    await page.getByTestId('tab-verdict').click();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => page.getByTestId('tab-flow').getAttribute('aria-selected')).toBe('true');
  });

  it('shows where it is', async () => {
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => {
      const style = getComputedStyle(document.activeElement!);
      return [style.outlineStyle, style.boxShadow];
    });
    expect(outline[0] !== 'none' || outline[1] !== 'none').toBe(true);
  });
});
