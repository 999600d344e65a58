/**
 * Functions that a model brings along: each call is replaced by the nodes of the function, under names of its own.
 *
 * A function sees nothing but its inputs, so every other name in it is private and gets the call's name before it.
 * Source: onnx.proto, FunctionProto and AttributeProto.ref_attr_name; onnx/docs/IR.md, "Model-local functions".
 */
import { TempogradError } from '../../../core/errors';
import { checkLimit, type CountedLimits } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';
import { makeNode } from './make-node';
import type { OnnxAttribute, OnnxFunction, OnnxGraph, OnnxNode } from './model';

/** What the inlining of one model shares. */
interface Inlining {
  readonly functions: ReadonlyMap<string, OnnxFunction>;
  readonly limits: CountedLimits;
  /** Names of calls, each with how often it was wanted. */
  readonly prefixes: Map<string, number>;
  /** First parts of the model's own names, up to each slash: no call may be called like that. */
  readonly taken: ReadonlySet<string>;
  /** Names of values in calls, each with how often it was wanted. */
  readonly values: Map<string, number>;
  /** Nodes so far, wide ones counted as several. */
  count: number;
  /** Characters of the names made so far. */
  characters: number;
}

/** A call that is being replaced. */
interface Call {
  /** Keys of the functions around, outermost first. */
  readonly around: readonly string[];
  /** What an inner name is called outside. */
  readonly outside: (name: string) => string;
  readonly nameOf: (node: OnnxNode) => string;
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/**
 * A graph without calls of functions of the model.
 *
 * @param graph - The graph.
 * @param functions - The model's functions.
 * @param limits - Caps on what the calls grow to.
 * @throws TempogradError `reader/corrupt` for a function that calls itself or two of one name, `reader/limit-exceeded`.
 */
export function inlineFunctions(
  graph: OnnxGraph,
  functions: readonly OnnxFunction[],
  limits: CountedLimits,
): OnnxGraph {
  if (functions.length === 0) return graph;
  const known = new Map<string, OnnxFunction>();
  for (const made of functions) {
    const key = keyOf(made.domain, made.name, made.overload);
    if (known.has(key)) throw corrupt(`The model has the function ${made.name} twice`);
    known.set(key, made);
  }
  return inlineGraph(graph, TOP, {
    functions: known,
    limits,
    prefixes: new Map(),
    taken: takenBy(graph),
    values: new Map(),
    count: 0,
    characters: 0,
  });
}

const TOP: Call = { around: [], outside: (name) => name, nameOf: ({ name }) => name, attributes: new Map() };

function inlineGraph(graph: OnnxGraph, call: Call, inlining: Inlining): OnnxGraph {
  charge(graph.initializers.size + graph.inputs.length + graph.outputs.length, inlining);
  const { outside } = call;
  return {
    nodes: graph.nodes.flatMap((node) => inlineNode(node, call, inlining)),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [outside(name), tensor])),
    inputs: graph.inputs.map((input) => ({ ...input, name: outside(input.name) })),
    outputs: graph.outputs.map(outside),
  };
}

function inlineNode(node: OnnxNode, call: Call, inlining: Inlining): readonly OnnxNode[] {
  charge(node.inputs.length + node.outputs.length + node.attributes.size, inlining);
  const attributes = new Map<string, OnnxAttribute>();
  for (const [key, attribute] of node.attributes) {
    const given = attribute.reference === null ? attribute : call.attributes.get(attribute.reference);
    // An attribute that the call leaves out is left out.
    if (!given) continue;
    // A graph that is handed to a function is copied to each place that takes it, and counted there.
    const inner = given === attribute ? call : { ...TOP, around: call.around };
    const graph = given.graph && inlineGraph(given.graph, inner, inlining);
    attributes.set(key, { ...given, graph });
  }
  const renamed = {
    ...node,
    name: call.nameOf(node),
    inputs: node.inputs.map(call.outside),
    outputs: node.outputs.map(call.outside),
    attributes,
  };
  const key = keyOf(node.domain, node.operator, node.overload);
  const made = inlining.functions.get(key);
  return made ? inlineCall(renamed, made, [...call.around, key], inlining) : [renamed];
}

function inlineCall(
  node: OnnxNode,
  made: OnnxFunction,
  around: readonly string[],
  inlining: Inlining,
): readonly OnnxNode[] {
  if (around.indexOf(around.at(-1) ?? '') !== around.length - 1)
    throw corrupt(`The function ${made.name} calls itself`);
  checkLimit('Functions inside functions', around.length, 'maxModelDepth', inlining.limits);
  const prefix = prefixOf(node.name === '' ? made.name : node.name, inlining);
  const names = new Map<string, string>([['', '']]);
  for (const [index, name] of made.inputs.entries()) names.set(name, node.inputs[index] ?? '');
  const passed: OnnxNode[] = [];
  for (const [index, name] of made.outputs.entries()) {
    const wanted = node.outputs[index] ?? '';
    if (wanted === '') continue;
    const known = names.get(name);
    if (known === undefined) names.set(name, wanted);
    // An output that is an input, or another output.
    else passed.push(makeNode({ operator: 'Identity', inputs: [known], outputs: [wanted] }));
  }
  const counts = new Map<string, number>();
  const call: Call = {
    around,
    outside: (name) => {
      const known = names.get(name) ?? valueName(prefix, name, inlining);
      names.set(name, known);
      return known;
    },
    nameOf: ({ name, operator }) => {
      const count = counts.get(operator) ?? 0;
      counts.set(operator, count + 1);
      return joined(prefix, name === '' ? `${operator}_${String(count)}` : name, inlining);
    },
    attributes: new Map([...made.attributes, ...node.attributes]),
  };
  return [...made.nodes.flatMap((inner) => inlineNode(inner, call, inlining)), ...passed];
}

/** A few calls of a function of many nodes, calls in calls: the caps are held against what they grow to. */
function charge(parts: number, inlining: Inlining): void {
  inlining.count += 1 + Math.floor(parts / PARTS_OF_A_NODE);
  checkLimit('Nodes of the model with its functions', inlining.count, 'maxInlinedNodes', inlining.limits);
  inlining.limits.objects.add(NODE_BYTES + PART_BYTES * parts);
}

const PARTS_OF_A_NODE = 32;
const NODE_BYTES = 6 * OBJECT_BYTES.record;
/** A name, or an attribute, and where it is looked up. */
const PART_BYTES = 2 * OBJECT_BYTES.pair;

function joined(prefix: string, name: string, inlining: Inlining): string {
  inlining.characters += prefix.length + name.length + 1;
  checkLimit('Names in the functions of the model', inlining.characters, 'maxNameBytes', inlining.limits);
  inlining.limits.objects.addText(prefix.length + name.length);
  return `${prefix}/${name}`;
}

/** The name of a value in a call, made unique: `b/c` in the call `a` is not `c` in the call `a/b`. */
function valueName(prefix: string, name: string, inlining: Inlining): string {
  const { values } = inlining;
  const wanted = joined(prefix, name, inlining);
  let count = values.get(wanted) ?? 0;
  let value = wanted;
  while (values.has(value)) value = `${wanted}#${String(++count + 1)}`;
  if (value !== wanted) values.set(wanted, count);
  values.set(value, 0);
  return value;
}

/** The name of a call, made unique. */
function prefixOf(name: string, { prefixes, taken }: Inlining): string {
  let count = (prefixes.get(name) ?? 0) + 1;
  let prefix = count === 1 ? name : `${name}#${String(count)}`;
  while (taken.has(prefix) || (prefix !== name && prefixes.has(prefix))) {
    count++;
    prefix = `${name}#${String(count)}`;
  }
  prefixes.set(name, count);
  prefixes.set(prefix, Math.max(1, prefixes.get(prefix) ?? 0));
  return prefix;
}

/** What stands before a slash in the names of a graph's values, its inner graphs included. */
function takenBy(graph: OnnxGraph): ReadonlySet<string> {
  const taken = new Set<string>();
  const seen = new Set<OnnxGraph>();
  const open = [graph];
  for (let inner = open.pop(); inner; inner = open.pop()) {
    if (seen.has(inner)) continue;
    seen.add(inner);
    const values = [...inner.initializers.keys(), ...inner.inputs.map(({ name }) => name)];
    for (const node of inner.nodes) {
      for (const output of node.outputs) values.push(output);
      for (const { graph: body } of node.attributes.values()) if (body) open.push(body);
    }
    for (const value of values) {
      for (let at = value.indexOf('/'); at >= 0; at = value.indexOf('/', at + 1)) taken.add(value.slice(0, at));
    }
  }
  return taken;
}

function keyOf(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
