/**
 * Pictures of the window in each of its states, light and dark, from the built harness with the fake bridge.
 *
 * node test/renderer/harness/pictures.mjs [--only NAME] ; needs a Chromium (TEMPOGRAD_CHROMIUM or /usr/bin/chromium).
 * Writes out/pictures/NAME-THEME.png and prints every console error and policy violation it saw.
 */
import { createServer } from 'node:http';
import { mkdir, readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../../out/harness', import.meta.url));
const target = fileURLToPath(new URL('../../../out/pictures', import.meta.url));
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.woff2': 'font/woff2' };

const run = async (page) => {
  await page.getByTestId('sample-lstm-vanishing').click();
  await page.getByTestId('run-button').click();
};
const runMany = async (page, steps = 160, batch = 4) => {
  await page.getByTestId('sample-lstm-vanishing').click();
  await page.getByLabel('Timesteps T').fill(String(steps));
  await page.getByLabel('Sequences B').fill(String(batch));
  await page.getByTestId('run-button').click();
};
const done = (page) => page.getByText(/Done in/).waitFor({ timeout: 120_000 });
const view = async (page, name) => {
  await runMany(page);
  await done(page);
  await page.getByTestId(`tab-${name}`).click();
  await page.waitForTimeout(400);
};

/** name -> [options of the fake bridge, what is done] */
const SCENES = {
  empty: [
    { recent: ['/home/ada/models/turbine-forecast.keras', '/home/ada/models/vad/voice-activity.h5'] },
    async () => {},
  ],
  opened: [{}, (page) => page.getByTestId('sample-lstm-vanishing').click()],
  dragging: [
    {},
    async (page) => {
      await page.getByTestId('sample-lstm-vanishing').click();
      await page.evaluate(() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(['x'], 'a.csv'));
        window.dispatchEvent(new DragEvent('dragenter', { dataTransfer: transfer }));
      });
    },
  ],
  verdict: [
    {},
    async (page) => {
      await runMany(page);
      await done(page);
    },
  ],
  explain: [
    {},
    async (page) => {
      await runMany(page);
      await done(page);
      await page.locator('.picture').first().getByText('Explain').click();
      await page.locator('.picture').first().getByText('Table').click();
    },
  ],
  running: [
    { pace: 60 },
    async (page) => {
      await runMany(page);
      await page.waitForTimeout(2200);
    },
  ],
  cancelled: [
    { pace: 60 },
    async (page) => {
      await runMany(page);
      await page.waitForTimeout(2000);
      await page.getByTestId('cancel-button').click();
      await page.getByText(/Partial: cancelled/).waitFor();
    },
  ],
  failed: [
    { failAt: 0.7 },
    async (page) => {
      await runMany(page);
      await page.getByTestId('error-panel').waitFor();
    },
  ],
  steps: [{}, (page) => view(page, 'steps')],
  states: [{}, (page) => view(page, 'states')],
  weights: [{}, (page) => view(page, 'weights')],
  zero: [
    { zeroFrom: 90, verdicts: ['vanishing', 'undetermined'] },
    async (page) => {
      await runMany(page);
      await done(page);
    },
  ],
  nan: [
    { hasNaN: true, verdicts: ['undetermined', 'carried'] },
    async (page) => {
      await runMany(page);
      await done(page);
    },
  ],
  exploding: [
    { kind: 'SimpleRNN', slopes: [0.11, 0], verdicts: ['exploding', 'carried'], units: 24 },
    async (page) => {
      await run(page);
      await done(page);
    },
  ],
  bidirectional: [
    { bidirectional: true, units: 24 },
    async (page) => {
      await runMany(page);
      await done(page);
    },
  ],
  'no-recurrent': [{ hasRecurrent: false }, (page) => page.getByTestId('sample-lstm-vanishing').click()],
  'not-responding': [
    { engine: 'not-responding' },
    async (page) => {
      await run(page);
      await done(page);
    },
  ],
  'bad-file': [
    {
      openFailure: {
        code: 'reader/truncated',
        message: 'vad.h5 ends at byte 40 960; its superblock says 1 412 008.',
        remedy: 'Copy or download the file again; it is shorter than its own directory says.',
        details: {},
      },
    },
    (page) => page.getByTestId('sample-lstm-vanishing').click(),
  ],
  huge: [
    { units: 1024, inputDim: 64, chunk: 50 },
    async (page) => {
      await runMany(page, 10_000, 1);
      await done(page);
    },
  ],
};

const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, 'http://x').pathname);
  try {
    const body = await readFile(join(root, path === '/' ? 'index.html' : path));
    response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'text/html' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
await mkdir(target, { recursive: true });

const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1].split(',') : null;
const themes = process.argv.includes('--light') ? ['light'] : ['light', 'dark'];
const browser = await chromium.launch({
  executablePath: process.env.TEMPOGRAD_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu'],
});
for (const [name, [options, act]] of Object.entries(SCENES)) {
  if (only && !only.includes(name)) continue;
  for (const theme of themes) {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) console.log(`${name}-${theme}: ${message.text()}`);
    });
    page.on('pageerror', (error) => console.log(`${name}-${theme}: ${error.stack}`));
    const query = encodeURIComponent(JSON.stringify({ theme, ...options }));
    await page.goto(`http://127.0.0.1:${server.address().port}/?options=${query}`);
    await page.getByTestId('theme-toggle').waitFor();
    const start = Date.now();
    try {
      await act(page);
      await page.waitForTimeout(500);
    } catch (error) {
      console.log(`${name}-${theme}: ${error.message}`);
    }
    await page.screenshot({ path: join(target, `${name}-${theme}.png`) });
    console.log(`${name}-${theme} ${Date.now() - start} ms`);
    await page.close();
  }
}
await browser.close();
server.close();
