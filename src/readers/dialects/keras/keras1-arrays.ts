/**
 * The arrays of Keras 1 as Keras 2's: an array for each gate becomes one kernel, one recurrent kernel and one bias.
 *
 * An LSTM has twelve (W, U, b of i, c, f, o), a GRU nine (z, r, h); names such as `lstm_1_W_i` tell, else their number.
 * Source: keras 1.2.2, keras/layers/recurrent.py; tf_keras/src/saving/legacy/hdf5_format.py.
 */
import type { RealTensor } from '../../../core/tensor';
import type { StoredTensor } from '../../stored-tensor';

/** Gates in the order of Keras 1's files, and in Keras 2's. */
const LAYOUTS = [
  { stored: ['i', 'c', 'f', 'o'], wanted: ['i', 'f', 'c', 'o'] },
  { stored: ['z', 'r', 'h'], wanted: ['z', 'r', 'h'] },
] as const;
const ROLES = ['W', 'U', 'b'] as const;
const KERAS_NAMES = { W: 'kernel', U: 'recurrent_kernel', b: 'bias' } as const;
const GATE_NAME = /_([WUb])_([icfozrh])(?:_\d+)?(?::\d+)?$/;

/**
 * True for the name of one gate's array: `lstm_1_W_i`.
 *
 * @param name - The variable's name.
 */
export function isGateArray(name: string): boolean {
  return GATE_NAME.test(name);
}

/**
 * Variables with each set of gate arrays replaced by the three arrays of a cell; all others as they are.
 *
 * @param variables - The variables of one layer, in the file's order.
 */
export function joinGateArrays(variables: readonly StoredTensor[]): readonly StoredTensor[] {
  if (variables.some(({ name }) => /kernel(?::\d+)?$/.test(name))) return variables.map(withoutSingleAxis);
  const joined: StoredTensor[] = [];
  for (let next = 0; next < variables.length;) {
    const cell = cellAt(variables, next);
    joined.push(...(cell?.tensors ?? variables.slice(next, next + 1).map(withoutSingleAxis)));
    next += cell?.count ?? 1;
  }
  return joined;
}

/** The cell whose arrays begin at an index, null when none does. */
function cellAt(
  variables: readonly StoredTensor[],
  start: number,
): { readonly tensors: readonly StoredTensor[]; readonly count: number } | null {
  for (const { stored, wanted } of LAYOUTS) {
    const count = ROLES.length * stored.length;
    const arrays = variables.slice(start, start + count);
    const isWhole = arrays.length === count && arrays.every((array, index) => fits(array, arrays, index));
    if (!isWhole || !areNamed(arrays, stored, variables.length % count === 0)) continue;
    const tensors = ROLES.map((role, position) =>
      joinGates(
        wanted.map((gate) => arrays[ROLES.length * stored.findIndex((name) => name === gate) + position]!),
        KERAS_NAMES[role],
      ),
    );
    return { tensors, count };
  }
  return null;
}

/** W `[D, H]`, U `[H, H]`, b `[H]`, again and again. */
function fits({ shape }: StoredTensor, arrays: readonly StoredTensor[], index: number): boolean {
  const [inputs, units] = arrays[0]?.shape ?? [];
  if (inputs === undefined || units === undefined || arrays[0]?.shape.length !== 2) return false;
  const wanted = [[inputs, units], [units, units], [units]][index % ROLES.length] ?? [];
  return shape.length === wanted.length && shape.every((size, axis) => size === wanted[axis]);
}

function areNamed(arrays: readonly StoredTensor[], gates: readonly string[], isCount: boolean): boolean {
  const found = arrays.map(({ name }) => GATE_NAME.exec(name));
  if (found.every((match) => match === null)) return isCount;
  return found.every(
    (match, index) =>
      match?.[1] === ROLES[index % ROLES.length] && match?.[2] === gates[Math.floor(index / ROLES.length)],
  );
}

function joinGates(gates: readonly StoredTensor[], name: string): StoredTensor {
  const first = gates[0]!;
  const units = first.shape.at(-1) ?? 0;
  const rows = first.shape.length === 2 ? (first.shape[0] ?? 0) : 1;
  const shape = [...first.shape.slice(0, -1), units * gates.length];
  const read = async (): Promise<RealTensor> => {
    const blocks: RealTensor[] = [];
    for (const gate of gates) blocks.push(await gate.read());
    const isDouble = blocks.some(({ data }) => data instanceof Float64Array);
    const data = isDouble
      ? new Float64Array(rows * units * gates.length)
      : new Float32Array(rows * units * gates.length);
    for (const [block, { data: values }] of blocks.entries()) {
      for (let row = 0; row < rows; row++) {
        data.set(values.subarray(row * units, (row + 1) * units), (row * gates.length + block) * units);
      }
    }
    return { shape, data };
  };
  const holder = first.name.split('/').slice(0, -1).join('/');
  const owner = (first.name.split('/').at(-1) ?? '').replace(GATE_NAME, '').replace(/(?::\d+)?$/, '');
  return { name: [holder, owner, name].filter((part) => part !== '').join('/'), shape, dtype: first.dtype, read };
}

/** Convolutions over time had an axis of 1 as their second: `[size, 1, D, filters]`. */
function withoutSingleAxis(variable: StoredTensor): StoredTensor {
  const { name, shape } = variable;
  if (shape.length !== 4 || shape[1] !== 1 || !/_W(?:_\d+)?(?::\d+)?$/.test(name)) return variable;
  const flat = [shape[0]!, shape[2]!, shape[3]!];
  const read = async (): Promise<RealTensor> => ({ shape: flat, data: (await variable.read()).data });
  return { name, shape: flat, dtype: variable.dtype, read };
}
