/** docs/cli.md against the program: commands, options, codes, JSON keys. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes';
import { ERROR_CODES, ERROR_TEXTS } from '../../src/core/errors';
import { inParallel, ROOT, runCli, type Ended } from './run-cli';

const PAGE = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8');
const COMMANDS = ['open', 'inspect', 'analyze', 'merge', 'selfcheck', 'bench', 'doctor'] as const;

/** The text below a heading of the second level, up to the next. */
function section(title: string): string {
  const found = PAGE.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`docs/cli.md has no section ${title}`);
  return found;
}

/** Long options of a help text, `--help` and `--version` left out. */
function optionsOf(text: string): string[] {
  const found = text.match(/^ {2}(?:-\w, )?--[a-z-]+/gm) ?? [];
  return found.map((line) => line.replace(/^.*--/, '--')).filter((name) => name !== '--help' && name !== '--version');
}

const help = new Map<string, Ended>();
beforeAll(async () => {
  await inParallel(['', ...COMMANDS], async (command) => {
    help.set(command, await runCli(command === '' ? ['--help'] : [command, '--help']));
  });
}, 60_000);

describe('commands', () => {
  it('are those of --help, each with its section', () => {
    const listed = [...help.get('')!.out.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name!);
    expect(listed.filter((name) => name !== 'help' && name !== 'tempograd')).toEqual([...COMMANDS]);
    for (const command of COMMANDS) expect(PAGE).toContain(`[\`${command}\`](#${command})`);
  });

  it.each(COMMANDS)('%s --help ends with 0 and shows an example', (command) => {
    const { code, out, err } = help.get(command)!;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`Example:\\n {2}tempograd ${command}`));
  });

  it('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(await runCli(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });
});

describe('options', () => {
  it.each(COMMANDS)('of %s are on the page, and no others', (command) => {
    const rows = section(command)
      .split('\n')
      .filter((line) => line.startsWith('| `--'));
    const onPage = rows.map((row) => /^\| `(--[a-z-]+)/.exec(row)![1]!);
    expect(onPage).toEqual(optionsOf(help.get(command)!.out));
  });

  it('of analyze have the choices of --help', () => {
    const entries = help
      .get('analyze')!
      .out.split(/\n(?= {2}--)/)
      .map((entry) => entry.replace(/\s+/g, ' '));
    const choices = entries.filter((entry) => entry.includes('(choices: '));
    const options = choices.map((entry) => /--[a-z-]+/.exec(entry)![0]);
    expect(options).toEqual(['--wrt', '--loss', '--engine', '--progress', '--reset-after']);
    for (const [index, entry] of choices.entries()) {
      const row = section('analyze')
        .split('\n')
        .find((line) => line.startsWith(`| \`${options[index]!} `))!;
      const words = [...entry.slice(entry.indexOf('(choices: ')).matchAll(/"([^"]+)"/g)].map(([, word]) => word!);
      expect(words.length).toBeGreaterThan(1);
      for (const word of words) expect(row, word).toMatch(new RegExp(`\`${word}\``));
    }
  });
});

describe('errors', () => {
  it('are the closed list, with title and general remedy', () => {
    const rows = section('Codes')
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    expect(rows).toEqual(
      ERROR_CODES.map((code) => `| \`${code}\` | ${ERROR_TEXTS[code].title} | ${ERROR_TEXTS[code].remedy} |`),
    );
  });

  it('end with the exit codes of the page', () => {
    const rows = [...section('Ends').matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
    expect(rows).toEqual(Object.values(EXIT).sort((a, b) => a - b));
  });
});

describe('JSON', () => {
  /** Every key of a value, once. */
  function keysOf(value: unknown): string[] {
    if (Array.isArray(value)) return value.flatMap(keysOf);
    if (typeof value !== 'object' || value === null) return [];
    return Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);
  }

  it.each([
    ['doctor', ['doctor', '--json'], /^(@.*|h5wasm|electron)$/],
    ['selfcheck', ['selfcheck', '--json'], /^$/],
    [
      'Summary',
      ['analyze', join(ROOT, 'resources/samples/vanishing-lstm.keras'), '--json', '--steps', '20'],
      /^[ifgo]$/,
    ],
  ] as const)('%s has the keys of the page', async (title, args, excused) => {
    const { code, out, err } = await runCli(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const text = section(title);
    for (const key of new Set(keysOf(JSON.parse(out)))) {
      if (!excused.test(key)) expect(text, key).toMatch(new RegExp(`["\`]${key}["\`]`));
    }
  });
});
