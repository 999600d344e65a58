/** The events that a run makes of what it was told and of what the engine gives. */
import { blockNames } from '../core/diagnostics/gate-blocks';
import type { Direction } from '../core/jacobian';
import { cellsOf, hiddenSize, type RecurrentLayer } from '../core/model';
import type { EngineInfo } from '../core/summary';
import type { LayerRun, SpectrumResult } from '../engine/engine';
import { DEFAULT_EXPONENTS, planSpectrum } from '../engine/propagate/spectrum-plan';
import { eigenvalueSteps } from './eigenvalues-of-run';
import type { RunEstimate, RunRequest, SpectrumEvent, SpectrumShape, StartedEvent } from '../shared/run';

/**
 * What runs.
 *
 * @param layer - The layer.
 * @param request - What is asked for.
 * @param estimate - What it will cost.
 * @param engine - Which engine runs it.
 * @param run - The layer with its states.
 * @param sourceSteps - T of x.
 */
export function startedEvent(
  layer: RecurrentLayer,
  request: RunRequest,
  estimate: RunEstimate,
  engine: EngineInfo,
  run: LayerRun,
  sourceSteps: number,
): StartedEvent {
  const cells = cellsOf(layer.operation);
  const parts = cells.map(({ direction, cell }) => ({
    direction,
    kind: cell.kind,
    units: cell.units,
    hiddenSize: hiddenSize(cell),
    hasCell: cell.kind === 'LSTM',
  }));
  return {
    kind: 'started',
    layer: layer.name,
    cellKind: parts[0]!.kind,
    engine,
    batch: run.batch,
    steps: run.steps,
    sourceSteps,
    units: parts[0]!.units,
    inputDim: run.inputDim,
    directions: parts.map(({ direction }) => direction),
    hasCell: parts.some(({ hasCell }) => hasCell),
    parts,
    modes: request.modes,
    ...(request.stateBlocks && request.modes.includes('pairs') && { stateBlocks: true }),
    ...(request.block && { hasBlock: true }),
    ...(request.targetFile !== undefined && { hasLossGradient: true }),
    ...(request.full && request.modes.includes('pairs') && { full: true }),
    ...(request.modes.includes('spectrum') && { spectra: spectraOf(request, cells, engine, run) }),
    estimate,
  };
}

/** What the mode spectrum will give. */
function spectraOf(
  { exponents = DEFAULT_EXPONENTS }: RunRequest,
  cells: ReturnType<typeof cellsOf>,
  { name }: EngineInfo,
  { batch, steps }: LayerRun,
): readonly SpectrumShape[] {
  return cells.map(({ direction, cell }) => {
    const stateSize = hiddenSize(cell) + (cell.kind === 'LSTM' ? cell.units : 0);
    const { count, hasSingularValues } = planSpectrum(stateSize, batch, steps, exponents, name);
    const found = eigenvalueSteps(stateSize, steps);
    const hasBlocks = found > 0 && hiddenSize(cell) === cell.units;
    return {
      ...{ direction, count, stateSize, hasSingularValues, eigenvalueSteps: found },
      ...(hasBlocks && { kernelBlocks: [blockNames(cell.kind).length, cell.units] as const }),
    };
  });
}

/**
 * The spectrum of one direction, as it crosses the border.
 *
 * @param direction - Which recurrence.
 * @param result - What the engine gave.
 */
export function spectrumEvent(direction: Direction, result: SpectrumResult): SpectrumEvent {
  const { count, stateSize, lyapunov, isResolved, curve, logSingularValues } = result;
  const curveSteps = Float64Array.from(curve.steps);
  return {
    ...{ kind: 'spectrum', direction, count, stateSize, lyapunov, isResolved },
    ...{ curveSteps, curve: curve.values, logSingularValues },
  };
}
