/**
 * The constants of a graph: initializers, Constant nodes, and what can be computed from them.
 */
import { TempogradError } from '../../../core/errors';
import { sizeOf, type RealTensor } from '../../../core/tensor';
import { checkLimit, COMPUTED_RATIO } from '../../limits';
import type { FormatOptions } from '../../reading';
import type { StoredTensor } from '../../stored-tensor';
import { ComputedArrays } from './computed-arrays';
import { FOLDED_OPERATORS, foldNode } from './fold';
import type { OnnxGraph, OnnxNode } from './model';
import type { OnnxTensor } from './onnx-tensor';
import type { Scope } from './scope';
import { storeOnnxTensor } from './tensors';

/** A chain of operators on constants is followed so far. */
const MAX_DEPTH = 200;

/** Resolves values that do not depend on the model's inputs. */
export class Constants {
  readonly #options: FormatOptions;
  /** What is known of nodes: their outputs, without the numbers where those are computed. */
  readonly #known = new Map<OnnxNode, readonly StoredTensor[] | null>();
  readonly #computed = new ComputedArrays();
  readonly #open = new Set<OnnxNode>();
  /** Nodes that were computed, once or more often. */
  readonly #folded = new Set<OnnxNode>();
  readonly #consumers = new Map<OnnxGraph, ReadonlyMap<string, readonly OnnxNode[]>>();
  #computedBytes = 0;
  #storedBytes = 0;
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * @param options - Caps, and how files beside the model are opened.
   */
  constructor(options: FormatOptions) {
    this.#options = options;
  }

  /**
   * A value as a stored tensor; null when it depends on an input, or on an operator that is not computed here.
   *
   * @param name - The value.
   * @param scope - Where it is asked for.
   * @throws TempogradError `reader/corrupt` for a circle of nodes, and what tensors throw.
   */
  find(name: string, scope: Scope): Promise<StoredTensor | null> {
    // One after the other: a node that two of them need at once would look like one that depends on itself.
    const found = this.#queue.then(() => this.#find(name, scope));
    this.#queue = found.catch(() => null);
    return found;
  }

  async #find(name: string, scope: Scope): Promise<StoredTensor | null> {
    const source = scope.find(name);
    if (source?.kind === 'initializer') return this.#store(source.tensor, name);
    if (source?.kind !== 'node' || source.node.domain !== '') return null;
    const outputs = await this.#outputsOf(source.node, source.scope);
    const tensor = outputs?.[source.output];
    if (!tensor) return null;
    const named = { ...tensor, name };
    if (source.node.operator !== 'Constant' || COMPUTED.has(tensor)) COMPUTED.add(named);
    return named;
  }

  /**
   * What a ConstantOfShape node fills its output with; zero where it does not say.
   *
   * @param node - The node.
   * @throws TempogradError what tensors throw.
   */
  async fillOf({ name, attributes }: OnnxNode): Promise<RealTensor> {
    const value = attributes.get('value')?.tensor;
    return value ? this.#read(this.#store(value, name)) : { shape: [1], data: new Float32Array(1) };
  }

  async #outputsOf(node: OnnxNode, scope: Scope): Promise<readonly StoredTensor[] | null> {
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    if (this.#open.has(node)) {
      throw new TempogradError('reader/corrupt', `Node ${node.name} of type ${node.operator} depends on itself`);
    }
    if (this.#open.size >= MAX_DEPTH) return null;
    this.#open.add(node);
    try {
      const outputs = node.operator === 'Constant' ? this.#constantOf(node) : await this.#fold(node, scope);
      this.#known.set(node, outputs);
      if (outputs) this.#release(node, scope);
      return outputs;
    } finally {
      this.#open.delete(node);
    }
  }

  /** Drops the arrays on the way to a node where nothing else takes them. */
  #release(node: OnnxNode, scope: Scope): void {
    for (const name of node.inputs) {
      const source = scope.find(name);
      if (source?.kind !== 'node' || source.scope !== scope || source.node.operator === 'Constant') continue;
      const consumers = this.#consumersOf(scope.graph);
      const isDone = source.node.outputs.every((output) =>
        (consumers.get(output) ?? []).every((consumer) => this.#folded.has(consumer)),
      );
      if (isDone) this.#computed.delete(source.node);
    }
  }

  #consumersOf(graph: OnnxGraph): ReadonlyMap<string, readonly OnnxNode[]> {
    const known = this.#consumers.get(graph);
    if (known) return known;
    const consumers = new Map<string, OnnxNode[]>();
    addConsumers(graph, consumers);
    this.#consumers.set(graph, consumers);
    return consumers;
  }

  #constantOf({ name, attributes }: OnnxNode): readonly StoredTensor[] | null {
    const tensor = attributes.get('value')?.tensor ?? attributes.get('sparse_value')?.tensor;
    if (tensor) return [this.#store(tensor, name)];
    for (const [key, { float, integer, floats, integers }] of attributes) {
      if (key === 'value_float' && float !== null) return [stored([], Float32Array.of(float))];
      if (key === 'value_int' && integer !== null) return [stored([], Float64Array.of(integer))];
      if (key === 'value_floats') return [stored([floats.length], Float32Array.from(floats))];
      if (key === 'value_ints') return [stored([integers.length], Float64Array.from(integers))];
    }
    return null;
  }

  async #fold(node: OnnxNode, scope: Scope): Promise<readonly StoredTensor[] | null> {
    if (!FOLDED_OPERATORS.has(node.operator)) return null;
    const tensors: (StoredTensor | null)[] = [];
    for (const name of node.inputs) {
      const tensor = name === '' ? null : await this.#find(name, scope);
      if (name !== '' && !tensor) return null;
      tensors.push(tensor);
    }
    const outputs = await this.#compute(node, tensors);
    this.#folded.add(node);
    return outputs.map(({ shape, data }, index) => {
      const read = async (): Promise<RealTensor> => {
        const made = this.#computed.get(node) ?? (await this.#compute(node, tensors));
        const array = made[index];
        if (!array) throw new Error('a node gives as many arrays as before');
        return array;
      };
      return { name: '', shape, dtype: dtypeOf(data), read };
    });
  }

  /** The arrays of a node, also of one whose arrays were dropped. */
  async #compute(node: OnnxNode, tensors: readonly (StoredTensor | null)[]): Promise<readonly RealTensor[]> {
    const inputs: (RealTensor | null)[] = [];
    for (const tensor of tensors) inputs.push(tensor && (await this.#read(tensor)));
    const value = node.operator === 'ConstantOfShape' ? node.attributes.get('value')?.tensor : null;
    if (value) inputs.push(await this.#read(this.#store(value, node.name)));
    const limits = this.#options.limits;
    const room = COMPUTED_RATIO * this.#storedBytes + limits.maxComputedBytes - this.#computedBytes;
    const outputs = foldNode(node, inputs, { ...limits, maxTensorBytes: Math.min(room, limits.maxTensorBytes) });
    for (const { data } of outputs) this.#charge(data.byteLength);
    this.#computed.set(node, outputs);
    return outputs;
  }

  /** A sparse tensor counts as one that is computed from what is stored of it. */
  #store(tensor: OnnxTensor, name: string): StoredTensor {
    const stored = storeOnnxTensor(tensor, name, this.#options);
    const { sparse } = tensor;
    if (!sparse) return stored;
    const read = async (): Promise<RealTensor> => {
      const known = this.#computed.get(tensor)?.[0];
      if (known) return known;
      this.#storedBytes += 8 * sizeOf(sparse.values.shape);
      this.#charge(8 * sizeOf(tensor.shape));
      const dense = await stored.read();
      this.#computed.set(tensor, [dense]);
      return dense;
    };
    const lazy = { ...stored, read };
    COMPUTED.add(lazy);
    return lazy;
  }

  #read(tensor: StoredTensor): Promise<RealTensor> {
    const bytes = 8 * tensor.shape.reduce((product, size) => product * size, 1);
    checkLimit(`Size of tensor ${tensor.name} in bytes`, bytes, 'maxTensorBytes', this.#options.limits);
    if (!COMPUTED.has(tensor)) this.#storedBytes += bytes;
    return tensor.read();
  }

  /** What is computed takes time, and some of it is kept: a small file cannot grow without bound. */
  #charge(bytes: number): void {
    this.#computedBytes += bytes;
    const { limits } = this.#options;
    const beyond = this.#computedBytes - COMPUTED_RATIO * this.#storedBytes;
    checkLimit('Size of what is computed from constants in bytes', beyond, 'maxComputedBytes', limits);
    checkLimit('Size of what is computed from constants in bytes', this.#computedBytes, 'maxKeptBytes', limits);
  }
}

/** Nodes by the names that they take, those in graphs inside included. */
function addConsumers({ nodes }: OnnxGraph, consumers: Map<string, OnnxNode[]>): void {
  for (const node of nodes) {
    for (const name of new Set(node.inputs)) {
      const known = consumers.get(name);
      if (known) known.push(node);
      else consumers.set(name, [node]);
    }
    for (const { graph } of node.attributes.values()) if (graph) addConsumers(graph, consumers);
  }
}

/** Tensors that were computed: reading one again gives no more room. */
const COMPUTED = new WeakSet<StoredTensor>();

function stored(shape: readonly number[], data: RealTensor['data']): StoredTensor {
  return { name: '', shape, dtype: dtypeOf(data), read: () => Promise.resolve({ shape, data }) };
}

function dtypeOf(data: RealTensor['data']): string {
  return data instanceof Float64Array ? 'float64' : 'float32';
}
