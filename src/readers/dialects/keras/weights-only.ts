/**
 * Weights without an architecture: recurrent layers are told by their groups, names and shapes.
 *
 * A cell is a kernel `[D, G H]`, a recurrent kernel `[H, G H]` and perhaps a bias; G = 1, 4, 3 tells SimpleRNN, LSTM and
 * GRU apart. What the file cannot say (activations, direction) is taken as Keras's default and listed.
 */
import type { CellKind, RecurrentModel, WeightInfo } from '../../../core/model';
import type { Hdf5File } from '../../containers/hdf5';
import { readCell } from './cells';
import { hasOldDefaults } from './writer';
import { type KerasContext } from './context';
import { findFlatLayers } from './find-flat-layers';
import { findShapedLayers, type NamedLayers } from './find-named-layers';
import { findTreeLayers } from './find-tree-layers';
import { kindFromShapes, type FoundCell, type FoundLayer } from './found-layer';
import { GraphBuilder } from '../../graph-builder';
import { placeRecurrent } from './place-recurrent';
import type { RecurrentStage } from './recurrent';
import type { LayerVariables } from './variables';
import { WeightReader } from './weight-reader';
import { producerOf } from './writer';
import { assume, finishModel, keepFailure } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';

/**
 * The recurrent layers of a weights-only file; all others are listed as they are.
 *
 * @param file - The file.
 * @param layout - `flat` for Keras 2's, `tree` for Keras 3's.
 * @param context - The reading.
 * @param format - `keras-h5`, `keras-v3`.
 * @throws TempogradError as `finishModel`.
 */
export async function readWeightsOnly(
  file: Hdf5File,
  layout: 'flat' | 'tree',
  context: KerasContext,
  format: string,
): Promise<RecurrentModel> {
  const found = layout === 'tree' ? await findTreeLayers(file) : await findFlatLayers(file);
  const builder = new GraphBuilder(context.limits);
  await addFoundLayers(found, builder, context);
  return finishModel(format, producerOf(context.writer), builder.layers, [], context);
}

/**
 * Adds layers that were told from weights: recurrent ones to be analysed, all others as they are listed.
 *
 * @param found - The layers.
 * @param builder - The graph.
 * @param context - The reading.
 */
export async function addFoundLayers(
  found: readonly FoundLayer[],
  builder: GraphBuilder,
  context: KerasContext,
): Promise<void> {
  for (const layer of found) {
    if (layer.stages.length > 0) await addRecurrent(layer, builder, context);
    else addListed(layer, builder, 'The file holds weights only; what this layer computes is not stored.');
  }
}

/**
 * Adds the cells that nothing but shapes tells, each with its assumption.
 *
 * @param tensors - Tensors that no name tells.
 * @param why - Why shapes have to tell.
 * @param builder - The graph.
 * @param context - The reading.
 * @returns What was found, and what is left.
 */
export async function addShapedLayers(
  tensors: readonly StoredTensor[],
  why: string,
  builder: GraphBuilder,
  context: KerasContext,
): Promise<NamedLayers> {
  const found = findShapedLayers(tensors);
  for (const { path, className } of found.layers) {
    assume(context, { what: `layer at ${path}`, assumed: className, why, change: '' });
  }
  await addFoundLayers(found.layers, builder, context);
  return found;
}

/**
 * Says that a model's own class, which is code, is not in the file.
 *
 * @param className - The class.
 * @param context - The reading.
 */
export function sayNoArchitecture(className: string, context: KerasContext): void {
  context.warnings.push({
    code: 'cell/unsupported',
    message: `The model is of the class ${className}, whose code is not in the file: its layers are told from its weights`,
    remedy: 'Choose a layer; it is analysed on its own input.',
  });
}

const WEIGHTS_ONLY = 'the file holds weights only';

/** Whose cell it is, and why its settings are not known. */
interface Whose {
  readonly layer: string;
  readonly why: string;
}

async function addRecurrent(layer: FoundLayer, builder: GraphBuilder, context: KerasContext): Promise<void> {
  const infos: WeightInfo[] = [];
  const stages: RecurrentStage[] = [];
  const why = layer.why ?? WEIGHTS_ONLY;
  const whose = { layer: layer.name, why };
  try {
    const forwards: RecurrentStage['forward'][] = [];
    for (const { forward, backward } of layer.stages) {
      forwards.push(await readFound(forward, whose, backward ? 'forward' : null, context, infos));
    }
    for (const [index, { backward }] of layer.stages.entries()) {
      const cell = backward ? await readFound(backward, whose, 'backward', context, infos) : null;
      stages.push({ forward: forwards[index] ?? null, backward: cell });
    }
  } catch (error) {
    const reason = keepFailure(error, context);
    addListed(layer, builder, reason);
    return;
  }
  assume(context, {
    what: `direction of ${layer.name}`,
    assumed: layer.stages.some(({ backward }) => backward) ? 'both, concatenated' : 'forward',
    why,
    change: '',
  });
  const template = {
    stages,
    mergeMode: 'concat' as const,
    returnSequences: true,
    returnState: false,
    stateful: false,
    outputReversed: false,
    zeroOutputForMask: false,
    timeDistributed: false,
  };
  placeRecurrent(builder, template, [], {
    name: layer.name,
    className: layer.className,
    path: layer.path,
    weights: infos,
  });
}

/** A found cell read as if its configuration had been there. */
async function readFound(
  found: FoundCell,
  { layer, why }: Whose,
  direction: 'forward' | 'backward' | null,
  context: KerasContext,
  infos: WeightInfo[],
): Promise<NonNullable<RecurrentStage['forward']>> {
  const units = found.recurrentKernel.shape[0] ?? 0;
  const kind = kindOf(found);
  const isCudnn =
    found.bias !== null && found.bias.shape.length === 1 && found.bias.shape[0] === 2 * (found.kernel.shape[1] ?? 0);
  const variables: LayerVariables = {
    path: found.kernel.name,
    take: () => Promise.resolve([found.kernel, found.recurrentKernel, ...(found.bias ? [found.bias] : [])]),
    all: () => Promise.resolve([]),
  };
  const reader = new WeightReader(layer, variables, context);
  const config = {
    units,
    use_bias: found.bias !== null,
    ...(isCudnn ? {} : assumedActivations(kind, { layer, why }, context)),
  };
  const className = isCudnn && kind !== 'SimpleRNN' ? `CuDNN${kind}` : kind;
  const cell = await readCell(className, config, { layer, part: '', direction }, reader, context);
  infos.push(...reader.infos);
  return cell;
}

function assumedActivations(
  kind: CellKind,
  { layer, why }: Whose,
  context: KerasContext,
): Readonly<Record<string, string>> {
  const activation = context.options.activation ?? 'tanh';
  if (context.options.activation === null)
    assume(context, { what: `activation of ${layer}`, assumed: activation, why, change: '--activation' });
  if (kind === 'SimpleRNN') return { activation };
  const usual = hasOldDefaults(context.writer) ? 'hard_sigmoid' : 'sigmoid';
  const recurrentActivation = context.options.recurrentActivation ?? usual;
  if (context.options.recurrentActivation === null) {
    assume(context, {
      what: `recurrent activation of ${layer}`,
      assumed: recurrentActivation,
      why,
      change: '--recurrent-activation',
    });
  }
  if (recurrentActivation === 'hard_sigmoid' && context.writer.version === null) {
    const slope = context.writer.generation >= 3 ? 'x / 6 + 0.5, as in Keras 3' : '0.2 x + 0.5, as in Keras 2';
    assume(context, { what: `hard_sigmoid of ${layer}`, assumed: slope, why: 'no version is stored', change: '' });
  }
  return { activation, recurrent_activation: recurrentActivation };
}

function addListed(layer: FoundLayer, builder: GraphBuilder, reason: string): void {
  builder.add({
    name: layer.name,
    className: layer.className,
    operation: { kind: 'unsupported', reason },
    inputs: [],
    weights: layer.variables.map(({ name, shape, dtype }) => ({
      role: 'other',
      name,
      shape: [...shape],
      dtype,
      direction: null,
    })),
    path: layer.path,
    sourceGateOrder: [],
  });
}

function kindOf(found: FoundCell): CellKind {
  const kind = kindFromShapes(found.kernel.shape, found.recurrentKernel.shape);
  if (kind === null) throw new Error('a found cell has a kind');
  return kind;
}
