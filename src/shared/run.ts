/**
 * What a run is: its request, its estimate and its events, as plain data.
 *
 * The command and the window speak of runs in these words; the events of a run cross the border between the engine
 * process and the window, so they hold norms and slices, never whole Jacobians. Long because it is one vocabulary.
 */
import { z } from 'zod';
import { LOSS_NAMES } from '../core/diagnostics/loss';
import type { ErrorRecord } from '../core/errors';
import type { Direction, PairsChunk } from '../core/jacobian';
import type { CellKind } from '../core/model';
import type { EigenvaluesSummary, EngineInfo, FixedPointsSummary, Summary } from '../core/summary';
import type { BlockEvent } from './pair-block';
import { MAX_STEPS_OR_BATCH } from './run-limits';
import type { RunPart } from './run-cut';

export type { RunPart } from './run-cut';

const count = z.number().int().min(1).max(MAX_STEPS_OR_BATCH);

/** Where the sequences come from. */
export const inputSourceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('random'),
    steps: count,
    /** null = as many as the file stores states or lengths for, else 1. */
    batch: count.nullable(),
    seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  }),
  z.object({
    kind: z.literal('file'),
    path: z.string().min(1),
    key: z.string().nullable(),
    /** null = found by itself. */
    header: z.boolean().nullable(),
  }),
]);

/** Where the sequences come from. */
export type InputSource = z.infer<typeof inputSourceSchema>;

/** A request to analyse one layer of the open model. */
export const runRequestSchema = z.object({
  layer: z.string(),
  wrt: z.enum(['layer-input', 'model-input']),
  atLayer: z.boolean(),
  input: inputSourceSchema,
  maskFile: z.string().nullable(),
  initialStateFile: z.string().nullable(),
  /** What the model should give, for the gradient of a loss split by lag; left out: none. */
  targetFile: z.string().optional(),
  /** Left out: that of the file's training, else mse. */
  loss: z.enum(LOSS_NAMES).optional(),
  modes: z.array(z.enum(['diagonal', 'final', 'states', 'pairs', 'spectrum'])).min(1),
  /** Lyapunov exponents of the mode spectrum; left out: the smaller of S and 64. */
  exponents: z.union([z.number().int().min(1), z.literal('all')]).optional(),
  /** With pairs: the whole Jacobians too, not only their norms; they go to the arrays alone. Left out: norms only. */
  full: z.boolean().optional(),
  /** What whole pairs may take, bytes; left out: 2 GiB. */
  maxBytes: z.number().positive().optional(),
  /** With pairs of an LSTM: the four blocks of its state Jacobian apart too; left out: ds_t/ds_s alone. */
  stateBlocks: z.boolean().optional(),
  /** The Jacobians of one pair of steps of one sequence too; left out: none. */
  block: z
    .object({
      target: z.number().int().min(0),
      source: z.number().int().min(0),
      sequence: z.number().int().min(0),
    })
    .optional(),
  engine: z.enum(['tensorflow', 'wasm', 'reference']).nullable(),
  warmUp: z.number().int().min(0).nullable(),
  span: z.number().int().min(1).nullable(),
  exact: z.boolean(),
  /** With pairs: norms are estimated from so many random directions of each source; left out: they are exact. */
  sketch: z.number().int().min(1).optional(),
  maxSeconds: z.number().positive().nullable(),
  maxMemoryBytes: z.number().positive().nullable(),
  /** The part of the run that is computed, `index` of 1 .. `count`; left out: all of it. */
  shard: z.object({ index: z.number().int().min(1), count: z.number().int().min(1) }).optional(),
});

/** A request to analyse one layer of the open model. */
export type RunRequest = z.infer<typeof runRequestSchema>;

/** What a run will cost, told before it starts. */
export interface RunEstimate {
  readonly flop: number;
  /** Peak of what the engine holds, bytes. */
  readonly peakBytes: number;
  /** Size of all arrays that `--out` would write, bytes. */
  readonly resultBytes: number;
  readonly seconds: number;
  /** Which engine would run, and why; its version is known once it is loaded. */
  readonly engine: Pick<EngineInfo, 'name' | 'reason'>;
  readonly batch: number;
  readonly steps: number;
}

/** One direction of a layer; the two of a Bidirectional one may differ in kind and size. */
export interface DirectionPart {
  readonly direction: Direction;
  readonly kind: CellKind;
  /** H, of the cell state and the gates. */
  readonly units: number;
  /** P, the units of h: H but for an LSTM with a projection. */
  readonly hiddenSize: number;
  readonly hasCell: boolean;
}

/**
 * The units of an array of one direction: P for h, H for c and the gates.
 *
 * @param part - The direction.
 * @param name - `h`, `c` or a gate.
 */
export function unitsOf(part: Pick<DirectionPart, 'units' | 'hiddenSize'>, name: string): number {
  return name === 'h' ? part.hiddenSize : part.units;
}

/** What the mode spectrum gives of one direction. */
export interface SpectrumShape {
  readonly direction: Direction;
  /** p */
  readonly count: number;
  /** S */
  readonly stateSize: number;
  readonly hasSingularValues: boolean;
  /** A_t whose eigenvalues come; left out or 0: none. */
  readonly eigenvalueSteps?: number;
  /** G and H of the recurrent kernel's blocks whose eigenvalues come; left out: none. */
  readonly kernelBlocks?: readonly [gates: number, units: number];
}

/** First event: what runs. */
export interface StartedEvent {
  readonly kind: 'started';
  readonly layer: string;
  readonly cellKind: CellKind;
  readonly engine: EngineInfo;
  readonly batch: number;
  /** T of the layer. */
  readonly steps: number;
  /** T of x; another one than the layer's only with respect to the model's input. */
  readonly sourceSteps: number;
  /** Units of the first direction; `parts` has both. */
  readonly units: number;
  readonly inputDim: number;
  readonly directions: readonly Direction[];
  /** Whether any direction has a cell state. */
  readonly hasCell: boolean;
  /** The directions, forward first, in the order of their rows. */
  readonly parts: readonly DirectionPart[];
  readonly modes: readonly string[];
  /** Whether pairs come with their whole Jacobians; left out: they do not. */
  readonly full?: boolean;
  /** Whether pairs come with the four blocks of the state; left out: they do not. */
  readonly stateBlocks?: boolean;
  /** Whether a block of one pair of steps comes; left out: none. */
  readonly hasBlock?: boolean;
  /** Whether the gradient of a loss comes, split by lag; left out: it does not. */
  readonly hasLossGradient?: boolean;
  /** One per direction with the mode spectrum. */
  readonly spectra?: readonly SpectrumShape[];
  readonly estimate: RunEstimate;
  /** Left out: the whole run. */
  readonly part?: RunPart;
}

/** States and gates of the whole run; H counts all directions that have the array (forward units first). */
export interface StatesEvent {
  readonly kind: 'states';
  /** `[B, sourceSteps, D]` */
  readonly x: Float32Array | Float64Array;
  /** `[B, T]`, 1 = valid. */
  readonly mask: Uint8Array | null;
  /** `[B, T, P]`, P = H without a projection. */
  readonly h: Float32Array | Float64Array;
  readonly c: Float32Array | Float64Array | null;
  readonly gates: Readonly<Record<string, Float32Array | Float64Array>>;
}

/** Natural logs of norms of one state's step Jacobian. */
export interface StepNorms {
  /** Frobenius, `[B, count]`. */
  readonly total: Float64Array;
  /** Row norms (over features), `[B, count, H]`. */
  readonly units: Float64Array;
  /** Column norms (over units), `[B, count, D]`. */
  readonly features: Float64Array;
}

/** Diagonal norms of `count` timesteps of one direction. */
export interface DiagonalEvent {
  readonly kind: 'diagonal';
  readonly direction: Direction;
  readonly start: number;
  readonly count: number;
  readonly h: StepNorms;
  readonly c: StepNorms | null;
}

/** Log norms of dh_T/dx_s, dc_T/dx_s for `count` source steps of one direction. */
export interface FinalEvent {
  readonly kind: 'final';
  readonly direction: Direction;
  readonly start: number;
  readonly count: number;
  readonly h: StepNorms;
  readonly c: StepNorms | null;
}

/** Log norms of a rectangle of (target step, source step) of one sequence. */
export interface PairsEvent extends Omit<PairsChunk, 'mode'> {
  readonly kind: 'pairs';
}

/** Lyapunov exponents and singular values of one direction; fields as in the engine's `SpectrumResult`. */
export interface SpectrumEvent {
  readonly kind: 'spectrum';
  readonly direction: Direction;
  /** p */
  readonly count: number;
  /** S */
  readonly stateSize: number;
  /** `[B, p]` */
  readonly lyapunov: Float64Array;
  /** `[B, p]` */
  readonly isResolved: Uint8Array;
  /** `[C]` */
  readonly curveSteps: Float64Array;
  /** `[B, C, p]` */
  readonly curve: Float64Array;
  /** `[B, S]` */
  readonly logSingularValues: Float64Array | null;
}

/** The gradient of a loss by the parameters of one direction, split by lag; kernel, recurrent kernel, bias. */
export interface LossGradientEvent {
  readonly kind: 'loss-gradient';
  readonly direction: Direction;
  /** `[B, T, 3]` by lag: ln of the norm of each term; -Infinity for none. */
  readonly logNorms: Float64Array;
  /** `[B, T, 3]` by lag: its signed share of the whole gradient. */
  readonly shares: Float64Array;
}

/** Eigenvalues of A_t at a few steps of the first sequence, and of the recurrent kernel; largest absolute value first. */
export interface EigenvaluesEvent {
  readonly kind: 'eigenvalues';
  readonly direction: Direction;
  /** `[K]`, time indices; the last one is that of the largest norm. */
  readonly steps: Float64Array;
  /** `[K, S, 2]`, real and imaginary parts. */
  readonly values: Float64Array;
  /** `[G, H, 2]`, gate by gate; null with a projection. */
  readonly kernel: Float64Array | null;
}

/** How far a run is. */
export interface ProgressEvent {
  readonly kind: 'progress';
  /** 0 to 1. */
  readonly fraction: number;
  readonly stage: 'input' | 'states' | 'diagonal' | 'final' | 'pairs' | 'spectrum' | 'diagnostics';
  readonly secondsElapsed: number;
}

/** The end of a run that went through. */
export interface DoneEvent {
  readonly kind: 'done';
  readonly summary: Summary;
  /** Of a part: the leading exponents of its sequences, `[directions, b]`. */
  readonly exponents?: Float64Array;
  /** Of the first part, with the mode spectrum: what is read off the states of all sequences. */
  readonly ofStates?: readonly SpectrumOfStates[];
}

/** What the mode spectrum reads off the states of all sequences beside their spectra. */
export interface SpectrumOfStates {
  readonly direction: Direction;
  /** Of the singular values over the last few steps; null numbers where they are not finite or not known. */
  readonly shortLag: {
    readonly isKnown: boolean;
    readonly conditionNumber: number | null;
    readonly effectiveRank: number | null;
    readonly stableRank: number | null;
  };
  readonly fixedPoints: FixedPointsSummary | null;
  readonly eigenvalues: EigenvaluesSummary | null;
}

/** The end of a run that was cancelled; what was sent before stays valid. */
export interface CancelledEvent {
  readonly kind: 'cancelled';
  readonly fraction: number;
}

/** The end of a run that failed. */
export interface FailedEvent {
  readonly kind: 'failed';
  readonly error: ErrorRecord;
}

/** Everything a run can say. */
export type RunEvent =
  | StartedEvent
  | StatesEvent
  | DiagonalEvent
  | FinalEvent
  | PairsEvent
  | SpectrumEvent
  | BlockEvent
  | LossGradientEvent
  | EigenvaluesEvent
  | ProgressEvent
  | DoneEvent
  | CancelledEvent
  | FailedEvent;

/** An event as it crosses the border: events of a dead run are dropped by `runId`, gaps are seen by `sequence`. */
export interface RunMessage {
  readonly runId: number;
  readonly sequence: number;
  readonly event: RunEvent;
}
