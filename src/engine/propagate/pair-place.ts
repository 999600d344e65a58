/** One pair of steps in time, as computed steps; and the blocks that need no computing. */
import type { BlockPlace, PairBlock, RealArray, StoredBlock } from '../engine';
import { orderOf, type StepTimes } from './pairs-times';

/** Computes blocks between computed steps; -1 stands for the state before the first one. */
export interface BetweenSteps {
  /** dh_t/dx_s, and dc_t/dx_s of an LSTM; `from <= to`. */
  input(from: number, to: number): Promise<readonly StoredBlock[]>;
  /** ds_t/ds_s, `from < to`. */
  state(from: number, to: number): Promise<StoredBlock>;
}

/**
 * The block of a pair.
 *
 * @param times - The sequence.
 * @param place - Which pair.
 * @param blockSizes - Units of h, and of c for an LSTM.
 * @param inputDim - D
 * @param make - Makes an array of zeros.
 * @param between - Computes what is neither zero nor the identity.
 */
export async function blockOfPair(
  times: StepTimes,
  { target, source, hasState }: BlockPlace,
  blockSizes: readonly number[],
  inputDim: number,
  make: (length: number) => RealArray,
  between: BetweenSteps,
): Promise<PairBlock> {
  const { stateSize } = times;
  const zero = (rows: number, columns: number): StoredBlock => {
    return { data: make(rows * columns), rows, columns, scale: 0, logNorm: -Infinity };
  };
  const isBefore = placeOf(times, source) <= placeOf(times, target);
  const [from, to] = [lastComputed(times, source), lastComputed(times, target)];
  const isSource = isBefore && from >= 0 && orderOf(times, from) === placeOf(times, source);
  const [h, c] = isSource ? await between.input(from, to) : blockSizes.map((rows) => zero(rows, inputDim));
  let state: StoredBlock | null = null;
  if (hasState) {
    if (!isBefore) state = zero(stateSize, stateSize);
    else if (from < to) state = await between.state(from, to);
    else {
      const data = make(stateSize ** 2);
      for (let row = 0; row < stateSize; row++) data[row * (stateSize + 1)] = 1;
      state = { data, rows: stateSize, columns: stateSize, scale: 0, logNorm: 0.5 * Math.log(stateSize) };
    }
  }
  return { h, c: c ?? null, state };
}

/** A time index as a place in the order of computing. */
function placeOf({ direction, steps }: StepTimes, time: number): number {
  return direction === 'forward' ? time : steps - 1 - time;
}

/** The last computed step that is not after a time in the order of computing; -1 where there is none. */
function lastComputed(times: StepTimes, time: number): number {
  const place = placeOf(times, time);
  let low = 0;
  let high = times.valid.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (orderOf(times, middle) <= place) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
