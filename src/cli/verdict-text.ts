/**
 * A summary as the few lines that a person reads in a terminal.
 */
import {
  formatConfidence,
  formatSeconds,
  formatSlopeInterval,
  formatSteps,
  formatVerdictHorizon,
} from '../charts/number-format';
import type { ErrorRecord } from '../core/errors';
import { projectionText, type LayerVerdict, type StateVerdict, type Summary } from '../core/summary';
import type { RunPart } from '../shared/run';
import { spectrumText } from './spectrum-text';
import { columns, oneLine } from './terminal-text';

/** A layer that `--layer all` leaves out, and why. */
export interface SkippedLayer extends Pick<ErrorRecord, 'code' | 'message' | 'remedy'> {
  readonly layer: string;
}

/**
 * The lines of one layer's verdict.
 *
 * @param summary - The summary.
 * @param lags - How many lags there are: T of x.
 * @param places - Where the arrays were written, empty where they were not.
 */
export function verdictText(summary: Summary, lags: number, places: readonly string[] = []): string {
  const { layer, run, engine } = summary;
  const size = `${layer.kind} ${layer.units} <- ${layer.inputDim}${projectionText(layer)}, ${layer.direction}`;
  const hasVerdict = run.modes.includes('final');
  const rows = [...figureRows('h', summary.hidden, lags), ...(summary.cell ? figureRows('c', summary.cell, lags) : [])];
  const lines = [
    `${layer.name}  ${size}; ${run.batch} × ${run.steps} ${run.steps === 1 ? 'step' : 'steps'} of ${inputText(summary)}; ${engine.name === 'reference' ? 'reference engine' : engine.version} in ${formatSeconds(run.seconds)}`,
    ...(hasVerdict ? columns(rows).map((row) => `  ${row}`) : computedText(summary, places)),
    ...(hasVerdict
      ? [`  h: ${summary.hidden.why}`]
      : ['  no verdict: it rests on the mode final, which was not asked for']),
    ...(hasVerdict && summary.cell ? [`  c: ${summary.cell.why}`] : []),
    ...(hasVerdict ? pairsText(summary, places) : []),
    ...spectrumText(summary).map((line) => `  ${line}`),
  ];
  for (const { what, assumed, change } of summary.assumptions)
    lines.push(`  assumed: ${what}: ${assumed}${change ? ` (${change} changes it)` : ''}`);
  // Diagnostics that were left out are of interest only where diagnostics are shown: in the JSON and the report.
  const shown = summary.warnings.filter(({ code }) => code !== 'diagnostics/left-out');
  for (const { code, message } of shown) lines.push(`  warning: ${code}: ${message}`);
  return `${lines.map(oneLine).join('\n')}\n`;
}

/**
 * The lines of a part of a run.
 *
 * @param summary - The summary.
 * @param part - Which part.
 */
export function partText({ layer, run }: Summary, { index, count, sequences, tiles }: RunPart): string {
  const last = sequences.first + sequences.count - 1;
  const own = [
    ...(sequences.count === 0 ? [] : [`sequences ${sequences.first} to ${last} of ${run.batch}`]),
    ...tiles
      .filter(({ first, end }) => end > first)
      .map(({ direction, first, end, total }) => `tiles ${first} to ${end - 1} of ${total} of the pairs, ${direction}`),
  ];
  const holds = own.length === 0 ? 'nothing: the run has fewer pieces than parts' : own.join('; ');
  return `${oneLine(layer.name)}  part ${index} of ${count}: ${holds}; computed in ${formatSeconds(run.seconds)}\n  no verdict: it rests on all parts, which \`tempograd merge\` puts together\n`;
}

/** What a run without a verdict has computed. */
function computedText(summary: Summary, places: readonly string[]): string[] {
  const { modes } = summary.run;
  const others = modes.filter((mode) => mode !== 'pairs' && mode !== 'spectrum');
  const line = others.length > 0 ? [`  computed: ${others.join(', ')}; ${placesText(places)}`] : [];
  return [...line, ...pairsText(summary, places)];
}

/** How many norms the mode pairs gives, and where they are. */
function pairsText({ run, cell }: Summary, places: readonly string[]): string[] {
  if (!run.modes.includes('pairs')) return [];
  const { batch, steps } = run;
  const pairs = (steps * (steps + 1)) / 2;
  const count = `${pairs} pairs of a step and one not later${batch > 1 ? `, of each of ${batch} sequences` : ''}`;
  return [`  pairs: log norms of h${cell ? ', c' : ''} and the state for ${count}; ${placesText(places)}`];
}

function placesText(places: readonly string[]): string {
  return places.length > 0 ? `in ${places.join(', ')}` : '--out FILE or --csv FOLDER writes them';
}

/** What the sequences were. */
function inputText({ run }: Summary): string {
  return run.input === null ? `random input, seed ${run.seed ?? 0}` : run.input;
}

/** One row per state, then one per direction where there are two. */
function figureRows(name: string, verdict: LayerVerdict, lags: number): string[][] {
  const rows = [figures(name, verdict, lags)];
  if (verdict.forward) rows.push(figures(`${name} forward`, verdict.forward, lags));
  if (verdict.backward) rows.push(figures(`${name} backward`, verdict.backward, lags));
  return rows;
}

function figures(name: string, verdict: StateVerdict, lags: number): string[] {
  const slope = formatSlopeInterval(verdict.slope, verdict.slopeInterval);
  return [
    name,
    verdict.verdict,
    `slope ${slope}${verdict.slope === null ? '' : ' nats/step'}`,
    `${(verdict.slope ?? 0) > 0 ? 'doubling' : 'half-life'} ${formatSteps(verdict.halfLife)}`,
    `horizon ${formatVerdictHorizon(verdict, lags)}`,
    `confidence ${formatConfidence(verdict.confidence)}`,
  ];
}

/**
 * The lines of a layer that was left out.
 *
 * @param skipped - The layer.
 */
export function skippedText({ layer, code, message, remedy }: SkippedLayer): string {
  return `${oneLine(layer)}  left out: ${code}: ${oneLine(message)}\n  ${oneLine(remedy)}\n`;
}

/**
 * The line that names the files written; nothing without any.
 *
 * @param files - Their paths.
 */
export function writtenText(files: readonly string[]): string {
  return files.length === 0 ? '' : `\nwritten: ${oneLine(files.join(', '))}\n`;
}
