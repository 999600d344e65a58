/**
 * The command line as a list of commands; each stands in a file of its own.
 *
 * Work that may crash a native library runs in a supervised child (supervise.ts); the parent only waits.
 */
import '../host/block-network';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import { TempogradError } from '../core/errors';
import { engineEnvironment } from '../engine/backend';
import { programPaths } from '../host/paths';
import { analyzeCommand } from './analyze';
import { addAnalyzeOptions, makeAnalyzeOrder, type AnalyzeOrder } from './analyze-options';
import { benchCommand } from './bench/bench-command';
import { doctorCommand } from './doctor';
import { EXIT, reportError } from './exit-codes';
import { inspectCommand } from './inspect';
import { cleanAfter } from './leftovers';
import { PROCESS_OUTPUT } from './output';
import { selfcheckCommand } from './selfcheck';
import { followParent, isSupervised, superviseCommand } from './supervise';

const words = process.argv.slice(2);
const isJson = words.includes('--json');
process.exitCode = await run(words);

/** Parses and performs a command; whatever goes wrong is printed, never thrown. */
async function run(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = makeProgram((code) => (exitCode = code));
  try {
    // A bare --json must not take the next word for its file.
    await program.parseAsync(
      args.map((word) => (word === '--json' ? '--json=' : word)),
      { from: 'user' },
    );
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(error, isJson, PROCESS_OUTPUT);
    if (error.exitCode === 0) return EXIT.done;
    const message = error.message.replace(/^error: /, '');
    return reportError(new TempogradError('usage/bad-option', message, { cause: error }), isJson, PROCESS_OUTPUT);
  }
}

function makeProgram(finish: (exitCode: number) => void): Command {
  const { root } = programPaths(import.meta.url);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const program = new Command('tempograd')
    .description('Exact Jacobians of recurrent models: does the gradient vanish, and from where on?')
    .version(version)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addHelpText(
      'after',
      '\nWithout a command, or with `open MODEL...`, the window opens.\n\nExample:\n  tempograd analyze model.keras --steps 200',
    );

  program
    .command('inspect')
    .argument('<model>', 'a model file or folder')
    .description('list the layers of a model, their weights and what can be analysed')
    .option('--json [file]', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd inspect model.keras')
    .action(async (model: string, options: { json?: string }) => {
      await inspectCommand(model, options.json !== undefined, PROCESS_OUTPUT);
    });

  addAnalyzeOptions(program.command('analyze').argument('<model>', 'a model file or folder'))
    .description('states, gates and Jacobians of one layer, and whether its gradient vanishes')
    .addHelpText(
      'after',
      '\nExample:\n  tempograd analyze model.keras --layer encoder --input data.csv --out run.npz --report run.html',
    )
    .action(async (model: string, options: object) => {
      const order = makeAnalyzeOrder(model, options);
      finish(await supervised((signal) => analyzeHere(order, version, signal), order));
    });

  program
    .command('selfcheck')
    .description('reproduce the known values of the method on this machine and engine')
    .option('--json [file]', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd selfcheck')
    .action(async (options: { json?: string }) => {
      finish(await supervised(() => selfcheckCommand(options.json !== undefined, PROCESS_OUTPUT)));
    });

  program
    .command('bench')
    .description('speed, measured against the machine’s own sgemm in the same run')
    .option('--case <id...>', 'only these cases')
    .option('--json [file]', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd bench --case C1 --case F2000')
    .action(async (options: { case?: string[]; json?: string }) => {
      finish(
        await supervised((signal) =>
          benchCommand(options.case ?? [], options.json !== undefined, PROCESS_OUTPUT, signal),
        ),
      );
    });

  program
    .command('doctor')
    .description('versions, native library, engine in use and why, paths, memory')
    .option('--json [file]', 'as JSON on standard output')
    .addHelpText('after', '\nExample:\n  tempograd doctor')
    .action(async (options: { json?: string }) => {
      await doctorCommand(version, options.json !== undefined, PROCESS_OUTPUT);
    });
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  return program;
}

/** Performs the work here when this is the child, else in a child of this very command. */
async function supervised(work: (signal: AbortSignal) => Promise<number>, order?: AnalyzeOrder): Promise<number> {
  if (!isSupervised()) {
    return superviseCommand(fileURLToPath(import.meta.url), words, engineEnvironment(), (pid) =>
      cleanAfter(pid, order),
    );
  }
  const abort = new AbortController();
  followParent(() => abort.abort());
  return work(abort.signal);
}

function analyzeHere(order: AnalyzeOrder, version: string, signal: AbortSignal): Promise<number> {
  return analyzeCommand(order, { version, output: PROCESS_OUTPUT, signal, isTerminal: process.stderr.isTTY === true });
}
