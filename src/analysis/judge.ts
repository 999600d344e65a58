/**
 * What is concluded from the norms against the lag and the leading exponents of all sequences; the same for a run and for
 * a run that was put together from parts.
 */
import { disagreementWarning, layerVerdict } from '../core/diagnostics/joint-verdict';
import { parameterSensitivity } from '../core/diagnostics/parameter-sensitivity';
import { meanReceptiveField } from '../core/diagnostics/receptive-field';
import { stateVerdict } from '../core/diagnostics/verdict';
import type { Direction, StateName } from '../core/jacobian';
import type { Warning } from '../core/model';
import type { Diagnostics, LayerVerdict, StateVerdict } from '../core/summary';
import type { StartedEvent } from '../shared/run';
import { finiteOrNull } from './finite-or-null';

/** What a judgement rests on. */
export interface Evidence {
  readonly started: Pick<StartedEvent, 'parts' | 'modes' | 'hasCell' | 'sourceSteps' | 'steps' | 'engine'>;
  readonly warmUp: number | null;
  readonly span: number | null;
  /** Log norms by lag, one curve per sequence. */
  curves(state: StateName, direction: Direction): readonly Float64Array[];
  /** `[B]` per direction. */
  readonly exponents: ReadonlyMap<Direction, Float64Array>;
}

/** What is concluded. */
export interface Judgement {
  readonly hidden: LayerVerdict;
  readonly cell: LayerVerdict | null;
  readonly diagnostics: Pick<Diagnostics, 'receptiveField' | 'parameterSensitivity'>;
  readonly warnings: readonly Warning[];
}

/**
 * Verdicts, the receptive field, and what is to be said of the exponents.
 *
 * @param evidence - What was measured.
 */
export function judge(evidence: Evidence): Judgement {
  const { started } = evidence;
  const hidden = verdictOn('h', evidence);
  const cell = started.hasCell ? verdictOn('c', evidence) : null;
  const first = started.parts[0]!.direction;
  const field = started.modes.includes('final') ? meanReceptiveField(evidence.curves('h', first)) : null;
  return {
    hidden,
    cell,
    diagnostics: {
      ...(field && { receptiveField: field }),
      ...(hidden.slope !== null && {
        parameterSensitivity: finiteOrNull(parameterSensitivity(Math.exp(hidden.slope))),
      }),
    },
    warnings: [
      ...disagreements('h', hidden),
      ...(cell ? disagreements('c', cell) : []),
      ...undefinedExponents(evidence),
      ...chaoticTrajectory(evidence),
    ],
  };
}

function verdictOn(state: StateName, { started, warmUp, span, curves, exponents }: Evidence): LayerVerdict {
  const verdicts: Partial<Record<Direction, StateVerdict>> = {};
  for (const { direction, hasCell } of started.parts) {
    if (state === 'c' && !hasCell) continue;
    const lyapunovMax = meanOf(exponents.get(direction));
    if (!started.modes.includes('final')) {
      const why = 'The mode final was not asked for, and the verdict rests on it.';
      verdicts[direction] = withoutVerdict(why, lyapunovMax);
      continue;
    }
    const runSteps = started.sourceSteps;
    verdicts[direction] = stateVerdict(curves(state, direction), { state, warmUp, span, runSteps, lyapunovMax });
  }
  return layerVerdict(verdicts);
}

/**
 * The verdict of a run that cannot have one.
 *
 * @param why - The reason.
 * @param lyapunovMax - The leading exponent, where it is known.
 */
export function withoutVerdict(why: string, lyapunovMax: number | null): StateVerdict {
  return {
    verdict: 'undetermined',
    slope: null,
    slopeInterval: null,
    lyapunovMax,
    halfLife: null,
    timeConstant: null,
    horizon: null,
    meanLag: null,
    confidence: null,
    why,
  };
}

function meanOf(values: Float64Array | undefined): number | null {
  if (!values || values.length === 0) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Number.isFinite(mean) ? mean : null;
}

function disagreements(state: StateName, verdict: LayerVerdict): readonly Warning[] {
  const directions: readonly (Direction | null)[] = verdict.forward ? ['forward', 'backward'] : [null];
  return directions
    .map((direction) => disagreementWarning(state, direction === null ? verdict : verdict[direction]!, direction))
    .filter((warning) => warning !== null);
}

/** Why `lyapunovMax` is null where it is. */
function undefinedExponents({ exponents }: Evidence): readonly Warning[] {
  const values = [...exponents.values()].flatMap((entry) => [...entry]);
  const dead = values.filter((value) => value === -Infinity).length;
  const other = values.filter((value) => !Number.isFinite(value)).length - dead;
  if (dead + other === 0) return [];
  const reasons = [
    ...(dead > 0 ? [`the tangent becomes exactly zero in ${dead}`] : []),
    ...(other > 0 ? [`no finite step is left after the warm-up in ${other}`] : []),
  ];
  return [
    {
      code: 'numerics/exponent-undefined',
      message: `lyapunovMax is null: of ${values.length} sequences and directions ${reasons.join(', ')}.`,
      remedy: 'The verdict rests on the measured norms, not on the exponent.',
    },
  ];
}

/** Relative error of one step: float32, or float64 of the reference engine. */
const ROUNDING = { tensorflow: 6e-8, wasm: 6e-8, reference: 1e-16 } as const;
/** Relative error of a trajectory from which on its digits mean nothing; method.md section 4. */
const PARTED = 1e-4;

/** A positive exponent makes rounding grow until trajectories part; the Jacobians are then those of this trajectory. */
function chaoticTrajectory({ exponents, started }: Evidence): readonly Warning[] {
  const largest = Math.max(...[...exponents.values()].map((values) => meanOf(values) ?? -Infinity));
  if (!(largest > 0)) return [];
  const reach = Math.floor(Math.log(PARTED / ROUNDING[started.engine.name]) / largest);
  if (started.steps <= reach) return [];
  return [
    {
      code: 'numerics/trajectories-part',
      message:
        `The leading exponent is ${largest.toPrecision(2)} nats per step: rounding grows so fast that trajectories ` +
        `of different engines may part after about ${reach} of ${started.steps} steps.`,
      remedy: 'The Jacobians are exact along the trajectory that this engine computed; compare verdicts, not digits.',
    },
  ];
}
