/**
 * The derivative of a plain layer in a direction: tangents in, tangents out.
 *
 * A layer that is linear, or linear before its activation, is run on the tangents by the same code that runs it on
 * values, without its bias; only what is not linear has a rule here.
 */
import type { PlainOperation } from '../../core/model';
import { vectorActivationJacobian, type ActivationDescription, isElementwise } from '../../core/activations';
import { TempogradError } from '../../core/errors';
import { sizeOf } from '../../core/tensor';
import { axisOf, joinsMasksByAny, type Flow, type LayerContext } from '../layers/flow';
import { runPlainLayer, type AppliedOperation } from '../layers/run-layer';
import { activationDerivative, softmax } from '../ops/activations';
import type { Ops, Value } from '../ops';

/** Merges that are linear. */
const SUMS: readonly string[] = ['add', 'average', 'subtract'];
const LINEAR: ActivationDescription = { name: 'linear' };

/** An input of a layer: its value for one sequence, `[1, ..]`, and n tangents of it, `[n, ..]`; null = does not move. */
export interface TangentFlow {
  readonly flow: Flow;
  readonly tangent: Value | null;
}

/**
 * The tangents of a layer's output.
 *
 * @param context - The layer.
 * @param operation - What it computes.
 * @param inputs - Values and tangents of its inputs; at least one moves.
 * @param output - Its value at the same point, `[1, ..]`.
 * @returns `[n, ..]`, the caller's to dispose.
 *
 * Numerics: at a kink the side of the value's own rule; a maximum shared by several entries passes to the first.
 */
export function tangentOf(
  context: LayerContext,
  operation: AppliedOperation,
  inputs: readonly TangentFlow[],
  output: Value,
): Value {
  const { ops } = context;
  return ops.tidy(() => {
    if (context.layer.className === 'TimeDistributed') return overSteps(context, operation, inputs[0], output);
    return rule(context, operation, inputs, output);
  });
}

function rule(
  context: LayerContext,
  operation: AppliedOperation,
  inputs: readonly TangentFlow[],
  output: Value,
): Value {
  const { ops, layer } = context;
  const run = (changed: AppliedOperation, values: readonly Value[]): Value =>
    runPlainLayer(
      context,
      changed,
      values.map((value) => ({ value, mask: null })),
    ).value;
  const [{ flow, tangent }] = inputs;
  const x = flow.value;
  switch (operation.kind) {
    case 'identity':
    case 'upsampling1d':
    case 'padding1d':
    case 'cropping1d':
    case 'slice':
    case 'reshape':
    case 'permute':
    case 'flatten':
    case 'repeat':
      return run(operation, [tangent!]);
    case 'affine': {
      const offset = { ...operation.offset, data: new Float64Array(operation.offset.data.length) };
      return run({ ...operation, offset }, [tangent!]);
    }
    case 'dense':
    case 'conv1d': {
      const before = run({ ...operation, activation: LINEAR }, [x]);
      const moved = run({ ...operation, activation: LINEAR, bias: null }, [tangent!]);
      return throughActivation(ops, operation.activation, before, moved);
    }
    case 'activation':
      return throughActivation(ops, operation.activation, x, tangent!);
    case 'softmax':
      return throughSoftmax(
        ops,
        softmax(ops, x, axisOf(layer, operation.axis, x.shape)),
        tangent!,
        axisOf(layer, operation.axis, x.shape),
      );
    case 'masking':
      return ops.mul(tangent!, keptSteps(ops, x, operation.maskValue));
    case 'prelu': {
      const slope = run(operation, [ops.neg(ops.toReal(ops.equal(x, x)))]);
      const isPositive = ops.greater(x, ops.constant(0));
      return ops.mul(tangent!, ops.select(isPositive, ops.toReal(ops.equal(x, x)), ops.neg(slope)));
    }
    case 'layer-normalization':
      return throughNormalization(context, operation, x, tangent!);
    case 'pool1d':
      return operation.pooling === 'average'
        ? run(operation, [tangent!])
        : throughMaxPool(ops, operation, x, output, tangent!);
    case 'concatenate':
      return run(
        operation,
        inputs.map((input) => tangentOrZero(ops, input, inputs)),
      );
    case 'merge':
      return throughMerge(context, operation, inputs, output);
    case 'embedding':
      throw new Error('ids do not move');
  }
}

/** phi'(a) da, or the full Jacobian of softmax and its kin along the last axis. */
function throughActivation(ops: Ops, activation: ActivationDescription, a: Value, moved: Value): Value {
  const { name } = activation;
  if (isElementwise(name)) return ops.mul(moved, activationDerivative(ops, activation, a));
  const size = a.shape[a.shape.length - 1];
  const rows = sizeOf(a.shape) / size;
  const count = moved.shape[0];
  const points = Float64Array.from(ops.read(a));
  const tangents = Float64Array.from(ops.read(moved));
  const made = new Float64Array(tangents.length);
  const jacobian = new Float64Array(size * size);
  for (let row = 0; row < rows; row++) {
    vectorActivationJacobian(name, points.subarray(row * size, (row + 1) * size), jacobian);
    for (let n = 0; n < count; n++) {
      const start = (n * rows + row) * size;
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let j = 0; j < size; j++) sum += jacobian[i * size + j] * tangents[start + j];
        made[start + i] = sum;
      }
    }
  }
  return ops.upload(made, moved.shape);
}

function throughSoftmax(ops: Ops, y: Value, tangent: Value, axis: number): Value {
  return ops.mul(y, ops.sub(tangent, ops.sum(ops.mul(y, tangent), [axis], true)));
}

/** 1 for steps that differ from the mask value in some feature. */
function keptSteps(ops: Ops, x: Value, maskValue: number): Value {
  const isPadding = ops.logicalOr(
    ops.equal(x, ops.constant(maskValue)),
    ops.equal(x, ops.constant(Math.fround(maskValue))),
  );
  return ops.toReal(ops.any(ops.logicalNot(isPadding), [-1], true));
}

function throughNormalization(
  context: LayerContext,
  operation: Extract<PlainOperation, { kind: 'layer-normalization' }>,
  x: Value,
  tangent: Value,
): Value {
  const { ops, layer } = context;
  const axes = operation.axes.map((axis) => axisOf(layer, axis, x.shape));
  const isAboutZero = operation.rms && layer.className === 'RMSNormalization';
  const centre = (value: Value): Value => ops.sub(value, ops.mean(value, axes, true));
  const spread = isAboutZero ? x : centre(x);
  const moved = isAboutZero ? tangent : centre(tangent);
  const variance = ops.mean(ops.square(spread), axes, true);
  const scale = ops.rsqrt(ops.add(variance, ops.constant(operation.epsilon)));
  const numerator = operation.rms ? x : spread;
  const numeratorMoved = operation.rms ? tangent : moved;
  const covariance = ops.mean(ops.mul(spread, moved), axes, true);
  const made = ops.sub(
    ops.mul(numeratorMoved, scale),
    ops.mul(numerator, ops.mul(covariance, ops.mul(scale, ops.square(scale)))),
  );
  if (!operation.gamma) return made;
  const sizes = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  return ops.mul(made, ops.upload(operation.gamma.data, sizes));
}

/** The tangent of the first entry that is the window's largest. */
function throughMaxPool(
  ops: Ops,
  operation: Extract<PlainOperation, { kind: 'pool1d' }>,
  x: Value,
  output: Value,
  tangent: Value,
): Value {
  const width = x.shape[x.shape.length - 1];
  const steps = x.shape[x.shape.length - 2];
  const outputSteps = output.shape[output.shape.length - 2];
  const outer = sizeOf(x.shape) / (steps * width);
  const total = Math.max(0, (outputSteps - 1) * operation.stride + operation.size - steps);
  const left = operation.padding === 'same' ? Math.floor(total / 2) : 0;
  const [points, largest, tangents] = [ops.read(x), ops.read(output), ops.read(tangent)];
  const count = tangent.shape[0];
  const made = new Float64Array(count * outer * outputSteps * width);
  for (let o = 0; o < outer; o++) {
    for (let t = 0; t < outputSteps; t++) {
      for (let d = 0; d < width; d++) {
        const from = Math.max(0, t * operation.stride - left);
        const to = Math.min(steps, t * operation.stride - left + operation.size);
        let source = from;
        while (
          source < to - 1 &&
          points[(o * steps + source) * width + d] !== largest[(o * outputSteps + t) * width + d]
        )
          source++;
        for (let n = 0; n < count; n++) {
          const place = ((n * outer + o) * outputSteps + t) * width + d;
          made[place] = tangents[((n * outer + o) * steps + source) * width + d];
        }
      }
    }
  }
  return ops.upload(made, [count, ...output.shape.slice(1)]);
}

function tangentOrZero(ops: Ops, input: TangentFlow, all: readonly TangentFlow[]): Value {
  if (input.tangent) return input.tangent;
  const count = all.find(({ tangent }) => tangent)!.tangent!.shape[0];
  return ops.fill([count, ...input.flow.value.shape.slice(1)], 0);
}

function throughMerge(
  context: LayerContext,
  merge: Extract<PlainOperation, { kind: 'merge' }>,
  inputs: readonly TangentFlow[],
  output: Value,
): Value {
  const { ops } = context;
  if (joinsMasksByAny(context.keras) && inputs.some(({ flow }) => flow.mask) && !SUMS.includes(merge.operation)) {
    throw new TempogradError(
      'cell/unsupported',
      `layer ${context.layer.name} joins masked sequences by ${merge.operation}; the derivative with respect to the model's input does not go through that`,
      { remedy: 'Use --wrt layer-input.', details: { layer: context.layer.name } },
    );
  }
  const run = (operation: typeof merge.operation, values: readonly Value[]): Value =>
    runPlainLayer(
      context,
      { kind: 'merge', operation },
      values.map((value) => ({ value, mask: null })),
    ).value;
  const zero = (input: TangentFlow): Value => tangentOrZero(ops, input, inputs);
  if (SUMS.includes(merge.operation)) {
    return run(merge.operation, inputs.map(zero));
  }
  if (merge.operation === 'multiply') {
    const moving = inputs.flatMap((input, index) => (input.tangent ? [index] : []));
    const terms = moving.map((index) =>
      run(
        'multiply',
        inputs.map((input, other) => (other === index ? zero(input) : input.flow.value)),
      ),
    );
    return terms.reduce((sum, term) => ops.add(sum, term));
  }
  // Each entry follows the first input that gives the extreme.
  let made: Value | null = null;
  for (const input of [...inputs].reverse()) {
    const isExtreme = ops.equal(run('add', [input.flow.value, ops.sub(output, output)]), output);
    const own = run('add', [zero(input), ops.sub(output, output)]);
    made = made === null ? own : ops.select(ops.broadcastTo(isExtreme, own.shape), own, made);
  }
  return made!;
}

/** TimeDistributed: the inner layer on every step, steps folded into the batch, one step's tangents at a time. */
function overSteps(context: LayerContext, operation: AppliedOperation, input: TangentFlow, output: Value): Value {
  const { ops, layer } = context;
  const { value } = input.flow;
  const tangent = input.tangent!;
  const inner: LayerContext = { ...context, layer: { ...layer, className: '' } };
  const steps = value.shape[1];
  const at = (array: Value, step: number): Value =>
    ops.reshape(
      ops.slice(array, [0, step, ...array.shape.slice(2).map(() => 0)], [array.shape[0], 1, ...array.shape.slice(2)]),
      [array.shape[0], ...array.shape.slice(2)],
    );
  const parts = Array.from({ length: steps }, (_, step) => {
    const flow = { value: at(value, step), mask: null };
    const made = rule(inner, operation, [{ flow, tangent: at(tangent, step) }], at(output, step));
    return ops.reshape(made, [made.shape[0], 1, ...made.shape.slice(1)]);
  });
  return ops.concat(parts, 1);
}
