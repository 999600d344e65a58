/**
 * How many timesteps the forward pass takes in one go.
 *
 * A fused kernel cannot be stopped, so a span is kept to a twentieth of a second by estimate. It depends on the cell,
 * the engine and the number of sequences alone, never on a measurement: the same run has the same spans, and so the
 * same bits, everywhere.
 */
import type { CellKind } from '../../core/model';
import type { EngineName } from '../engine';

/** A span takes so long at most, by the estimates below; the ordinary machine is twice as fast. */
const SPAN_SECONDS = 0.05;

/** Products of one step: FLOP/s, and bytes/s at which the weights come in where few sequences share them. */
const PRODUCT_RATES: Readonly<Record<EngineName, { readonly flop: number; readonly bytes: number }>> = {
  tensorflow: { flop: 4e10, bytes: 1.2e10 },
  wasm: { flop: 4e9, bytes: 4e9 },
  reference: { flop: 5e8, bytes: 4e9 },
};

/** Small operations of a step, seconds: of a fused kernel, and one by one. */
const STEP_SECONDS: Readonly<Record<EngineName, number>> = { tensorflow: 2e-4, wasm: 4e-4, reference: 5e-5 };
const FUSED_STEP_SECONDS = 1e-5;

/** Entries of all gates of a step that activations work on, per second. */
const ACTIVATION_RATE = 3e8;

const GATES: Readonly<Record<CellKind, number>> = { SimpleRNN: 1, LSTM: 4, GRU: 3 };

/** What a span depends on. */
export interface SpanShape {
  readonly kind: CellKind;
  readonly units: number;
  readonly inputDim: number;
  /** Whether one kernel runs all steps. */
  readonly isFused: boolean;
}

/**
 * Timesteps of a span, at least 1.
 *
 * @param cell - The cell.
 * @param engine - The engine.
 * @param sequences - Sequences computed together.
 */
export function forwardSpan(cell: SpanShape, engine: EngineName, sequences: number): number {
  const { kind, units, inputDim, isFused } = cell;
  const width = GATES[kind] * units;
  const weights = width * (units + inputDim);
  const { flop, bytes } = PRODUCT_RATES[engine];
  const products = Math.max((2 * weights * sequences) / flop, (4 * weights) / bytes);
  const small = isFused ? FUSED_STEP_SECONDS : STEP_SECONDS[engine];
  const seconds = products + small + (sequences * width) / ACTIVATION_RATE;
  return Math.max(1, Math.floor(SPAN_SECONDS / seconds));
}
