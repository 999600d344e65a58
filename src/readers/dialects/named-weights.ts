/**
 * A model told from nothing but named tensors: a state dict, a safetensors file, an `.npz` of weights.
 *
 * Recurrent modules are found by the names that PyTorch, Keras, TensorFlow, Flax and Haiku give their tensors; all other
 * tensors are listed, and their numbers are never read.
 */
import type { RecurrentModel, Warning } from '../../core/model';
import { GraphBuilder } from '../graph-builder';
import { assume, finishModel, type FormatOptions } from '../reading';
import { OBJECT_BYTES } from '../object-count';
import type { StoredTensor } from '../stored-tensor';
import { findFusedCells, mapFusedCell } from './fused-cells/find-fused-cells';
import { addFusedCells } from './fused-cells/read-fused-cells';
import { newContext, type KerasContext } from './keras/context';
import { findKerasLayers, type NamedLayers } from './keras/find-named-layers';
import type { FoundCell, FoundLayer } from './keras/found-layer';
import { addFoundLayers, addShapedLayers } from './keras/weights-only';
import { isOptimizerSlot } from './optimizer-names';
import { findPartedLayers } from './named-weights/find-parted-layers';
import { addPartedLayers } from './named-weights/parted-layer';
import { findTorchModules } from './torch/find-modules';
import { namePackedCells } from './torch/packed-weights';
import { addTorchModule, type ModuleFacts } from './torch/read-modules';
import { toUsedWeights } from './torch/weight-forms';

/** What a file says beside its tensors. */
export interface NamedFacts {
  /** Recurrent modules, by prefix. */
  readonly modules: ReadonlyMap<string, ModuleFacts>;
  /** Dotted names of the classes of modules saved whole, by prefix. */
  readonly classes: ReadonlyMap<string, string>;
  /** Told with the model. */
  readonly warnings: readonly Warning[];
}

const NOTHING_MORE: NamedFacts = { modules: new Map(), classes: new Map(), warnings: [] };

/** A tensor as each way of naming looks at it: its place, its names, and lists of those that are left. */
const TENSOR_BYTES = 8 * OBJECT_BYTES.record;
const NAME_COPIES = 4;

/** Groups of tensors that are listed one by one; a large model has more, and nobody reads them. */
const MAX_LISTED = 500;

/**
 * The recurrent layers among named tensors.
 *
 * @param format - `torch`, `safetensors`, `npz`.
 * @param producer - Who wrote the file.
 * @param tensors - The tensors by their dotted or slashed names.
 * @param options - Options.
 * @param facts - What the file says beside its tensors.
 * @throws TempogradError as `finishModel`.
 */
export async function readNamedWeights(
  format: string,
  producer: string,
  tensors: readonly StoredTensor[],
  options: FormatOptions,
  { modules, classes, warnings }: NamedFacts = NOTHING_MORE,
): Promise<RecurrentModel> {
  const context = newContext({ generation: 3, version: null }, options);
  context.warnings.push(...warnings);
  const builder = new GraphBuilder(context.limits);
  for (const { name } of tensors) context.limits.objects.add(TENSOR_BYTES + NAME_COPIES * name.length);
  const weights = tensors.filter(({ name }) => !isOptimizerSlot(name.includes('/') ? name : name.replaceAll('.', '/')));
  const unpacked = namePackedCells(weights);
  const used = toUsedWeights(unpacked.tensors);
  for (const note of [...unpacked.notes, ...used.notes]) assume(context, note);
  const torch = findTorchModules(used.tensors);
  for (const module of torch.modules) {
    await addTorchModule(module, modules.get(module.prefix) ?? null, builder, context);
  }
  const parted = findPartedLayers(torch.rest, options);
  await addPartedLayers(parted.layers, builder, context);
  const own = new Map(parted.rest.map((tensor) => [withSlashes(tensor), tensor]));
  const ownOf: OwnOf = (tensor) => own.get(tensor) ?? tensor;
  const keras = findKerasLayers([...own.keys()]);
  await addFoundLayers(
    keras.layers.map((layer) => withOwnNames(layer, ownOf)),
    builder,
    context,
  );
  const fused = findFusedCells(keras.rest);
  await addFusedCells(
    fused.cells.map((cell) => mapFusedCell(cell, ownOf)),
    builder,
    context,
  );
  const shaped = await addPositional(fused.rest.map(ownOf), builder, context);
  const found =
    torch.modules.length + parted.layers.length + keras.layers.length + fused.cells.length + shaped.layers.length;
  if (found > 1) {
    assume(context, {
      what: 'connections between layers',
      assumed: 'none: each is analysed on its own input',
      why: 'the file holds weights only, and does not say which layer feeds which',
      change: '',
    });
  }
  addListed(shaped.rest, classes, builder);
  return finishModel(format, producer, builder.layers, [], context);
}

/** Names that `numpy.savez` gives to arrays without any: their order is all there is. */
const POSITION = /^arr_\d+$/;

/** Arrays of `model.get_weights()`: cells told by shapes alone, each with its assumption. */
async function addPositional(
  tensors: readonly StoredTensor[],
  builder: GraphBuilder,
  context: KerasContext,
): Promise<NamedLayers> {
  const positional = tensors.filter(({ name }) => POSITION.test(name));
  const found = await addShapedLayers(
    positional,
    'only the order and the shapes of the arrays tell what it is',
    builder,
    context,
  );
  const taken = new Set(found.layers.flatMap(({ variables }) => variables));
  return { layers: found.layers, rest: tensors.filter((tensor) => !taken.has(tensor)) };
}

/** Flax and exported variables join names by dots, Keras by slashes. */
function withSlashes(tensor: StoredTensor): StoredTensor {
  return tensor.name.includes('/') ? tensor : { ...tensor, name: tensor.name.replaceAll('.', '/') };
}

/** A tensor as the file names it. */
type OwnOf = (tensor: StoredTensor) => StoredTensor;

function withOwnNames(layer: FoundLayer, ownOf: OwnOf): FoundLayer {
  const cell = ({ kernel, recurrentKernel, bias }: FoundCell): FoundCell => ({
    kernel: ownOf(kernel),
    recurrentKernel: ownOf(recurrentKernel),
    bias: bias && ownOf(bias),
  });
  return {
    ...layer,
    stages: layer.stages.map(({ forward, backward }) => ({
      forward: cell(forward),
      backward: backward && cell(backward),
    })),
    variables: layer.variables.map(ownOf),
  };
}

function addListed(
  tensors: readonly StoredTensor[],
  classes: ReadonlyMap<string, string>,
  builder: GraphBuilder,
): void {
  const groups = new Map<string, StoredTensor[]>();
  for (const tensor of tensors) {
    const holder = tensor.name.replace(/[./][^./]*$/, '');
    const own = groups.get(holder);
    if (own) own.push(tensor);
    else groups.set(holder, [tensor]);
  }
  const listed = [...groups];
  for (const [name, own] of listed.slice(0, MAX_LISTED)) addGroup(name, own, classOf(name, classes), builder);
  const others = listed.slice(MAX_LISTED).flatMap(([, own]) => own);
  if (others.length === 0) return;
  const more = `${String(listed.length - MAX_LISTED)} more`;
  addGroup(more, others.slice(0, MAX_LISTED), classOf('', classes), builder);
}

/** The class of the module that holds a group of tensors, or of the nearest one around it; null where none is stored. */
function classOf(group: string, classes: ReadonlyMap<string, string>): string | null {
  if (classes.size === 0) return null;
  for (let name = group; name !== ''; name = name.slice(0, Math.max(name.lastIndexOf('.'), 0))) {
    const found = classes.get(name);
    if (found !== undefined) return found;
  }
  return classes.get('') ?? null;
}

function addGroup(
  name: string,
  tensors: readonly StoredTensor[],
  savedClass: string | null,
  builder: GraphBuilder,
): void {
  const shown = savedClass?.replace(/^torch\.nn\.modules\.\w+\./, 'nn.').replace(/^__main__\./, '') ?? 'unknown';
  builder.add({
    name: name.replaceAll('/', '.'),
    className: shown,
    operation: {
      kind: 'unsupported',
      reason:
        savedClass === null
          ? 'The file holds weights only; what this layer computes is not stored.'
          : `The module was saved whole; its class ${savedClass} is code and was not loaded.`,
    },
    inputs: [],
    weights: tensors.map(({ name: own, shape, dtype }) => ({
      role: 'other',
      name: own,
      shape: [...shape],
      dtype,
      direction: null,
    })),
    path: name,
    sourceGateOrder: [],
  });
}
