/** What a summary has to say of a run's input and of what was left out. */
import { isRecurrent, type Assumption, type RecurrentModel, type Warning } from '../core/model';
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
  return { assumptions: [...assumptionsOf(model, layer), ...own], warnings };
}

/** Assumptions of a model, without those of recurrent layers that the one at hand does not stand on. */
function assumptionsOf(model: RecurrentModel, layer: number): readonly Assumption[] {
  const below = new Set([layer]);
  for (const index of below) for (const input of inputsOf(model, index)) below.add(input);
  const kept = model.layers.filter((_, index) => below.has(index)).map(({ name }) => name);
  const others = model.layers.filter((other, index) => !below.has(index) && isRecurrent(other));
  const isOf = (what: string, name: string): boolean => what.endsWith(` of ${name}`);
  return model.assumptions.filter(
    ({ what }) => kept.some((name) => isOf(what, name)) || !others.some(({ name }) => isOf(what, name)),
  );
}

/** Layers that a layer takes something from. */
function inputsOf({ layers }: RecurrentModel, index: number): readonly number[] {
  const found = layers[index]!;
  const more = isRecurrent(found) ? [...found.operation.initialState, found.operation.backwardInput] : [];
  return [...found.inputs, ...more].flatMap((input) => (input ? [input.layer] : []));
}
