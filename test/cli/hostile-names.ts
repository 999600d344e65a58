/** A good model whose layer has a name that no one should give it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { memorySource } from '../../src/readers/byte-source';
import { openZip } from '../../src/readers/containers/zip';
import { DEFAULT_LIMITS } from '../../src/readers/limits';
import { writeZip } from '../readers/containers/write-zip';
import { fixtureModel } from './run-cli';

/** Escape sequences of a terminal, a line break, a C1 control, a mark of writing direction, and letters of several scripts. */
export const HOSTILE_NAME = 'gedächtnis 記憶 🧠 \u001b[2J\u001b]0;owned\u0007\u009b31m\u202etxt\r\ntempograd: done';

/** Writes the model of `keras3-lstm` with its layer `memory` renamed. */
export async function writeRenamedModel(path: string, name: string): Promise<void> {
  const zip = await openZip(memorySource(readFileSync(fixtureModel('keras3-lstm'))), DEFAULT_LIMITS);
  const entries = [];
  for (const entry of zip.names) {
    const bytes = await zip.read(entry);
    const isConfig = entry === 'config.json';
    const text = isConfig ? new TextDecoder().decode(bytes).replaceAll('"memory"', JSON.stringify(name)) : null;
    entries.push({ name: entry, bytes: text === null ? bytes : new TextEncoder().encode(text) });
  }
  writeFileSync(path, writeZip(entries));
}
