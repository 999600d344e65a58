/**
 * `tempograd doctor`: what this installation is made of, which engine runs and why, and what would make it native.
 */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, freemem, homedir, totalmem } from 'node:os';
import { join } from 'node:path';
import { formatBytes } from '../charts/number-format';
import { toErrorRecord } from '../core/errors';
import { loadNative, probeNative, probeWasm } from '../engine/backend';
import { loadEngine, openEngine } from '../engine/load-engine';
import type { EngineName } from '../engine/engine';
import { programPaths } from '../host/paths';
import { defaultMaxMemoryBytes } from '../host/memory-limit';
import { ANALYZE_DEFAULTS } from './defaults';
import type { Output } from './exit-codes';
import { columns, jsonText, oneLine } from './terminal-text';

/** Work far above the rule's border, so that the best engine present is named. */
const LARGE_FLOP = 1e12;

/** One engine of this installation. */
interface EngineFinding {
  readonly name: EngineName;
  readonly usable: boolean;
  readonly version: string | null;
  readonly path: string | null;
  readonly reason: string;
}

/** What setup could not do, as it left it in the cache. */
interface MissingStep {
  readonly step: string;
  readonly tried: string;
  readonly follows: string;
  readonly remedy: string;
}

/** `doctor --json`. */
interface Findings {
  readonly schema: 1;
  readonly tempograd: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly cores: number;
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly engine: { readonly name: EngineName; readonly reason: string };
  readonly engines: readonly EngineFinding[];
  /** What `analyze` takes where nothing is said; null = no limit. */
  readonly defaults: {
    readonly steps: number;
    readonly batch: number;
    readonly seed: number;
    readonly maxSeconds: null;
    readonly maxMemoryBytes: number;
  };
  readonly paths: Readonly<Record<string, string>>;
  readonly missing: readonly MissingStep[];
}

/**
 * Prints the findings.
 *
 * @param version - Of this program.
 * @param isJson - JSON instead of text.
 * @param output - Where to print.
 */
export async function doctorCommand(version: string, isJson: boolean, output: Output): Promise<void> {
  const findings = await examine(version);
  output.out(isJson ? `${jsonText(findings)}\n` : asText(findings));
}

async function examine(version: string): Promise<Findings> {
  const { root, samples } = programPaths(import.meta.url);
  const cache = cacheFolder();
  const chosen = (await openEngine(null, LARGE_FLOP)).info;
  return {
    schema: 1,
    tempograd: version,
    versions: { node: process.versions.node, ...dependencyVersions(root) },
    platform: `${process.platform}-${process.arch}`,
    cores: availableParallelism(),
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    engine: { name: chosen.name, reason: chosen.reason },
    engines: [await findEngine('tensorflow'), await findEngine('wasm'), await findEngine('reference')],
    defaults: { ...ANALYZE_DEFAULTS, maxSeconds: null, maxMemoryBytes: defaultMaxMemoryBytes() },
    paths: { program: root, samples, cache },
    missing: missingSteps(cache),
  };
}

/** Loads an engine to see whether it really runs. */
async function findEngine(name: EngineName): Promise<EngineFinding> {
  const probe = name === 'tensorflow' ? probeNative() : name === 'wasm' ? probeWasm() : { path: null, why: '' };
  try {
    if (name === 'tensorflow') loadNative();
    const engine = await loadEngine(name);
    return { name, usable: true, version: engine.version, path: probe.path, reason: '' };
  } catch (error) {
    return { name, usable: false, version: null, path: probe.path, reason: toErrorRecord(error).message };
  }
}

function dependencyVersions(root: string): Record<string, string> {
  const names = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-backend-wasm', 'h5wasm', 'electron'];
  const found: Record<string, string> = {};
  for (const name of names) {
    const path = join(root, 'node_modules', name, 'package.json');
    if (existsSync(path)) found[name] = (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
  return found;
}

/** The same rule as scripts/setup/paths.mjs, which has to work before anything is built. */
function cacheFolder(): string {
  const { TEMPOGRAD_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (TEMPOGRAD_CACHE) return TEMPOGRAD_CACHE;
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'tempograd');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'tempograd');
  return join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'tempograd');
}

function missingSteps(cache: string): readonly MissingStep[] {
  const path = join(cache, 'setup-state.json');
  if (!existsSync(path)) return [];
  return (JSON.parse(readFileSync(path, 'utf8')) as { missing?: readonly MissingStep[] }).missing ?? [];
}

function asText(findings: Findings): string {
  const { engine, engines, memory, missing, defaults } = findings;
  const versions = Object.entries(findings.versions).map(([name, version]) => `${name} ${version}`);
  const lines = [
    `Tempograd ${findings.tempograd} on ${findings.platform}, ${findings.cores} cores, ${formatBytes(memory.totalBytes)} memory (${formatBytes(memory.freeBytes)} free)`,
    versions.join(', '),
    '',
    `Engine for large work: ${engine.name} (${engine.reason})`,
    ...columns(
      engines.map(({ name, usable, version, reason }) => [
        `  ${name}`,
        usable ? 'works' : 'missing',
        version ?? reason,
      ]),
    ),
    '',
    `Defaults of analyze: --steps ${defaults.steps} --batch ${defaults.batch} --seed ${defaults.seed}, no --max-seconds, --max-memory ${defaults.maxMemoryBytes} (${formatBytes(defaults.maxMemoryBytes)})`,
    '',
    ...columns(Object.entries(findings.paths).map(([name, path]) => [`  ${name}`, path])),
  ];
  for (const { step, tried, follows, remedy } of missing)
    lines.push('', oneLine(`Missing: ${step}: ${tried}`), `  ${oneLine(follows)}`, oneLine(`  To mend it: ${remedy}`));
  return `${lines.join('\n')}\n`;
}
