/**
 * The messages of an ONNX file as plain structures: graphs, nodes and attributes are read, tensors stay where they lie.
 * Long because every message of the file is read here.
 *
 * Source: field numbers of onnx.proto (ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto).
 */
import { TempogradError } from '../../../core/errors';
import type { ByteSource } from '../../byte-source';
import { readFields, readPackedVarints, readText, toInteger, type WireField } from '../../containers/protobuf';
import { checkLimit, type CountedLimits } from '../../limits';
import { OBJECT_BYTES } from '../../object-count';
import type { OnnxCount, OnnxTensor } from './onnx-tensor';
import { readSparseTensor } from './sparse-tensors';
import { readOnnxTensor } from './tensors';

/** One attribute of a node; only the member of its type is filled. */
export interface OnnxAttribute {
  readonly float: number | null;
  readonly integer: number | null;
  readonly text: string | null;
  readonly tensor: OnnxTensor | null;
  readonly graph: OnnxGraph | null;
  readonly floats: readonly number[];
  readonly integers: readonly number[];
  readonly texts: readonly string[];
  /** In a function: the name of the call's attribute that this one is; null for one of its own. */
  readonly reference: string | null;
}

/** One node; an omitted optional input has an empty name. */
export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly domain: string;
  /** Which of several functions of one name; empty for operators. */
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** An input of a graph; `shape` null where the file says none, a size null where it is symbolic. */
export interface OnnxInput {
  readonly name: string;
  readonly elementType: number;
  readonly shape: readonly (number | null)[] | null;
}

/** A graph, or the body of If, Loop and Scan. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  readonly inputs: readonly OnnxInput[];
  readonly outputs: readonly string[];
}

/** A function of the model, which nodes call by its domain, name and overload. */
export interface OnnxFunction {
  readonly domain: string;
  readonly name: string;
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Defaults of its attributes. */
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
  readonly nodes: readonly OnnxNode[];
}

/** The whole file. */
export interface OnnxModel {
  readonly producer: string;
  /** Version of the default operator set; 1 where the file names none. */
  readonly opset: number;
  readonly graph: OnnxGraph;
  readonly functions: readonly OnnxFunction[];
}

/** The newest operator set whose recurrent operators are known. */
const NEWEST_OPSET = 100;
const DEFAULT_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx']);

/** A graph or a function without its nodes. */
const GRAPH_BYTES = 8 * OBJECT_BYTES.record;
/** A node without names and attributes, and what is kept to follow its values. */
const NODE_BYTES = 6 * OBJECT_BYTES.record;
/** An attribute without its values, and the dictionary that it may be the only one of. */
const ATTRIBUTE_BYTES = 5 * OBJECT_BYTES.record;
/** A name of a value, in its node and where it is looked up. */
const NAME_BYTES = OBJECT_BYTES.text + OBJECT_BYTES.entry + OBJECT_BYTES.pair;
const INPUT_BYTES = 3 * OBJECT_BYTES.record;

/** What the reading of all graphs of one file shares. */
interface Walk {
  readonly limits: CountedLimits;
  nodes: number;
  readonly count: OnnxCount;
}

/**
 * The structures of a file.
 *
 * @param source - The file.
 * @param name - Its name, for messages.
 * @param limits - Caps on nodes, tensors and depth.
 * @throws TempogradError `reader/corrupt`, `reader/truncated`, `reader/limit-exceeded`, `reader/unknown-format`.
 */
export function readOnnxModel(source: ByteSource, name: string, limits: CountedLimits): OnnxModel {
  let [producer, version, opset] = ['', '', 1];
  let graph: ByteSource | null = null;
  const functions: ByteSource[] = [];
  for (const field of readFields(source, name)) {
    if (field.number === 2) producer = textOf(field, 'the producer');
    else if (field.number === 3) version = textOf(field, 'the version of the producer');
    else if (field.number === 7) graph = bytesOf(field, 'the graph');
    else if (field.number === 25) {
      checkLimit('Number of functions', functions.length + 1, 'maxNamedTensors', limits);
      limits.objects.add(2 * OBJECT_BYTES.record);
      functions.push(bytesOf(field, 'a function'));
    } else if (field.number === 8) opset = readOpset(bytesOf(field, 'an operator set')) ?? opset;
  }
  if (!graph) throw corrupt(`${name} holds no graph`);
  if (opset < 1 || opset > NEWEST_OPSET) {
    throw new TempogradError('reader/unknown-format', `${name} asks for operator set ${String(opset)}`, {
      details: { opset },
    });
  }
  let entries = 0;
  const count: OnnxCount = {
    entry: (bytes) => {
      checkLimit('Entries of lists', ++entries, 'maxListEntries', limits);
      limits.objects.add(bytes);
    },
    object: (bytes) => limits.objects.add(bytes),
  };
  const walk: Walk = { limits, nodes: 0, count };
  return {
    producer: [producer, version].filter((part) => part !== '').join(' '),
    opset,
    graph: readGraph(graph, 0, walk),
    functions: functions.map((made) => readFunction(made, walk)),
  };
}

/** The version of the default operator set; null for another one. */
function readOpset(source: ByteSource): number | null {
  let [domain, version] = ['', 1];
  for (const field of readFields(source, 'an operator set')) {
    if (field.number === 1) domain = textOf(field, 'the domain of an operator set');
    else if (field.number === 2) version = integerOf(field, 'the version of an operator set');
  }
  return DEFAULT_DOMAINS.has(domain) ? version : null;
}

function readGraph(source: ByteSource, depth: number, walk: Walk): OnnxGraph {
  checkLimit('Graphs inside graphs', depth, 'maxModelDepth', walk.limits);
  walk.count.object(GRAPH_BYTES);
  const nodes: OnnxNode[] = [];
  const initializers = new Map<string, OnnxTensor>();
  const inputs: OnnxInput[] = [];
  const outputs: string[] = [];
  for (const field of readFields(source, 'a graph')) {
    if (field.number === 1) nodes.push(readCountedNode(field, depth, walk));
    else if (field.number === 5 || field.number === 15) {
      const source = bytesOf(field, 'an initializer');
      const tensor =
        field.number === 5 ? readOnnxTensor(source, walk.count) : readSparseTensor(source, readOnnxTensor, walk.count);
      if (initializers.has(tensor.name)) throw corrupt(`Initializer ${tensor.name} is in its graph twice`);
      checkLimit('Number of initializers', initializers.size + 1, 'maxNamedTensors', walk.limits);
      initializers.set(tensor.name, tensor);
    } else if (field.number === 11) inputs.push(readInput(bytesOf(field, 'an input'), walk));
    else if (field.number === 12) outputs.push(readInput(bytesOf(field, 'an output'), walk).name);
  }
  return { nodes, initializers, inputs, outputs };
}

function readNode(source: ByteSource, depth: number, walk: Walk): OnnxNode {
  let [name, operator, domain, overload] = ['', '', '', ''];
  const inputs: string[] = [];
  const outputs: string[] = [];
  let attributes: Map<string, OnnxAttribute> | null = null;
  walk.count.object(NODE_BYTES);
  for (const field of readFields(source, 'a node')) {
    if (field.number === 1 || field.number === 2) walk.count.entry(NAME_BYTES);
    if (field.number === 1) inputs.push(textOf(field, 'an input of a node', walk));
    else if (field.number === 2) outputs.push(textOf(field, 'an output of a node', walk));
    else if (field.number === 3) name = textOf(field, 'the name of a node', walk);
    else if (field.number === 4) operator = textOf(field, 'the operator of a node', walk);
    else if (field.number === 5) {
      walk.count.entry(ATTRIBUTE_BYTES);
      const [key, attribute] = readAttribute(bytesOf(field, 'an attribute'), depth, walk);
      attributes ??= new Map<string, OnnxAttribute>();
      attributes.set(key, attribute);
    } else if (field.number === 7) domain = domainOf(field, walk);
    else if (field.number === 8) overload = textOf(field, 'the overload of a node', walk);
  }
  // Lists that have grown keep room to grow further, and there may be very many.
  return {
    name,
    operator,
    domain,
    overload,
    inputs: inputs.slice(),
    outputs: outputs.slice(),
    attributes: attributes ?? NO_ATTRIBUTES,
  };
}

function domainOf(field: WireField, walk: Walk): string {
  const domain = textOf(field, 'a domain', walk);
  return DEFAULT_DOMAINS.has(domain) ? '' : domain;
}

/** FunctionProto. */
function readFunction(source: ByteSource, walk: Walk): OnnxFunction {
  let [domain, name, overload] = ['', '', ''];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  const nodes: OnnxNode[] = [];
  walk.count.object(GRAPH_BYTES);
  for (const field of readFields(source, 'a function')) {
    if (field.number === 4 || field.number === 5) walk.count.entry(NAME_BYTES);
    else if (field.number === 11) walk.count.entry(ATTRIBUTE_BYTES);
    if (field.number === 1) name = textOf(field, 'the name of a function', walk);
    else if (field.number === 4) inputs.push(textOf(field, 'an input of a function', walk));
    else if (field.number === 5) outputs.push(textOf(field, 'an output of a function', walk));
    else if (field.number === 7) nodes.push(readCountedNode(field, 0, walk));
    else if (field.number === 10) domain = domainOf(field, walk);
    else if (field.number === 11) attributes.set(...readAttribute(bytesOf(field, 'an attribute'), 0, walk));
    else if (field.number === 13) overload = textOf(field, 'the overload of a function', walk);
  }
  return { domain, name, overload, inputs, outputs, attributes, nodes };
}

function readCountedNode(field: WireField, depth: number, walk: Walk): OnnxNode {
  checkLimit('Number of nodes', ++walk.nodes, 'maxNamedTensors', walk.limits);
  return readNode(bytesOf(field, 'a node'), depth, walk);
}

function readAttribute(source: ByteSource, depth: number, walk: Walk): readonly [string, OnnxAttribute] {
  let name = '';
  let [float, integer]: (number | null)[] = [null, null];
  let [text, reference]: (string | null)[] = [null, null];
  let tensor: OnnxTensor | null = null;
  let graph: OnnxGraph | null = null;
  const floats: number[] = [];
  const integers: number[] = [];
  const texts: string[] = [];
  for (const field of readFields(source, 'an attribute')) {
    if (field.number === 1) name = textOf(field, 'the name of an attribute', walk);
    else if (field.number === 2) [float = null] = floatsOf(field);
    else if (field.number === 3) integer = integerOf(field, 'an attribute');
    // A text of an attribute may be any bytes; those of the operators read here are ASCII.
    else if (field.number === 4) text = textOf(field, 'an attribute', walk);
    else if (field.number === 5) tensor = readOnnxTensor(bytesOf(field, 'a tensor'), walk.count);
    else if (field.number === 6) graph = readGraph(bytesOf(field, 'a graph'), depth + 1, walk);
    else if (field.number === 7) addCounted(floatsOf(field), floats, walk);
    else if (field.number === 8) addCounted(integersOf(field), integers, walk);
    else if (field.number === 9) addCounted([textOf(field, 'an attribute', walk)], texts, walk);
    else if (field.number === 22)
      tensor = readSparseTensor(bytesOf(field, 'a sparse tensor'), readOnnxTensor, walk.count);
    else if (field.number === 21) reference = textOf(field, 'the name of an attribute', walk);
  }
  return [
    name,
    {
      float: float ?? null,
      integer: integer ?? null,
      text: text ?? null,
      tensor,
      graph,
      floats,
      integers,
      texts,
      reference: reference ?? null,
    },
  ];
}

const NO_ATTRIBUTES: ReadonlyMap<string, OnnxAttribute> = new Map();

function addCounted<T>(values: Iterable<T>, list: T[], { count }: Walk): void {
  for (const value of values) {
    count.entry(OBJECT_BYTES.entry);
    list.push(value);
  }
}

/** ValueInfoProto with a tensor type; another type has no shape. */
function readInput(source: ByteSource, walk: Walk): OnnxInput {
  walk.count.entry(INPUT_BYTES);
  let [name, elementType] = ['', 0];
  let shape: (number | null)[] | null = null;
  for (const field of readFields(source, 'an input')) {
    if (field.number === 1) name = textOf(field, 'the name of an input', walk);
    if (field.number !== 2) continue;
    for (const type of readFields(bytesOf(field, 'a type'), 'a type')) {
      if (type.number !== 1) continue;
      for (const part of readFields(bytesOf(type, 'a tensor type'), 'a tensor type')) {
        if (part.number === 1) elementType = integerOf(part, 'an element type');
        else if (part.number === 2) {
          shape = [];
          addCounted(readShape(bytesOf(part, 'a shape')), shape, walk);
        }
      }
    }
  }
  return { name, elementType, shape };
}

function* readShape(source: ByteSource): Generator<number | null> {
  for (const field of readFields(source, 'a shape')) {
    if (field.number !== 1) continue;
    let size: number | null = null;
    for (const part of readFields(bytesOf(field, 'a dimension'), 'a dimension')) {
      if (part.number === 1) size = integerOf(part, 'a dimension');
    }
    yield size !== null && size > 0 ? size : null;
  }
}

function bytesOf(field: WireField, what: string): ByteSource {
  if (field.type === 'bytes') return field.source;
  throw corrupt(`The field of ${what} has the wire type ${field.type}`);
}

/** A text; one of a graph is counted. */
function textOf(field: WireField, what: string, walk: Walk | null = null): string {
  const source = bytesOf(field, what);
  walk?.count.object(OBJECT_BYTES.text + source.size);
  return readText(source, what);
}

function integerOf(field: WireField, what: string): number {
  if (field.type === 'varint') return toInteger(field.value, what);
  throw corrupt(`The field of ${what} has the wire type ${field.type}`);
}

/** Repeated integers may stand packed or one by one. */
function* integersOf(field: WireField): Generator<number> {
  if (field.type === 'varint') yield toInteger(field.value, 'an attribute');
  else {
    for (const value of readPackedVarints(bytesOf(field, 'an attribute'), 'an attribute')) {
      yield Number(BigInt.asIntN(64, value));
    }
  }
}

function* floatsOf(field: WireField): Generator<number> {
  const bytes = field.type === 'fixed32' ? field.bytes : readAll(bytesOf(field, 'an attribute'));
  if (bytes.length % 4 !== 0) throw corrupt('An attribute of floats does not end with a whole one');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += 4) yield view.getFloat32(at, true);
}

function readAll(source: ByteSource): Uint8Array {
  return source.read(0, source.size);
}

function corrupt(message: string): TempogradError {
  return new TempogradError('reader/corrupt', message);
}
