/** C12: how soon the window can be used, and a large model is open in it; measured by a script of the checkout. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { findRoot } from '../../host/paths';
import type { Spread } from './bench-result';
import { runProgram } from './run-program';

/** Starts the window, an empty one beside it, and opens a model. */
const SCRIPT = ['bench', 'window-start.mjs'] as const;

/** At most so many times the empty window, and the reading of the file. */
const TARGETS = { start: 1.5, open: 2 } as const;

/** What was measured, seconds. */
export interface WindowResult {
  readonly emptyStart: Spread;
  readonly start: Spread;
  readonly readFile: Spread;
  readonly openModel: Spread;
  readonly modelBytes: number;
  /** Milliseconds from the first paint to the start of the engine's process; null where it had not begun in time. */
  readonly isEngineAfterPaint: boolean;
  readonly startRatio: number;
  readonly openRatio: number;
  readonly isMet: boolean;
}

/**
 * The figures of the window, or why there are none.
 *
 * @param signal - Ends it.
 */
export async function measureWindow(signal: AbortSignal): Promise<WindowResult | { readonly why: string }> {
  const script = join(findRoot(import.meta.url), ...SCRIPT);
  if (!existsSync(script)) return { why: 'it needs a checkout of the source' };
  const { code, out, err } = await runProgram(process.execPath, [script, '--json'], signal);
  if (code !== 0) return { why: err.trim().split('\n').at(-1) ?? `its script ended with ${code}` };
  const figures = JSON.parse(out) as Omit<WindowResult, 'startRatio' | 'openRatio' | 'isMet'>;
  const startRatio = figures.start.median / figures.emptyStart.median;
  const openRatio = figures.openModel.median / figures.readFile.median;
  const isMet = startRatio <= TARGETS.start && openRatio <= TARGETS.open && figures.isEngineAfterPaint;
  return { ...figures, startRatio, openRatio, isMet };
}

/**
 * The lines of the case.
 *
 * @param result - What was measured.
 */
export function windowText(result: WindowResult): string {
  const show = ({ median, min, max }: Spread): string =>
    `${(median * 1000).toFixed(0)} ms (${(min * 1000).toFixed(0)} to ${(max * 1000).toFixed(0)})`;
  return [
    'C12  cold start of the window; a model of 100 MB opened in it',
    `  start           ${show(result.start)}, an empty window ${show(result.emptyStart)}`,
    `  ratio           ${result.startRatio.toFixed(2)}, target ${TARGETS.start}`,
    `  open            ${show(result.openModel)}, reading the file ${show(result.readFile)}`,
    `  ratio           ${result.openRatio.toFixed(2)}, target ${TARGETS.open}`,
    `  engine          ${result.isEngineAfterPaint ? 'loads after the first paint' : 'loads before the first paint'}`,
    `  result          ${result.isMet ? 'met' : 'missed'}`,
  ].join('\n');
}
