/** The models that mutants are made of: of each format some of its fixtures. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { ModelFiles } from './mutate-files';

/** Models of one format that mutants are made of. */
const MAX_SEEDS = 8;
const FIXTURES = 'test/fixtures';

const CHOSEN: Readonly<Record<string, readonly string[]>> = {
  keras: [
    'keras/keras3-lstm',
    'keras/tfkeras-gru-reset-after',
    'keras/keras3-bidirectional-concat',
    'keras/keras3-encoder-decoder',
    'keras/keras3-nested-functional',
    'keras/keras3-mask-merge-add',
  ],
  h5: [
    'keras/keras3-lstm-h5',
    'keras/tfkeras-lstm-h5',
    'keras/keras3-mask-embedding-gru-last',
    'keras/tfkeras-encoder-decoder',
    'keras/tfkeras-nested-functional',
    'keras/tfkeras-weights-v3-nested',
    'keras/tfkeras-weights-h5-bidirectional',
  ],
  ...Object.fromEntries(
    ['torch', 'safetensors', 'npz', 'onnx', 'tfjs', 'saved-model', 'checkpoint'].map((format) => [
      format,
      spread(fixturesOf(format), MAX_SEEDS),
    ]),
  ),
};

/** Folders of a format's fixtures, from the root of all fixtures. */
function fixturesOf(format: string): readonly string[] {
  const root = join(FIXTURES, format);
  if (!existsSync(root)) return [];
  const names = readdirSync(root).sort();
  return names.filter((name) => existsSync(join(root, name, 'fixture.json'))).map((name) => `${format}/${name}`);
}

/** At most `count` of the names, evenly spread. */
function spread(names: readonly string[], count: number): readonly string[] {
  const step = Math.max(1, names.length / count);
  return names.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

/** A fixture's model with all that lies beside it. */
function loadFiles(fixture: string): ModelFiles {
  const folder = join(FIXTURES, fixture);
  const { file } = JSON.parse(readFileSync(join(folder, 'fixture.json'), 'utf8')) as { readonly file: string };
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => name !== 'fixture.json' && name !== 'expected.npz');
  // What stands beside the model is named from the model's own folder.
  const base = dirname(file);
  const files = names.map((name) => [relative(base, name), readFileSync(join(folder, name))] as const);
  return { main: relative(base, file), files: new Map(files) };
}

/** The models of each format that has fixtures. */
export function loadSeeds(): ReadonlyMap<string, readonly ModelFiles[]> {
  const loaded = Object.entries(CHOSEN).map(([format, names]) => [format, names.map(loadFiles)] as const);
  return new Map(loaded.filter(([, models]) => models.length > 0));
}
