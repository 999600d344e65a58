/** What a summary has to say of a run's input and of what was left out. */
import type { Assumption, RecurrentModel, Warning } from '../core/model';
import type { StartedEvent } from '../shared/run';
import { frameworkDifferences } from './framework-differences';
import type { RunSize } from './size-run';

/**
 * What was settled without being asked for; the run's own notes after the file's.
 *
 * @param model - The model.
 * @param layer - Index of the layer.
 * @param size - Of the run.
 * @param started - The run.
 */
export function runNotes(
  model: RecurrentModel,
  layer: number,
  size: RunSize,
  started: StartedEvent,
): { assumptions: Assumption[]; warnings: Warning[] } {
  const own = size.notes.map((note) => ({
    what: 'input',
    assumed: note,
    why: 'the file says no more',
    change: '--input',
  }));
  const { storedBatch } = size;
  if (storedBatch !== null) {
    own.push({
      what: 'sequences of the input',
      assumed: String(storedBatch),
      why: 'the file stores initial states or lengths for so many',
      change: '--batch',
    });
  }
  const warnings = [...model.warnings, ...frameworkDifferences(model, layer)];
  if (started.sourceSteps !== started.steps && started.modes.includes('diagonal')) {
    warnings.push({
      code: 'diagonal/left-out',
      message: `The layer has ${started.steps} timesteps and the model's input ${started.sourceSteps}, so there is no same step to differentiate.`,
      remedy: 'Use --wrt layer-input for the diagonal.',
    });
  }
  return { assumptions: [...model.assumptions, ...own], warnings };
}
