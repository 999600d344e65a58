/**
 * Loop and Scan nodes that carry h and c in one state -> the same ones with a state for each.
 *
 * Such a body joins what it gives as the next state by a Concat, and takes the state apart before it uses it. It is left
 * as it is where the state is used in any other way.
 */
import type { Constants } from '../constants';
import { makeAttribute, makeNode } from '../make-node';
import type { OnnxGraph, OnnxNode } from '../model';
import { Scope } from '../scope';
import { hasCellOperators } from './read-body';

/** A state in two parts. */
interface TwoParts {
  readonly index: number;
  readonly axis: number;
  /** Entries of the whole state along the axis, and of its first part; null where the body does not say it. */
  readonly size: number | null;
  readonly bound: number | null;
  readonly next: readonly string[];
  /** Nodes that take the state apart, and what takes their place. */
  readonly replaced: ReadonlyMap<OnnxNode, readonly OnnxNode[]>;
}

/**
 * The graph with a state for each part.
 *
 * @param scope - A model's graph.
 * @param constants - The file's constants.
 * @throws TempogradError what reading a constant throws.
 */
export async function splitStates(scope: Scope, constants: Constants): Promise<OnnxGraph> {
  const { graph } = scope;
  const nodes: OnnxNode[] = [];
  for (const node of graph.nodes) {
    const isStepped = node.domain === '' && ['Loop', 'Scan'].includes(node.operator) && hasCellOperators(node);
    nodes.push(...(isStepped ? await splitNode(node, scope, constants) : [node]));
  }
  // A state that is neither given at first nor taken at last is split without a node more.
  return graph.nodes.every((node, at) => node === nodes[at]) ? graph : { ...graph, nodes };
}

async function splitNode(node: OnnxNode, scope: Scope, constants: Constants): Promise<readonly OnnxNode[]> {
  const body = node.attributes.get('body')?.graph;
  // The number of the step and the condition stand before the states of a Loop; of them the condition alone is given back.
  const isLoop = node.operator === 'Loop';
  const isPlain = isLoop || node.inputs.length === body?.inputs.length;
  if (!body || !isPlain) return [node];
  const [from, outputsFrom] = isLoop ? [2, 1] : [0, 0];
  const count = isLoop
    ? body.inputs.length - from
    : body.inputs.length - (node.attributes.get('num_scan_inputs')?.integer ?? 0);
  for (let state = 0; state < count; state++) {
    const [input, output] = [body.inputs[from + state]?.name ?? '', body.outputs[outputsFrom + state] ?? ''];
    if (input === '' || output === '') continue;
    const found = await twoParts(input, output, state, new Scope(body, scope), constants);
    const stored = found && (await constants.find(node.inputs[from + state] ?? '', scope));
    const size = found && (found.size ?? stored?.shape[found.axis] ?? null);
    // Two parts of different sizes are not told apart here.
    if (!found || (size !== null && found.bound !== null && size !== 2 * found.bound)) continue;
    const made = rebuilt(node, body, found, from, outputsFrom);
    const all: OnnxNode[] = [];
    for (const one of made)
      all.push(...(one.operator === node.operator ? await splitNode(one, scope, constants) : [one]));
    return all;
  }
  return [node];
}

async function twoParts(
  state: string,
  output: string,
  index: number,
  scope: Scope,
  constants: Constants,
): Promise<TwoParts | null> {
  const { graph } = scope;
  const shape = graph.inputs.find(({ name }) => name === state)?.shape ?? null;
  const rank = shape?.length ?? 2;
  const front = (axis: number): number => (axis < 0 ? axis + rank : axis);
  const joint = giverOf(output, scope);
  if (joint?.operator !== 'Concat' || joint.inputs.length !== 2) return null;
  const axis = front(joint.attributes.get('axis')?.integer ?? 0);
  const replaced = new Map<OnnxNode, readonly OnnxNode[]>();
  const bounds = new Set<number>();
  for (const node of graph.nodes) {
    if (!node.inputs.includes(state)) continue;
    const taken = await takenBy(node, scope, constants);
    if (!taken || front(taken.axis) !== axis || node.inputs.indexOf(state, 1) > 0) return null;
    for (const bound of taken.bounds) bounds.add(bound);
    replaced.set(
      node,
      node.outputs.map((name, at) => {
        const part = partName(state, taken.part ?? at);
        const axes = new Map([['axes', makeAttribute({ integers: [axis] })]]);
        if (taken.isTakenOut)
          return makeNode({ operator: 'Squeeze', inputs: [part], outputs: [name], attributes: axes });
        return makeNode({ operator: 'Identity', inputs: [part], outputs: [name] });
      }),
    );
  }
  // All slices must meet at one place.
  if (replaced.size === 0 || bounds.size > 1) return null;
  const [bound = null] = bounds;
  return { index, axis, size: shape?.[axis] ?? null, bound, next: joint.inputs, replaced };
}

/** The node behind Identity nodes. */
function giverOf(start: string, scope: Scope): OnnxNode | null {
  let name = start;
  for (let step = 0; step < MAX_IDENTITIES; step++) {
    const source = scope.find(name);
    if (source?.kind !== 'node' || source.scope !== scope) return null;
    if (source.node.operator !== 'Identity') return source.node;
    name = source.node.inputs[0] ?? '';
  }
  return null;
}

const MAX_IDENTITIES = 100;

/** Which part a node takes; `part` null where its outputs are the parts in order. */
interface Taken {
  readonly axis: number;
  readonly part: number | null;
  readonly isTakenOut: boolean;
  /** Where one part ends and the other begins, as far as the node says it. */
  readonly bounds: readonly number[];
}

async function takenBy(node: OnnxNode, scope: Scope, constants: Constants): Promise<Taken | null> {
  const said = async (input: number, key: string): Promise<readonly number[]> => {
    const stored = node.inputs[input] ? await constants.find(node.inputs[input], scope) : null;
    return stored ? Array.from((await stored.read()).data) : (node.attributes.get(key)?.integers ?? []);
  };
  const axis = node.attributes.get('axis')?.integer ?? 0;
  if (node.operator === 'Split') {
    const sizes = await said(1, 'split');
    const isEven = node.outputs.length === 2 && (sizes.length === 0 || sizes[0] === sizes[1]);
    return isEven ? { axis, part: null, isTakenOut: false, bounds: sizes.slice(0, 1) } : null;
  }
  if (node.operator === 'Gather') {
    const stored = await constants.find(node.inputs[1] ?? '', scope);
    const [place, ...others] = stored ? Array.from((await stored.read()).data) : [];
    const isPart = (place === 0 || place === 1) && others.length === 0;
    // Single places are the two parts only where these are of one entry: as h and c stand on an axis of their own.
    return isPart ? { axis, part: place, isTakenOut: stored?.shape.length === 0, bounds: [1] } : null;
  }
  if (node.operator !== 'Slice') return null;
  const [starts, ends, axes, steps] = [
    await said(1, 'starts'),
    await said(2, 'ends'),
    await said(3, 'axes'),
    await said(4, 'steps'),
  ];
  const [start = -1, end = -1] = [starts[0], ends[0]];
  if (starts.length !== 1 || axes.length !== 1 || (steps[0] ?? 1) !== 1 || start < 0 || end <= start) return null;
  const bound = start === 0 ? end : start;
  // The second part goes to the end: as far again, or all that is left.
  if (start > 0 && end < 2 * start) return null;
  return { axis: axes[0] ?? 0, part: start === 0 ? 0 : 1, isTakenOut: false, bounds: [bound] };
}

function partName(state: string, part: number): string {
  return `${state}/part${String(part)}`;
}

function rebuilt(
  node: OnnxNode,
  body: OnnxGraph,
  { index, axis, next, replaced }: TwoParts,
  from: number,
  outputsFrom: number,
): readonly OnnxNode[] {
  const parts = [0, 1];
  const state = body.inputs[from + index];
  const initial = node.inputs[from + index] ?? '';
  const output = node.outputs[index] ?? '';
  if (!state) return [node];
  const along = new Map([['axis', makeAttribute({ integer: axis })]]);
  const inner: OnnxGraph = {
    ...body,
    nodes: body.nodes.flatMap((one) => replaced.get(one) ?? [one]),
    inputs: body.inputs.flatMap((one) =>
      one === state ? parts.map((part) => ({ ...one, name: partName(one.name, part), shape: null })) : [one],
    ),
    outputs: body.outputs.flatMap((name, at) => (at === outputsFrom + index ? next : [name])),
  };
  const starts = parts.map((part) => (initial === '' ? '' : partName(`${initial}/${node.name}`, part)));
  const ends = parts.map((part) => partName(`${output === '' ? node.name : output}/last`, part));
  const made: OnnxNode = {
    ...node,
    inputs: node.inputs.flatMap((name, at) => (at === from + index ? starts : [name])),
    outputs: node.outputs.flatMap((name, at) => (at === index ? ends : [name])),
    attributes: new Map([...node.attributes, ['body', makeAttribute({ graph: inner })]]),
  };
  const split = makeNode({ operator: 'Split', inputs: [initial], outputs: starts, attributes: along });
  const before = initial === '' ? [] : [split];
  if (output === '') return [...before, made];
  return [...before, made, makeNode({ operator: 'Concat', inputs: ends, outputs: [output], attributes: along })];
}
