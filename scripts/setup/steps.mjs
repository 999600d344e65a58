/**
 * The steps of setup, in order, and the loop that runs them: what is done already is recognised and left alone.
 */
import { performance } from 'node:perf_hooks';
import { bindingStep } from './binding.mjs';
import { electronStep } from './electron-binary.mjs';
import { libtensorflowStep } from './libtensorflow.mjs';
import { withLock } from './lock.mjs';
import { npmPackagesStep } from './npm-packages.mjs';
import { mergeState, readState, recentFailure, writeState } from './state.mjs';
import { systemLibrariesStep } from './system-libraries.mjs';

/**
 * @typedef {{ project: ReturnType<import('./paths.mjs').projectLayout>, cache: ReturnType<import('./paths.mjs').cacheLayout>,
 *   say: (line: string) => void }} SetupContext
 * @typedef {Omit<import('./state.mjs').StepOutcome, 'step' | 'seconds'>} StepResult
 * @typedef {{ name: string, fatal: boolean, optional?: boolean, follows: string, isDone(context: SetupContext): Promise<string | null>,
 *   perform(context: SetupContext): Promise<StepResult> }} Step
 */

/** @type {Record<string, Step>} the steps by the short name that `--only` takes, in order */
export const STEPS = {
  'npm-packages': npmPackagesStep,
  'electron-binary': electronStep,
  libtensorflow: libtensorflowStep,
  binding: bindingStep,
  'system-libraries': systemLibrariesStep,
};

/**
 * Runs the steps that are not done yet and writes down what came of it.
 *
 * @param {SetupContext} context where things are and where lines go
 * @param {{ only?: string[], retry?: boolean }} options `only`: short names, all when empty; `retry` false: an optional step that failed
 *   within the last day is not tried again, so that a program that starts without it starts at once
 * @returns {Promise<{ state: import('./state.mjs').SetupState, fatal: boolean }>} `fatal`: nothing can run at all
 */
export async function runSetup(context, { only = [], retry = true } = {}) {
  const chosen = Object.entries(STEPS).filter(([short]) => only.length === 0 || only.includes(short));
  const previous = readState(context.cache.stateFile);
  const outcomes = [];
  let fatal = false;
  for (const [index, [, step]] of chosen.entries()) {
    const label = `[${index + 1}/${chosen.length}] ${step.name}`;
    const known = !retry && step.optional ? recentFailure(previous, step.name) : null;
    const outcome = await runStep(step, label, context, known);
    outcomes.push(outcome);
    context.say(
      outcome === known
        ? `${label}: not available (npm run setup says why and tries again). So: ${outcome.follows}.`
        : outcomeLine(label, outcome),
    );
    fatal = !outcome.ok && step.fatal;
    if (fatal) break;
  }
  const state = mergeState(outcomes, previous);
  // What was only remembered keeps the time at which it was tried.
  if (previous && outcomes.some((outcome) => !outcome.ok && previous.steps.includes(outcome)))
    state.finished = previous.finished;
  saveState(context, state);
  return { state, fatal };
}

function saveState(context, state) {
  try {
    writeState(context.cache.stateFile, state);
  } catch (error) {
    context.say(`setup: what was found could not be written down: ${error.message}`);
  }
}

/** One step: recognised as done without the lock, else done while holding it; `known` is handed back instead of a new failure. */
async function runStep(step, label, context, known) {
  const started = performance.now();
  const finish = (result) => ({ step: step.name, ...result, seconds: (performance.now() - started) / 1000 });
  const done = await step.isDone(context);
  if (done !== null) return finish({ ok: true, detail: done });
  if (known) return known;
  const waiting = (owner) => context.say(`${label}: waiting for another setup (process ${owner})`);
  return withLock(context.cache.lockFile, waiting, async () => {
    const meanwhile = await step.isDone(context);
    if (meanwhile !== null) return finish({ ok: true, detail: meanwhile });
    const inStep = { ...context, say: (line) => context.say(`${label}: ${line} ...`) };
    return finish(await performSafely(step, inStep));
  });
}

/** A step whose files cannot be written (a full disk, no permission) is a failed step, not the end of setup. */
async function performSafely(step, context) {
  try {
    return await step.perform(context);
  } catch (error) {
    const remedy = `make room for 2 GB in ${context.cache.root} and make it writable (or set TEMPOGRAD_CACHE to another folder), then run npm run setup again`;
    return { ok: false, detail: 'not available', tried: error.message, follows: step.follows, remedy };
  }
}

/**
 * The one line that is printed for a finished step.
 *
 * @param {string} label its number and name
 * @param {import('./state.mjs').StepOutcome} outcome how it ended
 */
export function outcomeLine(label, outcome) {
  const time = `(${outcome.seconds.toFixed(1)} s)`;
  if (outcome.ok) return `${label}: ${outcome.detail} ${time}`;
  return `${label}: NOT AVAILABLE ${time}. Tried: ${outcome.tried}. So: ${outcome.follows}. To change that: ${outcome.remedy}.`;
}
