/**
 * What each request of the window does; the counterpart of contract.ts, in its order.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { BrowserWindow } from 'electron';
import { openFileSink } from '../host/file-sink';
import type { SampleCatalogue } from '../host/samples';
import type { OpenOutcome, RequestResults, Settings } from '../shared/contract';
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
  readonly openPaths: (paths: readonly string[]) => Promise<OpenOutcome>;
  readonly closeModel: () => Promise<void>;
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
  return {
    openPaths: ({ paths }) => openPaths(paths),
    async openDialog({ purpose }) {
      const path = await askForOpening(window, purpose);
      return path === null ? null : openPaths([path]);
    },
    async chooseFile({ purpose }) {
      const path = await askForOpening(window, purpose);
      return path === null ? null : { path, fileName: basename(path) };
    },
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
    async exportRun({ request, format }) {
      const path = await askForSaving(window, model.current?.fileName ?? 'tempograd', format);
      if (path === null) return null;
      await model.prepare(request);
      return supervisor.call('exportRun', { request, format, path });
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
      if (supervisor.status.state === 'stopped' || supervisor.status.state === 'not-started') supervisor.start();
      else supervisor.kill('it was restarted by hand');
      await supervisor.ready();
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
