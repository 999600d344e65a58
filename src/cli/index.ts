/**
 * The command line as a list of commands; each stands in a file of its own.
 *
 * Work that may crash a native library runs in a supervised child (supervise.ts); the parent only waits, and so loads
 * no command.
 */
import '../host/block-network';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { TempogradError } from '../core/errors';
import { engineEnvironment } from '../engine/backend';
import { programVersion } from '../host/paths';
import type { ReadLimits } from '../readers/limits';
import { addAnalyzeOptions, makeAnalyzeOrder } from './analyze-options';
import { benchCaseList } from './bench/cases';
import { EXIT, reportError } from './exit-codes';
import { limitOption } from './limit-option';
import { planCleaning, type OutputNames } from './leftovers';
import { modelPath } from './model-path';
import { processOutput } from './output';
import { followParent, isSupervised, superviseCommand } from './supervise';

const words = process.argv.slice(2);
const options = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
const isJson = options.includes('--json');
const output = processOutput(isSupervised());
process.exitCode = await run(words);

/** Parses and performs a command; whatever goes wrong is printed, never thrown. */
async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = makeProgram((code) => (exitCode = code));
  // A bare --json of these must not take the next word for its file.
  const isBareJson = (word: string, index: number): boolean =>
    (args[0] === 'analyze' || args[0] === 'merge') && word === '--json' && index < options.length;
  try {
    await program.parseAsync(
      args.map((word, index) => (isBareJson(word, index) ? '--json=' : word)),
      { from: 'user' },
    );
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, isJson, output);
    if (error.exitCode === 0) return EXIT.done;
    const message = error.message.replace(/^error: /, '');
    return reportError(new TempogradError('usage/bad-option', message, { cause: error }), isJson, output);
  }
}

function makeProgram(finish: (exitCode: number) => void): Command {
  const version = programVersion(import.meta.url);
  const program = new Command('tempograd')
    .description('Exact Jacobians of recurrent models: does the gradient vanish, and from where on?')
    .version(version)
    .addHelpText(
      'after',
      '\nWithout a command the window opens.\n\nExample:\n  tempograd analyze model.keras --steps 200',
    );

  program
    .command('open')
    .argument('<model...>', 'model files')
    .description('open the window with these files')
    .addHelpText('after', '\nExample:\n  tempograd open model.keras')
    .action(() => {
      throw new TempogradError('usage/bad-option', 'the window is opened by the launcher, bin/tempograd.mjs');
    });

  program
    .command('inspect')
    .argument('<model>', 'a model file or folder')
    .description('list the layers of a model, their weights and what can be analysed')
    .option('--json', 'as JSON on standard output')
    .addOption(limitOption())
    .addHelpText('after', '\nExample:\n  tempograd inspect model.keras')
    .action(async (model: string, { json = false, limit = {} }: { json?: boolean; limit?: Partial<ReadLimits> }) => {
      const { inspectCommand } = await import('./inspect');
      await inspectCommand(modelPath(model), limit, json, output);
    });

  addAnalyzeOptions(program.command('analyze').argument('<model>', 'a model file or folder'))
    .description('states, gates and Jacobians of one layer, and whether its gradient vanishes')
    .addHelpText(
      'after',
      '\nExample:\n  tempograd analyze model.keras --layer encoder --input data.csv --out run.npz --report run.html',
    )
    .action(async (model: string, raw: object) => {
      const order = makeAnalyzeOrder(modelPath(model), raw);
      const work = async (signal: AbortSignal): Promise<number> => {
        const { analyzeCommand } = await import('./analyze');
        return analyzeCommand(order, { version, output, signal });
      };
      finish(await supervised(work, order));
    });

  program
    .command('merge')
    .argument('<part...>', 'parts that `analyze --shard` wrote, in any order')
    .description('put the parts of a run together: the file that one run writes')
    .requiredOption('--out <file>', 'the .npz of the whole run')
    .option('--json [file]', 'summary as JSON, to standard output or with --json=FILE to a file')
    .addHelpText('after', '\nExample:\n  tempograd merge part-*.npz --out run.npz')
    .action(async (parts: string[], { out, json }: { out: string; json?: string }) => {
      const order = { parts, out, json: json === undefined ? false : json === '' || json };
      const work = async (signal: AbortSignal): Promise<number> => {
        const { mergeCommand } = await import('./merge');
        return mergeCommand(order, output, signal);
      };
      finish(await supervised(work, { out, json: order.json, csv: null, report: null, trace: null }));
    });

  program
    .command('selfcheck')
    .description('reproduce the known values of the method on this machine and engine')
    .option('--json', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd selfcheck')
    .action(async ({ json = false }: { json?: boolean }) => {
      const work = async (signal: AbortSignal): Promise<number> => {
        const { selfcheckCommand } = await import('./selfcheck');
        return selfcheckCommand(json, output, signal);
      };
      finish(await supervised(work));
    });

  program
    .command('bench')
    .description('speed, measured against the machine’s own sgemm in the same run')
    .option('--case <id...>', 'only these cases')
    .option(
      '--peers',
      'beside them JAX, PyTorch and TensorFlow, where the Python of TEMPOGRAD_PYTHON (or python3) has them',
    )
    .option('--growth <folder>', 'instead: how cost grows with T and H, as growth.json and growth.svg in a folder')
    .option('--json', 'as JSON on standard output')
    .addHelpText('after', () => `\n${benchCaseList()}\n\nExample:\n  tempograd bench --case C1 --case F2000`)
    .action(async (options: { case?: string[]; peers?: boolean; growth?: string; json?: boolean }) => {
      const { case: ids = [], peers = false, growth = null, json = false } = options;
      const work = async (signal: AbortSignal): Promise<number> => {
        const { benchCommand } = await import('./bench/bench-command');
        return benchCommand({ ids, isJson: json, hasPeers: peers, growthFolder: growth }, output, signal);
      };
      finish(await supervised(work));
    });

  program
    .command('doctor')
    .description('versions, native library, engine in use and why, paths, memory, defaults')
    .option('--json', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd doctor')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { doctorCommand } = await import('./doctor');
      await doctorCommand(version, json, output);
    });

  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: (text) => output.out(text) });
  return program;
}

/** Performs the work here when this is the child, else in a child of this very command. */
async function supervised(work: (signal: AbortSignal) => Promise<number>, order?: OutputNames): Promise<number> {
  const clean = planCleaning(order ?? null);
  if (!isSupervised()) {
    const script = fileURLToPath(import.meta.url);
    return superviseCommand({ script, args: words, environment: engineEnvironment(), output, onKilled: clean });
  }
  const abort = new AbortController();
  followParent(
    () => abort.abort(),
    () => clean(process.pid),
  );
  process.on('uncaughtException', (error) => {
    clean(process.pid);
    process.exit(reportError(error, isJson, output));
  });
  try {
    return await work(abort.signal);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    output.err('tempograd: cancelled\n');
    return EXIT.cancelled;
  }
}
