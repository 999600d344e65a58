/** The model and the data that are open, and the ways to open them. */
import { defineStore } from 'pinia';
import { computed, ref, shallowRef } from 'vue';
import type { LayerDescription } from '../../core/summary';
import type {
  ModelChoice,
  OpenedData,
  OpenedModel,
  OpenOutcome,
  RaisedLimits,
  ReaderChoices,
  Reply,
  SampleInfo,
} from '../../shared/contract';
import { request } from '../api';
import { useProblem } from './problem';
import { useRuns } from './runs';
import { useSelection } from './selection';
import { useSettings } from './settings';

/** What is open. */
export const useSession = defineStore('session', () => {
  const model = shallowRef<OpenedModel | null>(null);
  const data = shallowRef<OpenedData | null>(null);
  const samples = shallowRef<readonly SampleInfo[]>([]);
  /** Several models that were given at once, to choose one of. */
  const choice = shallowRef<ModelChoice | null>(null);
  /** Name of the file being opened; null when none is. */
  const opening = ref<string | null>(null);

  const layers = computed<readonly LayerDescription[]>(() => model.value?.description.layers ?? []);
  const usableLayers = computed(() => layers.value.filter((layer) => layer.supported && layer.kind !== null));
  const layer = computed<LayerDescription | null>(
    () => usableLayers.value.find((candidate) => candidate.name === useSelection().layer) ?? null,
  );

  /** Takes what opening led to; a failure leaves everything as it was. */
  function accept(reply: Reply<OpenOutcome | null>): void {
    opening.value = null;
    if (!reply.ok) return useProblem().show(reply.error, 'open');
    if (!reply.value) return;
    useProblem().dismiss();
    const { model: newModel, data: newData } = reply.value;
    choice.value = reply.value.choice;
    if (choice.value) return;
    if (newModel) {
      const before = model.value;
      model.value = newModel;
      if (newModel.path !== before?.path) {
        data.value = null;
        useSelection().selectLayer(null);
      }
      if (newModel.modelId !== before?.modelId) useRuns().clear();
      if (!layer.value) useSelection().selectLayer(usableLayers.value[0]?.name ?? null);
    }
    if (newData) data.value = newData;
    void useSettings().refresh();
  }

  async function open(name: string, reply: Promise<Reply<OpenOutcome | null>>): Promise<void> {
    opening.value = name;
    accept(await reply);
  }

  /** Opens files or a folder by path; caps of the readers may be raised for them. */
  function openPaths(paths: readonly string[], limits?: RaisedLimits): Promise<void> {
    if (paths.length === 0) return Promise.resolve();
    return open(fileNameOf(paths[0]!), request('openPaths', { paths: [...paths], ...(limits && { limits }) }));
  }

  /** Opens the one of several models that was chosen, with the data that came along; null opens none. */
  function chooseModel(path: string | null): Promise<void> {
    const dataPath = choice.value?.dataPath ?? null;
    choice.value = null;
    if (path === null) return Promise.resolve();
    return openPaths(dataPath === null ? [path] : [path, dataPath]);
  }

  /** Asks for a file. */
  async function openDialog(purpose: 'model' | 'data' | 'folder'): Promise<void> {
    accept(await request('openDialog', { purpose }));
  }

  /** Opens a sample that ships with the app. */
  function openSample(name: string): Promise<void> {
    return open(name, request('openSample', { name }));
  }

  /** Reads the open model again with what its file does not store; what is not named stays as it is. */
  function choose(choices: Partial<ReaderChoices>): Promise<void> {
    if (!model.value) return Promise.resolve();
    const { fileName, choices: before } = model.value;
    return open(fileName, request('rereadModel', { choices: { ...before, ...choices } }));
  }

  /** Closes the model; the window is empty again. */
  async function close(): Promise<void> {
    const reply = await request('closeModel', {});
    if (reply.ok) forget();
    else useProblem().show(reply.error, 'open');
  }

  /** Empties the window, for a model that is closed already. */
  function forget(): void {
    model.value = null;
    data.value = null;
    useRuns().clear();
    useSelection().selectLayer(null);
    useProblem().dismiss();
  }

  /** Asks for the samples. */
  async function loadSamples(): Promise<void> {
    const reply = await request('listSamples', {});
    if (reply.ok) samples.value = reply.value;
  }

  return {
    model,
    data,
    samples,
    choice,
    opening,
    layers,
    usableLayers,
    layer,
    accept,
    openPaths,
    chooseModel,
    openDialog,
    openSample,
    choose,
    close,
    forget,
    loadSamples,
  };
});

/**
 * The last part of a path of any platform.
 *
 * @param path - A path.
 */
export function fileNameOf(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
