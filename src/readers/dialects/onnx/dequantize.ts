/**
 * Products and cells of quantised models -> the same ones on real numbers, their weights multiplied out.
 *
 * What is rounded when the model runs, x and h before each product, is not rounded here: that has no derivative.
 * Source: ONNX operators DynamicQuantizeLinear and MatMulInteger; contrib operators DynamicQuantizeLSTM and
 * DynamicQuantizeMatMul of onnxruntime.
 */
import { assume, type Reading } from '../../reading';
import type { Constants } from './constants';
import { makeAttribute, makeNode } from './make-node';
import type { OnnxAttribute, OnnxGraph, OnnxNode } from './model';
import { Scope } from './scope';

const CONTRIB = 'com.microsoft';
const FLOAT = 1;
/** Inputs of DynamicQuantizeLSTM behind those of LSTM. */
const CELL = { kernelScale: 8, kernelZero: 9, recurrentScale: 10, recurrentZero: 11 } as const;

/**
 * The graph on real numbers; the graph itself where nothing is quantised.
 *
 * @param graph - A model's graph.
 * @param constants - The file's constants.
 * @param reading - Told that rounding is left out.
 * @throws TempogradError what reading a constant throws.
 */
export async function dequantize(graph: OnnxGraph, constants: Constants, reading: Reading): Promise<OnnxGraph> {
  const made = await realGraph(graph, new Scope(graph, null), constants);
  if (made !== graph) {
    assume(reading, {
      what: 'quantised products',
      assumed: 'no rounding of x and h',
      why: 'a rounded value has no derivative; the weights are those of the file',
      change: '',
    });
  }
  return made;
}

async function realGraph(graph: OnnxGraph, scope: Scope, constants: Constants): Promise<OnnxGraph> {
  const nodes: OnnxNode[] = [];
  let isChanged = false;
  for (const node of graph.nodes) {
    const real = await realNode(node, scope, constants);
    isChanged ||= real.length !== 1 || real[0] !== node;
    nodes.push(...real);
  }
  return isChanged ? { ...graph, nodes } : graph;
}

async function realNode(node: OnnxNode, scope: Scope, constants: Constants): Promise<readonly OnnxNode[]> {
  if (node.domain === CONTRIB && node.operator === 'DynamicQuantizeLSTM') return realCell(node, scope, constants);
  if (node.domain === CONTRIB && node.operator === 'DynamicQuantizeMatMul') return realProduct(node);
  if (node.domain === '' && node.operator === 'Mul') {
    const product = productOf(node, scope);
    if (product) return product;
  }
  const bodies = [...node.attributes].filter(([, { graph }]) => graph !== null);
  if (bodies.length === 0) return [node];
  const attributes = new Map(node.attributes);
  let isChanged = false;
  for (const [key, body] of bodies) {
    if (!body.graph) continue;
    const graph = await realGraph(body.graph, new Scope(body.graph, scope), constants);
    isChanged ||= graph !== body.graph;
    attributes.set(key, { ...body, graph });
  }
  return isChanged ? [{ ...node, attributes }] : [node];
}

/** Cast(MatMulInteger(xq, Wq)) * (x scale * W scale) as MatMul(x, W). */
function productOf(node: OnnxNode, scope: Scope): readonly OnnxNode[] | null {
  for (const [one, other] of [node.inputs, [...node.inputs].reverse()]) {
    const cast = nodeOf(one, 'Cast', scope);
    const product = cast && nodeOf(cast.inputs[0], 'MatMulInteger', scope);
    const scales = product && nodeOf(other, 'Mul', scope);
    const quantised = product && nodeOf(product.inputs[0], 'DynamicQuantizeLinear', scope);
    if (!product || !scales || !quantised) continue;
    const scale = scales.inputs.find((name) => name !== quantised.outputs[1]);
    if (!scales.inputs.includes(quantised.outputs[1] ?? '') || scale === undefined) continue;
    const [x = ''] = quantised.inputs;
    const weights = `${node.outputs[0] ?? ''}/weights`;
    const [, kernel = '', , zero = ''] = product.inputs;
    return [
      make('DequantizeLinear', [kernel, scale, zero], weights),
      { ...make('MatMul', [x, weights], node.outputs[0] ?? ''), name: node.name },
    ];
  }
  return null;
}

function nodeOf(name: string | undefined, operator: string, scope: Scope): OnnxNode | null {
  const source = scope.find(name ?? '');
  return source?.kind === 'node' && source.node.domain === '' && source.node.operator === operator ? source.node : null;
}

function realProduct(node: OnnxNode): readonly OnnxNode[] {
  const [x = '', kernel = '', scale = '', zero = '', bias = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const weights = `${output}/weights`;
  const product = bias === '' ? output : `${output}/product`;
  return [
    make('DequantizeLinear', [kernel, scale, zero], weights),
    { ...make('MatMul', [x, weights], product), name: node.name },
    ...(bias === '' ? [] : [make('Add', [product, bias], output)]),
  ];
}

/** Kernels are `[dirs, D, 4H]`, their scales `[dirs]` or `[dirs, 4H]`. */
async function realCell(node: OnnxNode, scope: Scope, constants: Constants): Promise<readonly OnnxNode[]> {
  const base = node.outputs.find((name) => name !== '') ?? node.name;
  const weights: OnnxNode[] = [];
  const real = async (kernel: string, scale: string, zero: string, name: string): Promise<string> => {
    const rank = (await constants.find(scale, scope))?.shape.length ?? 1;
    const axes = rank === 1 ? [1, 2] : [1];
    const put = (
      operator: string,
      inputs: readonly string[],
      attributes?: Partial<Record<string, Attributes>>,
    ): string => {
      const output = `${base}/${name}${String(weights.length)}`;
      weights.push(make(operator, inputs, output, attributes));
      return output;
    };
    const toReal = (from: string): string => put('Cast', [from], { to: { integer: FLOAT } });
    const wide = (from: string): string => put('Unsqueeze', [from], { axes: { integers: axes } });
    const shifted = zero === '' ? toReal(kernel) : put('Sub', [toReal(kernel), wide(toReal(zero))]);
    return put('Transpose', [put('Mul', [shifted, wide(scale)])], { perm: { integers: [0, 2, 1] } });
  };
  const at = (index: number): string => node.inputs[index] ?? '';
  const inputs = [
    at(0),
    await real(at(1), at(CELL.kernelScale), at(CELL.kernelZero), 'W'),
    await real(at(2), at(CELL.recurrentScale), at(CELL.recurrentZero), 'R'),
    ...node.inputs.slice(3, 8),
  ];
  return [...weights, { ...node, domain: '', operator: 'LSTM', inputs }];
}

type Attributes = Partial<OnnxAttribute>;

function make(
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: Partial<Record<string, Attributes>> = {},
): OnnxNode {
  const all = Object.entries(attributes).map(([key, of]) => [key, makeAttribute(of ?? {})] as const);
  return makeNode({ name: output, operator, inputs, outputs: [output], attributes: new Map(all) });
}
