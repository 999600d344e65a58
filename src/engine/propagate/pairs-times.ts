/**
 * From computed steps to timesteps: rectangles of norms between computed steps as rectangles of the layer's own time.
 *
 * The algorithms of `pairs` know no mask and no direction: they count the steps that are computed, in their order. A
 * masked step copies the state (A = I, B = 0), so a masked target has the norms of the computed step before it, a
 * masked input is a source of zeros, and a masked state is the state before it.
 */
import { isStateQuantity, type Direction, type PairsChunk, type PairsQuantity } from '../../core/jacobian';
import {
  isInitialSource,
  sourceWidth,
  statePartOf,
  type PairsSource,
  type StatePart,
} from '../../core/reference/pairs-source';

/** Log norms between computed steps; one array for each state that is differentiated, `[targets, sources]`. */
export interface PairsBlock {
  readonly source: PairsSource;
  readonly firstTarget: number;
  readonly targets: number;
  /** 0 for `initial`. */
  readonly firstSource: number;
  readonly sources: number;
  readonly h: Float64Array | null;
  readonly c: Float64Array | null;
  /** Of h and c together. */
  readonly s: Float64Array | null;
}

/** A sequence of computed steps in time. */
export interface StepTimes {
  readonly sequence: number;
  readonly direction: Direction;
  readonly steps: number;
  /** Time indices of the computed steps, in the order of computing. */
  readonly valid: Int32Array;
  /** P and S. */
  readonly hiddenSize: number;
  readonly stateSize: number;
}

/**
 * A block in time, one rectangle for each quantity that it gives.
 *
 * @param times - The sequence.
 * @param block - Norms between computed steps.
 * @param wanted - States before the first computed step are sources only where `state` is wanted.
 */
export function* inTime(
  times: StepTimes,
  block: PairsBlock,
  wanted: readonly PairsSource[],
): Generator<PairsChunk, void, void> {
  const { source, h, c, s } = block;
  if (source === 'initial') {
    if (h) yield rectangle(times, 'dh_ds0', block, h);
    if (s && wanted.includes('state')) yield* leadingSources(times, 'ds_ds', block, s);
    return;
  }
  const [ofH, ofC] = QUANTITIES[statePartOf(source)];
  if (isInitialSource(source)) {
    if (h) yield* leadingSources(times, ofH, block, h);
    if (c) yield* leadingSources(times, ofC, block, c);
  } else if (source === 'input') {
    if (h) yield rectangle(times, 'dh_dx', block, h);
    if (c) yield rectangle(times, 'dc_dx', block, c);
  } else if (source === 'state') {
    if (s) yield rectangle(times, 'ds_ds', block, s);
  } else {
    if (h) yield rectangle(times, ofH, block, h);
    if (c) yield rectangle(times, ofC, block, c);
  }
}

/** What the rows of h and of c are, by the columns of the state. */
const QUANTITIES: Readonly<Record<StatePart, readonly [h: PairsQuantity, c: PairsQuantity]>> = {
  state: ['ds_ds', 'ds_ds'],
  hidden: ['dh_dh', 'dc_dh'],
  cell: ['dh_dc', 'dc_dc'],
};

/**
 * What is known without computing: the state before the first computed step is the initial one.
 *
 * @param times - The sequence.
 * @param source - `initial` for dh_t/ds_0, `state` for ds_t/ds_s, `hidden` and `cell` for its blocks; nothing is known
 * of the others.
 */
export function* beforeFirstStep(times: StepTimes, source: PairsSource): Generator<PairsChunk, void, void> {
  const leading = leadingSteps(times);
  if (leading === 0 || source === 'input' || (isInitialSource(source) && source !== 'initial')) return;
  const { hiddenSize } = times;
  if (source === 'initial') {
    const logNorms = new Float64Array(leading).fill(0.5 * Math.log(hiddenSize));
    yield chunkOf(times, 'dh_ds0', 0, leading, 0, 1, logNorms);
    return;
  }
  const part = statePartOf(source);
  // The identity: the blocks beside its diagonal are zero, which needs no chunk.
  const quantity = QUANTITIES[part][part === 'cell' ? 1 : 0];
  const width = sourceWidth({ ...times, inputDim: 0 }, source);
  const logNorms = new Float64Array(leading * leading).fill(-Infinity);
  for (let t = 0; t < leading; t++) logNorms.fill(0.5 * Math.log(width), t * leading, t * leading + t + 1);
  yield chunkOf(times, quantity, 0, leading, 0, leading, logNorms);
}

/** Masked steps before the first computed one; all of them where none is computed. */
function leadingSteps({ valid, steps, direction }: StepTimes): number {
  if (valid.length === 0) return steps;
  return direction === 'forward' ? valid[0] : steps - 1 - valid[0];
}

/**
 * The place of computed step `k` among all steps in the order of computing; that of the end behind the last one.
 *
 * @param times - The sequence.
 * @param k - Counted among the computed steps.
 */
export function orderOf({ valid, steps, direction }: StepTimes, k: number): number {
  if (k >= valid.length) return steps;
  return direction === 'forward' ? valid[k] : steps - 1 - valid[k];
}

/** States before the first computed step as sources: what the initial state gives. */
function* leadingSources(
  times: StepTimes,
  quantity: PairsQuantity,
  block: PairsBlock,
  norms: Float64Array,
): Generator<PairsChunk, void, void> {
  const leading = leadingSteps(times);
  if (leading === 0) return;
  const first = orderOf(times, block.firstTarget);
  const end = orderOf(times, block.firstTarget + block.targets);
  const logNorms = new Float64Array((end - first) * leading);
  for (let k = 0; k < block.targets; k++) {
    const from = orderOf(times, block.firstTarget + k) - first;
    const to = orderOf(times, block.firstTarget + k + 1) - first;
    logNorms.fill(norms[k], from * leading, to * leading);
  }
  yield chunkOf(times, quantity, first, end - first, 0, leading, logNorms);
}

/** Rows repeated where targets are masked; sources repeated for states, zeros for inputs. */
function rectangle(times: StepTimes, quantity: PairsQuantity, block: PairsBlock, norms: Float64Array): PairsChunk {
  const { firstTarget, targets, firstSource, sources } = block;
  const first = orderOf(times, firstTarget);
  const end = orderOf(times, firstTarget + targets);
  if (quantity === 'dh_ds0') {
    const logNorms = new Float64Array(end - first);
    for (let k = 0; k < targets; k++) {
      const from = orderOf(times, firstTarget + k) - first;
      logNorms.fill(norms[k], from, orderOf(times, firstTarget + k + 1) - first);
    }
    return chunkOf(times, quantity, first, end - first, 0, 1, logNorms);
  }
  const isState = isStateQuantity(quantity);
  const left = orderOf(times, firstSource);
  const lastSource = firstSource + sources;
  const right = isState ? orderOf(times, lastSource) : orderOf(times, lastSource - 1) + 1;
  const width = right - left;
  const logNorms = new Float64Array((end - first) * width).fill(-Infinity);
  for (let k = 0; k < targets; k++) {
    const from = orderOf(times, firstTarget + k);
    const to = orderOf(times, firstTarget + k + 1);
    const row = logNorms.subarray((from - first) * width, (from - first + 1) * width);
    for (let l = 0; l < sources; l++) {
      const at = orderOf(times, firstSource + l);
      const until = isState ? orderOf(times, firstSource + l + 1) : at + 1;
      row.fill(norms[k * sources + l], at - left, until - left);
    }
    for (let t = from + 1; t < to; t++)
      logNorms.copyWithin((t - first) * width, (from - first) * width, (from - first + 1) * width);
    // A state is a source from its own step on, also among masked ones.
    for (let t = from; isState && t < to; t++) {
      const ahead = Math.max(t + 1, left);
      if (ahead < right) logNorms.fill(-Infinity, (t - first) * width + ahead - left, (t - first + 1) * width);
    }
  }
  return chunkOf(times, quantity, first, end - first, left, width, logNorms);
}

/** A rectangle in the order of computing as one in time; turned in place for a backward recurrence. */
function chunkOf(
  { sequence, direction, steps }: StepTimes,
  quantity: PairsQuantity,
  firstTarget: number,
  targetCount: number,
  firstSource: number,
  sourceCount: number,
  logNorms: Float64Array,
): PairsChunk {
  const isForward = direction === 'forward';
  if (!isForward) logNorms.reverse();
  const hasSourceTime = quantity !== 'dh_ds0';
  return {
    mode: 'pairs',
    direction,
    quantity,
    sequence,
    targetStart: isForward ? firstTarget : steps - firstTarget - targetCount,
    targetCount,
    sourceStart: isForward || !hasSourceTime ? firstSource : steps - firstSource - sourceCount,
    sourceCount,
    logNorms,
  };
}
