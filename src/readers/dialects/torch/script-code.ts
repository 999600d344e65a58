/**
 * What the source text of a TorchScript archive says of its modules; the text is searched, never run.
 *
 * Source: torch/csrc/jit/docs/serialization.md (`code/` holds one file for each Python module).
 */
import type { ZipArchive } from '../../containers/zip';

/** Code of one module is short; a longer file is left alone. */
const MAX_CODE_BYTES = 1 << 20;

/**
 * The nonlinearity that a scripted or traced `nn.RNN` or `nn.RNNCell` calls; null when its code does not tell.
 *
 * @param archive - The archive.
 * @param base - Its folder.
 * @param className - `__torch__.torch.nn.modules.rnn.___torch_mangle_0.RNN`.
 * @throws TempogradError `reader/corrupt` for an entry that is damaged.
 */
export async function nonlinearityInCode(archive: ZipArchive, base: string, className: string): Promise<string | null> {
  const parts = className.split('.');
  const own = parts.pop() ?? '';
  const entry = `${base}code/${parts.join('/')}.py`;
  if (!archive.has(entry)) return null;
  const source = await archive.open(entry);
  if (source.size > MAX_CODE_BYTES) return null;
  const text = new TextDecoder('utf-8').decode(source.read(0, source.size));
  const start = text.indexOf(`class ${own}(`);
  if (start < 0) return null;
  const end = text.indexOf('\nclass ', start);
  const body = text.slice(start, end < 0 ? undefined : end);
  const called = new Set([...body.matchAll(/\btorch\.rnn_(tanh|relu)(?:_cell)?\(/g)].map(([, name]) => name));
  return called.size === 1 ? ([...called][0] ?? null) : null;
}
