/**
 * Weights that quantized modules pack into objects of their own: what such an object holds, and the modules that they
 * are the weights of.
 *
 * Source: aten/src/ATen/native/RNN.cpp (CellParamsBase, `__getstate__`), ATen/native/quantized/packed_params.h
 * (LinearPackedParamsBase), torch/ao/nn/quantized/dynamic/modules/rnn.py.
 */
import type { Assumption } from '../../../core/model';
import { PickleObject, type PickleValue } from '../../containers/pickle-values';
import type { StoredTensor } from '../../stored-tensor';
import { itemsOf, pathOf } from './records';
import type { UsedTensors } from './weight-forms';

/**
 * True for an object of a class that PyTorch keeps outside Python.
 *
 * @param value - Any value.
 */
export function isPacked(value: PickleValue): value is PickleObject {
  return (
    value instanceof PickleObject && /^torch\.ScriptObject$|^__torch__\.torch\.classes\./.test(pathOf(value.callable))
  );
}

/**
 * The tensors that a packed object holds, by names; null where its kind is not known.
 *
 * @param object - The object.
 */
export function packedParts(object: PickleObject): readonly (readonly [string, PickleValue])[] | null {
  const { name, state } = stateOf(object);
  if (name.endsWith('.LinearPackedParamsBase')) {
    const [weight = null, bias = null] = itemsOf(state);
    return [
      ['weight', weight],
      ['bias', bias],
    ];
  }
  if (!name.endsWith('.CellParamsBase')) return null;
  const [kind, biases = null, , , packed = null] = itemsOf(state);
  if (kind !== 'quantized_dynamic' && kind !== 'quantized_fp16') return null;
  const linear = listOf(packed).map((item) => itemsOf(item instanceof PickleObject ? stateOf(item).state : null));
  return ['ih', 'hh'].flatMap((side, index): (readonly [string, PickleValue])[] => [
    [`weight_${side}`, linear[index]?.[0] ?? null],
    [`bias_${side}`, linear[index]?.[1] ?? listOf(biases)[index] ?? null],
  ]);
}

/** A pickled module names the class beside the state; a script makes the class itself. */
function stateOf({ callable, state }: PickleObject): { readonly name: string; readonly state: PickleValue } {
  const path = pathOf(callable);
  const [inner = null, name] = itemsOf(state);
  if (path === 'torch.ScriptObject') return { name: typeof name === 'string' ? name : '', state: inner };
  return { name: path, state: itemsOf(state).length === 1 ? inner : state };
}

/** A list, also one that a script writes with its type. */
function listOf(value: PickleValue): readonly PickleValue[] {
  const isTyped = value instanceof PickleObject && pathOf(value.callable).startsWith('torch.jit._pickle.');
  return itemsOf(isTyped ? (itemsOf(value.args)[0] ?? null) : value);
}

const CELL = /^(.*\.)?_all_weight_values\.(\d{1,3})\.param\.((?:weight|bias)_(?:ih|hh))$/;
const SINGLE = /^(.*\.)?_packed_weight_(ih|hh)\.(weight|bias)$/;

/** The cells of one module by their numbers: levels, each with its directions. */
type Cells = Map<number, Map<string, StoredTensor>>;

/**
 * Tensors with those of quantized modules under the names that plain modules give them.
 *
 * @param tensors - Named tensors.
 */
export function namePackedCells(tensors: readonly StoredTensor[]): UsedTensors {
  const modules = new Map<string, Cells>();
  const named: StoredTensor[] = [];
  const prefixes = new Set<string>();
  for (const tensor of tensors) {
    const [, prefix = '', number, parameter = ''] = CELL.exec(tensor.name) ?? [];
    const single = number === undefined ? SINGLE.exec(tensor.name) : null;
    if (number !== undefined) {
      const cells: Cells = modules.get(prefix) ?? new Map();
      const cell = cells.get(Number(number)) ?? new Map<string, StoredTensor>();
      modules.set(prefix, cells.set(Number(number), cell.set(parameter, tensor)));
    } else if (single) {
      prefixes.add(single[1] ?? '');
      named.push({ ...tensor, name: `${single[1] ?? ''}${single[3] ?? ''}_${single[2] ?? ''}` });
    } else named.push(tensor);
  }
  const notes = [...prefixes, ...modules.keys()].map(unrounded);
  for (const [prefix, cells] of modules) {
    const directions = directionsOf(cells);
    if (directions === null) notes.push(levelsAssumed(prefix));
    for (const [number, cell] of cells) {
      const level = Math.floor(number / (directions ?? 1));
      const suffix = number % (directions ?? 1) === 1 ? '_reverse' : '';
      for (const [parameter, tensor] of cell) {
        named.push({ ...tensor, name: `${prefix}${parameter}_l${String(level)}${suffix}` });
      }
    }
  }
  return { tensors: named, notes };
}

/** Told by what the cells take: the second one the same as the first, the third both directions; null where both fit. */
function directionsOf(cells: Cells): 1 | 2 | null {
  const inputOf = (number: number): number | undefined => cells.get(number)?.get('weight_ih')?.shape[1];
  const units = cells.get(0)?.get('weight_hh')?.shape[1] ?? 0;
  if (cells.size % 2 !== 0 || inputOf(0) !== inputOf(1)) return 1;
  if (cells.size === 2) return inputOf(0) === units ? null : 2;
  return inputOf(2) === 2 * units ? 2 : 1;
}

function unrounded(prefix: string): Assumption {
  return {
    what: `weights of ${prefix.replace(/\.$/, '') || 'the module'}`,
    assumed: 'those of the file, without the rounding of x and h',
    why: 'the module is quantized, and rounds while it runs',
    change: '',
  };
}

function levelsAssumed(prefix: string): Assumption {
  return {
    what: `cells of ${prefix.replace(/\.$/, '') || 'the module'}`,
    assumed: 'two levels, one on the other',
    why: 'the file does not say whether they are two directions of one level, which have the same shapes here',
    change: '',
  };
}
