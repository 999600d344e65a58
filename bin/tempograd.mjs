#!/usr/bin/env node
/**
 * The launcher: without arguments or with `open` it opens the window, with everything else it is the command line.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const commandLine = new URL('../out/main/cli.js', import.meta.url);
const [command, ...rest] = process.argv.slice(2);
const say = (line) => process.stderr.write(`${line}\n`);

if (!existsSync(fileURLToPath(commandLine))) await build();
if (command === undefined || (command === 'open' && !rest.some((word) => word === '--help' || word === '-h')))
  await open();
else await import(commandLine.href);

/** Builds the program where this is a checkout with its packages; else says what is missing. */
async function build() {
  if (!existsSync(new URL('../node_modules/electron-vite', import.meta.url))) {
    say(`tempograd: the program is not built yet. Run this once in ${root}: npm run setup && npm run build`);
    process.exit(1);
  }
  const { ensureBuilt } = await import('../scripts/run/build.mjs');
  if (!(await ensureBuilt(root, say))) process.exit(1);
}

/** Opens the window with the files named after `open`. */
async function open() {
  const { openWindow } = await import('../scripts/run/open-window.mjs');
  const { cacheDirectory, cacheLayout, projectLayout } = await import('../scripts/setup/paths.mjs');
  const places = { project: projectLayout(), cache: cacheLayout(cacheDirectory()) };
  process.exitCode = await openWindow({ ...places, files: rest, workingFolder: process.cwd(), say });
}
