/**
 * A Keras model of any nesting -> the flattened graph.
 *
 * Sequential models are chains; functional ones are followed call by call as soon as a call's inputs are known, so that
 * a shared layer stands in the graph once per call, on the same tensors.
 */
import type { ValueRef } from '../../../core/model';
import { field, isArray, type JsonObject, type JsonValue } from '../../json';
import { checkLimit } from '../../limits';
import type { KerasContext } from './context';
import { GraphBuilder } from '../../graph-builder';
import { findInnerLayers } from './find-named-layers';
import { addFoundLayers } from './weights-only';
import { addInput, inputShape } from './inputs';
import { callKey, planCalls } from './call-plan';
import { isModelEntry, readEntry, type LayerEntry, type TensorAddress } from './layer-config';
import { readLayer, type LayerTemplate } from './layer-template';
import { placeRecurrent } from './place-recurrent';
import { isRecurrentClass } from './recurrent';
import { toSnakeCase } from './tree-variables';
import type { LayerAddress, ModelVariables } from './variables';

/** A model inside the reading. */
interface ModelScope {
  readonly config: JsonValue;
  readonly variables: ModelVariables;
  /** `inner/` for the layers of a nested model. */
  readonly prefix: string;
  readonly depth: number;
}

/** Flattens a model; one instance per reading. */
export class ModelReader {
  readonly builder: GraphBuilder;
  /** Indices of the input layers, in the model's own order. */
  readonly inputs: number[] = [];
  readonly #context: KerasContext;
  /** Layers already read, by their entry: a shared layer is read once. */
  readonly #templates = new Map<JsonObject, LayerTemplate>();
  /** Layers of unknown classes that have been looked into. */
  readonly #opened = new Set<JsonObject>();
  /** Layers of nested models by name and configuration: a model that stands in two places is stored in one. */
  readonly #twins = new Map<string, LayerTemplate>();

  /**
   * @param context - The reading.
   */
  constructor(context: KerasContext) {
    this.#context = context;
    this.builder = new GraphBuilder(context.limits);
  }

  /**
   * Adds all layers of the outermost model.
   *
   * @param model - `{ class_name, config }`
   * @param variables - Its variables.
   * @throws TempogradError `reader/unsafe`, `reader/limit-exceeded`.
   */
  async readModel(model: JsonObject, variables: ModelVariables): Promise<void> {
    const entry = readEntry(model, 0);
    const config = field(model, 'config') ?? {};
    await this.#addModel(entry.className, { config, variables, prefix: '', depth: 0 }, null);
  }

  async #addModel(
    className: string,
    scope: ModelScope,
    inputs: readonly ValueRef[] | null,
  ): Promise<readonly ValueRef[]> {
    checkLimit('Nesting of models', scope.depth, 'maxModelDepth', this.#context.limits);
    const listed = isArray(scope.config) ? scope.config : field(scope.config, 'layers');
    const entries = isArray(listed) ? listed.map(readEntry) : [];
    checkLimit('Number of layers of one model', entries.length, 'maxLayers', this.#context.limits);
    const addresses = addressLayers(entries);
    return className === 'Sequential'
      ? this.#addSequential(entries, addresses, scope, inputs)
      : this.#addFunctional(entries, addresses, scope, inputs);
  }

  async #addSequential(
    entries: readonly LayerEntry[],
    addresses: readonly LayerAddress[],
    scope: ModelScope,
    inputs: readonly ValueRef[] | null,
  ): Promise<readonly ValueRef[]> {
    let current = inputs;
    for (const [position, entry] of entries.entries()) {
      const address = addresses[position]!;
      if (entry.className === 'InputLayer') {
        current ??= [this.#addInput(scope.prefix + entry.name, entry.config)];
        continue;
      }
      current ??= [await this.#addImpliedInput(entry, address, scope)];
      current = await this.#call(entry, address, scope, current);
    }
    return current ?? [];
  }

  /** The input of a Sequential model without an InputLayer; its shape is in the first layer or beside the list. */
  async #addImpliedInput(entry: LayerEntry, address: LayerAddress, scope: ModelScope): Promise<ValueRef> {
    const stated = inputShape(entry.config) ?? inputShape(entry.entry) ?? inputShape(scope.config);
    let shape = stated;
    if (!shape && !isModelEntry(entry)) {
      const layer = await this.#template(entry, address, scope, 1);
      const cell = layer.kind === 'recurrent' ? layer.template.stages[0] : undefined;
      const dim = (cell?.forward ?? cell?.backward)?.inputDim;
      if (dim !== undefined) shape = [null, dim];
      else if (layer.kind === 'plain' && layer.operation.kind === 'embedding') shape = [null];
    }
    return this.#addInput(`${scope.prefix}${entry.name}_input`, {
      shape: shape ? [...shape] : [null, null],
      dtype: entry.config['dtype'] ?? null,
    });
  }

  #addInput(name: string, config: JsonObject): ValueRef {
    const index = addInput(this.builder, name, config);
    this.inputs.push(index);
    return { layer: index, output: 0 };
  }

  async #addFunctional(
    entries: readonly LayerEntry[],
    addresses: readonly LayerAddress[],
    scope: ModelScope,
    inputs: readonly ValueRef[] | null,
  ): Promise<readonly ValueRef[]> {
    const plan = planCalls(entries, scope.config);
    const values = new Map<string, readonly ValueRef[]>();
    for (const { className, name, config } of entries) {
      if (className !== 'InputLayer') continue;
      const given = inputs?.[plan.inputs.findIndex(({ layer }) => layer === name)];
      values.set(callKey(name, 0), [given ?? this.#addInput(scope.prefix + name, config)]);
    }
    if (inputs === null) this.#orderInputs(plan.inputs, values);
    const resolve = ({ layer, call, tensor }: TensorAddress): ValueRef | undefined =>
      values.get(callKey(layer, call))?.[tensor];
    for (const planned of plan.calls) {
      const entry = entries[planned.position]!;
      const wanted = [...planned.inputs, ...planned.initialState].map(resolve);
      const known = wanted.filter((value) => value !== undefined);
      if (known.length < wanted.length) {
        this.#addUnreached(entry, scope);
        continue;
      }
      const masked = planned.mask.every(plan.masks.isImplicit) ? known : this.#blockMask(entry, scope, known);
      values.set(
        callKey(entry.name, planned.call),
        await this.#call(entry, addresses[planned.position]!, scope, masked),
      );
    }
    for (const { position } of plan.unreached) this.#addUnreached(entries[position]!, scope);
    return plan.outputs.map(resolve).filter((value) => value !== undefined);
  }

  /** The inputs of a recurrent layer behind a mask that the layers below do not give: it stands in the way. */
  #blockMask(entry: LayerEntry, scope: ModelScope, inputs: readonly ValueRef[]): readonly ValueRef[] {
    if (!isRecurrentClass(entry.className, entry.config)) return inputs;
    const index = this.builder.add({
      name: `${scope.prefix}${entry.name}.mask`,
      className: 'mask',
      operation: {
        kind: 'unsupported',
        reason: 'A mask is given as a tensor of its own, not by a Masking or Embedding layer.',
      },
      inputs: inputs.slice(0, 1),
      weights: [],
      path: '',
      sourceGateOrder: [],
    });
    return [{ layer: index, output: 0 }, ...inputs.slice(1)];
  }

  /** Puts the inputs found so far into the order that the model itself lists. */
  #orderInputs(order: readonly TensorAddress[], values: ReadonlyMap<string, readonly ValueRef[]>): void {
    const listed = order
      .map(({ layer }) => values.get(callKey(layer, 0))?.[0]?.layer)
      .filter((index) => index !== undefined);
    const rest = this.inputs.filter((index) => !listed.includes(index));
    this.inputs.splice(0, this.inputs.length, ...new Set([...listed, ...rest]));
  }

  /** A call whose inputs the file does not hold. */
  #addUnreached({ name, className }: LayerEntry, scope: ModelScope): void {
    this.builder.add({
      name: scope.prefix + name,
      className,
      operation: { kind: 'unsupported', reason: 'Its inputs are not in the file.' },
      inputs: [],
      weights: [],
      path: '',
      sourceGateOrder: [],
    });
  }

  async #call(
    entry: LayerEntry,
    address: LayerAddress,
    scope: ModelScope,
    inputs: readonly ValueRef[],
  ): Promise<readonly ValueRef[]> {
    const name = scope.prefix + entry.name;
    if (isModelEntry(entry)) {
      const inner: ModelScope = {
        config: field(entry.entry, 'config') ?? {},
        variables: await scope.variables.inner(address),
        prefix: `${name}/`,
        depth: scope.depth + 1,
      };
      return this.#addModel(entry.className, inner, inputs);
    }
    const layer = await this.#template(entry, address, scope, inputs.length);
    const placement = { name, className: entry.className, path: layer.path, weights: layer.weights };
    if (layer.kind === 'recurrent') return placeRecurrent(this.builder, layer.template, inputs, placement);
    const index = this.builder.add({ ...placement, operation: layer.operation, inputs, sourceGateOrder: [] });
    await this.#offerInner(entry, name, layer);
    return Array.from({ length: outputCount(layer) }, (_, output) => ({ layer: index, output }));
  }

  /** Known cells inside a layer of a class that is not known: they can be analysed on their own input. */
  async #offerInner(entry: LayerEntry, name: string, layer: LayerTemplate): Promise<void> {
    const isCode = layer.kind === 'plain' && layer.operation.kind === 'unsupported' && layer.variables.length > 1;
    if (!isCode || isRecurrentClass(entry.className, entry.config) || this.#opened.has(entry.entry)) return;
    this.#opened.add(entry.entry);
    const inner = findInnerLayers(name, entry.className, layer.path, layer.variables);
    await addFoundLayers(inner, this.builder, this.#context);
  }

  async #template(
    entry: LayerEntry,
    address: LayerAddress,
    scope: ModelScope,
    inputCount: number,
  ): Promise<LayerTemplate> {
    const known = this.#templates.get(entry.entry);
    if (known) return known;
    const twin = twinKey(scope.prefix + entry.name, entry.config);
    const call = { name: scope.prefix + entry.name, inputCount };
    let layer = await readLayer(entry, call, await scope.variables.layer(address), this.#context);
    if (layer.weights.length === 0) layer = this.#twins.get(twin) ?? layer;
    else if (scope.depth > 0) this.#twins.set(twin, layer);
    this.#templates.set(entry.entry, layer);
    return layer;
  }
}

/** A layer that is not known may have several outputs; whatever asks for one gets it. */
function outputCount(layer: LayerTemplate): number {
  return layer.kind === 'plain' && layer.operation.kind === 'unsupported' ? 64 : 1;
}

/** The model's name and the layer's, with all that the layer is configured by but the marks of sharing. */
function twinKey(path: string, config: JsonObject): string {
  const settings = JSON.stringify(config, (name, value: unknown) => (name === 'shared_object_id' ? undefined : value));
  return `${path.split('/').slice(-2).join('/')}:${settings}`;
}

/** Names, and numbers among the layers of the same class: the groups of a weights file are named so. */
function addressLayers(entries: readonly LayerEntry[]): readonly LayerAddress[] {
  const counts = new Map<string, number>();
  return entries.map(({ name, className }) => {
    const group = toSnakeCase(className);
    const ordinal = counts.get(group) ?? 0;
    counts.set(group, ordinal + 1);
    return { name, className, ordinal };
  });
}
