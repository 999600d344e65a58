/** The loss that a Keras model was compiled with, in Keras's own word. */
import type { RecurrentModel } from '../../../core/model';
import { field, isObject, stringField, type JsonValue } from '../../json';

/**
 * A model that knows its loss, where the configuration says it.
 *
 * @param model - The model.
 * @param training - `compile_config` of Keras 3, `training_config` of Keras 2; anything else says nothing.
 */
export function withTrainingLoss(model: RecurrentModel, training: JsonValue | undefined): RecurrentModel {
  const loss = trainingLoss(training);
  return loss === undefined ? model : { ...model, trainingLoss: loss };
}

/**
 * The name of the loss in a training configuration: `mean_squared_error`, `SparseCategoricalCrossentropy`.
 *
 * A list or a map with one loss is that loss; of several, and of one of the user's own, nothing is said.
 */
function trainingLoss(training: JsonValue | undefined): string | undefined {
  return nameOf(field(training, 'loss'));
}

function nameOf(loss: JsonValue | undefined): string | undefined {
  if (typeof loss === 'string') return loss;
  if (Array.isArray(loss)) return loss.length === 1 ? nameOf(loss[0]) : undefined;
  if (!isObject(loss)) return undefined;
  const inner = field(loss, 'config');
  const className = stringField(loss, 'class_name');
  if (className === 'function') return typeof inner === 'string' ? inner : undefined;
  if (className === 'LossFunctionWrapper' && isObject(inner)) return nameOf(field(inner, 'fn'));
  if (className !== null) return className;
  const entries = Object.values(loss);
  return entries.length === 1 ? nameOf(entries[0]) : undefined;
}
