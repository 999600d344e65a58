/** What Jacobians of all pairs are with respect to. */

/** Columns of the state: all of them, those of h, those of c. */
export type StatePart = 'state' | 'hidden' | 'cell';

/** Sources that every step has: its input B_s, the state at s, or the part of it that is h or c. */
export type SteppedSource = 'input' | StatePart;

/** Sources that are there once: the initial state, or its h or c alone. */
export type InitialSource = 'initial' | 'initial-hidden' | 'initial-cell';

/** What columns are injected by. */
export type PairsSource = SteppedSource | InitialSource;

/** Sizes of a cell that decide how wide a source is. */
export interface SourceSizes {
  readonly inputDim: number;
  readonly stateSize: number;
  /** P */
  readonly hiddenSize: number;
}

/**
 * Whether a source is the initial state or a part of it.
 *
 * @param source - The source.
 */
export function isInitialSource(source: PairsSource): source is InitialSource {
  return source.startsWith('initial');
}

/**
 * The columns of the state that a source has; all of it for the input, whose columns are none of the state's.
 *
 * @param source - The source.
 */
export function statePartOf(source: PairsSource): StatePart {
  if (source === 'hidden' || source === 'initial-hidden') return 'hidden';
  return source === 'cell' || source === 'initial-cell' ? 'cell' : 'state';
}

/**
 * Columns of one source.
 *
 * @param sizes - Of the cell.
 * @param source - The source.
 */
export function sourceWidth({ inputDim, stateSize, hiddenSize }: SourceSizes, source: PairsSource): number {
  if (source === 'input') return inputDim;
  const part = statePartOf(source);
  if (part === 'state') return stateSize;
  return part === 'hidden' ? hiddenSize : stateSize - hiddenSize;
}

/**
 * The first of these columns among those of the state.
 *
 * @param sizes - Of the cell.
 * @param part - Which columns.
 */
export function firstColumn({ hiddenSize }: SourceSizes, part: StatePart): number {
  return part === 'cell' ? hiddenSize : 0;
}
