/**
 * The graph of an ONNX model as layers: recurrent nodes, and below them what they stand on.
 *
 * Nodes that no recurrent one stands on are left out. Graphs inside If, Loop and Scan are searched for recurrent nodes;
 * those of a branch see the values around it, those of a loop stand on their own input.
 * Long because every kind of node meets the same values here.
 */
import { TempogradError } from '../../../core/errors';
import { hiddenSize, type LayerOperation, type ValueRef, type WeightInfo } from '../../../core/model';
import type { GraphBuilder } from '../../graph-builder';
import { assume, unsupported, type FormatOptions, type Reading, keepFailure } from '../../reading';
import { takeTensor } from '../../take-tensor';
import { DIRECTIONS, ONE, type Size } from './axes';
import { findBatchAxes } from './batch-axis';
import { Branches, isBranching, isRecurrentNode } from './branches';
import { ONNX_GATES } from './cells';
import { Constants } from './constants';
import { placeBodyCells } from './decomposed/place-cells';
import { hasCellOperators, sequencesOf } from './decomposed/read-body';
import { rollUp } from './decomposed/roll-up';
import { splitStates } from './decomposed/split-states';
import { dequantize } from './dequantize';
import type { OnnxGraph, OnnxInput, OnnxNode } from './model';
import { readPlainNode } from './plain';
import type { GraphValue, PlainSource } from './plain-source';
import { listNodes } from './list-nodes';
import { readRecurrentNode, type RecurrentNode, type StoredState } from './recurrent';
import { Scope } from './scope';
import { readShapeNode, shapeOfValue } from './shape-values';
import { isFed, uniformValue } from './uniform';

/** A value of the graph, or why there is none. */
type KnownValue = GraphValue | { readonly ref: ValueRef; readonly axes: null };

/** A graph while its nodes are read. */
interface Walk {
  readonly builder: GraphBuilder;
  readonly constants: Constants;
  readonly reading: Reading;
  readonly branches: Branches;
  readonly scope: Scope;
  /** The graph whose values this one sees: that of the If node around a branch; null for other graphs. */
  readonly around: Walk | null;
  readonly values: Map<string, KnownValue>;
  readonly batchAxes: ReadonlyMap<string, number>;
  readonly inputs: number[];
  /** Batch and steps where the file says them, for every input alike; null where two inputs differ. */
  readonly sizes: (number | null)[];
  /** Shapes, and what is put together from their entries, by name. */
  readonly shapes: Map<string, readonly Size[]>;
}

/** Element types of integers. */
const INTEGERS: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 7, 12, 13]);
const STATE_INPUTS = [5, 6];

/**
 * Adds the layers of a model's graph, and gives the indices of its input layers.
 *
 * @param graph - The graph.
 * @param builder - Where the layers go.
 * @param options - Caps, and how files beside the model are opened.
 * @param reading - The reading.
 * @throws TempogradError `reader/unsafe`, and `reader/corrupt` of the graph itself.
 */
export async function addOnnxGraph(
  graph: OnnxGraph,
  builder: GraphBuilder,
  options: FormatOptions,
  reading: Reading,
): Promise<readonly number[]> {
  const constants = new Constants(options);
  const real = await dequantize(graph, constants, reading);
  const rolled = await rollUp(new Scope(real, null), constants);
  const scope = new Scope(await splitStates(new Scope(rolled, null), constants), null);
  const branches = new Branches(constants);
  const batchAxes = await findBatchAxes(scope, constants, branches);
  const walk: Walk = {
    builder,
    constants,
    reading,
    branches,
    scope,
    around: null,
    values: new Map(),
    batchAxes,
    inputs: [],
    sizes: [],
    shapes: new Map(),
  };
  await addNodes(walk, '', await nodesBelow(scope, constants, branches));
  if (builder.layers.length === 0) await listNodes(scope, constants, builder);
  return walk.inputs;
}

/** Recurrent nodes and all that they stand on, followed from value to value. */
async function nodesBelow(scope: Scope, constants: Constants, branches: Branches): Promise<ReadonlySet<OnnxNode>> {
  const wanted = new Set<OnnxNode>();
  const open: (readonly [string, Scope])[] = [];
  for (const place of branches.within(scope)) {
    for (const node of place.graph.nodes) {
      open.push(...sequencesOf(node, place).map(({ name }) => [name, place] as const));
      if (!isRecurrentNode(node)) continue;
      wanted.add(node);
      open.push([node.inputs[0] ?? '', place]);
      for (const at of STATE_INPUTS) {
        const state = node.inputs[at] ?? '';
        if (!isFed(state, place) && (await uniformValue(state, place, constants)) === null) open.push([state, place]);
      }
    }
  }
  for (let next = open.pop(); next; next = open.pop()) {
    const [name, place] = next;
    const source = place.find(name);
    if (source?.kind !== 'node' || wanted.has(source.node)) continue;
    wanted.add(source.node);
    const branch = await branches.chosen(source.node, source.scope);
    const names = branch ? branch.scope.graph.outputs : source.node.inputs;
    for (const input of names) open.push([input, branch?.scope ?? source.scope]);
  }
  return wanted;
}

async function addNodes(walk: Walk, path: string, wanted: ReadonlySet<OnnxNode>): Promise<void> {
  const counts = new Map<string, number>();
  for (const node of walk.scope.graph.nodes) {
    const count = counts.get(node.operator) ?? 0;
    counts.set(node.operator, count + 1);
    const name = `${path}${node.name === '' ? `${node.operator}_${String(count)}` : node.name}`;
    if (isRecurrentNode(node)) await addRecurrent(node, name, walk);
    else if (hasCellOperators(node)) await addStepped(node, name, walk);
    else if (wanted.has(node) && !isBranching(node)) await addPlain(node, name, walk);
    const inners = new Map<OnnxGraph, Walk>();
    for (const [key, { graph }] of node.attributes) {
      if (!graph) continue;
      const isBranch = isBranching(node);
      const inner: Walk = {
        ...walk,
        scope: isBranch ? walk.branches.scopeOf(graph, walk.scope) : new Scope(graph, walk.scope),
        around: isBranch ? walk : null,
        values: new Map(),
      };
      await addNodes(inner, `${name}/${key}/`, isBranch ? wanted : new Set());
      inners.set(graph, inner);
    }
    if (wanted.has(node)) await giveBranch(node, name, walk, inners);
  }
}

/** What an If node gives is what the followed branch gives. */
async function giveBranch(
  node: OnnxNode,
  name: string,
  walk: Walk,
  inners: ReadonlyMap<OnnxGraph, Walk>,
): Promise<void> {
  const branch = await walk.branches.chosen(node, walk.scope);
  const inner = branch && inners.get(branch.scope.graph);
  if (!inner) return;
  for (const [index, output] of node.outputs.entries()) {
    const value = valueOf(inner.scope.graph.outputs[index] ?? '', inner);
    if (value) walk.values.set(output, value);
  }
  if (branch.isCertain) return;
  assume(walk.reading, {
    what: `branch of ${name}`,
    assumed: branch.key,
    why: 'its condition is known only when the model runs',
    change: '',
  });
}

async function addRecurrent(node: OnnxNode, name: string, walk: Walk): Promise<void> {
  const { constants, reading, scope } = walk;
  try {
    const read = await readRecurrentNode(node, scope, name, constants, reading);
    const kind = (read.operation.forward ?? read.operation.backward)?.kind ?? 'SimpleRNN';
    const input = placedInput(node, read, name, walk);
    const initialState =
      read.states.length > 0
        ? read.states.map((state) => addConstant(state, name, walk))
        : await computedStates(node, read, name, walk);
    const operation = { ...read.operation, initialState };
    const layer = addLayer(walk, name, node.operator, operation, input ? [input] : [], read.weights, ONNX_GATES[kind]);
    giveOutputs(node, read, layer, walk);
  } catch (error) {
    const reason = keepFailure(error, reading);
    addUnknown(node, name, reason, [], walk);
  }
}

/** A Loop or Scan that steps a cell with plain operators. */
async function addStepped(node: OnnxNode, name: string, walk: Walk): Promise<void> {
  try {
    const cells = await placeBodyCells(node, name, {
      ...walk,
      sequence: (value, axis, layer) => placedSequence(value, axis === 0 ? '1,0,2' : '0,1,2', layer, null, walk),
    });
    for (const { ref, cell, outputs } of cells) {
      const give = (output: number | null, from: number, axes: readonly number[]): void => {
        const value = output === null ? '' : (node.outputs[output] ?? '');
        const width = from === 2 ? cell.units : hiddenSize(cell);
        if (value !== '') walk.values.set(value, { ref: { ...ref, output: from }, axes, width });
      };
      give(outputs.sequence, 0, [1, 0, 2]);
      give(outputs.hidden, 1, [0, 1]);
      give(outputs.cell, 2, [0, 1]);
    }
  } catch (error) {
    const reason = keepFailure(error, walk.reading);
    addUnknown(node, name, reason, [], walk);
  }
}

/** What a recurrent node stands on; null where nothing is known of it, as inside a subgraph. */
function placedInput(node: OnnxNode, { batchFirst, shape }: RecurrentNode, name: string, walk: Walk): ValueRef | null {
  return placedSequence(node.inputs[0] ?? '', batchFirst ? '0,1,2' : '1,0,2', name, shape.inputDim, walk);
}

function placedSequence(
  input: string,
  wanted: string,
  name: string,
  features: number | null,
  walk: Walk,
): ValueRef | null {
  const value = valueOf(input, walk, features);
  if (!value) return null;
  if (value.axes === null || value.axes.join() === wanted) return value.ref;
  const reason = `Layer ${name}: which axes of its input ${input} are batch, time and features cannot be told.`;
  return addLayer(walk, `${name}/input`, 'Unknown', { kind: 'unsupported', reason }, [value.ref]);
}

/** Initial states that other nodes give; those that are fed, or cannot be told, are taken as zeros. */
async function computedStates(
  node: OnnxNode,
  read: RecurrentNode,
  name: string,
  walk: Walk,
): Promise<readonly ValueRef[]> {
  const names = (node.operator === 'LSTM' ? STATE_INPUTS : STATE_INPUTS.slice(0, 1)).map((at) => node.inputs[at] ?? '');
  if (names.every((state) => state === '')) return [];
  const same: (number | null)[] = [];
  for (const state of names) same.push(state === '' ? 0 : await uniformValue(state, walk.scope, walk.constants));
  if (same.every((value) => value !== null)) return uniformStates(same, names, read, name, walk);
  const wanted = read.batchFirst ? [0, ONE, 1] : [ONE, 0, 1];
  const refs = names.map((state) => {
    const value = isFed(state, walk.scope) ? null : valueOf(state, walk);
    return value?.axes?.join() === wanted.join() ? value.ref : null;
  });
  const known = refs.filter((ref) => ref !== null);
  if (known.length === names.length && read.directions.length === 1) return known;
  assume(walk.reading, {
    what: `initial state of ${name}`,
    assumed: 'zeros',
    why: names.some((state) => isFed(state, walk.scope))
      ? 'it is fed when the model runs'
      : 'it is computed by operators that are not read',
    change: '--initial-state',
  });
  return [];
}

/** Initial states of one number everywhere; none where that is zero. */
function uniformStates(
  values: readonly number[],
  names: readonly string[],
  { directions, shape }: RecurrentNode,
  layer: string,
  walk: Walk,
): readonly ValueRef[] {
  if (values.every((value) => value === 0)) return [];
  return directions.flatMap(() =>
    values.map((value, index) => {
      const data = new Float32Array(shape.units).fill(value);
      return addConstant({ name: names[index] ?? '', value: { shape: [1, shape.units], data } }, layer, walk);
    }),
  );
}

/** Y `[T, dirs, B, H]`, Y_h and Y_c `[dirs, B, H]`; with layout 1 the batch stands first. */
function giveOutputs(node: OnnxNode, read: RecurrentNode, layer: ValueRef, walk: Walk): void {
  const sides = read.directions.length;
  const mark = sides === 1 ? ONE : DIRECTIONS;
  const width = sides * read.shape.units;
  const [sequence = '', ...states] = node.outputs;
  walk.values.set(sequence, { ref: layer, axes: read.batchFirst ? [0, 1, mark, 2] : [1, mark, 0, 2], width });
  const count = node.operator === 'LSTM' ? 2 : 1;
  for (const [index, state] of states.entries()) {
    if (!isUsed(state, walk.scope.graph, walk.scope.parent !== null)) continue;
    const refs = read.directions.map((_, side) => ({ layer: layer.layer, output: 1 + side * count + index }));
    const [only] = refs;
    const ref =
      sides === 1 && only
        ? only
        : addLayer(walk, `${walk.builder.layers[layer.layer]?.name ?? ''}/${state}`, 'Concat', JOINED, refs);
    walk.values.set(state, { ref, axes: read.batchFirst ? [0, mark, 1] : [mark, 0, 1], width });
  }
}

/** Whether a value is taken by a node, also by one inside another; for a branch also whether the branch gives it. */
function isUsed(name: string, graph: OnnxGraph, isGiven: boolean): boolean {
  if (isGiven && graph.outputs.includes(name)) return true;
  return graph.nodes.some(
    ({ inputs, attributes }) =>
      inputs.includes(name) || [...attributes.values()].some((of) => of.graph && isUsed(name, of.graph, true)),
  );
}

const JOINED = { kind: 'concatenate', axis: -1 } as const;

async function addPlain(node: OnnxNode, name: string, walk: Walk): Promise<void> {
  const { constants, scope, reading } = walk;
  const shape = await shapeNode(node, walk);
  if (shape) {
    walk.shapes.set(node.outputs[0] ?? '', shape);
    return;
  }
  const stored = await Promise.all(node.inputs.map((input) => constants.find(input, scope)));
  // Nodes of constants alone are computed where they are wanted.
  const known = node.inputs.map((input, at) => (stored[at] || input === '' ? null : valueOf(input, walk)));
  if (known.every((value) => value === null)) return;
  try {
    if (known.some((value) => value?.axes === null)) throw unsupported('what it stands on cannot be told');
    const values = known.map((value) => (value?.axes ? value : null));
    const weights: WeightInfo[] = [];
    const constant: PlainSource['constant'] = async (input) => {
      const tensor = stored[input];
      if (!tensor) return null;
      weights.push({
        role: 'other',
        name: tensor.name,
        shape: [...tensor.shape],
        dtype: tensor.dtype,
        direction: null,
      });
      return takeTensor(tensor, name, reading);
    };
    const shape = async (input: number): Promise<readonly Size[] | null> => sizesOf(node.inputs[input] ?? '', walk);
    for (const [output, value] of node.outputs.entries()) {
      // Only Split gives several values that are read; others give statistics or masks beside their first one.
      if (value === '' || (output > 0 && node.operator !== 'Split')) continue;
      const made = await readPlainNode({ node, values, constant, shape, output, sizes: walk.sizes });
      let refs = made.inputs.map(({ ref }) => ref);
      const whole = node.outputs.length > 1 && node.operator === 'Split' ? `${name}/${String(output)}` : name;
      for (const [index, operation] of made.operations.entries()) {
        const isLast = index === made.operations.length - 1;
        const own = isLast ? whole : `${whole}/${operation.kind}`;
        refs = [addLayer(walk, own, node.operator, operation, refs, isLast ? weights : [])];
      }
      const [ref] = refs;
      if (ref) walk.values.set(value, { ref, axes: made.axes, width: made.width });
    }
  } catch (error) {
    if (!(error instanceof TempogradError) || error.code === 'reader/unsafe') throw error;
    const refs = known.flatMap((value) => (value ? [value.ref] : []));
    addUnknown(node, name, `Layer ${name}: ${error.message}.`, refs, walk);
  }
}

/** What a node that works on shapes gives; null for another node. */
async function shapeNode(node: OnnxNode, walk: Walk): Promise<readonly Size[] | null> {
  const [input = ''] = node.inputs;
  if (node.operator === 'Shape' && node.domain === '') {
    const value = valueOf(input, walk);
    return value?.axes ? shapeOfValue(value, node) : null;
  }
  if (!node.inputs.some((name) => walk.shapes.has(name)) || walk.values.has(input)) return null;
  return readShapeNode(node, await Promise.all(node.inputs.map((name) => sizesOf(name, walk))));
}

/** The entries of a shape, or of a short constant. */
async function sizesOf(name: string, { shapes, constants, scope }: Walk): Promise<readonly Size[] | null> {
  const known = shapes.get(name);
  if (known || name === '') return known ?? null;
  const stored = await constants.find(name, scope);
  const length = stored?.shape.reduce((product, size) => product * size, 1) ?? Infinity;
  return stored && length <= MAX_SHAPE_LENGTH ? Array.from((await stored.read()).data) : null;
}

const MAX_SHAPE_LENGTH = 64;

/**
 * The value of a name; inputs of the model become layers when they are first asked for. A recurrent node that takes one
 * as it is knows its axes and features.
 */
function valueOf(name: string, walk: Walk, features: number | null = null): KnownValue | null {
  const known = walk.values.get(name);
  if (known) return known;
  const source = walk.scope.find(name);
  if (walk.around && walk.scope.outerName(name) !== null) return valueOf(name, walk.around, features);
  if (source?.kind !== 'input' || !source.isOuter || walk.scope.parent) return null;
  const value = addInput(features === null ? source.input : shapedInput(source.input, features), walk);
  walk.values.set(name, value);
  return value;
}

/** What the file leaves open of a sequence's shape. */
function shapedInput(input: OnnxInput, features: number): OnnxInput {
  const shape = input.shape ?? [null, null, null];
  return shape.length === 3 ? { ...input, shape: [shape[0] ?? null, shape[1] ?? null, shape[2] ?? features] } : input;
}

function addInput({ name, shape, elementType }: OnnxInput, walk: Walk): KnownValue {
  if (!shape || shape.length === 0) {
    const reason = `Layer ${name}: the file does not say its shape.`;
    return { ref: addLayer(walk, name, 'Input', { kind: 'unsupported', reason }, []), axes: null };
  }
  const batch = walk.batchAxes.get(name) ?? 0;
  const rest = shape.filter((_, axis) => axis !== batch);
  for (const [axis, size] of [shape[batch] ?? null, rest[0] ?? null].entries()) {
    walk.sizes[axis] = walk.sizes[axis] === undefined || walk.sizes[axis] === size ? size : null;
  }
  const operation = { kind: 'input', shape: rest, integer: INTEGERS.has(elementType) } as const;
  const ref = addLayer(walk, name, 'Input', operation, []);
  walk.inputs.push(ref.layer);
  return {
    ref,
    axes: shape.map((_, axis) => (axis === batch ? 0 : axis < batch ? axis + 1 : axis)),
    width: rest.at(-1) ?? null,
  };
}

function addConstant({ name, value }: StoredState, layer: string, walk: Walk): ValueRef {
  return addLayer(walk, `${layer}/${name}`, 'Constant', { kind: 'constant', value }, []);
}

function addUnknown(node: OnnxNode, name: string, reason: string, inputs: readonly ValueRef[], walk: Walk): void {
  const ref = addLayer(walk, name, node.operator, { kind: 'unsupported', reason }, inputs);
  for (const output of node.outputs) if (output !== '') walk.values.set(output, { ref, axes: null });
}

function addLayer(
  { builder }: Walk,
  name: string,
  className: string,
  operation: LayerOperation,
  inputs: readonly ValueRef[],
  weights: readonly WeightInfo[] = [],
  sourceGateOrder: readonly string[] = [],
): ValueRef {
  return {
    layer: builder.add({ name, className, operation, inputs, weights, path: name, sourceGateOrder }),
    output: 0,
  };
}
