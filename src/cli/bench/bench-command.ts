/** `tempograd bench`: every case as a ratio of this machine's own speed, measured in the same run. */
import { availableParallelism } from 'node:os';
import { TempogradError } from '../../core/errors';
import { availableEngines } from '../../engine/load-engine';
import { EXIT, type Output } from '../exit-codes';
import { BENCH_CASES, type BenchCase } from './cases';
import type { BenchResult } from './bench-result';
import { runCase } from './run-case';

/** A case that could not run here. */
interface SkippedCase {
  readonly id: string;
  readonly why: string;
}

/**
 * Measures the cases and prints them.
 *
 * @param ids - Ids of cases; all when empty.
 * @param isJson - JSON instead of text.
 * @param output - Where to print.
 * @param signal - Ends the measurement.
 * @returns Exit code 0; a missed target is printed and is no failure, because a busy machine misses it too.
 * @throws TempogradError `usage/bad-option` for an id that does not exist.
 */
export async function benchCommand(
  ids: readonly string[],
  isJson: boolean,
  output: Pick<Output, 'out'>,
  signal: AbortSignal,
): Promise<number> {
  const cases = chooseCases(ids);
  const results: BenchResult[] = [];
  const skipped: SkippedCase[] = [];
  const missing = new Map(
    availableEngines()
      .filter(({ isPresent }) => !isPresent)
      .map(({ name, why }) => [name, why]),
  );
  for (const benchCase of cases) {
    const why = missing.get(benchCase.engine);
    if (why !== undefined) {
      skipped.push({ id: benchCase.id, why: `engine ${benchCase.engine} is missing: ${why}` });
      continue;
    }
    const result = await runCase(benchCase, signal);
    results.push(result);
    if (!isJson) output.out(`${textOf(result, benchCase)}\n`);
  }
  const machine = {
    cores: availableParallelism(),
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
  };
  if (isJson) output.out(`${JSON.stringify({ schema: 1, machine, cases: results, skipped }, null, 2)}\n`);
  else for (const { id, why } of skipped) output.out(`${id}: not run, ${why}\n`);
  return EXIT.done;
}

function chooseCases(ids: readonly string[]): readonly BenchCase[] {
  const known = BENCH_CASES.map(({ id }) => id);
  const unknown = ids.filter((id) => !known.includes(id.toUpperCase()));
  if (unknown.length > 0) {
    throw new TempogradError('usage/bad-option', `no benchmark case ${unknown.join(', ')}`, {
      remedy: `Cases: ${known.join(', ')}.`,
    });
  }
  const wanted = ids.map((id) => id.toUpperCase());
  return BENCH_CASES.filter(({ id }) => wanted.length === 0 || wanted.includes(id));
}

/** A few lines a person can read. */
function textOf(result: BenchResult, { steps, units, inputDim, batch, target }: BenchCase): string {
  const lines = [`${result.id}  ${result.what}  (T=${steps} H=${units} D=${inputDim} B=${batch}, ${result.version})`];
  const add = (name: string, value: string): void => void lines.push(`  ${name.padEnd(16)}${value}`);
  const note = result.isVoid ? ' (void: sgemm drifted by more than 10 %; the machine is busy)' : '';
  add(
    'time',
    `${inMilliseconds(result.seconds)}, first result after ${inMilliseconds(result.firstChunkSeconds)}${note}`,
  );
  const rates = result.runs.map(({ sgemm }) => sgemm).filter((rate) => rate !== null);
  if (rates.length > 0) add('sgemm', `${rates.map((rate) => (rate / 1e9).toFixed(0)).join(', ')} GFLOP/s`);
  if (result.ratio) {
    const { median, min, max } = result.ratio;
    const spread = result.runs.length > 1 ? ` (${inPercent(min)} to ${inPercent(max)})` : '';
    add('of sgemm', `${inPercent(median)}${spread}${aim(target.ratio, inPercent)}`);
  }
  if (result.fillRatio !== null)
    add('of memory fill', `${result.fillRatio.toFixed(2)}${aim(target.fillRatio, String)}`);
  add('peak memory', `${inMegabytes(result.peakBytes)} above the loaded engine${aim(target.peakBytes, inMegabytes)}`);
  for (const [mode, { samples, median, max }] of Object.entries(result.error)) {
    const sizes = `median ${median.toExponential(1)}, largest ${max.toExponential(1)}`;
    add('error', `${mode}: ${sizes} of the block’s largest entry (${samples} entries against float64)`);
  }
  add('cancel', result.cancelSeconds === null ? 'over before it was cancelled' : inMilliseconds(result.cancelSeconds));
  if (target.seconds !== null) add('target', `${inMilliseconds(target.seconds)} at most`);
  add('result', result.isMet ? 'met' : 'missed');
  return lines.join('\n');
}

/** The bound behind a figure, where there is one. */
function aim(bound: number | null, show: (value: number) => string): string {
  return bound === null ? '' : `, target ${show(bound)}`;
}

const inPercent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const inMilliseconds = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;
const inMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
