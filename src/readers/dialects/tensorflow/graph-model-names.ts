/**
 * The weights of a frozen graph under the names that Keras's variables had.
 *
 * Freezing leaves a constant for each place where a variable was read. What is left of a layer's name, of the cell's
 * operations (`lstm_cell/MatMul_1`) or of the order of a fused layer's reads (`memory/Read_1`) tells which is which; the
 * inputs of a function have numbers only, and stand three by three.
 */
import type { RealTensor } from '../../../core/tensor';
import type { StoredTensor } from '../../stored-tensor';
import { shapedCell } from '../keras/find-named-layers';

/** What is read where, in a layer of one fused operation and in a cell of several. */
const ROLES: Readonly<Record<string, string>> = {
  'Read/ReadVariableOp': 'kernel',
  'Read_1/ReadVariableOp': 'recurrent_kernel',
  'Read_2/ReadVariableOp': 'bias',
  'MatMul/ReadVariableOp': 'kernel',
  'MatMul_1/ReadVariableOp': 'recurrent_kernel',
  'BiasAdd/ReadVariableOp': 'bias',
};

/** A GRU's bias is folded into its two rows. */
const FOLDED_ROW = /^ConstantFolding\/(.*?)\/unstack-folded-([01])$/;
const FUNCTION_INPUT = /^Func\/.*\/input\/_(\d+)$/;

/**
 * The tensors that can be weights, those of recurrent cells named as Keras does.
 *
 * @param tensors - All constants of the graph.
 */
export function nameGraphWeights(tensors: readonly StoredTensor[]): readonly StoredTensor[] {
  const weights = tensors.filter(({ dtype, shape }) => /float/.test(dtype) && shape.length > 0);
  const named = weights.filter(({ name }) => !FUNCTION_INPUT.test(name) && !FOLDED_ROW.test(name)).map(rename);
  const inputs = weights.filter(({ name }) => FUNCTION_INPUT.test(name));
  const cells = nameInputs(inputs, named);
  const replaced = new Set(cells.map(({ name }) => holderOf(name)));
  const kept = named.filter(({ name }) => !replaced.has(holderOf(name)));
  return withoutCommonPrefix([...kept, ...cells, ...joinRows(weights)]);
}

function rename(tensor: StoredTensor): StoredTensor {
  const parts = tensor.name.split('/');
  const role = ROLES[parts.slice(-2).join('/')];
  const isKnown = role !== undefined && Object.hasOwn(ROLES, parts.slice(-2).join('/'));
  const path = plainPath(isKnown ? parts.slice(0, -2) : parts);
  return { ...tensor, name: isKnown ? `${path}/${role}` : path };
}

/** A name without calls, loops, and what stands before the body of a loop. */
function plainPath(parts: readonly string[]): string {
  const body = parts.findLastIndex((part, index) => part === 'body' && /^_\d+$/.test(parts[index + 1] ?? ''));
  return parts
    .slice(body < 0 ? 0 : body + 2)
    .filter((part) => !/^(StatefulPartitionedCall|PartitionedCall|ConstantFolding|while)(_\d+)?$/.test(part))
    .join('/');
}

/** Three inputs of a function are a cell; the loops that take them, in the same order, give the names. */
function nameInputs(inputs: readonly StoredTensor[], named: readonly StoredTensor[]): readonly StoredTensor[] {
  const ordered = [...inputs].sort((a, b) => numberOf(a) - numberOf(b));
  const cells = [];
  const rest: StoredTensor[] = [];
  for (let next = 0; next < ordered.length;) {
    const cell = shapedCell(ordered.slice(next, next + 3), true);
    if (cell) cells.push(cell);
    else rest.push(...ordered.slice(next, next + 1));
    next += cell ? 3 : 1;
  }
  const kernels = named.filter(({ name }) => /cell(_\d+)?\/kernel$/.test(name));
  const isPaired =
    kernels.length === cells.length &&
    cells.every(({ kernel }, index) => kernel.shape.join() === kernels[index]?.shape.join());
  const result = cells.flatMap(({ kernel, recurrentKernel, bias }, index) => {
    const path = isPaired ? holderOf(kernels[index]?.name ?? '') : `inputs/${String(index)}`;
    return [
      { ...kernel, name: `${path}/kernel` },
      { ...recurrentKernel, name: `${path}/recurrent_kernel` },
      ...(bias ? [{ ...bias, name: `${path}/bias` }] : []),
    ];
  });
  return [...result, ...rest];
}

function numberOf({ name }: StoredTensor): number {
  return Number(FUNCTION_INPUT.exec(name)?.[1] ?? 0);
}

/** The two rows of a GRU's bias as one tensor `[2, 3H]`. */
function joinRows(weights: readonly StoredTensor[]): readonly StoredTensor[] {
  const rows = new Map<string, StoredTensor[]>();
  for (const tensor of weights) {
    const found = FOLDED_ROW.exec(tensor.name);
    if (!found) continue;
    const path = plainPath((found[1] ?? '').split('/'));
    const own = rows.get(path) ?? [];
    own[Number(found[2])] = tensor;
    rows.set(path, own);
  }
  return [...rows].flatMap(([path, [input, recurrent]]) => {
    if (input?.shape.length !== 1 || recurrent?.shape.join() !== input.shape.join()) return [];
    const shape = [2, ...input.shape];
    const read = async (): Promise<RealTensor> => {
      const [first, second] = [await input.read(), await recurrent.read()];
      const data = new Float32Array(2 * first.data.length);
      data.set(first.data, 0);
      data.set(second.data, first.data.length);
      return { shape, data };
    };
    return [{ name: `${path}/bias`, shape, dtype: input.dtype, read }];
  });
}

function holderOf(name: string): string {
  return name.split('/').slice(0, -1).join('/');
}

/** The model's own name before all layers says nothing. */
function withoutCommonPrefix(tensors: readonly StoredTensor[]): readonly StoredTensor[] {
  const first = tensors[0]?.name.split('/')[0];
  const isCommon = tensors.every(({ name }) => {
    const parts = name.split('/');
    return parts.length > 2 && parts[0] === first;
  });
  return isCommon ? tensors.map((tensor) => ({ ...tensor, name: tensor.name.split('/').slice(1).join('/') })) : tensors;
}
