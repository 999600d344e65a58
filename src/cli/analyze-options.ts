/**
 * The options of `analyze`, from text to a checked request; docs/cli.md fixes their names.
 */
import { Option, type Command } from 'commander';
import { LOSS_NAMES, type LossName } from '../core/diagnostics/loss';
import type { VerdictLabel } from '../core/summary';
import type { ReaderOptions } from '../host/reader-messages';
import type { RunRequest } from '../shared/run';
import { defaultMaxMemoryBytes } from '../host/memory-limit';
import { ANALYZE_DEFAULTS } from './defaults';
import { limitOption } from './limit-option';
import { badOption, whole, boundedCount, shardOf, pairPlace, exponentCount, positive, listOf } from './option-values';

/** Options as the parser gives them. */
interface RawOptions {
  readonly layer?: string;
  readonly wrt: RunRequest['wrt'];
  readonly input?: string;
  readonly key?: string;
  readonly header: boolean;
  readonly atLayer?: boolean;
  readonly mask?: string;
  readonly initialState?: string;
  readonly target?: string;
  readonly loss?: LossName;
  readonly steps?: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly mode?: readonly RunRequest['modes'][number][];
  readonly full?: boolean;
  readonly maxBytes?: number;
  readonly stateBlocks?: boolean;
  readonly block?: RunRequest['block'];
  readonly out?: string;
  readonly csv?: string;
  /** Empty for a bare `--json`. */
  readonly json?: string;
  readonly report?: string;
  readonly engine?: 'tensorflow' | 'wasm' | 'reference';
  readonly progress?: ProgressStyle;
  readonly failOn?: readonly VerdictLabel[];
  readonly activation?: string;
  readonly recurrentActivation?: string;
  readonly resetAfter?: 'true' | 'false';
  readonly limit?: ReaderOptions['limits'];
  readonly warmUp?: number;
  readonly span?: number;
  readonly exponents?: number | 'all';
  readonly maxSeconds?: number;
  readonly maxMemory?: number;
  readonly exact?: boolean;
  readonly sketch?: number;
  readonly shard?: NonNullable<RunRequest['shard']>;
  readonly trace?: string;
}

/** How progress is shown. */
export type ProgressStyle = 'none' | 'bar' | 'json';

/** One `analyze` command, checked. */
export interface AnalyzeOrder {
  readonly model: string;
  /** `all` is expanded by the command. */
  readonly request: RunRequest;
  readonly readerOptions: ReaderOptions;
  readonly out: string | null;
  readonly csv: string | null;
  /** Summary to standard output (`true`), to a file, or nowhere. */
  readonly json: string | boolean;
  readonly report: string | null;
  readonly progress: ProgressStyle | null;
  readonly failOn: readonly VerdictLabel[];
  readonly trace: string | null;
}

const MODES = ['diagonal', 'final', 'states', 'pairs', 'spectrum'] as const;
/** Computed when no mode is named. */
const DEFAULT_MODES = ['diagonal', 'final', 'states'] as const;

/**
 * Adds the options of `analyze` to a command.
 *
 * @param command - The command.
 */
export function addAnalyzeOptions(command: Command): Command {
  return command
    .option('--layer <name>', 'recurrent layer as `inspect` names it; `all` = every one (default: the first)')
    .addOption(new Option('--wrt <what>', 'what x is').choices(['layer-input', 'model-input']).default('layer-input'))
    .option('--input <file>', '.npy, .npz or .csv; [B,T,D] or [T,D], ids [B,T] or [T] for an Embedding')
    .option('--key <name>', 'array of an .npz input')
    .option('--no-header', 'the first line of a .csv holds numbers')
    .option('--at-layer', 'the input is the layer’s own input; nothing below it is run')
    .option('--mask <file>', 'with --at-layer: [B,T], 0 = masked')
    .option('--initial-state <file>', '.npz with h0 and c0, each [B,H] (two directions: [B,2H])')
    .option('--target <file>', 'what the model should give, [B,O] or class ids [B]: its loss’s gradient split by lag')
    .addOption(
      new Option('--loss <name>', 'of --target (default: of the file’s training, else mse)').choices(LOSS_NAMES),
    )
    .option('--steps <T>', `timesteps of a random input (default: ${ANALYZE_DEFAULTS.steps})`, boundedCount('--steps'))
    .option(
      '--batch <B>',
      `sequences of a random input (default: as many as the file stores states for, else ${ANALYZE_DEFAULTS.batch})`,
      boundedCount('--batch'),
    )
    .option('--seed <N>', `seed of a random input (default: ${ANALYZE_DEFAULTS.seed})`, whole('--seed', 0))
    .option(
      '--mode <list>',
      'comma list of diagonal, final, states, pairs, spectrum (default: the first three)',
      modeList,
    )
    .option('--full', 'with the mode pairs: the whole Jacobians in --out too, not only their norms')
    .option(
      '--max-bytes <bytes>',
      'with --full: refuse whole Jacobians above this size (default: 2147483648)',
      positive('--max-bytes'),
    )
    .option('--state-blocks', 'with the mode pairs of an LSTM: the blocks hh, hc, ch, cc of ds_t/ds_s apart')
    .option(
      '--block <T,S[,B]>',
      'the Jacobians of step T by the input of step S, of sequence B (default: 0)',
      pairPlace,
    )
    .option('--out <file>', 'write the arrays to an .npz (with --layer all: a folder)')
    .option('--csv <folder>', 'write the arrays as tidy CSV')
    .option('--json [file]', 'summary as JSON, to standard output or with --json=FILE to a file')
    .option('--report <file>', 'write one self-contained HTML page')
    .addOption(
      new Option('--engine <name>', 'engine (default: by the work)').choices(['tensorflow', 'wasm', 'reference']),
    )
    .addOption(new Option('--progress <style>', 'default: bar on a terminal').choices(['none', 'bar', 'json']))
    .option('--fail-on <list>', 'exit 10 on these verdicts: vanishing, exploding', failList)
    .option('--activation <name>', 'where the file does not store it: the cell’s activation')
    .option('--recurrent-activation <name>', 'where the file does not store it: the gates’ activation')
    .addOption(
      new Option('--reset-after <value>', 'where the file does not store it: a GRU’s form').choices(['true', 'false']),
    )
    .addOption(limitOption())
    .option('--warm-up <N>', 'leave out the first N steps of exponents and lags of the fit', whole('--warm-up', 0))
    .option(
      '--exponents <N>',
      'Lyapunov exponents of the mode spectrum, or `all` (default: 64, at most S)',
      exponentCount,
    )
    .option('--span <N>', 'the memory asked for, in steps (default: max(T, 100))', whole('--span', 1))
    .option(
      '--max-seconds <S>',
      'stop with engine/time-limit after S seconds (default: none)',
      positive('--max-seconds'),
    )
    .option(
      '--max-memory <bytes>',
      'stop with engine/out-of-memory where more is needed (default: see doctor)',
      positive('--max-memory'),
    )
    .option('--exact', 'every row propagated, no adaptive rank')
    .option(
      '--sketch <K>',
      'with the mode pairs: norms estimated from K random directions of each source',
      whole('--sketch', 1),
    )
    .option('--shard <i/n>', 'compute the i-th of n parts of the run; `tempograd merge` puts them together', shardOf)
    .option('--trace <file>', 'one line of JSON per stage with its time and bytes');
}

/**
 * The order that the options of a command line make.
 *
 * @param model - The model argument.
 * @param options - What the parser gives.
 * @throws TempogradError `usage/bad-option` for options that contradict one another.
 */
export function makeAnalyzeOrder(model: string, options: object): AnalyzeOrder {
  const raw = options as RawOptions;
  const isRandom = raw.input === undefined;
  if (!isRandom && (raw.steps ?? raw.batch ?? raw.seed) !== undefined) {
    throw badOption('--steps, --batch and --seed are for a random input, not together with --input');
  }
  if (raw.failOn !== undefined && raw.failOn.length > 0 && !(raw.mode ?? DEFAULT_MODES).includes('final')) {
    throw badOption('--fail-on needs the mode final: the verdict rests on it');
  }
  if (raw.mask !== undefined && !raw.atLayer) throw badOption('--mask needs --at-layer');
  if (raw.key !== undefined && isRandom) throw badOption('--key needs --input');
  if (raw.full && !raw.mode?.includes('pairs')) throw badOption('--full needs the mode pairs');
  if (raw.full && raw.out === undefined) throw badOption('--full needs --out: whole Jacobians go to its arrays');
  if (raw.block && raw.wrt === 'model-input') throw badOption('--block is by the layer’s own input');
  if (raw.full && raw.wrt === 'model-input') throw badOption('--full is by the layer’s own input');
  if (raw.stateBlocks && !raw.mode?.includes('pairs')) throw badOption('--state-blocks needs the mode pairs');
  if (raw.sketch !== undefined && !raw.mode?.includes('pairs')) throw badOption('--sketch needs the mode pairs');
  if (raw.sketch !== undefined && raw.wrt === 'model-input') {
    throw badOption('--sketch is for pairs by the layer’s own input');
  }
  if (raw.maxBytes !== undefined && !raw.full) throw badOption('--max-bytes needs --full');
  if (raw.exponents !== undefined && !raw.mode?.includes('spectrum')) {
    throw badOption('--exponents needs the mode spectrum');
  }
  if (raw.loss !== undefined && raw.target === undefined) throw badOption('--loss needs --target');
  if (raw.shard !== undefined) checkShard(raw);
  if (raw.wrt === 'model-input' && raw.atLayer) throw badOption('--wrt model-input and --at-layer exclude each other');
  return {
    model,
    request: {
      layer: raw.layer ?? '',
      wrt: raw.wrt,
      atLayer: raw.atLayer ?? false,
      input: isRandom
        ? {
            kind: 'random',
            steps: raw.steps ?? ANALYZE_DEFAULTS.steps,
            batch: raw.batch ?? null,
            seed: raw.seed ?? ANALYZE_DEFAULTS.seed,
          }
        : { kind: 'file', path: raw.input!, key: raw.key ?? null, header: raw.header ? null : false },
      maskFile: raw.mask ?? null,
      initialStateFile: raw.initialState ?? null,
      ...(raw.target !== undefined && { targetFile: raw.target }),
      ...(raw.loss !== undefined && { loss: raw.loss }),
      modes: [...(raw.mode ?? DEFAULT_MODES)],
      ...(raw.full && { full: true }),
      ...(raw.stateBlocks && { stateBlocks: true }),
      ...(raw.block && { block: raw.block }),
      ...(raw.maxBytes !== undefined && { maxBytes: raw.maxBytes }),
      engine: raw.engine ?? null,
      warmUp: raw.warmUp ?? null,
      span: raw.span ?? null,
      ...(raw.exponents !== undefined && { exponents: raw.exponents }),
      exact: raw.exact ?? false,
      ...(raw.sketch !== undefined && { sketch: raw.sketch }),
      ...(raw.shard !== undefined && { shard: raw.shard }),
      maxSeconds: raw.maxSeconds ?? null,
      maxMemoryBytes: raw.maxMemory ?? defaultMaxMemoryBytes(),
    },
    readerOptions: {
      activation: raw.activation ?? null,
      recurrentActivation: raw.recurrentActivation ?? null,
      resetAfter: raw.resetAfter === undefined ? null : raw.resetAfter === 'true',
      limits: raw.limit ?? {},
    },
    out: raw.out ?? null,
    csv: raw.csv ?? null,
    json: raw.json === undefined ? false : raw.json === '' || raw.json,
    report: raw.report ?? null,
    progress: raw.progress ?? null,
    failOn: raw.failOn ?? [],
    trace: raw.trace ?? null,
  };
}

/** A part of a run goes to one file, and no verdict rests on it. */
function checkShard({ out, csv, report, failOn, layer, full, block, target }: RawOptions): void {
  if (out === undefined) throw badOption('--shard needs --out: a part of a run is a file');
  const others = { '--csv': csv, '--report': report, '--fail-on': failOn };
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined) throw badOption(`${name} is for a whole run, not together with --shard`);
  }
  if (full) throw badOption('--full writes blocks of a whole run, not together with --shard');
  if (target !== undefined) throw badOption('--target is for a whole run, not together with --shard');
  if (block) throw badOption('--block is of a whole run, not together with --shard');
  if (layer === 'all') throw badOption('--shard is for one layer: name it with --layer');
}

function modeList(text: string): readonly RunRequest['modes'][number][] {
  const words = listOf(text);
  const wrong = words.find((word) => !(MODES as readonly string[]).includes(word));
  if (wrong !== undefined || words.length === 0)
    throw badOption(`--mode takes a list of ${MODES.join(', ')}, not "${wrong ?? text}"`);
  return MODES.filter((mode) => words.includes(mode));
}

function failList(text: string): readonly VerdictLabel[] {
  const words = listOf(text);
  const wrong = words.find((word) => word !== 'vanishing' && word !== 'exploding');
  if (wrong !== undefined || words.length === 0)
    throw badOption(`--fail-on takes vanishing, exploding, not "${wrong ?? text}"`);
  return words as VerdictLabel[];
}
