/**
 * Weights of recurrent modules that a file keeps in another form than the module uses: by weight or spectral
 * normalization, or under the name that weight dropout gives them.
 *
 * Source: torch/nn/utils/weight_norm.py (w = g v / |v|), spectral_norm.py (w = W / (u W v)), parametrizations.py; AWD-LSTM's
 * `weight_hh_l0_raw`, which is used as it is at inference.
 */
import type { RealTensor } from '../../../core/tensor';
import type { Assumption } from '../../../core/model';
import type { StoredTensor } from '../../stored-tensor';

/** Tensors by the names that modules use, and what was put in place of what. */
export interface UsedTensors {
  readonly tensors: readonly StoredTensor[];
  readonly notes: readonly Assumption[];
}

const PARAMETER = String.raw`(weight_(?:ih|hh|hr)(?:_l\d{1,3}(?:_reverse)?)?)`;
const STORED = [
  { pattern: new RegExp(String.raw`^(.*\.)?${PARAMETER}_(g|v|orig|u|raw)$`), isNested: false },
  {
    pattern: new RegExp(String.raw`^(.*\.)?parametrizations\.${PARAMETER}\.(original[01]?|0\._[uv])$`),
    isNested: true,
  },
] as const;

/** Names of parts of a parametrization, as the older functions name them. */
const OLDER_NAMES: Readonly<Record<string, string>> = {
  original0: 'g',
  original1: 'v',
  original: 'orig',
  '0._u': 'u',
  '0._v': 'v',
};

interface Parts {
  readonly prefix: string;
  readonly parameter: string;
  readonly parts: Map<string, StoredTensor>;
}

/**
 * Tensors with every weight in the form that its module uses; parts that make no weight stay as they are.
 *
 * @param tensors - Named tensors.
 */
export function toUsedWeights(tensors: readonly StoredTensor[]): UsedTensors {
  const stored = new Map<string, Parts>();
  for (const tensor of tensors) addPart(tensor, stored);
  if (stored.size === 0) return { tensors, notes: [] };
  const names = new Set(tensors.map(({ name }) => name));
  const made = new Map<string, StoredTensor>();
  const taken = new Set<StoredTensor>();
  const notes: Assumption[] = [];
  for (const { prefix, parameter, parts } of stored.values()) {
    const form = formOf(parts);
    if (!form) continue;
    // The dropped-out weight of AWD-LSTM is kept around the module that uses it.
    const inner = `${prefix}module.`;
    const isAround = form.what === RAW && names.has(`${inner}${parameter.replace('weight_hh', 'weight_ih')}`);
    const name = `${isAround ? inner : prefix}${parameter}`;
    made.set(name, { name, shape: form.shape, dtype: form.dtype, read: form.read });
    for (const tensor of parts.values()) taken.add(tensor);
    notes.push({ what: `weight ${name}`, assumed: form.what, why: 'the file keeps it in this form', change: '' });
  }
  const kept = tensors.filter((tensor) => !taken.has(tensor) && !made.has(tensor.name));
  return { tensors: [...kept, ...made.values()], notes };
}

function addPart(tensor: StoredTensor, stored: Map<string, Parts>): void {
  for (const { pattern, isNested } of STORED) {
    const match = pattern.exec(tensor.name);
    if (!match) continue;
    const [, prefix = '', parameter = '', part = ''] = match;
    const key = `${prefix}${parameter}`;
    const own: Parts = stored.get(key) ?? { prefix, parameter, parts: new Map<string, StoredTensor>() };
    own.parts.set(isNested ? (OLDER_NAMES[part] ?? part) : part, tensor);
    stored.set(key, own);
    return;
  }
}

const RAW = 'without its dropout';

interface Form extends Omit<StoredTensor, 'name'> {
  readonly what: string;
}

function formOf(parts: ReadonlyMap<string, StoredTensor>): Form | null {
  const [g, v, original, u, raw] = ['g', 'v', 'orig', 'u', 'raw'].map((part) => parts.get(part));
  if (raw) return parts.size === 1 ? { ...raw, read: () => raw.read(), what: RAW } : null;
  if (original && u && v) return isSpectral(original, u, v) ? spectral(original, u, v) : null;
  return g && v && parts.size === 2 && axisOf(g, v) !== null ? normalized(g, v) : null;
}

/** Sums need more digits than a float32 keeps. */
const DTYPE = 'float64';

function normalized(g: StoredTensor, v: StoredTensor): Form {
  const [rows = 0, columns = 0] = v.shape;
  const axis = axisOf(g, v);
  const groupOf = (row: number, column: number): number => (axis === 0 ? row : axis === 1 ? column : 0);
  const read = async (): Promise<RealTensor> => {
    const { data } = await v.read();
    const sizes = (await g.read()).data;
    const squares = new Float64Array(sizes.length);
    const visit = (action: (index: number, group: number) => void): void => {
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) action(row * columns + column, groupOf(row, column));
      }
    };
    visit((index, group) => {
      const value = data[index] ?? NaN;
      // Not ** 2, which interpreted and compiled code may round otherwise.
      squares[group] = (squares[group] ?? NaN) + value * value;
    });
    const scales = squares.map((square, group) => (sizes[group] ?? NaN) / Math.sqrt(square));
    const weight = new Float64Array(data.length);
    visit((index, group) => {
      weight[index] = (data[index] ?? NaN) * (scales[group] ?? NaN);
    });
    return { shape: v.shape, data: weight };
  };
  return { shape: v.shape, dtype: DTYPE, read, what: 'g v / |v| (weight normalization)' };
}

/** The axis along which g has a size of its own, 2 for one size of the whole; null when g does not fit v. */
function axisOf(g: StoredTensor, v: StoredTensor): 0 | 1 | 2 | null {
  const [rows = 0, columns = 0] = v.shape;
  if (v.shape.length !== 2) return null;
  if (g.shape.length === 2 && g.shape[0] === rows && g.shape[1] === 1) return 0;
  if (g.shape.length === 2 && g.shape[0] === 1 && g.shape[1] === columns) return 1;
  return g.shape.length === 0 ? 2 : null;
}

function isSpectral(original: StoredTensor, u: StoredTensor, v: StoredTensor): boolean {
  const [rows, columns] = original.shape;
  const areVectors = u.shape.length === 1 && v.shape.length === 1;
  return original.shape.length === 2 && areVectors && u.shape[0] === rows && v.shape[0] === columns;
}

function spectral(original: StoredTensor, u: StoredTensor, v: StoredTensor): Form {
  const [rows = 0, columns = 0] = original.shape;
  const read = async (): Promise<RealTensor> => {
    const { data } = await original.read();
    const left = (await u.read()).data;
    const right = (await v.read()).data;
    let sigma = 0;
    for (let row = 0; row < rows; row++) {
      let product = 0;
      for (let column = 0; column < columns; column++) {
        product += (data[row * columns + column] ?? NaN) * (right[column] ?? NaN);
      }
      sigma += (left[row] ?? NaN) * product;
    }
    return { shape: original.shape, data: Float64Array.from(data, (value) => value / sigma) };
  };
  return { shape: original.shape, dtype: DTYPE, read, what: 'W / (u W v) (spectral normalization)' };
}
