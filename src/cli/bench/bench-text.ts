/** A result of the benchmark as a few lines that a person can read. */
import type { BenchError } from './accuracy';
import type { BenchResult } from './bench-result';

const UNITS: Readonly<Record<BenchError['kind'], string>> = {
  entries: 'of the block’s largest entry',
  'log norms': 'nats',
  exponents: 'nats per step',
};

/**
 * The lines of a case.
 *
 * @param result - What came out of it.
 */
export function benchText(result: BenchResult): string {
  const { size, target } = result;
  const sizes = `${size.kind} T=${size.steps} H=${size.units} D=${size.inputDim} B=${size.batch}`;
  const lines = [`${result.id}  ${result.what}  (${sizes}, ${result.version})`];
  const add = (name: string, value: string): void => void lines.push(`  ${name.padEnd(16)}${value}`);
  const note = result.isVoid ? ' (void: sgemm drifted by more than 10 %; the machine is busy)' : '';
  const { min, max } = result.spread;
  const spread = result.runs.length > 1 ? ` (${inMilliseconds(min)} to ${inMilliseconds(max)})` : '';
  const first = inMilliseconds(result.firstChunkSeconds) + aim(target.firstSeconds, inMilliseconds);
  add('time', `${inMilliseconds(result.seconds)}${spread}${aim(target.seconds, inMilliseconds)}${note}`);
  add('first result', `after ${first}`);
  const rates = result.runs.flatMap(({ sgemm }) => (sgemm ? [sgemm.before, sgemm.after] : []));
  if (rates.length > 0) {
    add('sgemm', rates.map(({ main, square }) => `${inGiga(main)} | ${inGiga(square)}`).join(', ') + ' GFLOP/s');
  }
  if (result.ratio && result.ofIdeal !== null) {
    add('of sgemm', `${inPercent(result.ratio.median)}${aim(target.ratio, inPercent)}`);
    add('direct ideal', `${result.ofIdeal.toPrecision(3)} times its time`);
  }
  if (result.fillRatio !== null)
    add('of memory fill', `${result.fillRatio.toFixed(2)}${aim(target.fillRatio, String)}`);
  add('peak memory', `${inMegabytes(result.peakBytes)} above the loaded engine${aim(target.peakBytes, inMegabytes)}`);
  add('resident', `${inMegabytes(result.residentBytes)}${aim(target.residentBytes, inMegabytes)}`);
  for (const [mode, { kind, samples, median, max: largest, shareInBand }] of Object.entries(result.error)) {
    const figures = `median ${median.toExponential(1)}, largest ${largest.toExponential(1)} ${UNITS[kind]}`;
    const band = shareInBand === null ? '' : `, ${inPercent(shareInBand)} within the stated band`;
    add('error', `${mode}: ${figures}${band} (${samples} against float64)`);
  }
  if (result.lostBlocks !== null) add('lost blocks', String(result.lostBlocks));
  add('cancel', result.cancelSeconds === null ? 'over before it was cancelled' : inMilliseconds(result.cancelSeconds));
  if (target.timesOf) add('target', `at most ${target.timesOf.factor} times the time of ${target.timesOf.id}`);
  add('result', result.isVoid ? 'void' : result.isMet ? 'met' : 'missed');
  return lines.join('\n');
}

/** The bound behind a figure, where there is one. */
function aim(bound: number | undefined, show: (value: number) => string): string {
  return bound === undefined ? '' : `, target ${show(bound)}`;
}

const inPercent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const inMilliseconds = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;
const inMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const inGiga = (rate: number): string => (rate / 1e9).toFixed(0);
