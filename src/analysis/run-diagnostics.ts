/** Diagnostics that need the states of a run: gates, and the paths through an LSTM. */
import { TimescaleSum, type ForgetTimescale } from '../core/diagnostics/forget-timescale';
import { auditStepJacobians } from '../core/diagnostics/finite-difference';
import { highwaySteps } from '../core/diagnostics/highway-share';
import { SaturationCount } from '../core/diagnostics/saturation';
import { cellsOf } from '../core/model';
import { makeReferenceCell } from '../core/reference/reference-cell';
import type { Diagnostics } from '../core/summary';
import type { Pace } from '../engine/pace';
import { trajectoryOf } from '../engine/trajectories';
import { finiteOrNull } from './finite-or-null';
import type { Gathered } from './gathered';
import { inRows } from './in-rows';
import { lastSteps } from './last-steps';

/** Work allowed for the highway share, FLOP; about a second in plain TypeScript. */
const HIGHWAY_FLOP = 1e9;
const HIGHWAY_LAG = 10;
/** Steps of the audit, and the largest S + D: about a tenth of a second. */
const AUDITED_STEPS = 3;
const MAX_AUDITED_SIZE = 128;

/**
 * The diagnostics of a run's states.
 *
 * @param gathered - Everything the run found.
 * @param pace - Lets messages in.
 * @throws `signal.reason` of the pace when it is aborted.
 */
export async function runDiagnostics(gathered: Gathered, pace: Pace): Promise<Diagnostics> {
  const { started, states } = gathered;
  const rows = started.batch * started.steps;
  const saturation: Record<string, { left: number; right: number }> = {};
  for (const [gate, values] of Object.entries(states.gates)) {
    // The candidate is not a gate: it lies between -1 and 1, and saturation below 0.1 means nothing there.
    if (gate === 'g' || gate === 'n') continue;
    const count = new SaturationCount(values.length / rows);
    await inRows(values, rows, states.mask, pace, (part, mask) => count.add(part, mask));
    const { left, right } = count.result();
    saturation[gate] = { left, right };
  }
  const keep = states.gates['f'] ?? states.gates['z'];
  let timescale: ForgetTimescale | null = null;
  if (keep) {
    const sum = new TimescaleSum(keep.length / rows);
    await inRows(keep, rows, states.mask, pace, (part, mask) => sum.add(part, mask));
    timescale = sum.result();
  }
  return {
    ...(Object.keys(saturation).length > 0 && { saturation }),
    ...(timescale && { forgetTimescale: { median: finiteOrNull(timescale.median), max: finiteOrNull(timescale.max) } }),
    ...(started.modes.includes('spectrum') && { jacobianAudit: await jacobianAudit(gathered, pace) }),
    ...(started.hasCell && { highwayShare: await highwayShares(gathered, pace) }),
  };
}

/** D20 of the first sequence and the first direction that is an LSTM, at lag 10 and over the whole run where that is affordable. */
async function highwayShares(gathered: Gathered, pace: Pace): Promise<Record<string, number | null>> {
  const { layer, run } = gathered;
  const { cell, direction } = cellsOf(layer.operation).find((entry) => entry.cell.kind === 'LSTM')!;
  const perLag = 16 * cell.units ** 3;
  const valid = validSteps(gathered);
  const lags = [HIGHWAY_LAG, valid].filter((lag) => lag <= valid && lag > 0 && lag * perLag <= HIGHWAY_FLOP);
  const wanted = [...new Set(lags)].sort((a, b) => a - b);
  const shares: Record<string, number | null> = { [String(HIGHWAY_LAG)]: null, full: null };
  if (wanted.length === 0) return shares;
  const lagByLag = highwaySteps(makeReferenceCell(cell), trajectoryOf(run, gathered.input, cell, direction, 0), wanted);
  let step = lagByLag.next();
  for (; !step.done; step = lagByLag.next()) await pace.breathe();
  const found = step.value;
  wanted.forEach((lag, index) => {
    const share = finiteOrNull(found[index]!);
    if (lag === HIGHWAY_LAG) shares[String(HIGHWAY_LAG)] = share;
    if (lag === valid) shares['full'] = share;
  });
  return shares;
}

/** D4 at the last steps of the first sequence; null where the state and the input are too large for it. */
async function jacobianAudit({ layer, run, input }: Gathered, pace: Pace): Promise<Record<string, number | null>> {
  const audits: Record<string, number | null> = {};
  for (const { cell: description, direction } of cellsOf(layer.operation)) {
    const cell = makeReferenceCell(description);
    await pace.breathe();
    const trajectory = trajectoryOf(run, input, description, direction, 0);
    const last = lastSteps(trajectory, AUDITED_STEPS);
    const isSmall = cell.stateSize + cell.inputDim <= MAX_AUDITED_SIZE;
    audits[direction] = isSmall && last ? finiteOrNull(auditStepJacobians(cell, last).relativeError) : null;
  }
  return audits;
}

function validSteps({ run, input }: Gathered): number {
  if (!input.mask) return run.steps;
  return input.mask.data.subarray(0, run.steps).reduce((sum, flag) => sum + flag, 0);
}
