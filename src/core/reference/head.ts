/**
 * What stands above a recurrent layer, on one vector per sequence, and its pullback; in float64.
 *
 * A head is a list of nodes in the order of computing; the last one is its output. Its leaves are vectors that are given.
 */
import { activate, activationJacobian, isElementwise, activationDerivative } from '../activations';
import type { PlainOperation } from '../model';

/** Operations on a vector that can be pulled back. */
export type HeadOperation = Extract<
  PlainOperation,
  { readonly kind: 'dense' | 'activation' | 'softmax' | 'prelu' | 'affine' | 'layer-normalization' }
>;

/** How vectors are joined. */
export type HeadJoin = 'concatenate' | 'add' | 'subtract' | 'multiply' | 'average';

/** One node; `inputs` are indices of earlier nodes. */
export type HeadNode =
  | { readonly kind: 'leaf'; readonly width: number }
  | {
      readonly kind: 'apply';
      readonly operation: HeadOperation;
      /** Divides by the root mean square without subtracting the mean: RMSNormalization. */
      readonly isRms: boolean;
      readonly input: number;
    }
  | { readonly kind: 'join'; readonly how: HeadJoin; readonly inputs: readonly number[] };

/** The values of all nodes. */
export type HeadValues = readonly Float64Array[];

/**
 * The value of every node.
 *
 * Numerics: float64. Source: the layers of Keras 3 by these names, at inference.
 *
 * @param nodes - The head.
 * @param leaves - One vector per leaf, in their order.
 */
export function runHead(nodes: readonly HeadNode[], leaves: readonly Float64Array[]): HeadValues {
  const values: Float64Array[] = [];
  const given = [...leaves];
  for (const node of nodes) {
    if (node.kind === 'leaf') values.push(given.shift()!);
    else if (node.kind === 'apply') values.push(apply(node.operation, node.isRms, values[node.input]));
    else
      values.push(
        join(
          node.how,
          node.inputs.map((input) => values[input]),
        ),
      );
  }
  return values;
}

/**
 * r^T dy/dleaf for each leaf, y the last node.
 *
 * Numerics: float64. Source: the chain rule.
 *
 * @param nodes - The head.
 * @param values - What `runHead` gave.
 * @param row - r, `[O]`.
 */
export function pullHead(nodes: readonly HeadNode[], values: HeadValues, row: Float64Array): readonly Float64Array[] {
  const rows = values.map((value) => new Float64Array(value.length));
  rows[rows.length - 1].set(row);
  for (let at = nodes.length - 1; at >= 0; at--) {
    const node = nodes[at];
    if (node.kind === 'apply') {
      add(rows[node.input], pullApplied(node.operation, node.isRms, values[node.input], rows[at]));
    }
    if (node.kind === 'join') {
      pullJoined(
        node.how,
        node.inputs.map((input) => values[input]),
        rows[at],
      ).forEach((part, index) => add(rows[node.inputs[index]], part));
    }
  }
  return rows.filter((_, at) => nodes[at].kind === 'leaf');
}

function add(sum: Float64Array, part: Float64Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] += part[i];
}

/** x W + b. */
function sumsOf({ kernel, bias }: Extract<HeadOperation, { kind: 'dense' }>, x: Float64Array): Float64Array {
  const outputs = kernel.shape[1];
  const sums = new Float64Array(outputs);
  if (bias) sums.set(bias.data);
  for (let d = 0; d < x.length; d++) {
    for (let o = 0; o < outputs; o++) sums[o] += x[d] * kernel.data[d * outputs + o];
  }
  return sums;
}

function apply(operation: HeadOperation, isRms: boolean, x: Float64Array): Float64Array {
  switch (operation.kind) {
    case 'dense':
      return activate(operation.activation, sumsOf(operation, x));
    case 'activation':
      return activate(operation.activation, x);
    case 'softmax':
      return activate({ name: 'softmax' }, x);
    case 'prelu':
      return x.map((value, i) => (value > 0 ? value : value * entry(operation.alpha.data, i)));
    case 'affine':
      return x.map((value, i) => value * entry(operation.scale.data, i) + entry(operation.offset.data, i));
    case 'layer-normalization': {
      const { normal } = normalise(operation, isRms, x);
      const { gamma, beta, rms } = operation;
      return normal.map(
        (value, i) => value * (gamma ? entry(gamma.data, i) : 1) + (beta && !rms ? entry(beta.data, i) : 0),
      );
    }
  }
}

/** One entry for each, or one for all. */
function entry(data: ArrayLike<number>, index: number): number {
  return data.length === 1 ? data[0] : data[index];
}

/** What layer normalisation makes before gamma: (x - mean)/s, or x/s with `rms`, and the vector that s is made of. */
function normalise(
  { epsilon, rms }: Extract<HeadOperation, { kind: 'layer-normalization' }>,
  isRms: boolean,
  x: Float64Array,
): { normal: Float64Array; spread: Float64Array; scale: number } {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const centred = x.map((value) => value - mean);
  const spread = isRms ? x : centred;
  const scale = 1 / Math.sqrt(spread.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
  return { normal: (rms ? x : centred).map((value) => value * scale), spread, scale };
}

function pullApplied(operation: HeadOperation, isRms: boolean, x: Float64Array, row: Float64Array): Float64Array {
  switch (operation.kind) {
    case 'dense': {
      const outputs = operation.kernel.shape[1];
      const onSums = pullActivation(operation.activation, sumsOf(operation, x), row);
      return x.map((_, d) => {
        let sum = 0;
        for (let o = 0; o < outputs; o++) sum += operation.kernel.data[d * outputs + o] * onSums[o];
        return sum;
      });
    }
    case 'activation':
      return pullActivation(operation.activation, x, row);
    case 'softmax':
      return pullActivation({ name: 'softmax' }, x, row);
    case 'prelu':
      return row.map((value, i) => (x[i] > 0 ? value : value * entry(operation.alpha.data, i)));
    case 'affine':
      return row.map((value, i) => value * entry(operation.scale.data, i));
    case 'layer-normalization':
      return pullNormalised(operation, isRms, x, row);
  }
}

function pullActivation(
  description: Extract<HeadOperation, { kind: 'activation' }>['activation'],
  sums: Float64Array,
  row: Float64Array,
): Float64Array {
  if (isElementwise(description.name)) {
    return activationDerivative(description, sums).map((derivative, i) => derivative * row[i]);
  }
  const jacobian = activationJacobian(description, sums);
  const count = sums.length;
  return sums.map((_, j) => row.reduce((sum, value, i) => sum + value * jacobian[i * count + j], 0));
}

/** With y = v s and s = (mean(w^2) + epsilon)^(-1/2): s row - s^3 mean(row v) w, centred where v or w is. */
function pullNormalised(
  operation: Extract<HeadOperation, { kind: 'layer-normalization' }>,
  isRms: boolean,
  x: Float64Array,
  row: Float64Array,
): Float64Array {
  const { gamma, rms } = operation;
  const { normal, spread, scale } = normalise(operation, isRms, x);
  const onNormal = row.map((value, i) => value * (gamma ? entry(gamma.data, i) : 1));
  const along = onNormal.reduce((sum, value, i) => sum + value * normal[i], 0) / x.length;
  const centre = (v: Float64Array): Float64Array => {
    const mean = v.reduce((sum, value) => sum + value, 0) / v.length;
    return v.map((value) => value - mean);
  };
  const direct = onNormal.map((value) => value * scale);
  const bySpread = spread.map((value) => -value * scale * scale * along);
  const [first, second] = [rms ? direct : centre(direct), isRms ? bySpread : centre(bySpread)];
  return first.map((value, i) => value + second[i]);
}

function join(how: HeadJoin, parts: readonly Float64Array[]): Float64Array {
  if (how === 'concatenate') return Float64Array.from(parts.flatMap((part) => [...part]));
  return parts[0].map((_, i) => {
    const entries = parts.map((part) => part[i]);
    if (how === 'multiply') return entries.reduce((product, value) => product * value, 1);
    if (how === 'subtract') return entries[0] - entries[1];
    const sum = entries.reduce((total, value) => total + value, 0);
    return how === 'average' ? sum / entries.length : sum;
  });
}

function pullJoined(how: HeadJoin, parts: readonly Float64Array[], row: Float64Array): readonly Float64Array[] {
  if (how === 'concatenate') {
    let start = 0;
    return parts.map((part) => row.subarray(start, (start += part.length)));
  }
  return parts.map((_, index) =>
    row.map((value, i) => {
      if (how === 'multiply') {
        return parts.reduce((product, part, other) => (other === index ? product : product * part[i]), value);
      }
      if (how === 'subtract') return index === 0 ? value : -value;
      return how === 'average' ? value / parts.length : value;
    }),
  );
}
