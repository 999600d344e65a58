/**
 * What a pickle would import beside plain data: what a reading says of it.
 *
 * Nothing is ever looked up, so nothing here decides what is safe; the lists only decide which names are worth a word.
 */
import { TempogradError } from '../../../core/errors';
import type { Warning } from '../../../core/model';
import type { PickleGlobal } from '../../containers/pickle-values';

/** Names of plain data, by module. */
const PLAIN: readonly (readonly [RegExp, RegExp])[] = [
  [/^collections$/, /^(OrderedDict|defaultdict)$/],
  [/^_codecs$/, /^encode$/],
  [
    /^(__builtin__|builtins)$/,
    /^(set|frozenset|list|dict|tuple|int|float|str|bytes|bytearray|complex|bool|object|slice|range)$/,
  ],
  [/^copy_?reg$/, /^_reconstructor$/],
  [
    /^torch$/,
    /Storage$|^(ScriptObject|Size|device|dtype|per_(tensor|channel)_affine|sparse_\w+|strided)$|^(b?float|double|half|q?u?int|bool|complex)\d*(_\w+)?$/,
  ],
  [/^__torch__\.torch\.classes\.(rnn|quantized)$/, /ParamsBase$/],
  [/^torch\._utils$/, /^_rebuild_/],
  [/^torch\._tensor$/, /^_rebuild_from_type_v2$/],
  [/^torch\.storage$/, /^(UntypedStorage|TypedStorage|_load_from_bytes)$/],
  [/^torch\.serialization$/, /^_get_layout$/],
  [/^torch\.nn\.parameter$/, /^(Parameter|Buffer)$/],
  [/^torch\.jit\._pickle$/, /^(build_\w+list|restore_type_tag)$/],
  [/^numpy$/, /^(dtype|ndarray)$/],
  [/^numpy\.dtypes$/, /DType$/],
  [/^numpy\._?core\.multiarray$/, /^(scalar|_reconstruct)$/],
  [/^numpy\._?core\.numeric$/, /^_frombuffer$/],
];

/** Recurrent modules, which are understood without their code. */
const UNDERSTOOD = /^torch\.nn\.modules\.rnn\.(RNN|LSTM|GRU)(Cell)?$/;

const MAX_NAMES = 12;
const MAX_DETAILS = 100;

/**
 * Dotted names that stand for no plain data.
 *
 * @param globals - What a pickle would import.
 */
export function foreignNames(globals: readonly PickleGlobal[]): readonly string[] {
  const foreign = globals.filter(
    (global) => !PLAIN.some(([module, name]) => module.test(global.module) && name.test(global.name)),
  );
  return [...new Set(foreign.map(({ path }) => path))];
}

/**
 * What a reading says of them.
 *
 * @param foreign - Dotted names.
 * @param classes - Those that are classes of modules, whose tensors were read.
 * @param hasUnreadPacked - The file holds packed weights of a kind that is not read.
 */
export function foreignWarnings(
  foreign: readonly string[],
  classes: ReadonlySet<string>,
  hasUnreadPacked: boolean,
): readonly Warning[] {
  const told = foreign.filter((path) => !UNDERSTOOD.test(path));
  const modules = told.filter((path) => classes.has(path) || path.startsWith('torch.nn.'));
  const others = told.filter((path) => !modules.includes(path));
  const warnings: Warning[] = [];
  if (modules.length > 0) {
    warnings.push({
      code: 'cell/unsupported',
      message: `Classes that were not loaded, because they are code: ${listOf(modules)}`,
      remedy: 'Recurrent layers are told from their tensors; each is analysed on its own input.',
    });
  }
  if (hasUnreadPacked) {
    warnings.push({
      code: 'cell/unsupported',
      message: 'The file holds packed weights of quantized modules of kinds that are not read',
      remedy: 'Save the model before it is quantized.',
    });
  }
  if (others.length > 0) {
    warnings.push({
      code: 'reader/unsafe',
      message: `The file would import ${listOf(others)}; nothing of it was looked up or run`,
      remedy: 'Do not load this file in Python unless you trust its author; ask for a safetensors file.',
    });
  }
  return warnings;
}

/**
 * Why a file without tensors is no model.
 *
 * @param name - The file's name.
 * @param foreign - Dotted names that it would import.
 */
export function withoutTensors(name: string, foreign: readonly string[]): TempogradError {
  const details = { globals: foreign.slice(0, MAX_DETAILS) };
  if (foreign.some((path) => /^(keras|tf_keras|tensorflow)\b/.test(path))) {
    return new TempogradError('reader/unknown-format', `${name} is a pickle of a Keras model, which is code`, {
      remedy: "Save the model with its own save method, as model.save('model.keras').",
      details,
    });
  }
  if (foreign.length > 0) {
    return new TempogradError(
      'reader/unsafe',
      `${name} holds no tensor, and would import ${listOf(foreign)}; nothing of it was looked up or run`,
      { details },
    );
  }
  return new TempogradError('reader/unknown-format', `${name} is a Python pickle without tensors, not a model`);
}

function listOf(paths: readonly string[]): string {
  const more = paths.length - MAX_NAMES;
  return `${paths.slice(0, MAX_NAMES).join(', ')}${more > 0 ? ` and ${String(more)} more` : ''}`;
}
