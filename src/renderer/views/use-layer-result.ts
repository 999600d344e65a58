/** What all views ask of the selected layer's result: its norms in the chosen direction, maps of them, and what is missing. */
import {
  growingCurveOverLags,
  growingCurveOverSteps,
  lastStepOf,
  type GrowingCurve,
  type NormCurve,
} from '../../charts/norm-curve';
import type { MapData } from '../../charts/map-data';
import type { StateName } from '../../core/jacobian';
import type { DirectionPart } from '../../shared/run';
import { useRuns } from '../stores/runs';
import type { NormPair, NormSet, RunResult } from '../stores/run-result';
import { useSelection } from '../stores/selection';

/** Which norms of a block a map shows. */
export type MapSide = 'units' | 'features';

/** Curves that are followed, by the norms they are of: each is made once and then only grows. */
const followed = new WeakMap<
  NormSet,
  Map<string, { readonly mask: Uint8Array | null; readonly curve: GrowingCurve }>
>();

function follow(set: NormSet, key: string, mask: Uint8Array | null, make: () => GrowingCurve): NormCurve {
  const curves = followed.get(set) ?? new Map<string, { mask: Uint8Array | null; curve: GrowingCurve }>();
  followed.set(set, curves);
  const before = curves.get(key);
  const entry = before?.mask === mask && before ? before : { mask, curve: make() };
  curves.set(key, entry);
  return entry.curve.update();
}

/** Readers of the selected layer's result; each is reactive where it is called. */
export function useLayerResult() {
  const runs = useRuns();
  const selection = useSelection();

  const result = (): RunResult | null => runs.selectedResult();

  /** The chosen sequence, kept within the batch. */
  function sequence(): number {
    const batch = result()?.started.batch ?? 1;
    return Math.min(selection.sequence, batch - 1);
  }

  /** The direction on show, with its kind and size; null without a result. */
  function part(): DirectionPart | null {
    const parts = result()?.started.parts;
    return parts?.find(({ direction }) => direction === selection.direction) ?? parts?.[0] ?? null;
  }

  function norms(mode: 'diagonal' | 'final'): NormPair | null {
    const shown = part();
    return shown ? (result()?.[mode][shown.direction] ?? null) : null;
  }

  /** `[B, T]` mask of the run, null when all steps are valid (or states were not asked for). */
  function mask(): Uint8Array | null {
    const found = result();
    const isOfX = found?.started.sourceSteps === found?.started.steps;
    return isOfX ? (found?.states?.mask ?? null) : null;
  }

  /** Norms against the timestep; of one sequence, or of all with null. */
  function overSteps(set: NormSet, of: number | null): NormCurve {
    return follow(set, `steps ${of}`, null, () => growingCurveOverSteps(set, of));
  }

  /** Norms of all sequences against the lag, in the direction on show. */
  function overLags(set: NormSet): NormCurve {
    const valid = mask();
    const direction = part()?.direction ?? 'forward';
    return follow(set, `lags ${direction}`, valid, () => growingCurveOverLags(set, direction, valid, null));
  }

  /** Units or features against timesteps, of the chosen sequence. */
  function mapOverSteps(set: NormSet, side: MapSide): MapData | null {
    const chosen = sequence();
    const { steps } = set;
    if (chosen >= set.detailSequences) return null;
    const values = set[side];
    const rows = values.length / (set.detailSequences * steps);
    return {
      values,
      rows,
      columns: steps,
      rowStride: 1,
      columnStride: rows,
      offset: chosen * steps * rows,
      computed: set.computed,
    };
  }

  /** Units or features against lags, of the chosen sequence: lag 0 is the last valid step. */
  function mapOverLags(set: NormSet, side: MapSide): MapData | null {
    const map = mapOverSteps(set, side);
    if (!map || part()?.direction === 'backward') return map;
    const last = lastStepOf(sequence(), set.steps, 'forward', mask());
    return {
      ...map,
      columns: last + 1,
      columnStride: -map.columnStride,
      offset: map.offset + last * map.columnStride,
      computed: set.computed.slice(0, last + 1).reverse(),
    };
  }

  /** Why there is nothing to draw, null when there is. */
  function blankReason(mode: 'diagonal' | 'final' | 'states'): string | null {
    const found = result();
    if (!found)
      return runs.isRunning ? 'Waiting for the first numbers…' : 'Not run yet. Choose the input and press Run.';
    if (!found.started.modes.includes(mode)) return `This run was made without “${MODE_WORDS[mode]}”.`;
    if (mode === 'states' && !found.states) return 'Waiting for the states…';
    return null;
  }

  /** The same for maps, which are kept for the first sequences only when there are very many. */
  function mapBlankReason(mode: 'diagonal' | 'final', state: StateName): string | null {
    const reason = blankReason(mode);
    if (reason) return reason;
    const set = norms(mode)?.[state];
    if (!set) return `There is no ${state} in this direction.`;
    return sequence() < set.detailSequences
      ? null
      : `Maps are kept for the first ${set.detailSequences} sequences of a run of this size.`;
  }

  return {
    runs,
    selection,
    result,
    part,
    sequence,
    norms,
    mask,
    overSteps,
    overLags,
    mapOverSteps,
    mapOverLags,
    blankReason,
    mapBlankReason,
  };
}

const MODE_WORDS = { diagonal: 'Diagonal', final: 'Final', states: 'States' } as const;
