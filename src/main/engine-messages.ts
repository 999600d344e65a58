/**
 * What main and the engine process say to each other, as data.
 *
 * Run events do not pass here: they go straight to the window over the run port (stream.ts). Main hears only that a run
 * has ended, and how.
 */
import type { ErrorRecord } from '../core/errors';
import type { EngineInfo, Summary } from '../core/summary';
import type { RequestInput, RequestResults } from '../shared/contract';
import type { RunEstimate, RunRequest } from '../shared/run';

/** A file as it was when it was opened. */
export interface FileIdentity {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Where an export goes. */
export interface ExportOrder {
  readonly request: RunRequest;
  readonly format: RequestInput<'exportRun'>['format'];
  /** A file, or a folder for `csv`. */
  readonly path: string;
}

/** Calls of main that the engine process answers: name -> [input, result]. */
export interface EngineCalls {
  /** The model itself follows on the port that comes along. */
  loadModel: [FileIdentity, null];
  /** The arrays themselves follow on the port that comes along; they replace those before. */
  loadData: [{ readonly key: string }, null];
  unload: [Record<string, never>, null];
  estimate: [RunRequest, RunEstimate];
  weightMatrix: [RequestInput<'weightMatrix'>, RequestResults['weightMatrix']];
  /** null when a run or another slice was asked for meanwhile. */
  jacobianSlice: [RequestInput<'jacobianSlice'>, RequestResults['jacobianSlice']];
  /** null when a run or another block was asked for meanwhile. */
  block: [RequestInput<'block'>, RequestResults['block']];
  /** null when it was cancelled. */
  exportRun: [ExportOrder, { readonly path: string } | null];
}

/** Names of the calls. */
export type EngineCallName = keyof EngineCalls;

/** How a run ended; also what `--headless-run` prints. */
export type RunEnding =
  | { readonly kind: 'done'; readonly summary: Summary }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/** Main to engine process. */
export type ToEngine =
  | { readonly kind: 'ping'; readonly beat: number }
  /** Comes with the port. */
  | { readonly kind: 'run-port' }
  | { readonly kind: 'call'; readonly id: number; readonly name: EngineCallName; readonly input: unknown }
  | { readonly kind: 'run'; readonly runId: number; readonly request: RunRequest }
  | { readonly kind: 'cancel'; readonly runId: number }
  /** Ends every export, those that wait too. */
  | { readonly kind: 'cancel-exports' };

/** Engine process to main. */
export type FromEngine =
  | { readonly kind: 'ready'; readonly best: EngineInfo }
  | { readonly kind: 'pong'; readonly beat: number }
  | { readonly kind: 'answer'; readonly id: number; readonly ok: true; readonly value: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly ok: false; readonly error: ErrorRecord }
  /** How much of the run behind an export has been computed and written, 0 to 1. */
  | { readonly kind: 'export-progress'; readonly fraction: number }
  /** A run no longer waits for its turn. */
  | { readonly kind: 'begun'; readonly runId: number }
  | { readonly kind: 'ended'; readonly runId: number; readonly ending: RunEnding };
