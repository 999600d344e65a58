/**
 * `tempograd analyze MODEL`: one run per layer asked for, its files, its summary, its exit code.
 */
import { appendFileSync, mkdirSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { recurrentLayers } from '../analysis/find-layer';
import { analyze } from '../analysis/analyze';
import { TempogradError } from '../core/errors';
import type { Summary } from '../core/summary';
import { renderReport } from '../export/report';
import { writeRun, type WriteHost } from '../export/write-run';
import { openFileSink } from '../host/file-sink';
import type { RunEvent, RunRequest } from '../shared/run';
import type { RunRecord } from '../shared/run-record';
import type { AnalyzeOrder } from './analyze-options';
import { EXIT, type Output } from './exit-codes';
import { makeProgress } from './progress';
import { openModelFile, readRunFiles } from './read-files';
import { verdictText } from './verdict-text';

/** What the run needs from its surroundings. */
export interface AnalyzeContext {
  readonly version: string;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly isTerminal: boolean;
}

const WRITE_HOST: WriteHost = {
  openSink: openFileSink,
  makeFolder: makeOutputFolder,
  join,
  freeBytes: (path) => {
    const { bavail, bsize } = statfsSync(dirname(resolve(path)));
    return bavail * bsize;
  },
};

/**
 * Runs the command in this process.
 *
 * @param order - The options.
 * @param context - Surroundings.
 * @returns The exit code.
 * @throws TempogradError of every family; nothing is written then.
 */
export async function analyzeCommand(order: AnalyzeOrder, context: AnalyzeContext): Promise<number> {
  const { output } = context;
  checkTargets(order);
  const file = await openModelFile(order.model, order.readerOptions, false);
  const data = await readRunFiles(order.request);
  const isAll = order.request.layer === 'all' && !file.model.layers.some(({ name }) => name === 'all');
  const layers = isAll ? recurrentLayers(file.model).map(({ layer }) => layer.name) : [order.request.layer];
  const names = fileNames(layers);
  const source = {
    format: file.model.format,
    producer: file.model.producer,
    path: order.model,
    bytes: file.bytes,
    sha256: file.sha256,
  };
  const progress = makeProgress(order.progress, context.isTerminal, output);
  const trace = makeTrace(order.trace);
  if (isAll && order.out !== null) makeOutputFolder(order.out);

  const records: RunRecord[] = [];
  for (const [index, layer] of layers.entries()) {
    const request: RunRequest = { ...order.request, layer };
    const steps = analyze({ model: file.model, source, version: context.version, request, data }, context.signal);
    const targets = {
      npz: order.out === null ? null : isAll ? join(order.out, `${names[index]!}.npz`) : order.out,
      csvFolder: order.csv === null ? null : isAll ? join(order.csv, names[index]!) : order.csv,
    };
    const { record, files } = await writeRun(steps, targets, WRITE_HOST, (event) => {
      progress.show(event);
      trace(event, layer);
    });
    progress.end();
    if (record.isCancelled) {
      output.err(
        `tempograd: cancelled; ${files.length > 0 ? `what was computed is in ${files.join(', ')}` : 'nothing was written'}\n`,
      );
      return EXIT.cancelled;
    }
    records.push(record);
  }
  const summaries = records.map(({ summary }) => summary!);
  await writeTexts(order, records, isAll ? { schema: 1, layers: summaries } : summaries[0]!);
  if (order.json !== true) output.out(summaries.map(verdictText).join('\n'));
  else output.out(`${JSON.stringify(isAll ? { schema: 1, layers: summaries } : summaries[0], null, 2)}\n`);
  return summaries.some((summary) => matches(summary, order)) ? EXIT.failOnMatched : EXIT.done;
}

function matches(summary: Summary, order: AnalyzeOrder): boolean {
  return [summary.hidden, summary.cell].some((verdict) => verdict !== null && order.failOn.includes(verdict.verdict));
}

async function writeTexts(order: AnalyzeOrder, records: readonly RunRecord[], summary: object): Promise<void> {
  if (typeof order.json === 'string') await writeText(order.json, `${JSON.stringify(summary, null, 2)}\n`);
  if (order.report !== null) await writeText(order.report, renderReport(records, basename(order.model)));
}

async function writeText(path: string, text: string): Promise<void> {
  const sink = openFileSink(path);
  try {
    sink.write(0, new TextEncoder().encode(text));
  } catch (error) {
    await sink.abort();
    throw error;
  }
  await sink.commit();
}

/** Refuses targets that would write over the model or over one another before anything is computed. */
function checkTargets(order: AnalyzeOrder): void {
  const targets = [order.out, order.report, order.trace, typeof order.json === 'string' ? order.json : null].filter(
    (path) => path !== null,
  );
  const taken = new Set([
    resolve(order.model),
    ...(order.request.input.kind === 'file' ? [resolve(order.request.input.path)] : []),
  ]);
  for (const path of targets) {
    if (taken.has(resolve(path))) {
      throw new TempogradError(
        'usage/bad-option',
        `${path} is named twice: an output would take the place of an input or of another output`,
      );
    }
    taken.add(resolve(path));
    openFileSinkFolder(path);
  }
}

/** A folder that is not there is told before the run, not after it. */
function openFileSinkFolder(path: string): void {
  void openFileSink(path).abort();
}

function makeOutputFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TempogradError('output/not-writable', `${path} cannot be made: ${reason}`, {
      details: { path, reason },
      cause,
    });
  }
}

/**
 * File names for layers: everything outside `[A-Za-z0-9._-]` becomes `_`, repeats get `-2`.
 *
 * @param layers - Layer names.
 */
export function fileNames(layers: readonly string[]): readonly string[] {
  const used = new Map<string, number>();
  return layers.map((layer) => {
    const base = layer.replace(/[^A-Za-z0-9._-]/g, '_');
    const count = (used.get(base) ?? 0) + 1;
    used.set(base, count);
    return count === 1 ? base : `${base}-${count}`;
  });
}

/** One line of JSON per stage: name, seconds, resident bytes. */
function makeTrace(path: string | null): (event: RunEvent, layer: string) => void {
  if (path === null) return () => undefined;
  writeFileSync(path, '');
  let stage = 'start';
  let since = performance.now();
  return (event, layer) => {
    const next = event.kind === 'progress' ? event.stage : event.kind === 'done' ? 'done' : stage;
    if (next === stage) return;
    const now = performance.now();
    const line = { layer, stage, seconds: (now - since) / 1000, residentBytes: process.memoryUsage.rss() };
    if (stage !== 'start') appendFileSync(path, `${JSON.stringify(line)}\n`);
    stage = next;
    since = now;
  };
}
