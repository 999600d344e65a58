/**
 * What the engine process holds and does: one model, the arrays of one set of files, one run at a time.
 *
 * Knows neither Electron nor the numerical library: the work itself is given to it, so that tests can stand in for it.
 */
import { TempogradError, toErrorRecord } from '../core/errors';
import type { RecurrentModel } from '../core/model';
import type { EngineInfo } from '../core/summary';
import { NO_DATA, dataFilesOf, dataKeyOf, type DataArrays } from '../host/reader-messages';
import type { RunEstimate, RunEvent, RunRequest } from '../shared/run';
import type { EngineCallName, EngineCalls, ExportOrder, FileIdentity, FromEngine, RunEnding } from './engine-messages';
import type { RunStream } from './stream';

/** A model with the file it came from. */
export interface HeldModel {
  readonly model: RecurrentModel;
  readonly file: FileIdentity;
}

/** What a run is made from. */
export interface RunMaterial extends HeldModel {
  readonly request: RunRequest;
  readonly data: DataArrays;
}

/** The work of an engine process; analysis and export in the program, a stand-in in tests. */
export interface EngineWork {
  /** The best engine present, and why. */
  best(): Promise<EngineInfo>;
  estimate(material: RunMaterial): RunEstimate;
  analyze(material: RunMaterial, runId: number, signal: AbortSignal): AsyncGenerator<RunEvent, void, void>;
  weightMatrix(held: HeldModel, input: EngineCalls['weightMatrix'][0]): EngineCalls['weightMatrix'][1];
  jacobianSlice(input: EngineCalls['jacobianSlice'][0], signal: AbortSignal): Promise<EngineCalls['jacobianSlice'][1]>;
  /** The Jacobians of one pair of steps of the last run; null when it was aborted. */
  block(input: EngineCalls['block'][0], signal: AbortSignal): Promise<EngineCalls['block'][1]>;
  /** Whether something can be made now that makes blocks come sooner. */
  hasPreparation(): boolean;
  /** Makes it, until it is done or aborted; nothing is thrown for an abort. */
  prepareBlocks(signal: AbortSignal): Promise<void>;
  /** Lets go of the last run. */
  forget(): void;
  /** Tells now and then how much has been written, 0 to 1. */
  exportRun(
    material: RunMaterial,
    order: ExportOrder,
    signal: AbortSignal,
    onProgress: (fraction: number) => void,
  ): Promise<EngineCalls['exportRun'][1]>;
}

/** A port from which one value comes. */
export interface ValuePort {
  /** The first message, after which the port is closed. */
  receive(): Promise<unknown>;
}

/** A run from when it was asked for until its end. */
interface ActiveRun {
  readonly id: number;
  readonly abort: AbortController;
  stage: 'waiting' | 'running' | 'ended';
}

/** What a session is given. */
export interface SessionOptions {
  readonly work: EngineWork;
  readonly stream: RunStream;
  readonly post: (message: FromEngine) => void;
}

/** The state of an engine process. */
export class EngineSession {
  readonly #work: EngineWork;
  readonly #stream: RunStream;
  readonly #post: (message: FromEngine) => void;
  #held: HeldModel | null = null;
  #data: { readonly key: string; readonly arrays: DataArrays } | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #run: ActiveRun | null = null;
  /** Exports, slices and blocks that are under way or wait for their turn. */
  readonly #exports = new Set<AbortController>();
  readonly #slices = new Set<AbortController>();
  readonly #blocks = new Set<AbortController>();
  /** What is made while nothing is asked for. */
  readonly #preparations = new Set<AbortController>();
  /** Tasks that wait for their turn or have it. */
  #tasks = 0;

  /** @param options - The work, the stream to the window, the way to main. */
  constructor(options: SessionOptions) {
    this.#work = options.work;
    this.#stream = options.stream;
    this.#post = options.post;
  }

  /** Tells main that the process is ready, and what it can do. */
  async announce(): Promise<void> {
    this.#post({ kind: 'ready', best: await this.#work.best() });
  }

  /**
   * Answers one call of main; the answer is posted, nothing is thrown.
   *
   * @param id - Number of the call.
   * @param name - Which call.
   * @param input - Its argument.
   * @param port - From which a model or arrays come, for the calls that have one.
   */
  async answer(id: number, name: EngineCallName, input: unknown, port: ValuePort | null): Promise<void> {
    try {
      const value = await this.#perform(name, input, port);
      this.#post({ kind: 'answer', id, ok: true, value });
    } catch (error) {
      this.#post({ kind: 'answer', id, ok: false, error: toErrorRecord(error) });
    }
  }

  /**
   * Runs an analysis; its events go to the stream, its end to main as well.
   *
   * @param runId - Number that main gave the run.
   * @param request - What to run.
   */
  async run(runId: number, request: RunRequest): Promise<void> {
    abortAll(this.#slices);
    abortAll(this.#blocks);
    if (this.#run) await this.#stop(this.#run);
    const run: ActiveRun = { id: runId, abort: new AbortController(), stage: 'waiting' };
    this.#run = run;
    await this.#alone(async () => {
      if (run.stage === 'ended') return;
      run.stage = 'running';
      this.#post({ kind: 'begun', runId });
      this.#stream.begin(runId);
      const ending = await this.#streamRun(runId, request, run.abort.signal);
      this.#end(run, ending);
    });
  }

  #end(run: ActiveRun, ending: RunEnding): void {
    run.stage = 'ended';
    this.#post({ kind: 'ended', runId: run.id, ending });
    if (this.#run === run) this.#run = null;
  }

  /** Stops a run at its next chunk, or at once when it still waits for its turn. */
  async #stop(run: ActiveRun): Promise<void> {
    run.abort.abort();
    if (run.stage !== 'waiting') return;
    run.stage = 'ended';
    this.#stream.begin(run.id);
    await this.#stream.send({ kind: 'cancelled', fraction: 0 }, run.abort.signal);
    this.#end(run, { kind: 'cancelled' });
  }

  async #streamRun(runId: number, request: RunRequest, signal: AbortSignal): Promise<RunEnding> {
    let fraction = 0;
    let ending: RunEnding = { kind: 'cancelled' };
    try {
      for await (const event of this.#work.analyze(this.#material(request), runId, signal)) {
        if (signal.aborted) break;
        if (event.kind === 'progress') fraction = event.fraction;
        const ended = endingOf(event);
        if (ended) ending = ended;
        else await this.#stream.send(event, signal);
      }
    } catch (error) {
      ending = signal.aborted ? { kind: 'cancelled' } : { kind: 'failed', error: toErrorRecord(error) };
    }
    await this.#stream.send(ending.kind === 'cancelled' ? { kind: 'cancelled', fraction } : ending, signal);
    return ending;
  }

  /** One analysis at a time: two that take turns would free each other's tensors. */
  #alone<T>(task: () => Promise<T>): Promise<T> {
    abortAll(this.#preparations);
    this.#tasks++;
    const result = this.#last.then(task);
    this.#last = result.then(
      () => this.#rest(),
      () => this.#rest(),
    );
    return result;
  }

  /** After a task: where no other one waits, what makes blocks come sooner is made until one does. */
  async #rest(): Promise<void> {
    if (--this.#tasks > 0 || !this.#work.hasPreparation()) return;
    const abort = new AbortController();
    this.#preparations.add(abort);
    try {
      await this.#work.prepareBlocks(abort.signal);
    } finally {
      this.#preparations.delete(abort);
    }
  }

  /**
   * Stops a run at its next chunk; one that has ended already is left as it is.
   *
   * @param runId - Which run.
   */
  cancel(runId: number): void {
    if (this.#run?.id === runId) void this.#stop(this.#run);
  }

  /** Ends every export; what it would have written is not there. */
  cancelExports(): void {
    abortAll(this.#exports);
  }

  /** As `#alone`, with a signal that is kept in a set until the end; null for what is ended before its turn. */
  async #aloneUntil<T>(kept: Set<AbortController>, task: (signal: AbortSignal) => Promise<T>): Promise<T | null> {
    const abort = new AbortController();
    kept.add(abort);
    try {
      return await this.#alone(() => (abort.signal.aborted ? Promise.resolve(null) : task(abort.signal)));
    } finally {
      kept.delete(abort);
    }
  }

  async #perform(name: EngineCallName, input: unknown, port: ValuePort | null): Promise<unknown> {
    switch (name) {
      case 'loadModel':
        this.#held = { model: (await received(port)) as RecurrentModel, file: input as FileIdentity };
        this.#data = null;
        return null;
      case 'loadData':
        this.#data = { key: (input as { key: string }).key, arrays: (await received(port)) as DataArrays };
        return null;
      case 'unload':
        if (this.#run) await this.#stop(this.#run);
        this.#held = null;
        this.#data = null;
        abortAll(this.#blocks);
        // Not before an export that is under way has its end.
        void this.#alone(() => Promise.resolve(this.#work.forget()));
        return null;
      case 'estimate':
        return this.#work.estimate(this.#material(input as RunRequest));
      case 'weightMatrix':
        return this.#work.weightMatrix(this.#heldModel(), input as EngineCalls['weightMatrix'][0]);
      case 'jacobianSlice':
        // Whoever asks for another one no longer looks at the one before.
        abortAll(this.#slices);
        return this.#aloneUntil(this.#slices, (signal) =>
          this.#work.jacobianSlice(input as EngineCalls['jacobianSlice'][0], signal),
        );
      case 'block':
        abortAll(this.#blocks);
        return this.#aloneUntil(this.#blocks, (signal) => this.#work.block(input as EngineCalls['block'][0], signal));
      case 'exportRun': {
        const order = input as ExportOrder;
        const material = this.#material(order.request);
        const tell = (fraction: number): void => this.#post({ kind: 'export-progress', fraction });
        return this.#aloneUntil(this.#exports, (signal) => this.#work.exportRun(material, order, signal, tell));
      }
    }
  }

  #material(request: RunRequest): RunMaterial {
    const key = dataKeyOf(dataFilesOf(request));
    if (key !== '' && this.#data?.key !== key) throw new Error(`the arrays of ${key} were not loaded`);
    return { ...this.#heldModel(), request, data: key === '' ? NO_DATA : this.#data!.arrays };
  }

  #heldModel(): HeldModel {
    if (this.#held) return this.#held;
    throw new TempogradError('usage/bad-option', 'No model is open', { remedy: 'Open a model first.' });
  }
}

function abortAll(kept: ReadonlySet<AbortController>): void {
  for (const abort of kept) abort.abort();
}

function received(port: ValuePort | null): Promise<unknown> {
  if (port === null) throw new Error('the call came without its port');
  return port.receive();
}

function endingOf(event: RunEvent): RunEnding | null {
  if (event.kind === 'done') return { kind: 'done', summary: event.summary };
  if (event.kind === 'failed') return { kind: 'failed', error: event.error };
  return event.kind === 'cancelled' ? { kind: 'cancelled' } : null;
}
