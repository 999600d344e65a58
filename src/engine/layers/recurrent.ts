/**
 * Recurrent layers inside a model: what their cells are fed, and what the layer gives to those above.
 *
 * The states come from the engine itself, as for the layer that is analysed; here they are only put together as Keras
 * does: last or all steps, directions merged, states beside them.
 */
import type { Direction } from '../../core/jacobian';
import { cellsOf, hiddenSize, type RecurrentLayer, type RecurrentOperation, type ValueRef } from '../../core/model';
import { sizeOf, type RealTensor } from '../../core/tensor';
import type { InitialState, LayerInput, LayerRun, RealArray } from '../engine';
import type { Ops, Value } from '../ops';
import { sameShape } from '../ops/shapes';
import { asReal, shapeError, type Flow, type LayerContext, type Mask } from './flow';
import { withinSequenceLengths } from './sequence-lengths';

/** Old layers that ignore masks, whatever stands below them. */
const MASK_BLIND = new Set(['CuDNNLSTM', 'CuDNNGRU']);

/**
 * The values that a recurrent layer reads: its input, its backward cell's own one, its initial states.
 *
 * @param layer - The layer.
 */
export function recurrentInputs(layer: RecurrentLayer): readonly ValueRef[] {
  const { backwardInput, initialState } = layer.operation;
  return [layer.inputs[0], ...(backwardInput ? [backwardInput] : []), ...initialState];
}

/**
 * What the cells of a recurrent layer are fed.
 *
 * @param context - The layer.
 * @param layer - The same layer.
 * @param flowOf - The outputs of the layers below.
 * @throws TempogradError `input/shape-mismatch` when x is not `[B, T, D]` or a state not `[B, H]`.
 */
export function makeLayerInput(
  context: LayerContext,
  layer: RecurrentLayer,
  flowOf: (ref: ValueRef) => Flow,
): LayerInput {
  const { operation } = layer;
  const flow = flowOf(layer.inputs[0]);
  const { inputDim } = cellsOf(operation)[0].cell;
  const x = sequencesOf(context, flow.value, inputDim, operation.timeDistributed);
  const mask = MASK_BLIND.has(layer.className) ? null : maskOf(context, flow.mask, x.shape, operation.timeDistributed);
  const backward = operation.backwardInput && operation.backward ? flowOf(operation.backwardInput) : null;
  return {
    x,
    backwardX: backward
      ? sequencesOf(context, backward.value, operation.backward?.inputDim ?? inputDim, operation.timeDistributed)
      : null,
    mask: withinSequenceLengths(layer, mask, x.shape[0], x.shape[1]),
    initialState: initialStates(context, operation, flowOf, x.shape[0]),
  };
}

/**
 * The outputs of a recurrent layer in the order of `RecurrentOperation`.
 *
 * @param context - The layer.
 * @param operation - Its operation.
 * @param run - Its states.
 * @param input - What it was fed.
 * @param flow - Its first input, for the mask and the axes that TimeDistributed folded.
 * @returns New values, the caller's to dispose.
 */
export function recurrentOutputs(
  context: LayerContext,
  operation: RecurrentOperation,
  run: LayerRun,
  input: LayerInput,
  flow: Flow,
): Flow[] {
  const { ops } = context;
  const { batch, steps } = run;
  return ops.tidy(() => {
    const sequences = run.states.map(({ direction, h }) => {
      const units = h.length / (batch * steps);
      const shown = shownSequence(h, [batch, steps, units], input.mask, direction, operation.zeroOutputForMask);
      const whole = ops.upload(shown, [batch, steps, units]);
      if (!operation.returnSequences) return stepOf(ops, whole, direction === 'forward' ? steps - 1 : 0);
      return operation.outputReversed ? ops.reverse(whole, 1) : whole;
    });
    const outputs = merge(ops, operation, sequences);
    const states = operation.returnState
      ? run.states.flatMap(({ direction, h, c }) =>
          [h, ...(c ? [c] : [])].map((data) => {
            const whole = ops.upload(data, [batch, steps, data.length / (batch * steps)]);
            return stepOf(ops, whole, direction === 'forward' ? steps - 1 : 0);
          }),
        )
      : [];
    const mask = operation.returnSequences && !MASK_BLIND.has(context.layer.className) ? flow.mask : null;
    const outer = operation.timeDistributed ? flow.value.shape.slice(0, -2) : null;
    const unfold = (value: Value): Value => (outer ? ops.reshape(value, [...outer, ...value.shape.slice(1)]) : value);
    return [
      ...outputs.map((value): Flow => ({ value: unfold(value), mask })),
      ...states.map((value): Flow => ({ value: unfold(value), mask: null })),
    ];
  });
}

/** `[.., T, D]` as an array `[N, T, D]`. */
function sequencesOf(context: LayerContext, value: Value, inputDim: number, isFolded: boolean): RealTensor {
  const { ops, layer } = context;
  const { shape } = value;
  const [steps, width] = shape.slice(-2);
  if (shape.length < 3 || (shape.length > 3 && !isFolded) || width !== inputDim) {
    throw shapeError(layer, shape, `[B, T, ${inputDim}]`);
  }
  const data = ops.tidy(() => ops.read(asReal(ops, value)));
  return { shape: [sizeOf(shape.slice(0, -2)), steps, width], data };
}

function maskOf(context: LayerContext, mask: Mask | null, shape: readonly number[], isFolded: boolean): Mask | null {
  if (mask === null) return null;
  const [batch, steps] = shape;
  if (mask.data.length === batch * steps) return { shape: [batch, steps], data: mask.data };
  // A mask over the outer steps only says nothing about the steps inside one of them.
  if (isFolded) return null;
  throw shapeError(context.layer, mask.shape, `a mask [${batch}, ${steps}]`);
}

function initialStates(
  context: LayerContext,
  operation: RecurrentOperation,
  flowOf: (ref: ValueRef) => Flow,
  batch: number,
): LayerInput['initialState'] {
  const refs = [...operation.initialState];
  const states: Partial<Record<Direction, InitialState>> = {};
  if (refs.length === 0) return states;
  for (const { direction, cell } of cellsOf(operation)) {
    const next = (units: number): RealTensor => stateOf(context, flowOf, refs.shift(), [batch, units]);
    const h0 = next(hiddenSize(cell));
    states[direction] = { h0, c0: cell.kind === 'LSTM' ? next(cell.units) : null };
  }
  return states;
}

function stateOf(
  context: LayerContext,
  flowOf: (ref: ValueRef) => Flow,
  ref: ValueRef | undefined,
  expected: readonly [number, number],
): RealTensor {
  const { ops, layer } = context;
  if (!ref) throw new Error(`layer ${layer.name} has fewer initial states than its cells need`);
  const { value } = flowOf(ref);
  if (!sameShape(value.shape, expected)) {
    throw shapeError(layer, value.shape, `an initial state [${expected.join(', ')}]`);
  }
  return { shape: value.shape, data: ops.tidy(() => ops.read(asReal(ops, value))) };
}

/**
 * The sequence as the layers above see it: at a masked step the output before it, 0 where there was none yet or where
 * the layer says so. A given initial state shows there in Keras on JAX, but not on TensorFlow, which is followed here.
 */
function shownSequence(
  h: RealArray,
  shape: readonly [number, number, number],
  mask: Mask | null,
  direction: Direction,
  zeroOutputForMask: boolean,
): RealArray {
  if (mask === null) return h;
  const [batch, steps, units] = shape;
  const shown = h.slice();
  for (let b = 0; b < batch; b++) {
    let hasOutput = false;
    for (let n = 0; n < steps; n++) {
      const t = direction === 'forward' ? n : steps - 1 - n;
      const isValid = mask.data[b * steps + t] !== 0;
      hasOutput ||= isValid;
      if (!hasOutput || (zeroOutputForMask && !isValid))
        shown.fill(0, (b * steps + t) * units, (b * steps + t + 1) * units);
    }
  }
  return shown;
}

function stepOf(ops: Ops, sequence: Value, step: number): Value {
  const [batch, , units] = sequence.shape;
  return ops.reshape(ops.slice(sequence, [0, step, 0], [batch, 1, units]), [batch, units]);
}

function merge(ops: Ops, operation: RecurrentOperation, values: readonly Value[]): readonly Value[] {
  if (values.length === 1 || operation.mergeMode === 'none') return values;
  const [forward, backward] = values;
  switch (operation.mergeMode) {
    case 'concat':
      return [ops.concat(values, -1)];
    case 'sum':
      return [ops.add(forward, backward)];
    case 'mul':
      return [ops.mul(forward, backward)];
    case 'ave':
      return [ops.mul(ops.add(forward, backward), ops.constant(0.5))];
  }
}
