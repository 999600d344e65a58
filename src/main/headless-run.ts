/**
 * The window without anyone to look at it: the same page, the same run, then a report, a screenshot, the verdict on
 * standard output, and the end of the program.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BrowserWindow, NativeImage } from 'electron';
import { TempogradError, fromErrorRecord, toErrorRecord, type ErrorCode, type ErrorRecord } from '../core/errors';
import type { StateVerdict, Summary } from '../core/summary';
import { openFileSink } from '../host/file-sink';
import type { ModelChoice, OpenOutcome, OpenedModel, Reply } from '../shared/contract';
import type { RunRequest } from '../shared/run';
import { safeStem } from './dialogs';
import type { RunEnding } from './engine-messages';
import type { EngineSupervisor } from './engine-supervisor';
import type { ModelSession } from './model-session';

/** Time for the page to draw after the end of a run. */
const DRAW_LIMIT_MS = 20_000;

/** Time for the page to start the run after it was told to. */
const START_LIMIT_MS = 30_000;

/** Longest run that is waited for. */
const RUN_LIMIT_MS = 240_000;

const EXIT = { done: 0, bug: 1, usage: 2, expected: 3, engine: 4 };

const ENGINE_FAILURES: readonly ErrorCode[] = ['engine/stopped', 'engine/native-library-missing'];

/** A run that has ended. */
export interface EndedRun {
  readonly runId: number;
  readonly request: RunRequest;
  readonly ending: RunEnding;
}

/** What a headless run is given. */
export interface HeadlessOptions {
  readonly window: BrowserWindow;
  readonly supervisor: EngineSupervisor;
  readonly model: ModelSession;
  /** Absolute path of the folder for report and screenshot; it is made. */
  readonly folder: string;
  readonly open: () => Promise<Reply<OpenOutcome>>;
  /** Gives a command to the page. */
  readonly command: (id: string) => void;
  /** The next run that ends. */
  readonly ended: Promise<EndedRun>;
}

/**
 * The exit code after everything is written and printed.
 *
 * @param options - The window and what is to be done with it.
 */
export async function runHeadless(options: HeadlessOptions): Promise<number> {
  try {
    const lines = await perform(options);
    process.stdout.write(`${lines.join('\n')}\n`);
    return EXIT.done;
  } catch (error) {
    return report(toErrorRecord(error));
  }
}

async function perform(options: HeadlessOptions): Promise<readonly string[]> {
  const { window, supervisor, model, folder } = options;
  const opened = await options.open();
  if (!opened.ok) throw fromErrorRecord(opened.error);
  if (opened.value.choice !== null) throw severalModels(opened.value.choice);
  if (opened.value.model === null) throw new Error('a headless run was given no model');
  checkLayers(opened.value.model);
  await supervisor.ready();
  await pageShows(window, '[data-testid="run-button"]:not(:disabled)', START_LIMIT_MS);
  options.command('run');
  const { request, ending } = await within(options.ended, RUN_LIMIT_MS, 'the run');
  if (ending.kind === 'failed') throw fromErrorRecord(ending.error);
  if (ending.kind === 'cancelled') throw new TempogradError('engine/stopped', 'The run was cancelled');
  await pageShows(window, '[data-testid="verdict-h"]', DRAW_LIMIT_MS);
  const picture = await settledPicture(window);

  mkdirSync(folder, { recursive: true });
  const stem = safeStem(model.current?.fileName ?? 'model');
  const screenshot = join(folder, `${stem}.screenshot.png`);
  const sink = openFileSink(screenshot);
  sink.write(0, new Uint8Array(picture.toPNG()));
  await sink.commit();
  const order = { request, format: 'report', path: join(folder, `${stem}.report.html`) } as const;
  const written = await supervisor.call('exportRun', order);
  if (written === null) throw new TempogradError('engine/stopped', 'The report was cancelled');
  return [...verdictLines(ending.summary), `report:     ${written.path}`, `screenshot: ${screenshot}`];
}

/**
 * The verdict of a run in a few lines.
 *
 * @param summary - The run.
 */
export function verdictLines(summary: Summary): readonly string[] {
  const { layer, run, engine } = summary;
  const states: readonly (readonly [string, StateVerdict | null])[] = [
    ['h', summary.hidden],
    ['c', summary.cell],
  ];
  return [
    `${layer.name}: ${layer.kind}, ${layer.units} units, T ${run.steps}, B ${run.batch}, engine ${engine.name} (${engine.reason})`,
    ...states.flatMap(([name, verdict]) => (verdict ? [`${name}: ${verdict.verdict}. ${verdict.why}`] : [])),
  ];
}

/** Nobody is there to choose. */
function severalModels({ models }: ModelChoice): TempogradError {
  const names = models.map(({ fileName }) => fileName).join(', ');
  return new TempogradError('usage/bad-option', `Several models at once: ${names}`, { remedy: 'Give one of them.' });
}

/** The page offers no run where there is nothing to analyse. */
function checkLayers({ fileName, description }: OpenedModel): void {
  if (description.layers.some(({ kind, supported }) => kind !== null && supported)) return;
  const refused = description.layers.find(({ reason }) => reason !== null);
  const why = refused ? `; ${refused.name}: ${refused.reason}` : '';
  throw new TempogradError('cell/none-found', `${fileName} has no recurrent layer that can be analysed${why}`);
}

/** Whether a picture in the page is still being painted. */
async function isPainting(window: BrowserWindow): Promise<boolean> {
  return (await window.webContents.executeJavaScript(`document.querySelector('[aria-busy="true"]') !== null`)) === true;
}

/** The picture once two in a row are the same: maps are painted in slices, fonts come late. */
async function settledPicture(window: BrowserWindow): Promise<NativeImage> {
  let before = '';
  for (let attempt = 0; attempt < 40; attempt++) {
    await pause(250);
    if (await isPainting(window)) continue;
    const picture = await window.webContents.capturePage();
    const bytes = picture.toPNG().toString('base64');
    if (bytes === before && !picture.isEmpty()) return picture;
    before = bytes;
  }
  throw new Error('the window did not come to rest');
}

/** Resolves when the page shows an element that fits a selector. */
async function pageShows(window: BrowserWindow, selector: string, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (Date.now() < end) {
    const isThere: unknown = await window.webContents.executeJavaScript(
      `document.querySelector(${JSON.stringify(selector)}) !== null`,
    );
    if (isThere === true) return;
    await pause(50);
  }
  throw new Error(`the page did not show ${selector} within ${limitMs / 1000} s`);
}

function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  const late = pause(limitMs).then(() => {
    throw new TempogradError('engine/time-limit', `${what} did not end within ${limitMs / 1000} s`);
  });
  return Promise.race([promise, late]);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Prints the two lines of an error as docs/cli.md says and gives the exit code. */
function report(error: ErrorRecord): number {
  process.stderr.write(`tempograd: ${error.code}: ${error.message}\n  ${error.remedy}\n`);
  if (error.code === 'bug') process.stderr.write(`${String(error.details['stack'])}\n`);
  if (error.code === 'bug') return EXIT.bug;
  if (error.code === 'usage/bad-option') return EXIT.usage;
  return ENGINE_FAILURES.includes(error.code) ? EXIT.engine : EXIT.expected;
}
