/** The numbers of the selected place, for the status bar. */
import { formatCount, formatFromLog } from '../../charts/number-format';
import type { Direction } from '../../core/jacobian';
import type { RunResult } from './run-result';
import type { Readout } from './selection';

/** The parts of the selection that a read-out needs. */
export interface SelectedPlace {
  readonly sequence: number;
  readonly step: number | null;
  readonly direction: Direction;
}

/**
 * Where the selection stands and the norms there; null without a result.
 *
 * @param result - The result of the selected layer.
 * @param place - The selection.
 */
export function selectionReadout(result: RunResult | null, place: SelectedPlace): Readout | null {
  if (!result) return null;
  const { batch } = result.started;
  const sequence = Math.min(place.sequence, batch - 1);
  const words = [`sequence ${sequence + 1} of ${formatCount(batch)}`];
  if (place.step === null) return { place: words.join(' · '), value: '' };
  words.push(`t ${formatCount(place.step)}`);
  const values: string[] = [];
  for (const [mode, target] of [
    ['diagonal', 't'],
    ['final', 'T'],
  ] as const) {
    const pair = result[mode][place.direction];
    for (const state of ['h', 'c'] as const) {
      const set = pair?.[state];
      if (!set?.computed[place.step]) continue;
      const log = set.total[sequence * set.steps + place.step]!;
      values.push(`‖∂${state}_${target}/∂x_t‖ = ${formatFromLog(log)}`);
    }
  }
  return { place: words.join(' · '), value: values.join('   ') };
}
