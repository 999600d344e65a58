/** What the run bar asks for, the request made of it, and its estimate; without a choice, what the command takes. */
import { defineStore } from 'pinia';
import { computed, reactive, ref, shallowRef, watch } from 'vue';
import type { ErrorRecord } from '../../core/errors';
import { formatCount } from '../../charts/number-format';
import type { RunEstimate, RunRequest } from '../../shared/run';
import { MAX_STEPS_OR_BATCH } from '../../shared/run-limits';
import { request } from '../api';
import { useProblem } from './problem';
import { useSelection } from './selection';
import { useSession } from './session';

/** Wait after the last change before an estimate is asked for, milliseconds. */
const ESTIMATE_DELAY_MS = 150;

/** The modes that the run bar offers. */
export const FORM_MODES = ['diagonal', 'final', 'pairs', 'states'] as const;

/** Where the numbers come from and where they are fed. */
export type InputChoice = 'random' | 'file' | 'random-at-layer' | 'file-at-layer';

/** One entry of the input list. */
export interface InputOption {
  readonly choice: InputChoice;
  readonly label: string;
}

/** A file that a run takes beside its input. */
export interface ChosenFile {
  readonly path: string;
  readonly fileName: string;
}

/** Which file. */
export type FileField = 'mask' | 'initialState';

/** A number field that may be left empty, which means that the run decides. */
type OptionalNumber = number | null;

/** What is under More, as it is when nobody has touched it: what the command takes without an option. */
const PLAIN_OPTIONS = {
  wrt: 'layer-input' as RunRequest['wrt'],
  engine: null as RunRequest['engine'],
  warmUp: null as OptionalNumber,
  span: null as OptionalNumber,
  mask: null as ChosenFile | null,
  initialState: null as ChosenFile | null,
};

/** The run bar. */
export const useRunForm = defineStore('run-form', () => {
  const fields = reactive({
    choice: 'random' as InputChoice,
    steps: 200,
    /** null = the file's own number of sequences, else 1. */
    batch: null as OptionalNumber,
    seed: 0,
    modes: { diagonal: true, final: true, pairs: false, states: true },
    ...PLAIN_OPTIONS,
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

  const isAtLayer = computed(() => choice.value.endsWith('at-layer'));

  /** How many of the options under More are not as they were. */
  const optionCount = computed(
    () =>
      Object.entries(optionsInUse.value).filter(([, value]) => value !== null && value !== PLAIN_OPTIONS.wrt).length,
  );

  /** The options under More that this input has: a mask goes with an input of the layer's own, its steps have no model. */
  const optionsInUse = computed(() => ({
    wrt: isAtLayer.value ? PLAIN_OPTIONS.wrt : fields.wrt,
    maskFile: isAtLayer.value ? (fields.mask?.path ?? null) : null,
    initialStateFile: fields.initialState?.path ?? null,
    engine: fields.engine,
    warmUp: fields.warmUp,
    span: fields.span,
  }));

  /** What is wrong with a field, null when all are right. */
  const fieldProblem = computed<string | null>(() => {
    if (modes.value.length === 0) return 'Choose what to compute';
    if (isRandom.value) {
      if (!isWhole(fields.steps, 1, MAX_STEPS_OR_BATCH)) return `T takes a whole number from 1 to ${LARGEST_COUNT}`;
      if (fields.batch !== null && !isWhole(fields.batch, 1, MAX_STEPS_OR_BATCH))
        return `B takes a whole number from 1 to ${LARGEST_COUNT}`;
      if (!isWhole(fields.seed, 0)) return 'Seed takes a whole number from 0 on';
    }
    if (fields.warmUp !== null && !isWhole(fields.warmUp, 0)) return 'Warm-up takes a whole number from 0 on';
    if (fields.span !== null && !isWhole(fields.span, 1)) return 'Span takes a whole number from 1 on';
    return null;
  });

  /** Asks for a file; a dialog that is closed leaves the one before. */
  async function chooseFile(field: FileField): Promise<void> {
    const reply = await request('chooseFile', { purpose: field === 'mask' ? 'mask' : 'initial-state' });
    if (!reply.ok) useProblem().show(reply.error, 'open');
    else if (reply.value) fields[field] = reply.value;
  }

  /** Everything under More as it was. */
  function resetOptions(): void {
    Object.assign(fields, PLAIN_OPTIONS);
  }

  const runRequest = computed<RunRequest | null>(() => {
    const { layer, data } = useSession();
    if (!layer || fieldProblem.value !== null) return null;
    if (!isRandom.value && !data) return null;
    return {
      layer: layer.name,
      atLayer: isAtLayer.value,
      input: isRandom.value
        ? { kind: 'random', steps: fixedSteps.value ?? fields.steps, batch: fields.batch, seed: fields.seed }
        : { kind: 'file', path: data!.path, key: null, header: null },
      ...optionsInUse.value,
      modes: [...modes.value],
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

  /** Files belong to the model that they were chosen for. */
  watch(
    () => useSession().model?.modelId,
    () => {
      fields.mask = null;
      fields.initialState = null;
    },
  );

  return {
    fields,
    options,
    choice,
    isRandom,
    isAtLayer,
    fixedSteps,
    modes,
    optionCount,
    fieldProblem,
    chooseFile,
    resetOptions,
    runRequest,
    estimate,
    estimateError,
    isEstimating,
  };
});

const LARGEST_COUNT = formatCount(MAX_STEPS_OR_BATCH);

const isWhole = (value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
