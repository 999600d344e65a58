/** Texts of the flow map. */
import type { Direction } from '../../core/jacobian';
import { formatCount, formatFixed, formatFromLog } from '../../charts/number-format';
import { MOST_MAP_CELLS, type PairQuantity } from '../stores/pair-maps';

/** What a map is of, in formulas. */
export const PAIR_FORMULAS: Readonly<Record<PairQuantity, string>> = {
  dh_dx: '‖∂h_t/∂x_s‖',
  dc_dx: '‖∂c_t/∂x_s‖',
  ds_ds: '‖∂s_t/∂s_s‖',
};

/** The choice of a map. */
export const PAIR_CHOICES: Readonly<Record<PairQuantity, { readonly text: string; readonly title: string }>> = {
  dh_dx: { text: '∂h/∂x', title: 'Hidden state with respect to the input' },
  dc_dx: { text: '∂c/∂x', title: 'Cell state with respect to the input' },
  ds_ds: { text: '∂s/∂s', title: 'Whole state with respect to the whole state' },
};

/** What an entry of a block is of, in formulas. */
export const ENTRY_FORMULAS: Readonly<Record<PairQuantity, string>> = {
  dh_dx: '∂h_t[u]/∂x_s[d]',
  dc_dx: '∂c_t[u]/∂x_s[d]',
  ds_ds: '∂s_t[u]/∂s_s[v]',
};

/**
 * The number of a cell: `0.01234  (log₁₀ −1.909)`.
 *
 * @param log - Natural log; undefined for a cell that is not computed.
 */
export function cellText(log: number | undefined): string {
  if (log === undefined) return 'not computed';
  if (!Number.isFinite(log)) return formatFromLog(log);
  return `${formatFromLog(log, 4)}  (log₁₀ ${formatFixed(log / Math.LN10, 3)})`;
}

/**
 * Steps from source to target in the order of computing; below 0 for a source that comes after its target.
 *
 * @param direction - Of the recurrence.
 * @param target - t
 * @param source - s
 */
export function lagOf(direction: Direction, target: number, source: number): number {
  return direction === 'forward' ? target - source : source - target;
}

/**
 * Where a cell is: `t 40 · s 12 · lag 28`.
 *
 * @param direction - Of the recurrence.
 * @param target - t
 * @param source - s
 */
export function pairPlace(direction: Direction, target: number, source: number): string {
  const lag = formatCount(lagOf(direction, target, source));
  return `t ${formatCount(target)} · s ${formatCount(source)} · lag ${lag}`;
}

/**
 * Said where the map on show is not kept.
 *
 * @param steps - T
 * @param kept - Maps of the run that are kept.
 */
export function tooLargeText(steps: number, kept: number): string {
  const size = (side: number): string => `${formatCount(side)} × ${formatCount(side)}`;
  const elsewhere = 'The numbers of all pairs are in the exported arrays.';
  return kept === 0
    ? `A map of ${size(steps)} steps is more than the window keeps (${size(Math.sqrt(MOST_MAP_CELLS))}). ${elsewhere}`
    : `The window keeps the first ${kept} maps of a run of this size; this one is beyond them. ${elsewhere}`;
}

/** What the view is for, said where there is nothing to show. */
export const FLOW_TEXT =
  'The flow map shows how strongly every step t still feels every earlier step s. It needs the mode All pairs.';

/** How the picture is used without a mouse. */
export const FLOW_KEYS = 'Arrow keys move the selected pair, with Shift by ten steps.';
