/**
 * Whatever is given to the program - dropped, chosen, named on the command line, sent by a second instance - and what
 * it is: a model to open, or data for the model that is open. Decided by content, as everywhere.
 */
import { resolve } from 'node:path';
import { TempogradError } from '../core/errors';
import { kindOfPath } from '../host/file-source';
import { modelsAmong, modelsOfFolder, roleOf } from '../host/file-role';
import { DEFAULT_LIMITS, isLimitName, type ReadLimits } from '../readers/limits';
import type { OpenOutcome, RaisedLimits, ReaderChoices } from '../shared/contract';
import { candidatesOf } from './model-candidates';
import type { ModelSession } from './model-session';

/** What intake is given. */
export interface IntakeOptions {
  readonly model: ModelSession;
  /** Cancels a run that belongs to the model before. */
  readonly onModelChange: () => void;
  readonly onOpened: (path: string) => void;
}

/**
 * Opens what is given: at most one model and one data file. Of several models the user is to choose one, and none is
 * opened yet.
 *
 * @param options - The session and who is told.
 * @param given - Paths of files or folders; relative ones are taken from the working folder.
 * @param raised - Caps of the readers that the user raised for this model.
 * @returns What is open through it; a part that was not given is null.
 * @throws TempogradError as the readers do; `usage/bad-option` for a cap that there is not.
 */
export async function openGiven(
  options: IntakeOptions,
  given: readonly string[],
  raised: RaisedLimits = {},
): Promise<OpenOutcome> {
  const limits = limitsOf(raised);
  const paths = given.map((path) => resolve(path));
  const inside = (path: string): readonly string[] => (kindOfPath(path) === 'folder' ? modelsOfFolder(path) : [path]);
  const files = [...new Set(paths.flatMap(inside))];
  const data = files.filter((path) => roleOf(path) === 'data');
  const others = files.filter((path) => !data.includes(path));
  const models = [...modelsAmong(others)];
  if (models.length > 1) {
    const choice = { models: candidatesOf(models), dataPath: data[0] ?? null };
    return { model: null, data: null, choice };
  }
  // What is neither, given alone, is read as a model too: that gives the clearest message.
  if (models.length === 0) models.push(...others.slice(0, 1));
  // A data file alone, with nothing open, is read as a model, so that the message says what it is instead.
  const modelPath = models[0] ?? (options.model.current === null ? data.shift() : undefined);
  // Data first: what it fails with must not leave another model open than the window shows.
  const dataPath = data[0];
  const all = [modelPath, dataPath].filter((path) => path !== undefined);
  try {
    const described = dataPath === undefined ? null : await options.model.describeData(dataPath, limits);
    if (modelPath === undefined) return { model: null, data: described, choice: null };
    return { model: await openModel(options, modelPath, limits), data: described, choice: null };
  } catch (error) {
    throw withGiven(error, all, limits);
  }
}

/**
 * The open model once more, with what its file does not store said by the user.
 *
 * @param options - The session and who is told.
 * @param choices - What the user says.
 * @throws TempogradError as the readers do; `usage/bad-option` when no model is open.
 */
export async function rereadModel(options: IntakeOptions, choices: ReaderChoices): Promise<OpenOutcome> {
  const path = options.model.current?.path;
  if (path === undefined) throw new TempogradError('usage/bad-option', 'No model is open');
  const model = await options.model.open(path, choices, options.model.limits);
  options.onModelChange();
  return { model, data: null, choice: null };
}

async function openModel(
  options: IntakeOptions,
  path: string,
  limits: Partial<ReadLimits>,
): Promise<NonNullable<OpenOutcome['model']>> {
  const model = await options.model.open(path, undefined, limits);
  options.onModelChange();
  options.onOpened(path);
  return model;
}

/** Caps by name; another name is a mistake of the asker. */
function limitsOf(raised: RaisedLimits): Partial<ReadLimits> {
  for (const name of Object.keys(raised)) {
    if (isLimitName(name)) continue;
    throw new TempogradError('usage/bad-option', `There is no limit ${name}`, {
      remedy: `The names are ${Object.keys(DEFAULT_LIMITS).join(', ')}.`,
    });
  }
  return raised;
}

/** What exceeds a cap says what was given and what was raised already, so that the window can offer to raise it. */
function withGiven(error: unknown, paths: readonly string[], limits: Partial<ReadLimits>): unknown {
  if (!(error instanceof TempogradError) || error.code !== 'reader/limit-exceeded') return error;
  const details = { ...error.details, paths, limits };
  return new TempogradError(error.code, error.message, { remedy: error.remedy, details, cause: error });
}
