/** Texts of the flow map. */
import { formatCount, formatFixed, formatFromLog } from '../../charts/number-format';
import { PAIRS_BUDGET_CELLS, type PairQuantity } from '../stores/pair-maps';

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
 * The number of a cell: `log₁₀ −2.314`.
 *
 * @param log - Natural log; undefined for a cell that is not computed.
 */
export function cellText(log: number | undefined): string {
  if (log === undefined) return 'not computed';
  if (log === -Infinity) return '0 (exact)';
  return `${formatFromLog(log, 4)}  (log₁₀ ${formatFixed(log / Math.LN10, 3)})`;
}

/**
 * Where a cell is: `t 40 · s 12 · lag 28`.
 *
 * @param target - t
 * @param source - s
 */
export function pairPlace(target: number, source: number): string {
  return `t ${formatCount(target)} · s ${formatCount(source)} · lag ${formatCount(target - source)}`;
}

/** Said where the maps of a run would take more than the window keeps. */
export function tooLargeText(steps: number, sequences: number): string {
  const most = formatCount(Math.floor(Math.sqrt(PAIRS_BUDGET_CELLS)));
  return sequences === 0
    ? `A map of ${formatCount(steps)} × ${formatCount(steps)} steps is more than the window keeps (${most} × ${most}). The numbers of all pairs are in the exported arrays.`
    : `The window keeps the first maps of a run up to ${most} × ${most} cells in all; this one is beyond them. The numbers of all pairs are in the exported arrays.`;
}

/** How the picture is used without a mouse. */
export const FLOW_KEYS = 'Arrow keys move the selected pair, with Shift by ten steps.';
