/** `tempograd bench`: every case as a ratio of this machine's own speed, measured in the same run. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { TempogradError } from '../../core/errors';
import { availableEngines } from '../../engine/load-engine';
import { EXIT, type Output } from '../exit-codes';
import { benchText } from './bench-text';
import type { BenchResult } from './bench-result';
import { BENCH_CASES, WINDOW_CASE, type BenchCase } from './cases';
import { growthText, measureGrowth, writeGrowth } from './growth';
import { peerText, runPeers, type PeerResult } from './peers';
import { runCase } from './run-case';
import { measureWindow, windowText, type WindowResult } from './window-start';

/** What is asked for. */
export interface BenchOrder {
  /** Ids of cases; all when empty. */
  readonly ids: readonly string[];
  readonly isJson: boolean;
  /** Whether peers in Python are measured beside the cases. */
  readonly hasPeers: boolean;
  /** Folder for how cost grows, which is then measured instead of the cases; null for the cases. */
  readonly growthFolder: string | null;
}

/** A case, or a peer, that could not run here. */
interface Skipped {
  readonly id: string;
  readonly why: string;
}

/**
 * Measures the cases and prints them.
 *
 * @param order - What is asked for.
 * @param output - Where to print.
 * @param signal - Ends the measurement.
 * @returns Exit code 0; a missed target is printed and is no failure, because a busy machine misses it too.
 * @throws TempogradError `usage/bad-option` for an id that does not exist.
 */
export async function benchCommand(
  order: BenchOrder,
  output: Pick<Output, 'out'>,
  signal: AbortSignal,
): Promise<number> {
  const { ids, isJson, hasPeers, growthFolder } = order;
  const say = (text: string): void => {
    if (!isJson) output.out(`${text}\n`);
  };
  const machine = describeMachine();
  if (growthFolder !== null) {
    const growth = await measureGrowth(signal, say);
    const files = writeGrowth(growthFolder, { machine, ...growth });
    if (isJson) output.out(`${JSON.stringify({ schema: 1, machine, growth }, null, 2)}\n`);
    else say(`${growthText(growth)}\nwritten: ${files.join(', ')}`);
    return EXIT.done;
  }
  const wanted = chooseCases(ids);
  const results: BenchResult[] = [];
  const peers: PeerResult[] = [];
  const skipped: Skipped[] = [];
  const missing = new Map(availableEngines().flatMap((one) => (one.isPresent ? [] : [[one.name, one.why]])));
  for (const benchCase of wanted.cases) {
    const why = missing.get(benchCase.engine);
    if (why !== undefined) {
      skipped.push({ id: benchCase.id, why: `engine ${benchCase.engine} is missing: ${why}` });
      continue;
    }
    const result = await runCase(benchCase, signal, results);
    results.push(result);
    say(benchText(result));
    if (!hasPeers) continue;
    const beside = await runPeers(benchCase, signal, say);
    peers.push(...beside.results);
    for (const line of peerText(result, beside.results)) say(line);
    skipped.push(...beside.skipped.filter(({ id }) => !skipped.some((one) => one.id === id)));
  }
  let window: WindowResult | null = null;
  if (wanted.hasWindow) {
    const measured = await measureWindow(signal);
    if ('why' in measured) skipped.push({ id: WINDOW_CASE.id, why: measured.why });
    else {
      window = measured;
      say(windowText(measured));
    }
  }
  const loadAfter = loadavg();
  const report = { schema: 1, machine: { ...machine, loadAfter }, cases: results, peers, window, skipped };
  if (isJson) output.out(`${JSON.stringify(report, null, 2)}\n`);
  for (const { id, why } of skipped) say(`${id}: not run, ${why}`);
  return EXIT.done;
}

/** What the figures were made on, and how busy it was. */
function describeMachine(): Readonly<Record<string, unknown>> {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? '',
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    date: new Date().toISOString(),
    loadBefore: loadavg(),
  };
}

function chooseCases(ids: readonly string[]): { readonly cases: readonly BenchCase[]; readonly hasWindow: boolean } {
  const known = [...BENCH_CASES.map(({ id }) => id), WINDOW_CASE.id];
  const wanted = ids.map((id) => id.toUpperCase());
  const unknown = ids.filter((_, at) => !known.includes(wanted[at]));
  if (unknown.length > 0) {
    throw new TempogradError('usage/bad-option', `no benchmark case ${unknown.join(', ')}`, {
      remedy: `Cases: ${known.join(', ')}.`,
    });
  }
  const isAll = wanted.length === 0;
  return {
    cases: BENCH_CASES.filter(({ id }) => isAll || wanted.includes(id)),
    hasWindow: isAll || wanted.includes(WINDOW_CASE.id),
  };
}
