/**
 * Every request that the window can make, as data: name -> [input schema, result type].
 *
 * Main, preload, engine process and renderer derive their types from here. No error is thrown across the border:
 * a reply is `{ ok: true, value }` or `{ ok: false, error }`.
 */
import { z } from 'zod';
import { ACTIVATION_NAMES } from '../core/activations/description';
import type { ErrorRecord } from '../core/errors';
import type { Direction } from '../core/jacobian';
import type { ModelDescription } from '../core/summary';
import type { BlockPart } from './pair-block';
import { runRequestSchema, type RunEstimate } from './run';
import type { RunItem } from './run-pieces';

const path = z.string().min(1).max(32_768);

/** Settings that survive a restart. */
export const settingsSchema = z.object({
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  recentFiles: z.array(path).max(10).default([]),
  zoom: z.number().min(-4).max(4).default(0),
  window: z
    .object({ x: z.number(), y: z.number(), width: z.number(), height: z.number(), maximized: z.boolean() })
    .nullable()
    .default(null),
});

/** Settings that survive a restart. */
export type Settings = z.infer<typeof settingsSchema>;

/** What a user says of cells whose file does not store it; null takes the usual. */
export const readerChoicesSchema = z.object({
  activation: z.enum(ACTIVATION_NAMES).nullable(),
  recurrentActivation: z.enum(ACTIVATION_NAMES).nullable(),
  resetAfter: z.boolean().nullable(),
});

/** What a user says of cells whose file does not store it; null takes the usual. */
export type ReaderChoices = z.infer<typeof readerChoicesSchema>;

/** Caps of the readers by name, as the user raised them for one file; main knows the names. */
export const raisedLimitsSchema = z.record(z.string().max(64), z.number().int().min(1).max(1e15));

/** Caps of the readers by name, as the user raised them for one file. */
export type RaisedLimits = z.infer<typeof raisedLimitsSchema>;

/** Schemas of what each request takes. */
export const requestSchemas = {
  /**
   * Opens a model file or folder, or (with an open model) takes data files as input; caps of the readers may be raised for
   * it. What exceeds one fails with `paths`, what was given, and `limits`, what was raised already, among its details.
   */
  openPaths: z.object({ paths: z.array(path).min(1).max(1000), limits: raisedLimitsSchema.optional() }),
  openDialog: z.object({ purpose: z.enum(['model', 'data', 'folder']) }),
  /** Asks for a file that a run takes beside its input; it is read when the run is. */
  chooseFile: z.object({ purpose: z.enum(['mask', 'initial-state']) }),
  /** Reads the open model again, with what its file does not store said by the user. */
  rereadModel: z.object({ choices: readerChoicesSchema }),
  openSample: z.object({ name: z.string().max(200) }),
  closeModel: z.object({}),
  listSamples: z.object({}),
  estimate: z.object({ request: runRequestSchema }),
  /** The reply comes at once; the events follow on the run port. */
  startRun: z.object({ request: runRequestSchema }),
  cancelRun: z.object({ runId: z.number().int() }),
  /** One weight matrix of one gate of the open model. */
  weightMatrix: z.object({
    layer: z.string(),
    direction: z.enum(['forward', 'backward']),
    role: z.enum(['kernel', 'recurrent_kernel', 'bias']),
    gate: z.string(),
  }),
  /** Signed step Jacobian entries of the last run: one unit against features, or one feature against units. */
  jacobianSlice: z.object({
    runId: z.number().int(),
    state: z.enum(['h', 'c']),
    direction: z.enum(['forward', 'backward']),
    sequence: z.number().int().min(0),
    axis: z.enum(['unit', 'feature']),
    index: z.number().int().min(0),
  }),
  /** The Jacobians of one pair of steps of the last run, by the layer's own input; steps at the input's own time index. */
  block: z.object({
    runId: z.number().int(),
    direction: z.enum(['forward', 'backward']),
    sequence: z.number().int().min(0),
    target: z.number().int().min(0),
    source: z.number().int().min(0),
    /** Whether ds_t/ds_s is wanted too; left out: it is not. */
    hasState: z.boolean().optional(),
  }),
  /** Runs the request again and writes its arrays or its report; asks where to. */
  exportRun: z.object({ request: runRequestSchema, format: z.enum(['npz', 'csv', 'json', 'report']) }),
  /** Ends the writing that `exportRun` began; nothing of it stays. */
  cancelExport: z.object({}),
  /** Writes a picture that the window drew; asks where to. */
  exportPicture: z.object({
    name: z.string().max(200),
    type: z.enum(['png', 'svg']),
    bytes: z.instanceof(Uint8Array),
  }),
  engineStatus: z.object({}),
  restartEngine: z.object({}),
  getSettings: z.object({}),
  setTheme: z.object({ theme: z.enum(['system', 'light', 'dark']) }),
  about: z.object({}),
} as const;

/** A sample that ships with the app. */
export interface SampleInfo {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** A data file that fits it, or null. */
  readonly data: string | null;
}

/** The model that is open. */
export interface OpenedModel {
  readonly modelId: number;
  readonly path: string;
  readonly fileName: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly description: ModelDescription;
  /** Shape of the model's (first) input without the batch, null where any size goes; null for weights only. */
  readonly inputShape: readonly (number | null)[] | null;
  readonly inputIsIds: boolean;
  readonly choices: ReaderChoices;
}

/** A data file taken as input. */
export interface OpenedData {
  readonly path: string;
  readonly fileName: string;
  readonly shape: readonly number[];
  readonly columns: readonly string[] | null;
}

/** One of several models that were given at once, as it looks before it is read. */
export interface ModelCandidate {
  readonly path: string;
  readonly fileName: string;
  /** Where it lies, below the folder that all of them share; empty in that folder itself. */
  readonly folder: string;
  readonly kind: string;
  /** null where the file is only the index of a model in several files. */
  readonly bytes: number | null;
}

/** Several models, of which the user is to choose one. */
export interface ModelChoice {
  readonly models: readonly ModelCandidate[];
  /** Data that was given with them, to be opened with the one that is chosen. */
  readonly dataPath: string | null;
}

/** What opening led to. */
export interface OpenOutcome {
  readonly model: OpenedModel | null;
  readonly data: OpenedData | null;
  /** Not null when several models were given; then nothing has been opened. */
  readonly choice: ModelChoice | null;
}

/** How the engine process does. */
export interface EngineStatus {
  readonly state: 'not-started' | 'starting' | 'ready' | 'busy' | 'not-responding' | 'restarting' | 'stopped';
  /** The best engine present and why; null before it is known. */
  readonly best: { readonly name: string; readonly version: string; readonly reason: string } | null;
  readonly restarts: number;
  readonly cores: number;
}

/** What each request gives back. */
export interface RequestResults {
  openPaths: OpenOutcome;
  openDialog: OpenOutcome | null;
  chooseFile: { readonly path: string; readonly fileName: string } | null;
  rereadModel: OpenOutcome;
  openSample: OpenOutcome;
  closeModel: null;
  listSamples: readonly SampleInfo[];
  estimate: RunEstimate;
  startRun: { readonly runId: number };
  cancelRun: null;
  weightMatrix: { readonly rows: number; readonly columns: number; readonly data: Float32Array };
  /** null when a run or another slice was asked for meanwhile. */
  jacobianSlice: {
    readonly rows: number;
    readonly columns: number;
    readonly data: Float32Array;
    readonly direction: Direction;
  } | null;
  /** null when a run or another block was asked for meanwhile. */
  block: BlockPart | null;
  /** null when the dialog or the writing was cancelled. */
  exportRun: { readonly path: string } | null;
  cancelExport: null;
  exportPicture: { readonly path: string } | null;
  engineStatus: EngineStatus;
  restartEngine: EngineStatus;
  getSettings: Settings;
  setTheme: Settings;
  about: { readonly version: string; readonly versions: Readonly<Record<string, string>>; readonly licences: string };
}

/** Names of the requests. */
export type RequestName = keyof typeof requestSchemas;

/** What a request takes. */
export type RequestInput<N extends RequestName> = z.infer<(typeof requestSchemas)[N]>;

/** What a request answers. */
export type Reply<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ErrorRecord };

/** Notices that main sends to the window unasked. */
export type Notice =
  | { readonly kind: 'engine-status'; readonly status: EngineStatus }
  /** Files that came by argv, by a second instance, or from the system; already opened. */
  | { readonly kind: 'opened'; readonly reply: Reply<OpenOutcome> }
  | { readonly kind: 'opening'; readonly fileName: string }
  /** A run is being written to this file, or (null) no longer. */
  | { readonly kind: 'exporting'; readonly fileName: string | null }
  /** How much of it has been computed and written, 0 to 1. */
  | { readonly kind: 'export-progress'; readonly fraction: number }
  | { readonly kind: 'settings'; readonly settings: Settings }
  /** Something to tell that no request led to: settings that were damaged. */
  | { readonly kind: 'message'; readonly message: string }
  /** A command of the window (shared/commands.ts) that was chosen in the menu. */
  | { readonly kind: 'command'; readonly command: string };

/** The bridge as the preload exposes it on `window.tempograd`. */
export interface Bridge {
  request<N extends RequestName>(name: N, input: RequestInput<N>): Promise<Reply<RequestResults[N]>>;
  /** Registers the one receiver of notices. */
  onNotice(receive: (notice: Notice) => void): void;
  /** Registers the one receiver of run messages, large ones in pieces; the sender waits for `grantCredit`. */
  onRunMessage(receive: (item: RunItem) => void): void;
  /** Allows the engine to send `count` more run items: messages, or pieces of large ones. */
  grantCredit(count: number): void;
  /** The real path of a dropped file. */
  pathOfFile(file: File): string;
  readonly protocolVersion: number;
}
