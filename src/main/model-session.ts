/**
 * The model and the data file that are open, as main knows them, and how they get into the engine process.
 *
 * Main itself never holds a weight: a reader process parses the file and sends the model over a port to the engine
 * process. After a restart of the engine the file is read again.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { TempogradError } from '../core/errors';
import type { ReadLimits } from '../readers/limits';
import { bytesToRead } from '../host/bytes-to-read';
import type { ChildChannel, StartChild } from '../host/child-channel';
import { openFileSource } from '../host/file-source';
import { parseInChild, type Parsed } from '../host/parse-process';
import {
  NO_READER_OPTIONS,
  dataFilesOf,
  dataKeyOf,
  type DataFiles,
  type ReadDataResult,
  type ReadModelResult,
} from '../host/reader-messages';
import type { OpenedData, OpenedModel, ReaderChoices } from '../shared/contract';
import type { RunRequest } from '../shared/run';
import type { FileIdentity } from './engine-messages';
import type { EngineSupervisor } from './engine-supervisor';

/** Two entangled ports: one for a reader process, one for the engine process. */
export type MakeChannel = () => readonly [unknown, unknown];

/** What a session is given. */
export interface ModelSessionOptions {
  readonly supervisor: EngineSupervisor;
  readonly startReader: StartChild;
  readonly makeChannel: MakeChannel;
}

/** A model that was read and waits to be taken by the engine process. */
interface Delivery {
  readonly file: FileIdentity;
  readonly port: unknown;
  readonly parsed: Parsed<ReadModelResult>;
}

/** What the user says of a file. */
interface Said {
  readonly choices: ReaderChoices;
  readonly limits: Partial<ReadLimits>;
}

/** Nothing said: everything is as usual. */
const NO_CHOICES: ReaderChoices = { activation: null, recurrentActivation: null, resetAfter: null };

/** A signal of something that nobody ends. */
const NEVER = new AbortController().signal;

/** What is open. */
export class ModelSession {
  readonly #options: ModelSessionOptions;
  #current: OpenedModel | null = null;
  /** Caps that were raised for the open model. */
  #limits: Partial<ReadLimits> = {};
  #dataLimits: Partial<ReadLimits> = {};
  #nextModelId = 1;
  #delivery: Delivery | null = null;
  #loading: Promise<void> = Promise.resolve();
  #preparing: Promise<void> = Promise.resolve();
  /** Key and state of the files whose arrays the engine holds. */
  #loadedData = '';

  /** @param options - Supervisor, reader factory, channel factory. */
  constructor(options: ModelSessionOptions) {
    this.#options = options;
  }

  /** The open model, or null. */
  get current(): OpenedModel | null {
    return this.#current;
  }

  /** Caps that were raised for the open model's file. */
  get limits(): Partial<ReadLimits> {
    return this.#limits;
  }

  /**
   * Reads a model file and makes it the open one; a failure leaves the one before untouched.
   *
   * @param path - An ordinary file.
   * @param choices - What its file does not store, as the user says it.
   * @param limits - Caps that the user raised for it.
   * @throws TempogradError as the readers do.
   */
  async open(
    path: string,
    choices: ReaderChoices = NO_CHOICES,
    limits: Partial<ReadLimits> = {},
  ): Promise<OpenedModel> {
    const delivery = await this.#read(path, { choices, limits }, true);
    const { result } = delivery.parsed;
    if (result.description === null) throw new Error('the reader process gave no description');
    this.#current = {
      modelId: this.#nextModelId++,
      path,
      fileName: basename(path),
      bytes: result.bytes,
      sha256: result.sha256,
      description: result.description,
      inputShape: result.inputShape,
      inputIsIds: result.inputIsIds,
      choices,
    };
    this.#limits = limits;
    this.#replaceDelivery(delivery);
    if (this.#hasEngine()) {
      this.#loading = this.#deliver();
      // Told by the next `prepare`; an engine process that died meanwhile is given the model by `reload`.
      this.#loading.catch(() => undefined);
    }
    return this.#current;
  }

  /** Forgets the open model. */
  async close(): Promise<void> {
    this.#current = null;
    this.#loadedData = '';
    this.#replaceDelivery(null);
    if (this.#hasEngine()) await this.#options.supervisor.callNow('unload', {});
  }

  /**
   * Gives a process that has just started what it must hold; the file is read again if need be.
   *
   * @throws TempogradError as the readers do, now and from every `prepare` until another model is opened.
   */
  async reload(): Promise<void> {
    this.#loadedData = '';
    this.#loading = this.#readAgain();
    await this.#loading;
  }

  async #readAgain(): Promise<void> {
    const model = this.#current;
    if (model !== null && this.#delivery === null) {
      const delivery = await this.#read(model.path, { choices: model.choices, limits: this.#limits }, false);
      // Another model may have been opened meanwhile; then this one is no longer wanted.
      if (this.#current === model && this.#delivery === null) this.#replaceDelivery(delivery);
      else delivery.parsed.release();
    }
    await this.#deliver();
  }

  /**
   * Resolves when the engine process holds the open model and the files of a run.
   *
   * @param request - The run.
   * @param signal - Ends the reading of its files.
   * @throws TempogradError `usage/bad-option` without a model, else as the readers do; the signal's reason.
   *
   * One after another: the engine process keeps the files of one run, and the last asked for must be what it keeps.
   */
  prepare(request: RunRequest, signal: AbortSignal = NEVER): Promise<void> {
    const prepared = this.#preparing.then(() => this.#prepare(request, signal));
    this.#preparing = prepared.catch(() => undefined);
    return prepared;
  }

  async #prepare(request: RunRequest, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#current === null) {
      throw new TempogradError('usage/bad-option', 'No model is open', { remedy: 'Open a model first.' });
    }
    await this.#options.supervisor.ready();
    await this.#loading;
    const files = dataFilesOf(request);
    const key = dataKeyOf(files);
    if (key === '') return;
    const state = `${key} ${stateOf(files)}`;
    if (state === this.#loadedData) return;
    const [readerPort, enginePort] = this.#options.makeChannel();
    const parsed = await this.#readData(files, [readerPort], signal);
    try {
      signal.throwIfAborted();
      await this.#options.supervisor.call('loadData', { key }, [enginePort]);
      this.#loadedData = state;
    } finally {
      parsed.release();
    }
  }

  /**
   * What a data file holds, without keeping it.
   *
   * @param path - A .npy, .npz or .csv file.
   * @param limits - Caps that the user raised for it; a run that reads it again has them, too.
   * @throws TempogradError `input/not-readable`, `input/not-finite`, `reader/limit-exceeded`.
   */
  async describeData(path: string, limits: Partial<ReadLimits> = {}): Promise<OpenedData> {
    const input = { kind: 'file', path, key: null, header: null } as const;
    const [readerPort] = this.#options.makeChannel();
    const parsed = await this.#readData({ input, maskFile: null, initialStateFile: null }, [readerPort], NEVER, limits);
    parsed.release();
    // A run reads the file once more.
    this.#dataLimits = limits;
    const { inputShape, columns } = parsed.result;
    return { path, fileName: basename(path), shape: inputShape ?? [], columns };
  }

  /** Whether there is a process to give something to; one that is starting asks for it by `reload`. */
  #hasEngine(): boolean {
    return ['ready', 'busy', 'not-responding'].includes(this.#options.supervisor.status.state);
  }

  async #read(path: string, { choices, limits }: Said, describe: boolean): Promise<Delivery> {
    const source = openFileSource(path);
    source.close();
    const [readerPort, enginePort] = this.#options.makeChannel();
    const parsed = await parseInChild<ReadModelResult>(this.#options.startReader, {
      job: { kind: 'model', path, options: { ...NO_READER_OPTIONS, ...choices, limits }, describe, hash: true },
      bytes: bytesToRead(path),
      name: path,
      ports: [readerPort],
    });
    const { bytes, sha256 } = parsed.result;
    return { file: { path, bytes, sha256 }, port: enginePort, parsed };
  }

  #readData(
    files: DataFiles,
    ports: readonly unknown[],
    signal = NEVER,
    limits = this.#dataLimits,
  ): Promise<Parsed<ReadDataResult>> {
    const paths = pathsOf(files);
    const bytes = paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
    const startReader = (): ChildChannel => {
      const child = this.#options.startReader();
      signal.addEventListener('abort', () => child.kill(), { once: true });
      return child;
    };
    return parseInChild<ReadDataResult>(startReader, {
      job: { kind: 'data', files, limits },
      bytes,
      name: paths[0] ?? '',
      ports,
    });
  }

  async #deliver(): Promise<void> {
    const delivery = this.#delivery;
    if (delivery === null) return;
    this.#delivery = null;
    this.#loadedData = '';
    try {
      await this.#options.supervisor.callNow('loadModel', delivery.file, [delivery.port]);
    } finally {
      delivery.parsed.release();
    }
  }

  #replaceDelivery(next: Delivery | null): void {
    this.#delivery?.parsed.release();
    this.#delivery = next;
  }
}

function pathsOf(files: DataFiles): string[] {
  return [files.input?.path, files.maskFile, files.initialStateFile].filter((path) => typeof path === 'string');
}

/** Sizes and times of change, so that a file written anew is read anew. */
function stateOf(files: DataFiles): string {
  return pathsOf(files)
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found ? `${found.size}@${found.mtimeMs}` : 'none';
    })
    .join(' ');
}
