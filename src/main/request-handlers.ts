/**
 * What each request of the window does; the counterpart of contract.ts, in its order.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { BrowserWindow } from 'electron';
import { TempogradError } from '../core/errors';
import { openFileSink } from '../host/file-sink';
import type { SampleCatalogue } from '../host/samples';
import type { OpenOutcome, RaisedLimits, ReaderChoices, RequestResults, Settings } from '../shared/contract';
import { askForOpening, askForSaving } from './dialogs';
import type { EngineSupervisor } from './engine-supervisor';
import type { RequestHandlers } from './ipc';
import type { ModelSession } from './model-session';
import type { RunControl } from './run-control';

/** What the handlers work with. */
export interface HandlerOptions {
  readonly window: BrowserWindow;
  readonly supervisor: EngineSupervisor;
  readonly model: ModelSession;
  readonly runs: RunControl;
  readonly samples: () => SampleCatalogue;
  readonly openPaths: (paths: readonly string[], limits?: RaisedLimits) => Promise<OpenOutcome>;
  readonly rereadModel: (choices: ReaderChoices) => Promise<OpenOutcome>;
  readonly closeModel: () => Promise<void>;
  /** Told what is being written, and null at its end. */
  readonly onExporting: (fileName: string | null) => void;
  readonly settings: { get(): Settings; setTheme(theme: Settings['theme']): Settings };
  readonly about: { readonly version: string; readonly licencesPath: string };
}

/**
 * The handlers of all requests.
 *
 * @param options - What they work with.
 */
export function makeRequestHandlers(options: HandlerOptions): RequestHandlers {
  const { window, supervisor, model, runs, samples, openPaths, settings } = options;
  let exporting: AbortController | null = null;
  return {
    openPaths: ({ paths, limits }) => openPaths(paths, limits),
    async openDialog({ purpose }) {
      const path = await askForOpening(window, purpose);
      return path === null ? null : openPaths([path]);
    },
    async chooseFile({ purpose }) {
      const path = await askForOpening(window, purpose);
      return path === null ? null : { path, fileName: basename(path) };
    },
    rereadModel: ({ choices }) => options.rereadModel(choices),
    openSample: ({ name }) => openPaths([samples().pathOf(name)]),
    async closeModel() {
      await options.closeModel();
      return null;
    },
    listSamples: () => Promise.resolve(samples().samples),
    async estimate({ request }) {
      await model.prepare(request);
      return supervisor.call('estimate', request);
    },
    startRun: ({ request }) => Promise.resolve(runs.start(request)),
    cancelRun({ runId }) {
      runs.cancel(runId);
      return Promise.resolve(null);
    },
    weightMatrix: (input) => supervisor.call('weightMatrix', input),
    jacobianSlice: (input) => supervisor.call('jacobianSlice', input),
    block: (input) => supervisor.call('block', input),
    async exportRun({ request, format }) {
      if (exporting) {
        throw new TempogradError('usage/bad-option', 'Another export is under way', {
          remedy: 'Cancel it, or wait for its end.',
        });
      }
      const abort = new AbortController();
      exporting = abort;
      try {
        const path = await askForSaving(window, model.current?.fileName ?? 'tempograd', format);
        if (path === null) return null;
        options.onExporting(basename(path));
        await model.prepare(request, abort.signal);
        if (abort.signal.aborted) return null;
        return await supervisor.call('exportRun', { request, format, path });
      } catch (error) {
        if (abort.signal.aborted) return null;
        throw error;
      } finally {
        exporting = null;
        options.onExporting(null);
      }
    },
    cancelExport() {
      exporting?.abort();
      supervisor.send({ kind: 'cancel-exports' });
      return Promise.resolve(null);
    },
    async exportPicture({ name, type, bytes }) {
      const path = await askForSaving(window, name, type);
      if (path === null) return null;
      const sink = openFileSink(path);
      sink.write(0, bytes);
      await sink.commit();
      return { path };
    },
    engineStatus: () => Promise.resolve(supervisor.status),
    async restartEngine() {
      await supervisor.restart('it was restarted by hand');
      return supervisor.status;
    },
    getSettings: () => Promise.resolve(settings.get()),
    setTheme: ({ theme }) => Promise.resolve(settings.setTheme(theme)),
    about: () => Promise.resolve(aboutOf(options.about)),
  };
}

function aboutOf(about: HandlerOptions['about']): RequestResults['about'] {
  const { electron = '', chrome = '', node, v8 } = process.versions;
  return {
    version: about.version,
    versions: { electron, chrome, node, v8 },
    licences: readFileSync(about.licencesPath, 'utf8'),
  };
}
