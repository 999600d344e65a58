/**
 * One run at a time: its number, its start, its cancel, and its end even when the engine process does not live to
 * tell it.
 */
import { TempogradError, toErrorRecord } from '../core/errors';
import { SEQUENCE_OF_MAIN } from '../shared/channels';
import type { RunMessage, RunRequest } from '../shared/run';
import type { RunEnding } from './engine-messages';
import type { EngineSupervisor } from './engine-supervisor';
import type { ModelSession } from './model-session';

/** An engine that has not stopped so long after a cancel is killed. */
const CANCEL_LIMIT_MS = 1000;

/** What run control is given. */
export interface RunControlOptions {
  readonly supervisor: EngineSupervisor;
  readonly model: ModelSession;
  /** Sends a run message to the window in the place of a dead engine process. */
  readonly sendToWindow: (message: RunMessage) => void;
  /** Told of the end of every run. */
  readonly onEnded: (runId: number, request: RunRequest, ending: RunEnding) => void;
}

interface ActiveRun {
  readonly id: number;
  readonly request: RunRequest;
  /** Stops the reading of its files. */
  readonly reading: AbortController;
  /** Before that, the engine process does not know of the run. */
  isSent: boolean;
  /** Before that, it waits in the engine process for an export to be written. */
  isBegun: boolean;
  isCancelled: boolean;
  cancelTimer: NodeJS.Timeout | null;
}

/** Starts, cancels and ends runs. */
export class RunControl {
  readonly #options: RunControlOptions;
  #nextId = 1;
  #active: ActiveRun | null = null;

  /** @param options - Supervisor, model, and who is told. */
  constructor(options: RunControlOptions) {
    this.#options = options;
  }

  /** Whether a run is under way. */
  get isRunning(): boolean {
    return this.#active !== null;
  }

  /**
   * The number of a run that has been started; its events follow. It comes before the files of the run are read, so that
   * the run can be cancelled from the start; files that cannot be read end it with a `failed` event.
   *
   * @param request - What to run.
   * @throws TempogradError `usage/bad-option` while another run is under way.
   */
  start(request: RunRequest): { readonly runId: number } {
    if (this.#active) {
      throw new TempogradError('usage/bad-option', 'A run is under way', { remedy: 'Cancel it, or wait for its end.' });
    }
    const run: ActiveRun = {
      id: this.#nextId++,
      request,
      reading: new AbortController(),
      isSent: false,
      isBegun: false,
      isCancelled: false,
      cancelTimer: null,
    };
    this.#active = run;
    // A run is asked for by hand, which is reason enough to try an engine again that was given up.
    this.#options.supervisor.start();
    void this.#send(run);
    return { runId: run.id };
  }

  async #send(run: ActiveRun): Promise<void> {
    try {
      await this.#options.model.prepare(run.request, run.reading.signal);
    } catch (error) {
      if (!run.isCancelled) this.#end(run, { kind: 'failed', error: toErrorRecord(error) });
      return;
    }
    if (run.isCancelled) return;
    run.isSent = true;
    this.#options.supervisor.setBusy(true);
    this.#options.supervisor.send({ kind: 'run', runId: run.id, request: run.request });
  }

  /**
   * Asks the engine to stop a run, and kills it when it does not within a second; a run that has not begun there ends here.
   *
   * @param runId - Which run; one that has ended already is left as it is.
   */
  cancel(runId: number): void {
    const run = this.#active;
    if (run?.id !== runId || run.isCancelled) return;
    run.isCancelled = true;
    if (!run.isSent) {
      run.reading.abort();
      return this.#end(run, { kind: 'cancelled' });
    }
    this.#options.supervisor.send({ kind: 'cancel', runId });
    // What it waits for may take its time, and is not to be killed for it.
    if (!run.isBegun) return this.#end(run, { kind: 'cancelled' });
    run.cancelTimer = setTimeout(
      () => this.#options.supervisor.kill('it did not answer a cancel within a second'),
      CANCEL_LIMIT_MS,
    );
  }

  /** Cancels whatever runs; for a window that is gone or loaded again. */
  cancelAny(): void {
    if (this.#active) this.cancel(this.#active.id);
  }

  /**
   * To be called when the engine process says that a run is no longer waiting.
   *
   * @param runId - Which run.
   */
  handleBegun(runId: number): void {
    if (this.#active?.id === runId) this.#active.isBegun = true;
  }

  /**
   * To be called when the engine process says that a run has ended.
   *
   * @param runId - Which run.
   * @param ending - How.
   */
  handleEnded(runId: number, ending: RunEnding): void {
    const run = this.#active;
    if (run?.id !== runId) return;
    this.#finish(run, ending);
  }

  /**
   * To be called when the engine process is gone: the run ends here, with one message.
   *
   * @param error - `engine/stopped` with the reason.
   */
  handleGone(error: TempogradError): void {
    const run = this.#active;
    // A run that is still being prepared hears of it from what it waits for.
    if (!run?.isSent) return;
    // A cancel that had to be enforced is still a cancel for the user.
    this.#end(run, run.isCancelled ? { kind: 'cancelled' } : { kind: 'failed', error: toErrorRecord(error) });
  }

  /** Ends a run in the place of the engine process. */
  #end(run: ActiveRun, ending: Exclude<RunEnding, { kind: 'done' }>): void {
    const event = ending.kind === 'cancelled' ? { kind: 'cancelled' as const, fraction: 0 } : ending;
    this.#options.sendToWindow({ runId: run.id, sequence: SEQUENCE_OF_MAIN, event });
    this.#finish(run, ending);
  }

  #finish(run: ActiveRun, ending: RunEnding): void {
    if (run.cancelTimer) clearTimeout(run.cancelTimer);
    this.#active = null;
    this.#options.supervisor.setBusy(false);
    this.#options.onEnded(run.id, run.request, ending);
  }
}
