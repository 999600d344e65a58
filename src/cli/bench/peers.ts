/**
 * The peers of a case: the same Jacobians by automatic differentiation in Python, on the same weights, in one run.
 *
 * Each peer has a process of its own, and Tempograd is measured anew after each, so that both see the same machine.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RealTensor } from '../../core/tensor';
import { loadEngine } from '../../engine/load-engine';
import { npyHeader } from '../../export/npy-header';
import { findRoot } from '../../host/paths';
import { spreadOf, type BenchResult } from './bench-result';
import type { BenchCase } from './cases';
import { makeCaseModel, openCase, type CaseModel } from './open-case';
import { runProgram } from './run-program';
import { timeCase } from './run-case';

/** A peer that would take longer does a part and is carried to the whole by its cost law. */
const LIMIT_SECONDS = 180;

/** Steps over which a peer's own derivative is held against this program's. */
const CHECK_STEPS = 8;

/** Largest difference of log norms that the same model can show in float32. */
const CHECK_TOLERANCE = 1e-3;

/** What peers call the views of the toy, which is asked for cold. */
const COLD_MODE = 'views';

/** A peer's figures on a case. */
export interface PeerResult {
  readonly id: string;
  readonly peer: string;
  readonly version: string;
  /** Warm, the whole case. */
  readonly seconds: number;
  /** The first unit of work, with tracing and compiling. */
  readonly coldSeconds: number;
  readonly measuredSeconds: number;
  readonly isExtrapolated: boolean;
  /** Share of the case that was done, by cost. */
  readonly share: number;
  readonly law: string;
  /** Largest difference of the log norms of dh_T/dx_s of the first steps from Tempograd's; null without a check. */
  readonly difference: number | null;
  /** Tempograd on the same case after the peer. */
  readonly ownSeconds: number;
  /** The peer's time over Tempograd's: cold where the case is, else warm. */
  readonly times: number;
}

/** What came of the peers of a case. */
export interface PeersOfCase {
  readonly results: readonly PeerResult[];
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
}

/** What a peer prints. */
type Printed =
  | { readonly peer: string; readonly why: string }
  | (Omit<PeerResult, 'id' | 'difference' | 'ownSeconds' | 'times'> & { readonly check: readonly number[] | null });

/** Figures of cases that ask peers for the same. */
const known = new Map<string, readonly PeerResult[]>();

/**
 * Measures the peers of a case.
 *
 * @param benchCase - The case.
 * @param signal - Ends it.
 * @param say - Gets a line for each peer that begins.
 */
export async function runPeers(
  benchCase: BenchCase,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<PeersOfCase> {
  const script = join(findRoot(import.meta.url), 'bench', 'peers.py');
  const id = 'peers';
  if (!existsSync(script)) return { results: [], skipped: [{ id, why: 'they need a checkout of the source' }] };
  const mode = peerMode(benchCase);
  if (mode === null)
    return { results: [], skipped: [{ id: `peers of ${benchCase.id}`, why: 'none can do this case' }] };
  const python = process.env['TEMPOGRAD_PYTHON'] ?? 'python3';
  const listed = await runProgram(python, [script, '--list'], signal);
  if (listed.code !== 0) return { results: [], skipped: [{ id, why: listed.err.trim().split('\n').at(-1) ?? python }] };
  const { present, absent } = JSON.parse(listed.out) as Record<'present' | 'absent', Readonly<Record<string, string>>>;
  const skipped = Object.entries(absent).map(([name, why]) => ({ id: name, why }));
  const family = JSON.stringify([mode, benchCase.kind, benchCase.steps, benchCase.units, benchCase.batch]);
  const before = known.get(family);
  if (before) {
    const own = await ownSeconds(benchCase, signal);
    return { results: before.map((one) => compared({ ...one, id: benchCase.id }, own, benchCase)), skipped };
  }
  const results: PeerResult[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'tempograd-peers-'));
  try {
    const model = makeCaseModel(benchCase);
    writeCase(folder, benchCase, mode, model);
    const expected = benchCase.layers === 0 ? await firstNorms(benchCase, model, signal) : null;
    for (const name of Object.keys(present)) {
      say(`  ${benchCase.id}: ${name} ...`);
      const args = [script, '--peer', name, '--case', folder, '--seconds', String(LIMIT_SECONDS)];
      const ended = await runProgram(python, args, signal);
      if (ended.code !== 0) {
        skipped.push({ id: `${name} on ${benchCase.id}`, why: ended.err.trim().split('\n').at(-1) ?? 'it failed' });
        continue;
      }
      const printed = JSON.parse(ended.out) as Printed;
      if ('why' in printed) continue;
      const { check, ...figures } = printed;
      const difference = check && expected ? Math.max(...check.map((value, i) => Math.abs(value - expected[i]))) : null;
      if (difference !== null && !(difference <= CHECK_TOLERANCE)) {
        skipped.push({
          id: `${name} on ${benchCase.id}`,
          why: `its norms differ by ${difference} nats: not this model`,
        });
        continue;
      }
      const own = await ownSeconds(benchCase, signal);
      const result = { ...figures, id: benchCase.id, difference, ownSeconds: own, times: NaN };
      results.push(compared(result, own, benchCase));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  known.set(family, results);
  return { results, skipped };
}

/** What peers are asked for; null where automatic differentiation has no answer of its own. */
function peerMode({ id, modes }: BenchCase): string | null {
  if (id === 'C1') return COLD_MODE;
  const [mode] = modes;
  if (mode === 'sketched pairs' || id === 'C3L') return null;
  return mode.replace(/^exact /, '');
}

function compared(result: PeerResult, ownSecondsNow: number, { isCold }: BenchCase): PeerResult {
  const theirs = isCold ? result.coldSeconds : result.seconds;
  return { ...result, ownSeconds: ownSecondsNow, times: theirs / ownSecondsNow };
}

/** The median of the case's own runs, now. */
async function ownSeconds(benchCase: BenchCase, signal: AbortSignal): Promise<number> {
  return spreadOf((await timeCase(benchCase, signal)).map(({ seconds }) => seconds)).median;
}

/** ln of the norms of dh_T/dx_s over the first steps. */
async function firstNorms(
  benchCase: BenchCase,
  { cells, x }: CaseModel,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const steps = Math.min(CHECK_STEPS, benchCase.steps);
  const data = x.data.subarray(0, steps * benchCase.inputDim);
  const engine = await loadEngine(benchCase.engine);
  const first = { cells, x: { shape: [1, steps, benchCase.inputDim], data } };
  const open = await openCase(engine, { ...benchCase, steps, batch: 1 }, first, signal);
  const norms = new Array<number>(steps).fill(NaN);
  try {
    for await (const chunk of open.compute('exact final', signal)) {
      if (chunk.mode === 'final') chunk.lognormH.forEach((norm, i) => (norms[chunk.start + i] = norm));
    }
  } finally {
    open.dispose();
  }
  return norms;
}

/** The case as files that any Python reads. */
function writeCase(folder: string, benchCase: BenchCase, mode: string, { cells, x }: CaseModel): void {
  const { kind, steps, units, inputDim, batch, layers, directions } = benchCase;
  const about = { kind, mode, steps, units, input_dim: inputDim, batch, layers, directions, cells: cells.length };
  writeFileSync(join(folder, 'case.json'), JSON.stringify(about));
  const write = (name: string, { shape, data }: RealTensor): void => {
    const bytes = Float32Array.from(data);
    writeFileSync(join(folder, `${name}.npy`), Buffer.concat([npyHeader('float32', shape), Buffer.from(bytes.buffer)]));
  };
  write('x', x);
  cells.forEach((cell, at) => {
    write(`kernel${at}`, cell.kernel);
    write(`recurrent${at}`, cell.recurrentKernel);
    if (cell.bias) write(`bias${at}`, cell.bias);
  });
}

/**
 * A line for each peer.
 *
 * @param result - The case.
 * @param peers - Its peers.
 */
export function peerText(result: BenchResult, peers: readonly PeerResult[]): readonly string[] {
  return peers.map(({ peer, version, seconds, coldSeconds, isExtrapolated, share, times, ownSeconds: own }) => {
    const part = isExtrapolated ? `, carried from ${(share * 100).toFixed(1)} % of it` : '';
    const time = `${seconds.toPrecision(3)} s (cold ${coldSeconds.toPrecision(3)} s)${part}`;
    const against = `${times.toPrecision(3)} times the ${own.toPrecision(3)} s of ${result.id} beside it`;
    return `  ${`${peer} ${version}`.padEnd(20)} ${time}: ${against}`;
  });
}
