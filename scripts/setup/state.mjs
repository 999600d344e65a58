/**
 * What the last setup found, as a small file in the cache (`setup-state.json`): `tempograd doctor` and the tests read it.
 */
import { readFileSync } from 'node:fs';
import { writeWhole } from './files.mjs';

/**
 * @typedef {{ step: string, ok: boolean, detail: string, seconds: number,
 *   tried?: string, follows?: string, remedy?: string }} StepOutcome
 * @typedef {{ schema: 1, platform: string, node: string, finished: string, steps: StepOutcome[],
 *   missing: { step: string, tried: string, follows: string, remedy: string }[] }} SetupState
 */

/**
 * The state that a list of outcomes amounts to.
 *
 * @param {StepOutcome[]} outcomes of the steps that ran now
 * @param {SetupState | null} previous what an earlier setup left: steps that did not run now are kept
 * @param {Date} now the time to write down
 * @returns {SetupState}
 */
export function mergeState(outcomes, previous, now = new Date()) {
  const names = new Set(outcomes.map((outcome) => outcome.step));
  const steps = [...(previous?.steps ?? []).filter((outcome) => !names.has(outcome.step)), ...outcomes];
  return {
    schema: 1,
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    finished: now.toISOString(),
    steps,
    missing: steps
      .filter((outcome) => !outcome.ok)
      .map(({ step, tried = '', follows = '', remedy = '' }) => ({ step, tried, follows, remedy })),
  };
}

const REMEMBERED_HOURS = 24;

/**
 * The outcome of a step that failed not long ago on this very platform; null where it is worth another try.
 *
 * @param {SetupState | null} state what an earlier setup left
 * @param {string} step the step's name
 * @param {Date} now the present
 * @returns {StepOutcome | null}
 */
export function recentFailure(state, step, now = new Date()) {
  const outcome = state?.steps.find((one) => one.step === step);
  if (!outcome || outcome.ok || state.platform !== `${process.platform}-${process.arch}`) return null;
  const hours = (now.getTime() - Date.parse(state.finished)) / 3_600_000;
  return hours >= 0 && hours < REMEMBERED_HOURS ? outcome : null;
}

/**
 * The state an earlier setup wrote; null where there is none that can be read.
 *
 * @param {string} stateFile path of `setup-state.json`
 * @returns {SetupState | null}
 */
export function readState(stateFile) {
  try {
    const state = JSON.parse(readFileSync(stateFile, 'utf8'));
    return state?.schema === 1 && Array.isArray(state.steps) ? state : null;
  } catch {
    return null;
  }
}

/**
 * Writes the state file.
 *
 * @param {string} stateFile its path
 * @param {SetupState} state what it is to hold
 */
export function writeState(stateFile, state) {
  writeWhole(stateFile, `${JSON.stringify(state, null, 2)}\n`);
}
