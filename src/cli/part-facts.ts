/**
 * What decides the numbers of a run besides the machine, by name: parts are put together only where all of it agrees.
 *
 * Files count by what was read from them, not by their names, which may differ from machine to machine.
 */
import { createHash } from 'node:crypto';
import type { DataArrays, ReaderOptions } from '../host/reader-messages';
import type { RunRequest } from '../shared/run';
import type { Tensor } from '../core/tensor';

/**
 * The facts of a run that are known before it starts.
 *
 * @param version - Of this program.
 * @param model - SHA-256 of the model file.
 * @param request - What is asked for.
 * @param reader - What the file did not store.
 * @param data - What was read from the files that the request names.
 */
export function partFacts(
  version: string,
  model: string,
  request: RunRequest,
  reader: ReaderOptions,
  data: DataArrays,
): Readonly<Record<string, string>> {
  const { input } = request;
  const { h0, c0 } = data.initialState ?? { h0: null, c0: null };
  const random =
    input.kind === 'random' ? `random, ${input.steps} steps, batch ${input.batch ?? 'open'}, seed ${input.seed}` : '';
  const options = Object.entries(request).filter(([name]) => !NOT_DECISIVE.has(name));
  return {
    tempograd: version,
    model,
    input: data.input ? digest(data.input) : random,
    mask: digest(data.mask),
    h0: digest(h0),
    c0: digest(c0),
    ...Object.fromEntries(options.map(([name, value]) => [optionName(name), String(value ?? '')])),
    '--activation': reader.activation ?? '',
    '--recurrent-activation': reader.recurrentActivation ?? '',
    '--reset-after': String(reader.resetAfter ?? ''),
  };
}

/** What of a request does not decide its numbers, or is told apart in another way; every other option counts. */
const NOT_DECISIVE: ReadonlySet<string> = new Set<keyof RunRequest>([
  'layer',
  'input',
  'maskFile',
  'initialStateFile',
  'modes',
  'engine',
  'maxSeconds',
  'maxMemoryBytes',
  'maxBytes',
  'shard',
]);

/** The option that a field of a request comes from. */
function optionName(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** SHA-256 of an array with its shape; empty for none. */
function digest(tensor: Tensor | null): string {
  if (tensor === null) return '';
  const { data, shape } = tensor;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return `[${shape.join(', ')}] sha256 ${createHash('sha256').update(bytes).digest('hex')}`;
}
