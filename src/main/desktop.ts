/**
 * The parts of the running program and how they are wired: settings, window, engine, files, gate, menu.
 */
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { MessageChannelMain, app, session, type BrowserWindow } from 'electron';
import { toErrorRecord } from '../core/errors';
import { engineEnvironment } from '../engine/backend';
import { programPaths, type ProgramPaths } from '../host/paths';
import { loadSamples } from '../host/samples';
import { withRecentFile } from '../host/settings';
import { NOTICE_CHANNEL, RUN_MESSAGE_CHANNEL } from '../shared/channels';
import type { Notice, OpenOutcome, Reply, Settings } from '../shared/contract';
import type { WindowArguments } from './arguments';
import { makeCommandRunner } from './commands';
import { askForOpening } from './dialogs';
import { startUtilityChild } from './electron-child';
import { connectRunPort } from './engine-port';
import { EngineSupervisor } from './engine-supervisor';
import { openGiven, rereadModel, type IntakeOptions } from './file-intake';
import { runHeadless, type EndedRun } from './headless-run';
import type { IncomingFiles } from './incoming-files';
import { openGate } from './ipc';
import { openLog, type Log } from './log';
import { installMenu } from './menu';
import { MemoryWatch, residentBytesOf } from './memory-watch';
import { ModelSession } from './model-session';
import { serveBundle } from './protocol';
import { makeRequestHandlers } from './request-handlers';
import { RunControl } from './run-control';
import { hardenSession } from './security';
import { openSettings, type SettingsStore } from './settings-store';
import { createWindow, loadPage, placeOf, whenPainted } from './window';

/** Name of the engine process in process lists. */
const ENGINE_SERVICE = 'tempograd-engine';

/** A page that crashes more often than this within one session is not loaded again. */
const MAX_PAGE_RELOADS = 3;

const ZOOM_STEP = 0.5;

/**
 * Starts the program in its window.
 *
 * @param given - What the command line asks for.
 * @param incoming - Files as they come.
 */
export async function startDesktop(given: WindowArguments, incoming: IncomingFiles): Promise<void> {
  const paths = programPaths(import.meta.url);
  const log = openLog(join(app.getPath('logs'), 'tempograd.log'));
  await hardenSession(session.defaultSession);
  serveBundle(session.defaultSession, paths.renderer);
  const desktop = new Desktop(paths, log);
  desktop.openGate();
  desktop.installMenu();
  desktop.watchWindow();
  if (given.headlessOutput !== null) return desktop.runHeadless(given, given.headlessOutput);
  incoming.onFiles((files) => desktop.accept(files));
  await desktop.show();
}

/** The running program. */
class Desktop {
  readonly #paths: ProgramPaths;
  readonly #log: Log;
  readonly #settings: SettingsStore;
  readonly #window: BrowserWindow;
  readonly #supervisor: EngineSupervisor;
  readonly #model: ModelSession;
  readonly #runs: RunControl;
  readonly #memory: MemoryWatch;
  #reloads = 0;
  #opening: Promise<unknown> = Promise.resolve();
  #tellEnded: (run: EndedRun) => void = () => undefined;

  constructor(paths: ProgramPaths, log: Log) {
    this.#paths = paths;
    this.#log = log;
    this.#settings = openSettings(join(app.getPath('userData'), 'settings.json'), log, (settings) =>
      this.#notify({ kind: 'settings', settings }),
    );
    this.#window = createWindow({ preload: paths.preload, icon: paths.icon, settings: this.#settings.get() });
    this.#supervisor = this.#makeSupervisor();
    this.#model = new ModelSession({
      supervisor: this.#supervisor,
      startReader: () => this.#startChild('tempograd-reader', paths.readerProcess, {}),
      makeChannel: () => {
        const { port1, port2 } = new MessageChannelMain();
        return [port1, port2];
      },
    });
    this.#memory = new MemoryWatch({
      residentBytes: () => residentBytesOf(ENGINE_SERVICE),
      onExceeded: (bytes, limit) => this.#supervisor.killForMemory(bytes, limit),
    });
    this.#runs = new RunControl({
      supervisor: this.#supervisor,
      model: this.#model,
      sendToWindow: (message) => this.#send(RUN_MESSAGE_CHANNEL, message),
      onEnded: (runId, request, ending) => {
        this.#tellEnded({ runId, request, ending });
        if (!this.#window.isDestroyed() && !this.#window.isFocused()) this.#window.flashFrame(true);
      },
    });
  }

  openGate(): void {
    const own = this.#window.webContents.id;
    openGate({
      isKnownWindow: (id) => id === own,
      log: this.#log,
      handlers: makeRequestHandlers({
        window: this.#window,
        supervisor: this.#supervisor,
        model: this.#model,
        runs: this.#runs,
        samples: () => loadSamples(this.#paths.samples),
        openPaths: (paths, limits) => this.#inTurn((intake) => openGiven(intake, paths, limits)),
        rereadModel: (choices) => this.#inTurn((intake) => rereadModel(intake, choices)),
        closeModel: () => this.#closeModel(),
        onExporting: (fileName) => this.#notify({ kind: 'exporting', fileName }),
        settings: { get: () => this.#settings.get(), setTheme: (theme) => this.#setTheme(theme) },
        about: { version: app.getVersion(), licencesPath: join(this.#paths.root, 'THIRD-PARTY') },
      }),
    });
  }

  installMenu(): void {
    const run = makeCommandRunner(
      {
        'open-model': () => void this.#ask('model'),
        'open-data': () => void this.#ask('data'),
        'open-folder': () => void this.#ask('folder'),
        'close-model': () =>
          void this.#closeModel().then(() => this.#notify({ kind: 'command', command: 'close-model' })),
        'restart-engine': () => void this.#supervisor.restart('it was restarted by hand').catch(() => undefined),
        'theme-system': () => this.#setTheme('system'),
        'theme-light': () => this.#setTheme('light'),
        'theme-dark': () => this.#setTheme('dark'),
        'zoom-in': () => this.#zoom((zoom) => zoom + ZOOM_STEP),
        'zoom-out': () => this.#zoom((zoom) => zoom - ZOOM_STEP),
        'zoom-reset': () => this.#zoom(() => 0),
      },
      (command) => this.#notify({ kind: 'command', command }),
    );
    installMenu(run);
  }

  /** Remembers the window's place, follows its crashes, and ends the program with it. */
  watchWindow(): void {
    const window = this.#window;
    const { webContents } = window;
    webContents.on('did-finish-load', () => {
      this.#runs.cancelAny();
      connectRunPort(webContents, this.#supervisor);
      const { problem } = this.#settings;
      if (problem !== null) this.#notify({ kind: 'message', message: problem });
      // A page that is loaded again after a crash shows what is open.
      const model = this.#model.current;
      if (model !== null)
        this.#notify({ kind: 'opened', reply: { ok: true, value: { model, data: null, choice: null } } });
    });
    webContents.on('render-process-gone', (_event, { reason }) => {
      this.#log(`page gone: ${reason}`);
      this.#runs.cancelAny();
      // Not from inside the event: Chromium is still taking the dead page apart, and ends the program.
      if (this.#reloads++ < MAX_PAGE_RELOADS) setTimeout(() => void loadPage(window), 0);
    });
    webContents.on('preload-error', (_event, _path, error) =>
      this.#log(`preload failed: ${error.stack ?? error.message}`),
    );
    window.on('focus', () => window.flashFrame(false));
    window.on('close', () => this.#settings.update((settings) => ({ ...settings, window: placeOf(window) })));
    app.on('window-all-closed', () => app.quit());
    app.on('will-quit', () => {
      this.#settings.flush();
      this.#supervisor.stop();
    });
  }

  /** Shows the page; the engine process starts after the first paint. */
  async show(): Promise<void> {
    whenPainted(this.#window, () => this.#supervisor.start());
    await loadPage(this.#window);
  }

  /** Takes files that came unasked; without files only comes to the front. */
  accept(files: readonly string[]): void {
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.focus();
    if (files.length > 0) void this.#openAndTell(files);
  }

  /** Runs without anyone looking on, then ends the program. */
  async runHeadless(given: WindowArguments, folder: string): Promise<void> {
    const ended = new Promise<EndedRun>((resolve) => (this.#tellEnded = resolve));
    await this.show();
    const files = given.files.length > 0 ? given.files : [firstSample(this.#paths)];
    const code = await runHeadless({
      window: this.#window,
      supervisor: this.#supervisor,
      model: this.#model,
      folder,
      open: () => this.#openAndTell(files),
      command: (command) => this.#notify({ kind: 'command', command }),
      ended,
    });
    this.#supervisor.stop();
    app.exit(code);
  }

  #makeSupervisor(): EngineSupervisor {
    return new EngineSupervisor({
      startChild: () => this.#startChild(ENGINE_SERVICE, this.#paths.engineProcess, engineEnvironment()),
      cores: availableParallelism(),
      log: this.#log,
      onStatus: (status) => {
        this.#memory.setActive(status.state === 'busy' || status.state === 'not-responding');
        this.#notify({ kind: 'engine-status', status });
      },
      onReady: async () => {
        connectRunPort(this.#window.webContents, this.#supervisor);
        await this.#model.reload();
      },
      onExportProgress: (fraction) => this.#notify({ kind: 'export-progress', fraction }),
      onRunBegun: (runId) => this.#runs.handleBegun(runId),
      onRunEnded: (runId, ending) => this.#runs.handleEnded(runId, ending),
      onGone: (error) => this.#runs.handleGone(error),
    });
  }

  #startChild(
    serviceName: string,
    entry: string,
    env: Readonly<Record<string, string>>,
  ): ReturnType<typeof startUtilityChild> {
    return startUtilityChild({ entry, serviceName, env, onOutput: this.#log });
  }

  /** One opening after another, so that data given right after its model finds it open. */
  #inTurn(open: (intake: IntakeOptions) => Promise<OpenOutcome>): Promise<OpenOutcome> {
    const intake = {
      model: this.#model,
      onModelChange: () => this.#runs.cancelAny(),
      onOpened: (path: string) => void this.#settings.update((settings) => withRecentFile(settings, path)),
    };
    const opened = this.#opening.then(() => open(intake));
    this.#opening = opened.catch(() => undefined);
    return opened;
  }

  async #openAndTell(paths: readonly string[]): Promise<Reply<OpenOutcome>> {
    this.#notify({ kind: 'opening', fileName: basename(paths[0] ?? '') });
    let reply: Reply<OpenOutcome>;
    try {
      reply = { ok: true, value: await this.#inTurn((intake) => openGiven(intake, paths)) };
    } catch (error) {
      reply = { ok: false, error: toErrorRecord(error) };
    }
    this.#notify({ kind: 'opened', reply });
    return reply;
  }

  async #ask(purpose: 'model' | 'data' | 'folder'): Promise<void> {
    const path = await askForOpening(this.#window, purpose);
    if (path !== null) await this.#openAndTell([path]);
  }

  async #closeModel(): Promise<void> {
    this.#runs.cancelAny();
    await this.#model.close();
  }

  #setTheme(theme: Settings['theme']): Settings {
    return this.#settings.update((settings) => ({ ...settings, theme }));
  }

  #zoom(change: (zoom: number) => number): void {
    const zoom = Math.max(-4, Math.min(4, change(this.#settings.get().zoom)));
    this.#window.webContents.setZoomLevel(zoom);
    this.#settings.update((settings) => ({ ...settings, zoom }));
  }

  #notify(notice: Notice): void {
    this.#send(NOTICE_CHANNEL, notice);
  }

  #send(channel: string, message: unknown): void {
    if (!this.#window.isDestroyed()) this.#window.webContents.send(channel, message);
  }
}

function firstSample(paths: ProgramPaths): string {
  const { samples, pathOf } = loadSamples(paths.samples);
  const first = samples[0];
  if (!first) throw new Error('no sample ships with this program');
  return pathOf(first.name);
}
