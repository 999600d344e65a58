/** Verdicts of several directions read together, and the warning when two measures disagree. */
import type { Direction, StateName } from '../jacobian';
import type { Warning } from '../model';
import type { LayerVerdict, StateVerdict, VerdictLabel } from '../summary';

/** Worst first: what is certain about one direction is true of the layer. */
const SEVERITY: readonly VerdictLabel[] = ['exploding', 'vanishing', 'undetermined', 'carried'];

/**
 * The verdict of a layer with one or two directions: for two the worse one, each direction beside it.
 *
 * method.md 3.1 judges each direction apart. Half of the layer's units belong to each, and everything above the layer
 * reads both halves, so the layer carries only if both do; a direction that certainly explodes or vanishes settles the
 * layer whatever the other does (exploding first: it breaks training where vanishing only blinds it), and otherwise a
 * direction that is undetermined leaves the layer undetermined. The numbers are those of the direction that decides
 * (of two alike: the one of lower confidence), never averages of both.
 *
 * @param verdicts - Verdict per direction, at least one.
 */
export function layerVerdict(verdicts: Readonly<Partial<Record<Direction, StateVerdict>>>): LayerVerdict {
  const { forward, backward } = verdicts;
  if (forward === undefined || backward === undefined) {
    const only = forward ?? backward;
    if (only === undefined) throw new Error('a layer has at least one direction');
    return only;
  }
  const rank = (verdict: StateVerdict): number => SEVERITY.indexOf(verdict.verdict);
  const isTie = rank(forward) === rank(backward);
  const isForward = isTie ? (forward.confidence ?? 0) <= (backward.confidence ?? 0) : rank(forward) < rank(backward);
  const deciding = isForward ? forward : backward;
  const why = isTie
    ? `Both directions alike (${deciding.verdict}); ${isForward ? 'forward' : 'backward'}: ${deciding.why}`
    : `Forward ${forward.verdict}, backward ${backward.verdict}; ${isForward ? 'forward' : 'backward'}: ${deciding.why}`;
  return { ...deciding, why, forward, backward };
}

/**
 * A warning when the leading Lyapunov exponent and the fitted slope have opposite signs, else null.
 *
 * Said only where the slope's interval excludes 0. Source: method.md 3.1, point 6.
 *
 * @param state - Which state.
 * @param verdict - Its verdict.
 * @param direction - Named where there are two.
 */
export function disagreementWarning(
  state: StateName,
  verdict: StateVerdict,
  direction: Direction | null = null,
): Warning | null {
  const { slope, slopeInterval, lyapunovMax } = verdict;
  if (slope === null || slopeInterval === null || lyapunovMax === null) return null;
  const isCertain = slopeInterval[0] > 0 || slopeInterval[1] < 0;
  if (!isCertain || slope * lyapunovMax >= 0) return null;
  const where = direction === null ? state : `${state}, ${direction}`;
  return {
    code: 'verdict/signs-disagree',
    message:
      `The slope of ${where} is ${slope.toPrecision(3)} nats per step, ` +
      `the leading Lyapunov exponent ${lyapunovMax.toPrecision(3)}: one says decay, the other growth.`,
    remedy: 'Use a longer sequence, or leave out more of the start with --warm-up.',
  };
}
