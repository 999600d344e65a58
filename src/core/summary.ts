/**
 * The summary of an analysis (`--json`) and the description of a model (`inspect --json`), as types.
 *
 * Their shape is a promise of docs/cli.md: it may grow, it never breaks. Numbers that are infinite or not defined are
 * null, with the reason in `why` or in a warning.
 */
import type { Assumption, CellKind, Warning, WeightRole } from './model';
import type { AnalysisMode, Direction } from './jacobian';

/** The four answers to "how far does the gradient reach?". */
export type VerdictLabel = 'vanishing' | 'carried' | 'exploding' | 'undetermined';

/** The verdict on one state (of one layer, over all sequences); method.md 3.1. Slopes in nats per step. */
export interface StateVerdict {
  readonly verdict: VerdictLabel;
  readonly slope: number | null;
  readonly slopeInterval: readonly [number, number] | null;
  readonly lyapunovMax: number | null;
  /** Steps. */
  readonly halfLife: number | null;
  /** Steps; -1 / slope. */
  readonly timeConstant: number | null;
  /** First lag from which the norm stays below 1e-3 of lag 0; null when it does not within T. */
  readonly horizon: number | null;
  /** Steps; D16. */
  readonly meanLag: number | null;
  /** Normal probability on the label's side, 0 to 1. */
  readonly confidence: number | null;
  /** One sentence with the numbers. */
  readonly why: string;
}

/** A verdict of a Bidirectional layer: the joint reading, and each direction apart. */
export interface LayerVerdict extends StateVerdict {
  readonly forward?: StateVerdict;
  readonly backward?: StateVerdict;
}

/** Which engine ran, and why. */
export interface EngineInfo {
  readonly name: 'tensorflow' | 'wasm' | 'reference';
  readonly version: string;
  readonly reason: string;
}

/** Shortest and longest of some times, in steps; null where it is infinite. */
export type StepRange = readonly [number | null, number | null];

/** Fixed points under the mean input, sought from visited states; D25. */
export interface FixedPointsSummary {
  readonly starts: number;
  /** Starts that led to no fixed point. */
  readonly lost: number;
  /** Most visited first: largest |eigenvalue| of A(s*), eigenvalues outside the unit circle, starts that led there, rest. */
  readonly points: readonly {
    readonly spectralRadius: number;
    readonly unstable: number;
    readonly visits: number;
    readonly residual: number;
  }[];
}

/** An eigenvalue as real and imaginary part; null where not finite. */
export type EigenvaluePair = readonly [real: number | null, imaginary: number | null];

/** Eigenvalues of A_t at visited states of the first sequence, and of the recurrent kernel; the leading ones of each. */
export interface EigenvaluesSummary {
  /** A few steps from the first to the last, and the one where the norm of A_t is largest. */
  readonly steps: readonly {
    readonly step: number;
    readonly isLargest: boolean;
    /** Frobenius. */
    readonly norm: number | null;
    readonly spectralRadius: number | null;
    /** Eigenvalues outside the unit circle. */
    readonly unstable: number;
    readonly leading: readonly EigenvaluePair[];
  }[];
  /** By gate; null with a projection. */
  readonly kernel: Readonly<Record<string, readonly EigenvaluePair[]>> | null;
}

/** Lyapunov exponents of one direction, over the sequences. */
export interface SpectrumSummary {
  readonly direction: Direction;
  readonly stateSize: number;
  /** `[p]`, nats per step: means over the sequences, and standard deviations (ddof 0); null where not finite. */
  readonly lyapunov: readonly (number | null)[];
  readonly lyapunovStd: readonly (number | null)[];
  /** How many of the exponents rounding hides, in any sequence. */
  readonly unresolved: number;
  /** Natural logs of the largest and the smallest singular value of ds_T/ds_0, means; null where not computed or finite. */
  readonly logSingularRange: readonly [largest: number | null, smallest: number | null];
  /** null for a state of more than 128 numbers. */
  readonly fixedPoints: FixedPointsSummary | null;
  /** null for a state of more than 256 numbers. */
  readonly eigenvalues: EigenvaluesSummary | null;
}

/** How the gradient of a loss by one parameter is spread over lags; D24. */
export interface LossGradientSpread {
  /** Frobenius norm of the whole gradient. */
  readonly norm: number | null;
  /** Of the norms of the terms, in lags: means over the sequences, the last one the median. */
  readonly meanLag: number | null;
  readonly lag95: number | null;
  /** Signed shares of the whole gradient by lags, `"0"`, `"1-9"`, `"10-99"` and so on; they add up to 1. */
  readonly shares: Readonly<Record<string, number | null>>;
}

/** The gradient of a loss split by lag; D24. Parameters carry `_forward`, `_backward` with two directions. */
export interface LossGradientSummary {
  readonly loss: string;
  /** L, mean over the sequences. */
  readonly value: number | null;
  /** Layers between this one and the loss. */
  readonly head: readonly string[];
  /** `kernel`, `recurrentKernel`, `bias`. */
  readonly parameters: Readonly<Record<string, LossGradientSpread>>;
}

/** Diagnostics that the modes of a run allow; maps are from gate (or lag) to number. */
export interface Diagnostics {
  readonly spectralRadius?: Readonly<Record<string, number | null>>;
  readonly spectralNorm?: Readonly<Record<string, number | null>>;
  readonly orthogonalityMargin?: Readonly<Record<string, number | null>>;
  readonly nonNormalPeak?: Readonly<Record<string, number | null>>;
  /** Largest absolute real part of the eigenvalues; D11. */
  readonly largestRealPart?: Readonly<Record<string, number | null>>;
  /** Gain sqrt(H) times the spread of the recurrent kernel, and the mean field exponent there; D13, SimpleRNN only. */
  readonly meanField?: Readonly<Record<string, { readonly gain: number | null; readonly exponent: number | null }>>;
  /** Var(dh/dw) of a linear unit whose gradient decays as the hidden state's does, beside no memory; D26. */
  readonly parameterSensitivity?: number | null;
  /** Largest relative deviation of A_t and B_t from central differences at a few steps; D4. */
  readonly jacobianAudit?: Readonly<Record<string, number | null>>;
  /** The bound of D7; SimpleRNN only. */
  readonly pascanuBound?: Readonly<Record<string, number | null>>;
  /** Of ds_T/ds_s over the last lags; D6 and D23. */
  readonly conditionNumber?: Readonly<Record<string, number | null>>;
  readonly effectiveRank?: Readonly<Record<string, number | null>>;
  readonly stableRank?: Readonly<Record<string, number | null>>;
  /** One number, or one per direction; mean over the sequences. */
  readonly kaplanYorkeDimension?: number | null | Readonly<Record<string, number | null>>;
  /** Nats per step. */
  readonly entropyRate?: number | null | Readonly<Record<string, number | null>>;
  /** Steps, shortest and longest; one range, or one per direction. LSTM only. */
  readonly chronoRange?: StepRange | Readonly<Record<string, StepRange>>;
  readonly highwayShare?: Readonly<Record<string, number | null>>;
  readonly forgetTimescale?: { readonly median: number | null; readonly max: number | null };
  readonly saturation?: Readonly<Record<string, { readonly left: number; readonly right: number }>>;
  /** With a target. */
  readonly lossGradient?: LossGradientSummary;
  readonly receptiveField?: {
    readonly mean: number | null;
    readonly spread: number | null;
    readonly lag95: number | null;
  };
}

/** `analyze --json`. */
export interface Summary {
  readonly schema: 1;
  readonly tempograd: string;
  readonly engine: EngineInfo;
  readonly model: {
    readonly format: string;
    readonly producer: string;
    readonly path: string;
    readonly bytes: number;
    readonly sha256: string;
  };
  readonly layer: {
    readonly name: string;
    readonly kind: CellKind;
    readonly units: number;
    /** Units of h: P of a projection, else `units`. */
    readonly outputSize: number;
    readonly inputDim: number;
    readonly direction: Direction | 'bidirectional';
    readonly activation: string;
    readonly recurrentActivation: string | null;
    /** psi of h = o psi(c); null but for an LSTM. */
    readonly outputActivation: string | null;
    readonly resetAfter: boolean | null;
    /** Bound of the pre-activations; null without one. */
    readonly clip: number | null;
    /** null but for an LSTM. */
    readonly peepholes: boolean | null;
    /** Whether f = 1 - i; null but for an LSTM. */
    readonly inputForget: boolean | null;
    readonly sourceGateOrder: readonly string[];
  };
  readonly run: {
    readonly batch: number;
    readonly steps: number;
    readonly wrt: 'layer-input' | 'model-input';
    readonly modes: readonly AnalysisMode[];
    readonly seed: number | null;
    readonly input: string | null;
    /** What a random input is drawn from: standard normal numbers, uniform ids, or both; null for a file. */
    readonly randomInput?: string | null;
    /** Lags left out of the fit, as asked for; null = the first tenth. */
    readonly warmUp?: number | null;
    readonly seconds: number;
    readonly peakBytes: number;
    readonly exact: boolean;
    readonly probeError: number | null;
    /** How often something was computed anew in full because a basis had lost something. */
    readonly redone?: number;
    /** How all pairs were computed, by kind of source. */
    readonly pairs?: Readonly<Record<string, string>>;
    /** Where pairs are estimates: from so many directions, 95 of 100 at worst within the band around the true log norm, nats. */
    readonly sketch?: { readonly directions: number; readonly band: readonly [low: number, high: number] };
    /** How many parts it was put together from; left out where it was not. */
    readonly parts?: number;
    /** Which part of the run this is; left out for a whole one. */
    readonly part?: {
      readonly index: number;
      readonly count: number;
      readonly sequences: { readonly first: number; readonly count: number };
      readonly tiles: readonly {
        readonly direction: Direction;
        readonly first: number;
        readonly end: number;
        readonly total: number;
      }[];
    };
  };
  readonly hidden: LayerVerdict;
  readonly cell: LayerVerdict | null;
  readonly diagnostics: Diagnostics;
  /** With the mode spectrum, one per direction. */
  readonly spectra?: readonly SpectrumSummary[];
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly Warning[];
}

/** Population statistics (ddof 0) of one gate's block of a weight tensor. */
export interface GateStatistics {
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  readonly std: number | null;
  readonly l2: number | null;
  /** Largest singular value; null for a bias. */
  readonly spectralNorm: number | null;
}

/** A weight tensor as `inspect` lists it. */
export interface WeightDescription {
  readonly role: WeightRole;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly gates: Readonly<Record<string, GateStatistics>> | null;
}

/** A layer as `inspect` lists it. */
export interface LayerDescription {
  readonly name: string;
  readonly class: string;
  readonly kind: CellKind | null;
  readonly units: number | null;
  /** Units of h of one direction: P of a projection, else `units`. */
  readonly outputSize: number | null;
  readonly inputDim: number | null;
  readonly direction: Direction | 'bidirectional' | null;
  /** The backward cell of two that are not of one kind and size; null where they are, and of a lone cell. */
  readonly backward?: { readonly kind: CellKind; readonly units: number; readonly outputSize: number } | null;
  readonly supported: boolean;
  readonly reason: string | null;
  /** The first layer below that cannot be run, so that this one needs its own input; null when all can. */
  readonly blockedBy: string | null;
  readonly weights: readonly WeightDescription[];
}

/** `inspect --json`. */
export interface ModelDescription {
  readonly schema: 1;
  readonly format: string;
  readonly producer: string;
  readonly layers: readonly LayerDescription[];
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly Warning[];
}

/**
 * What a line about a layer adds for a projection: `, h 2` for 2 units of h, empty without one.
 *
 * @param layer - As `inspect` or a summary describes it.
 */
export function projectionText({ units, outputSize }: Pick<LayerDescription, 'units' | 'outputSize'>): string {
  return outputSize === null || outputSize === units ? '' : `, h ${outputSize}`;
}
