/** Words for the parts of a model and for where a run stands; the one catalogue of texts that more than one view uses. */
import { formatBytes, formatSeconds } from '../../charts/number-format';
import type { Direction, StateName } from '../../core/jacobian';
import { projectionText, type LayerDescription, type VerdictLabel } from '../../core/summary';
import type { EngineStatus } from '../../shared/contract';
import type { ProgressEvent, RunEstimate } from '../../shared/run';

/** A verdict as the head of a card. */
export const VERDICT_WORDS: Readonly<Record<VerdictLabel, string>> = {
  vanishing: 'Vanishing',
  carried: 'Carried',
  exploding: 'Exploding',
  undetermined: 'Undetermined',
};

/** A state as a heading. */
export const STATE_WORDS: Readonly<Record<StateName, string>> = { h: 'Hidden state h', c: 'Cell state c' };

/** A direction as part of a heading. */
export const DIRECTION_WORDS: Readonly<Record<Direction, string>> = { forward: 'Forward', backward: 'Backward' };

/** What a run is doing. */
export const STAGE_WORDS: Readonly<Record<ProgressEvent['stage'], string>> = {
  input: 'Running the layers below',
  states: 'Computing states',
  diagonal: 'Step Jacobians',
  final: 'Reaching back',
  pairs: 'All pairs',
  spectrum: 'Spectrum',
  diagnostics: 'Diagnostics',
};

/**
 * The second line of a layer: `LSTM 32 ← 8`, `Bidirectional GRU 2×24 ← 32`, or its class.
 *
 * @param layer - A layer as `inspect` lists it.
 */
export function kindLine(layer: LayerDescription): string {
  if (layer.kind === null) return layer.class;
  const isTwoWay = layer.direction === 'bidirectional';
  const units = isTwoWay ? `2×${layer.units ?? '?'}` : String(layer.units ?? '?');
  const suffix = layer.direction === 'backward' ? ', backwards' : '';
  return `${isTwoWay ? 'Bidirectional ' : ''}${layer.kind} ${units} ← ${layer.inputDim ?? '?'}${projectionText(layer)}${suffix}`;
}

/**
 * The text of the engine chip: `TensorFlow 2.18.1 · native · 2 cores`.
 *
 * @param status - How the engine does.
 */
export function engineLine(status: EngineStatus): string {
  switch (status.state) {
    case 'not-started':
      return 'Engine waits';
    case 'starting':
      return 'Engine starting…';
    case 'restarting':
      return 'Engine restarting…';
    case 'not-responding':
      return 'Engine not responding';
    case 'stopped':
      return 'Engine stopped';
    case 'ready':
    case 'busy': {
      if (!status.best) return 'Engine ready';
      const kinds: Readonly<Record<string, string>> = {
        tensorflow: 'native',
        wasm: 'WebAssembly',
        reference: 'float64',
      };
      const parts = [status.best.version, kinds[status.best.name] ?? status.best.name];
      if (status.cores > 0) parts.push(status.cores === 1 ? '1 core' : `${status.cores} cores`);
      return parts.join(' · ');
    }
  }
}

/**
 * The time that a run will take: `about 0.41 s`.
 *
 * @param estimate - The estimate.
 */
export function estimatedTime(estimate: RunEstimate): string {
  return `about ${formatSeconds(estimate.seconds)}`;
}

/**
 * The memory that a run will take: `38 MB`.
 *
 * @param estimate - The estimate.
 */
export function estimatedMemory(estimate: RunEstimate): string {
  return formatBytes(estimate.peakBytes);
}

/**
 * A shape as text: `160 × 8`.
 *
 * @param shape - Sizes of the axes; null = any.
 */
export function shapeLine(shape: readonly (number | null)[]): string {
  return shape.map((size) => size ?? 'any').join(' × ');
}
