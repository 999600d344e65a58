/**
 * The life of the engine process: started after the first paint, watched by a heartbeat, killed when it hangs, started
 * again when it ends, and given up when that happens too often.
 *
 * Knows nothing of models or runs: who needs to do something after a restart is told. Beats are counted, not seconds,
 * so that a machine that slept does not cost a healthy process its life. Long, because the states of the one process,
 * its timers and the calls that wait for it make no sense apart.
 */
import { TempogradError, fromErrorRecord } from '../core/errors';
import type { ChildChannel, StartChild } from '../host/child-channel';
import type { EngineStatus } from '../shared/contract';
import type { EngineCallName, EngineCalls, FromEngine, RunEnding, ToEngine } from './engine-messages';

/** Times and counts of the supervision. */
export interface SupervisionLimits {
  readonly heartbeatMs: number;
  /** Unanswered beats until "not responding" is shown. */
  readonly beatsUntilShown: number;
  /** Unanswered beats until the process is killed. */
  readonly beatsUntilKilled: number;
  /** Beats that loading the native library may take. */
  readonly beatsUntilReady: number;
  readonly maxRestarts: number;
  /** Restarts older than this are forgotten. */
  readonly restartWindowMs: number;
}

/** Figures of the specification: 1 s, 3 s, 10 s, three restarts a minute. */
export const SUPERVISION_LIMITS: SupervisionLimits = {
  heartbeatMs: 1000,
  beatsUntilShown: 3,
  beatsUntilKilled: 10,
  beatsUntilReady: 60,
  maxRestarts: 3,
  restartWindowMs: 60_000,
};

/** What a supervisor is given. */
export interface SupervisorOptions {
  readonly startChild: StartChild;
  readonly cores: number;
  readonly limits?: SupervisionLimits;
  readonly log: (message: string) => void;
  readonly onStatus: (status: EngineStatus) => void;
  /** A process runs and answers, the first one or another; what it must hold is given to it again here. */
  readonly onReady: (isRestart: boolean) => Promise<void>;
  readonly onExportProgress: (fraction: number) => void;
  readonly onRunBegun: (runId: number) => void;
  readonly onRunEnded: (runId: number, ending: RunEnding) => void;
  /** The process has ended unasked; pending calls are already answered. */
  readonly onGone: (error: TempogradError) => void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Starts, watches, kills and restarts the engine process. */
export class EngineSupervisor {
  readonly #options: SupervisorOptions;
  readonly #limits: SupervisionLimits;
  readonly #pending = new Map<number, Pending>();
  readonly #whenReady: Pending[] = [];
  readonly #whenGone: (() => void)[] = [];
  #child: ChildChannel | null = null;
  #status: EngineStatus;
  #timer: NodeJS.Timeout | null = null;
  #beat = 0;
  #answeredBeat = 0;
  #nextCall = 1;
  #restartTimes: number[] = [];
  #isBusy = false;
  #killError: TempogradError | null = null;

  /** @param options - Process factory, limits and receivers. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#limits = options.limits ?? SUPERVISION_LIMITS;
    this.#status = { state: 'not-started', best: null, restarts: 0, cores: options.cores };
  }

  /** How the engine process does. */
  get status(): EngineStatus {
    return this.#status;
  }

  /** Starts the process unless it runs; also the way out of `stopped`. */
  start(): void {
    if (this.#child !== null) return;
    if (this.#status.state === 'stopped') this.#restartTimes = [];
    this.#spawn('starting');
  }

  /** Ends the process for good, without a restart. */
  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    const child = this.#child;
    this.#child = null;
    child?.kill();
    this.#failPending(stoppedError('Tempograd is closing'));
  }

  /**
   * Kills the process, which starts it again.
   *
   * @param reason - Why, as the message will say: "it did not answer a cancel".
   */
  kill(reason: string): void {
    this.#killError = stoppedError(reason);
    this.#child?.kill();
  }

  /**
   * Resolves when another process than the one of now answers; starts one where none runs.
   *
   * @param reason - As for `kill`.
   * @throws TempogradError `engine/stopped` when the next process ends as well and none is started again.
   */
  async restart(reason: string): Promise<void> {
    if (this.#child !== null) {
      // The process ends a little after it was told to; until then the status is still that of the old one.
      const gone = new Promise<void>((resolve) => this.#whenGone.push(resolve));
      this.kill(reason);
      await gone;
    }
    // Where it was given up meanwhile, this is the user's own act that starts it again.
    this.start();
    await this.ready();
  }

  /**
   * Kills a process that has taken too much memory, before the system does; the next one starts as usual.
   *
   * @param bytes - What it held.
   * @param limit - What it may hold.
   */
  killForMemory(bytes: number, limit: number): void {
    this.#killError = new TempogradError(
      'engine/out-of-memory',
      `The engine process was ended: it held ${gibibytes(bytes)}, the limit on this machine is ${gibibytes(limit)}`,
      { details: { bytes, limit } },
    );
    this.#child?.kill();
  }

  /**
   * Marks that a run is under way, which the status shows.
   *
   * @param isBusy - Whether one is.
   */
  setBusy(isBusy: boolean): void {
    this.#isBusy = isBusy;
    if (this.#status.state === 'ready' || this.#status.state === 'busy') this.#setState(this.#calmState());
  }

  /**
   * Sends a message that has no answer.
   *
   * @param message - The message.
   * @param ports - Ports to hand over.
   */
  send(message: ToEngine, ports: readonly unknown[] = []): void {
    this.#child?.send(message, ports);
  }

  /**
   * The engine's answer to a call; waits while the process is starting.
   *
   * @param name - Which call.
   * @param input - Its argument.
   * @param ports - Ports to hand over.
   * @throws TempogradError what the engine answers, or `engine/stopped` when the process ends first.
   */
  async call<N extends EngineCallName>(
    name: N,
    input: EngineCalls[N][0],
    ports: readonly unknown[] = [],
  ): Promise<EngineCalls[N][1]> {
    await this.ready();
    return this.callNow(name, input, ports);
  }

  /** As `call`, for who is told by `onReady` and must not wait for it. */
  callNow<N extends EngineCallName>(
    name: N,
    input: EngineCalls[N][0],
    ports: readonly unknown[] = [],
  ): Promise<EngineCalls[N][1]> {
    const id = this.#nextCall++;
    return new Promise((resolve, reject) => {
      if (this.#child === null) return reject(stoppedError('it is not running'));
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.send({ kind: 'call', id, name, input }, ports);
    });
  }

  /**
   * Resolves when the process answers and holds what it must; starts one that was never started.
   *
   * @throws TempogradError `engine/stopped` when it was given up: only a user's own act starts it again.
   */
  async ready(): Promise<void> {
    const { state } = this.#status;
    if (state === 'stopped') throw stoppedError('it ended too often and was not started again');
    if (state === 'ready' || state === 'busy' || state === 'not-responding') return;
    this.start();
    await new Promise<unknown>((resolve, reject) => this.#whenReady.push({ resolve, reject }));
  }

  #spawn(state: 'starting' | 'restarting'): void {
    const child = this.#options.startChild();
    this.#child = child;
    this.#killError = null;
    this.#beat = 0;
    this.#answeredBeat = 0;
    this.#setState(state);
    child.onMessage((message) => {
      if (child === this.#child) this.#receive(message as FromEngine);
    });
    child.onExit((code) => {
      if (child === this.#child) this.#handleExit(code);
    });
    this.#timer ??= setInterval(() => this.#heartbeat(), this.#limits.heartbeatMs);
  }

  #receive(message: FromEngine): void {
    switch (message.kind) {
      case 'ready':
        this.#status = { ...this.#status, best: message.best };
        void this.#becomeReady();
        break;
      case 'pong':
        this.#answeredBeat = Math.max(this.#answeredBeat, message.beat);
        if (this.#status.state === 'not-responding') this.#setState(this.#calmState());
        break;
      case 'answer': {
        const pending = this.#pending.get(message.id);
        this.#pending.delete(message.id);
        if (message.ok) pending?.resolve(message.value);
        else pending?.reject(fromErrorRecord(message.error));
        break;
      }
      case 'export-progress':
        this.#options.onExportProgress(message.fraction);
        break;
      case 'begun':
        this.#options.onRunBegun(message.runId);
        break;
      case 'ended':
        this.#options.onRunEnded(message.runId, message.ending);
    }
  }

  async #becomeReady(): Promise<void> {
    const child = this.#child;
    try {
      await this.#options.onReady(this.#status.restarts > 0);
    } catch (error) {
      this.#options.log(`the engine process runs, but could not be given its model: ${String(error)}`);
    }
    if (child !== this.#child) return;
    this.#setState(this.#calmState());
    for (const waiting of this.#whenReady.splice(0)) waiting.resolve(undefined);
  }

  #heartbeat(): void {
    const { state } = this.#status;
    if (this.#child === null) return;
    const missed = this.#beat - this.#answeredBeat;
    const isStarting = state === 'starting' || state === 'restarting';
    if (missed >= (isStarting ? this.#limits.beatsUntilReady : this.#limits.beatsUntilKilled)) {
      const seconds = Math.round((missed * this.#limits.heartbeatMs) / 1000);
      return this.kill(`it did not answer for ${seconds} s`);
    }
    if (!isStarting && missed >= this.#limits.beatsUntilShown) this.#setState('not-responding');
    this.send({ kind: 'ping', beat: ++this.#beat });
  }

  #handleExit(code: number | null): void {
    const error = this.#killError ?? stoppedError(`it ended by itself (code ${code ?? 'none'})`);
    this.#options.log(error.message);
    this.#child = null;
    this.#isBusy = false;
    this.#failPending(error);
    const now = Date.now();
    this.#restartTimes = this.#restartTimes.filter((time) => now - time < this.#limits.restartWindowMs);
    if (this.#restartTimes.length >= this.#limits.maxRestarts) {
      this.#setState('stopped');
      for (const waiting of this.#whenReady.splice(0)) waiting.reject(error);
    } else {
      this.#restartTimes.push(now);
      this.#status = { ...this.#status, restarts: this.#status.restarts + 1 };
      this.#spawn('restarting');
    }
    this.#options.onGone(error);
    for (const tell of this.#whenGone.splice(0)) tell();
  }

  #failPending(error: Error): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }

  #calmState(): 'ready' | 'busy' {
    return this.#isBusy ? 'busy' : 'ready';
  }

  #setState(state: EngineStatus['state']): void {
    if (state === this.#status.state) return;
    this.#status = { ...this.#status, state };
    this.#options.onStatus(this.#status);
  }
}

function stoppedError(reason: string): TempogradError {
  return new TempogradError('engine/stopped', `The engine process stopped: ${reason}`, { details: { reason } });
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
