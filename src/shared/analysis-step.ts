/**
 * One step of an analysis as its consumers see it: the public event, and the raw arrays behind it.
 */
import type { JacobianChunk, PairBlocksChunk } from '../core/jacobian';
import type { RunEvent } from './run';

/** An event of a running analysis; failures are thrown, so `failed` does not occur here. */
export interface AnalysisStep {
  readonly event: RunEvent;
  /** The whole Jacobians behind a `diagonal` or `final` event, valid until the next step is asked for; else null. */
  readonly chunk: JacobianChunk | null;
  /** Whole blocks of pairs behind a `progress` event, likewise; left out where there are none. */
  readonly blocks?: PairBlocksChunk;
}
