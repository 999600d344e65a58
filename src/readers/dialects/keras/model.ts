/**
 * A Keras model of any nesting -> the flattened graph.
 *
 * Sequential models are chains; functional ones are followed call by call as soon as a call's inputs are known, so that
 * a shared layer stands in the graph once per call, on the same tensors.
 */
import type { ValueRef } from '../../../core/model';
import { field, isArray, isObject, stringField, type JsonObject, type JsonValue } from '../../json';
import { checkLimit } from '../../limits';
import type { KerasContext } from './context';
import { GraphBuilder } from './graph-builder';
import { addInput, inputShape } from './inputs';
import { addressesIn, readCalls, readEntry, type LayerCall, type LayerEntry, type TensorAddress } from './layer-config';
import { readLayer, type LayerTemplate } from './layer-template';
import { findMaskOperations } from './mask-operations';
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

/** True for a class whose configuration lists layers. */
function isModel(entry: LayerEntry): boolean {
  const listed = isArray(field(entry.entry, 'config')) || isArray(field(entry.config, 'layers'));
  return entry.foreignModule === null && ['Sequential', 'Functional', 'Model'].includes(entry.className) && listed;
}

/** Flattens a model; one instance per reading. */
export class ModelReader {
  readonly builder: GraphBuilder;
  /** Indices of the input layers, in the model's own order. */
  readonly inputs: number[] = [];
  readonly #context: KerasContext;
  /** Layers already read, by their entry: a shared layer is read once. */
  readonly #templates = new Map<JsonObject, LayerTemplate>();

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
      const address = addresses[position];
      if (!address) throw new Error('each layer has an address');
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
    if (!shape && !isModel(entry)) {
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
    const values = new Map<string, readonly ValueRef[]>();
    const inputOrder = addressesIn(field(scope.config, 'input_layers'));
    const outputs = addressesIn(field(scope.config, 'output_layers'));
    const masks = findMaskOperations(entries, outputs);
    const waiting: { readonly position: number; readonly call: number; readonly how: LayerCall }[] = [];
    for (const [position, entry] of entries.entries()) {
      if (entry.className === 'InputLayer') {
        const given = inputs?.[inputOrder.findIndex(({ layer }) => layer === entry.name)];
        if (given) values.set(key(entry.name, 0), [given]);
        else values.set(key(entry.name, 0), [this.#addInput(scope.prefix + entry.name, entry.config)]);
        continue;
      }
      if (masks.names.has(entry.name)) continue;
      for (const [call, how] of readCalls(entry.entry, entry.className).entries())
        waiting.push({ position, call, how });
    }
    if (inputs === null) this.#orderInputs(inputOrder, values);
    const resolve = (address: TensorAddress): ValueRef | undefined =>
      values.get(key(address.layer, address.call))?.[address.tensor];
    let left = waiting;
    while (left.length > 0) {
      const next: typeof left = [];
      for (const item of left) {
        const wanted = [...item.how.inputs, ...item.how.initialState].map(resolve);
        const entry = entries[item.position];
        const address = addresses[item.position];
        if (!entry || !address) throw new Error('each call has a layer');
        const known = wanted.filter((value) => value !== undefined);
        if (known.length < wanted.length) {
          next.push(item);
          continue;
        }
        const masked = item.how.mask.every(masks.isImplicit) ? known : this.#blockMask(entry, scope, known);
        values.set(key(entry.name, item.call), await this.#call(entry, address, scope, masked));
      }
      if (next.length === left.length) {
        this.#listUnreached(
          next.map(({ position }) => entries[position]),
          scope,
        );
        break;
      }
      left = next;
    }
    return outputs.map(resolve).filter((value) => value !== undefined);
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
      .map(({ layer }) => values.get(key(layer, 0))?.[0]?.layer)
      .filter((index) => index !== undefined);
    const rest = this.inputs.filter((index) => !listed.includes(index));
    this.inputs.splice(0, this.inputs.length, ...new Set([...listed, ...rest]));
  }

  /** Calls whose inputs the file does not hold: circles, or names that are nowhere. */
  #listUnreached(entries: readonly (LayerEntry | undefined)[], scope: ModelScope): void {
    for (const entry of entries) {
      if (!entry) continue;
      this.builder.add({
        name: scope.prefix + entry.name,
        className: entry.className,
        operation: { kind: 'unsupported', reason: 'Its inputs are not in the file.' },
        inputs: [],
        weights: [],
        path: '',
        sourceGateOrder: [],
      });
    }
  }

  async #call(
    entry: LayerEntry,
    address: LayerAddress,
    scope: ModelScope,
    inputs: readonly ValueRef[],
  ): Promise<readonly ValueRef[]> {
    const name = scope.prefix + entry.name;
    if (isModel(entry)) {
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
    return Array.from({ length: outputCount(layer) }, (_, output) => ({ layer: index, output }));
  }

  async #template(
    entry: LayerEntry,
    address: LayerAddress,
    scope: ModelScope,
    inputCount: number,
  ): Promise<LayerTemplate> {
    const known = this.#templates.get(entry.entry);
    if (known) return known;
    const call = { name: scope.prefix + entry.name, inputCount };
    const layer = await readLayer(entry, call, await scope.variables.layer(address), this.#context);
    this.#templates.set(entry.entry, layer);
    return layer;
  }
}

/** A layer that is not known may have several outputs; whatever asks for one gets it. */
function outputCount(layer: LayerTemplate): number {
  return layer.kind === 'plain' && layer.operation.kind === 'unsupported' ? 64 : 1;
}

function key(layer: string, call: number): string {
  return `${String(call)}:${layer}`;
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

/**
 * The name of a model, null when its configuration has none.
 *
 * @param model - `{ class_name, config }`
 */
export function modelName(model: JsonObject): string | null {
  const config = field(model, 'config');
  return isObject(config) ? stringField(config, 'name') : null;
}
