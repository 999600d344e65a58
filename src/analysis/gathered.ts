/** Everything that a run has found, from which its summary is made. */
import type { Direction } from '../core/jacobian';
import type { Assumption, RecurrentLayer, Warning } from '../core/model';
import type { EigenvaluesSummary, LossGradientSummary, Summary } from '../core/summary';
import type { LayerInput, LayerRun, SpectrumResult, PairsReport } from '../engine/engine';
import type { RunRequest, StartedEvent, StatesEvent } from '../shared/run';
import type { LagCurves } from './lag-curves';

/** What a summary is made from. */
export interface Gathered {
  readonly version: string;
  readonly source: Summary['model'];
  readonly request: RunRequest;
  /** What a random input was drawn from; null for a file. */
  readonly randomInput: string | null;
  /** What was kept in bases of lower rank, and how all pairs were computed. */
  readonly bases: PairsReport;
  readonly layer: RecurrentLayer;
  readonly started: StartedEvent;
  readonly states: StatesEvent;
  readonly run: LayerRun;
  readonly input: LayerInput;
  readonly lags: LagCurves;
  /** `[B]` per direction. */
  readonly exponents: ReadonlyMap<Direction, Float64Array>;
  /** With the mode spectrum; per direction. */
  readonly spectra: ReadonlyMap<Direction, SpectrumResult>;
  /** With the mode spectrum; per direction, without those that were left out. */
  readonly eigenvalues: ReadonlyMap<Direction, EigenvaluesSummary>;
  /** With a target. */
  readonly lossGradient: LossGradientSummary | null;
  readonly seconds: number;
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly Warning[];
}
