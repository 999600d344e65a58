/** What the run bar asks for, the request made of it, and its estimate. */
import { defineStore } from 'pinia';
import { computed, reactive, ref, shallowRef, watch } from 'vue';
import type { ErrorRecord } from '../../core/errors';
import type { RunEstimate, RunRequest } from '../../shared/run';
import { request } from '../api';
import { useSelection } from './selection';
import { useSession } from './session';

/** Wait after the last change before an estimate is asked for, milliseconds. */
const ESTIMATE_DELAY_MS = 150;

/** The modes that the run bar offers. */
export const FORM_MODES = ['diagonal', 'final', 'states'] as const;

/** Where the numbers come from and where they are fed. */
export type InputChoice = 'random' | 'file' | 'random-at-layer' | 'file-at-layer';

/** One entry of the input list. */
export interface InputOption {
  readonly choice: InputChoice;
  readonly label: string;
}

/** The run bar. */
export const useRunForm = defineStore('run-form', () => {
  const fields = reactive({
    choice: 'random' as InputChoice,
    steps: 200,
    batch: 1,
    seed: 0,
    modes: { diagonal: true, final: true, states: true },
  });
  const estimate = shallowRef<RunEstimate | null>(null);
  const estimateError = shallowRef<ErrorRecord | null>(null);
  const isEstimating = ref(false);

  /** True where the layer can only be fed directly: weights only, or something below it cannot be run. */
  const needsOwnInput = computed(() => {
    const { model, layer } = useSession();
    return model?.inputShape === null || (layer?.blockedBy ?? null) !== null;
  });

  const options = computed<readonly InputOption[]>(() => {
    const { data } = useSession();
    const at = (choice: InputChoice, label: string): InputOption => ({ choice, label });
    const list: InputOption[] = [];
    if (!needsOwnInput.value) {
      if (data) list.push(at('file', data.fileName));
      list.push(at('random', 'Random numbers'));
    }
    if (data) list.push(at('file-at-layer', `${data.fileName}, at the layer`));
    list.push(at('random-at-layer', 'Random, at the layer'));
    return list;
  });

  const choice = computed<InputChoice>(() =>
    options.value.some((option) => option.choice === fields.choice) ? fields.choice : options.value[0]!.choice,
  );
  const isRandom = computed(() => choice.value === 'random' || choice.value === 'random-at-layer');

  /** T where the model fixes it. */
  const fixedSteps = computed<number | null>(() =>
    choice.value === 'random' ? (useSession().model?.inputShape?.[0] ?? null) : null,
  );

  const modes = computed(() => FORM_MODES.filter((mode) => fields.modes[mode]));

  const runRequest = computed<RunRequest | null>(() => {
    const { layer, data } = useSession();
    if (!layer || modes.value.length === 0) return null;
    if (isRandom.value && !isWhole(fields.steps, 1)) return null;
    if (isRandom.value && (!isWhole(fields.batch, 1) || !isWhole(fields.seed, 0))) return null;
    if (!isRandom.value && !data) return null;
    return {
      layer: layer.name,
      wrt: 'layer-input',
      atLayer: choice.value.endsWith('at-layer'),
      input: isRandom.value
        ? { kind: 'random', steps: fixedSteps.value ?? fields.steps, batch: fields.batch, seed: fields.seed }
        : { kind: 'file', path: data!.path, key: null, header: null },
      maskFile: null,
      initialStateFile: null,
      modes: [...modes.value],
      engine: null,
      warmUp: null,
      span: null,
      exact: false,
      maxSeconds: null,
      maxMemoryBytes: null,
    };
  });

  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;

  async function askEstimate(wanted: RunRequest): Promise<void> {
    const mine = ++asked;
    const reply = await request('estimate', { request: wanted });
    if (mine !== asked) return;
    isEstimating.value = false;
    estimate.value = reply.ok ? reply.value : null;
    estimateError.value = reply.ok ? null : reply.error;
  }

  watch(
    () => [runRequest.value, useSession().model?.modelId] as const,
    ([wanted]) => {
      clearTimeout(timer);
      asked += 1;
      isEstimating.value = wanted !== null;
      if (!wanted) {
        estimate.value = null;
        estimateError.value = null;
        return;
      }
      timer = setTimeout(() => void askEstimate(wanted), ESTIMATE_DELAY_MS);
    },
    { immediate: true },
  );

  /** A data file that was just opened is what the next run takes. */
  watch(
    () => useSession().data,
    (data) => {
      if (data) fields.choice = needsOwnInput.value ? 'file-at-layer' : 'file';
      else if (fields.choice.startsWith('file')) fields.choice = 'random';
    },
  );

  watch(
    () => useSelection().layer,
    () => {
      if (needsOwnInput.value && !fields.choice.endsWith('at-layer')) {
        fields.choice = fields.choice === 'file' ? 'file-at-layer' : 'random-at-layer';
      }
    },
  );

  return { fields, options, choice, isRandom, fixedSteps, modes, runRequest, estimate, estimateError, isEstimating };
});

const isWhole = (value: unknown, least: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= 1_000_000_000;
