/**
 * A bridge without a main process: streams a synthetic but believable run, for looking at the window and for its tests.
 *
 * Curves decay at a stated slope with noise from a seeded generator; nothing here is a real Jacobian. Above 300 lines because
 * one closure holds the whole pretended machine.
 */
import type { ErrorRecord } from '../../src/core/errors';
import type { Direction } from '../../src/core/jacobian';
import type { LayerDescription, StateVerdict, Summary, VerdictLabel, WeightDescription } from '../../src/core/summary';
import type {
  Bridge,
  EngineStatus,
  Notice,
  OpenedModel,
  OpenOutcome,
  Reply,
  RequestInput,
  RequestName,
  RequestResults,
  Settings,
} from '../../src/shared/contract';
import type { StoredBlockData } from '../../src/shared/pair-block';
import type { RunEvent, RunMessage, RunRequest, StartedEvent, StepNorms } from '../../src/shared/run';

/** What the fake is told to do; tests change it. */
export interface FakeOptions {
  units: number;
  inputDim: number;
  /** Milliseconds between events; 0 = as fast as credit allows. */
  pace: number;
  chunk: number;
  theme: Settings['theme'];
  kind: 'LSTM' | 'GRU' | 'SimpleRNN';
  bidirectional: boolean;
  /** Nats per step of h and c. */
  slopes: readonly [number, number];
  verdicts: readonly [VerdictLabel, VerdictLabel];
  /** Lags from which h is exactly zero; null = never. */
  zeroFrom: number | null;
  hasNaN: boolean;
  failAt: number | null;
  failure: ErrorRecord;
  openFailure: ErrorRecord | null;
  hasRecurrent: boolean;
  engine: EngineStatus['state'];
  recent: string[];
}

/** Options of an ordinary vanishing LSTM. */
export const DEFAULT_FAKE: FakeOptions = {
  units: 32,
  inputDim: 8,
  pace: 0,
  chunk: 16,
  theme: 'system',
  kind: 'LSTM',
  bidirectional: false,
  slopes: [-0.042, -0.019],
  verdicts: ['vanishing', 'carried'],
  zeroFrom: null,
  hasNaN: false,
  failAt: null,
  failure: {
    code: 'engine/stopped',
    message: 'The engine process ended while the layer "encoder" was running (signal SIGKILL).',
    remedy: 'Run again; the engine restarts by itself. If it repeats, try --engine wasm.',
    details: { layer: 'encoder', signal: 'SIGKILL' },
  },
  openFailure: null,
  hasRecurrent: true,
  engine: 'ready',
  recent: [],
};

/** A generator of numbers in 0 .. 1 from a seed. */
function makeRandom(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** ln of the norm of a pair: it falls with the lag, more on some steps than on others. */
export function pairLog(
  target: number,
  source: number,
  direction: Direction,
  { slopes }: Pick<FakeOptions, 'slopes'>,
): number {
  const lag = direction === 'forward' ? target - source : source - target;
  if (lag < 0) return -Infinity;
  return slopes[0] * lag + 0.5 * Math.sin(source / 3) + 0.3 * Math.sin(target / 11) - 1.2 * (1 - Math.exp(-lag / 4));
}

/** The fake and the ways to steer it. */
export interface FakeBridge extends Bridge {
  readonly options: FakeOptions;
  readonly calls: { readonly name: RequestName; readonly input: unknown }[];
  notify(notice: Notice): void;
  readonly credit: () => number;
  /** Ends all streaming, as the end of a process does. */
  stop(): void;
}

const statistics = (scale: number, isBias = false) => ({
  min: -2.9 * scale,
  max: 3.1 * scale,
  mean: 0.012 * scale,
  std: scale,
  l2: 32 * scale,
  spectralNorm: isBias ? null : 1.94 * scale * 5,
});

function weightsOf(options: FakeOptions): WeightDescription[] {
  const gates = { LSTM: ['i', 'f', 'g', 'o'], GRU: ['z', 'r', 'n'], SimpleRNN: ['h'] }[options.kind];
  const wide = gates.length * options.units;
  const per = (scale: number, isBias = false) =>
    Object.fromEntries(gates.map((gate, index) => [gate, statistics(scale * (1 + index / 4), isBias)]));
  return [
    { role: 'kernel', name: 'encoder/kernel', shape: [options.inputDim, wide], dtype: 'float32', gates: per(0.21) },
    {
      role: 'recurrent_kernel',
      name: 'encoder/recurrent_kernel',
      shape: [options.units, wide],
      dtype: 'float32',
      gates: per(0.17),
    },
    { role: 'bias', name: 'encoder/bias', shape: [wide], dtype: 'float32', gates: per(0.3, true) },
  ];
}

function layersOf(options: FakeOptions): LayerDescription[] {
  const plain = (
    name: string,
    className: string,
    supported = true,
    reason: string | null = null,
  ): LayerDescription => ({
    name,
    class: className,
    kind: null,
    units: null,
    outputSize: null,
    inputDim: null,
    direction: null,
    supported,
    reason,
    blockedBy: null,
    weights: [],
  });
  if (!options.hasRecurrent) {
    return [
      plain('image', 'InputLayer'),
      plain('conv', 'Conv2D', false, 'Conv2D has no time axis to follow.'),
      plain('head', 'Dense'),
    ];
  }
  return [
    plain('scale', 'Normalization'),
    {
      name: 'encoder',
      class: options.bidirectional ? 'Bidirectional' : options.kind,
      kind: options.kind,
      units: options.units,
      outputSize: options.units,
      inputDim: options.inputDim,
      direction: options.bidirectional ? 'bidirectional' : 'forward',
      supported: true,
      reason: null,
      blockedBy: null,
      weights: weightsOf(options),
    },
    {
      name: 'context',
      class: 'Bidirectional',
      kind: 'GRU',
      units: 24,
      outputSize: 24,
      inputDim: 32,
      direction: 'bidirectional',
      supported: true,
      reason: null,
      blockedBy: null,
      weights: [],
    },
    plain('attention', 'MultiHeadAttention', false, 'Attention is not a recurrence; it cannot be run here.'),
    {
      name: 'decoder',
      class: 'GRU',
      kind: 'GRU',
      units: 32,
      outputSize: 32,
      inputDim: 48,
      direction: 'forward',
      supported: true,
      reason: null,
      blockedBy: 'attention',
      weights: [],
    },
    plain('head', 'TimeDistributed(Dense)'),
  ];
}

function modelOf(options: FakeOptions): OpenedModel {
  return {
    modelId: 1,
    path: '/home/ada/models/turbine-forecast.keras',
    fileName: 'turbine-forecast.keras',
    bytes: 1_412_000,
    sha256: 'c0ffee',
    description: {
      schema: 1,
      format: 'keras-v3',
      producer: 'Keras 3.15.0',
      layers: layersOf(options),
      assumptions: [
        { what: 'Recurrent dropout 0.2', assumed: 'off', why: 'Gradients are those of inference.', change: '' },
      ],
      warnings: [],
    },
    inputShape: [null, options.inputDim],
    inputIsIds: false,
    choices: { activation: null, recurrentActivation: null, resetAfter: null },
  };
}

const OPENED_DATA = {
  path: '/home/ada/data/sensors-june.csv',
  fileName: 'sensors-june.csv',
  shape: [160, 8],
  columns: ['flow', 'pressure', 'temp_in', 'temp_out', 'rpm', 'load', 'vibration', 'humidity'],
};

const NO_RUN = { units: 0, inputDim: 0 };

/** Verdict of one state. */
function verdictOf(label: VerdictLabel, slope: number, steps: number, why: string): StateVerdict {
  const halfLife = slope === 0 ? null : Math.LN2 / Math.abs(slope);
  const horizon = slope < 0 ? Math.round(Math.log(1e3) / -slope) : null;
  return {
    verdict: label,
    slope: label === 'undetermined' ? null : slope,
    slopeInterval: label === 'undetermined' ? null : [slope - 0.003, slope + 0.003],
    lyapunovMax: label === 'undetermined' ? null : slope + 0.004,
    halfLife: label === 'undetermined' ? null : halfLife,
    timeConstant: slope === 0 ? null : -1 / slope,
    horizon: horizon !== null && horizon < steps && label !== 'undetermined' ? horizon : null,
    meanLag: 14,
    confidence: label === 'undetermined' ? 0.58 : 0.97,
    why,
  };
}

/**
 * A fake bridge.
 *
 * @param overrides - What differs from an ordinary vanishing LSTM.
 */
export function makeFakeBridge(overrides: Partial<FakeOptions> = {}): FakeBridge {
  const options: FakeOptions = { ...DEFAULT_FAKE, ...overrides };
  const calls: { name: RequestName; input: unknown }[] = [];
  let receiveNotice: (notice: Notice) => void = () => undefined;
  let receiveRun: (message: RunMessage) => void = () => undefined;
  let credit = 16;
  let wake: () => void = () => undefined;
  let runId = 0;
  let cancelled = -1;
  let isStopped = false;
  let settings: Settings = { theme: options.theme, recentFiles: options.recent, zoom: 0, window: null };
  const status = (): EngineStatus => ({
    state: options.engine,
    best: { name: 'tensorflow', version: 'TensorFlow 2.18.1', reason: 'the native library is present' },
    restarts: 0,
    cores: 2,
  });

  const sizesOf = (request: RunRequest): { steps: number; batch: number } =>
    request.input.kind === 'random'
      ? { ...request.input, batch: request.input.batch ?? 1 }
      : { steps: OPENED_DATA.shape[0]!, batch: 1 };

  function estimateOf(request: RunRequest) {
    const { steps, batch } = sizesOf(request);
    const flop = 4 * options.units ** 2 * (options.units + options.inputDim) * steps * batch;
    return {
      flop,
      peakBytes: 22e6 + steps * batch * options.units * options.inputDim * 8,
      resultBytes: steps * batch * options.units * options.inputDim * 16,
      seconds: 0.05 + flop / 4e9,
      engine: { name: 'tensorflow' as const, reason: 'above 1e7 FLOP, native library present' },
      batch,
      steps,
    };
  }

  async function post(id: number, sequence: number, event: RunEvent): Promise<void> {
    while (credit <= 0 && cancelled !== id) await new Promise<void>((resolve) => (wake = resolve));
    credit -= 1;
    if (options.pace > 0) await new Promise((resolve) => setTimeout(resolve, options.pace));
    if (isStopped) return new Promise(() => undefined);
    receiveRun({ runId: id, sequence, event: structuredClone(event) });
  }

  function summaryOf(request: RunRequest, started: StartedEvent): Summary {
    const { steps } = started;
    const [hidden, cell] = options.slopes;
    const sentence = `The last hidden state feels an input 118 steps back a thousand times less than the newest one; slope −0.042 ± 0.003 over ${started.batch} sequences.`;
    const h = verdictOf(
      options.verdicts[0],
      hidden,
      steps,
      options.hasNaN ? 'The norms hold NaN from lag 40 on, so no slope can be fitted.' : sentence,
    );
    const c = verdictOf(
      options.verdicts[1],
      cell,
      steps,
      'Nine units with forget bias above 2 keep the path open; the rest of the cell forgets within 12 steps.',
    );
    const both = (verdict: StateVerdict) =>
      started.directions.length > 1
        ? { ...verdict, forward: verdict, backward: { ...verdict, slope: (verdict.slope ?? 0) * 0.6 } }
        : verdict;
    const gates = { LSTM: ['i', 'f', 'g', 'o'], GRU: ['z', 'r', 'n'], SimpleRNN: [] }[started.cellKind];
    return {
      schema: 1,
      tempograd: '0.1.0',
      engine: started.engine,
      model: { format: 'keras-v3', producer: 'Keras 3.15.0', path: 'x', bytes: 1, sha256: 'c0ffee' },
      layer: {
        name: started.layer,
        kind: started.cellKind,
        units: started.units,
        outputSize: started.units,
        inputDim: started.inputDim,
        direction: started.directions.length > 1 ? 'bidirectional' : 'forward',
        activation: 'tanh',
        recurrentActivation: 'sigmoid',
        resetAfter: null,
        outputActivation: started.hasCell ? 'tanh' : null,
        clip: null,
        peepholes: started.hasCell ? false : null,
        inputForget: started.hasCell ? false : null,
        sourceGateOrder: gates,
      },
      run: {
        batch: started.batch,
        steps,
        wrt: 'layer-input',
        modes: request.modes,
        seed: 0,
        input: null,
        seconds: 0.41,
        peakBytes: 38e6,
        exact: true,
        probeError: null,
      },
      hidden: both(h),
      cell: started.hasCell ? both(c) : null,
      diagnostics: {
        spectralRadius: Object.fromEntries(gates.map((gate, index) => [gate, 0.7 + index / 9])),
        orthogonalityMargin: Object.fromEntries(gates.map((gate, index) => [gate, 0.9 + index / 20])),
        saturation: Object.fromEntries(
          gates.map((gate, index) => [
            gate,
            { left: [0.04, 0.002, 0.21, 0.08][index]!, right: [0.03, 0.31, 0.17, 0.04][index]! },
          ]),
        ),
        forgetTimescale: started.hasCell ? { median: 5.1, max: 212 } : undefined,
      },
      assumptions: [],
      warnings: [],
    };
  }

  /** Synthetic norms of `count` steps from `start`. */
  function normsOf(
    started: StartedEvent,
    start: number,
    count: number,
    logAt: (b: number, t: number) => number,
    seed: number,
  ): StepNorms {
    const { batch, units, inputDim } = started;
    const total = new Float64Array(batch * count);
    const rows = new Float64Array(batch * count * units);
    const columns = new Float64Array(batch * count * inputDim);
    for (let b = 0; b < batch; b += 1) {
      for (let k = 0; k < count; k += 1) {
        const t = start + k;
        const log = logAt(b, t);
        total[b * count + k] = log;
        for (let u = 0; u < units; u += 1) {
          const tilt = ((u * 7919 + seed) % 97) / 97;
          rows[(b * count + k) * units + u] = log - 1.7 + tilt * 2 + 0.4 * Math.sin(t / (4 + 9 * tilt) + u);
        }
        for (let d = 0; d < inputDim; d += 1) {
          columns[(b * count + k) * inputDim + d] = log - 1 + 0.7 * Math.sin(t / 9 + d * 1.7);
        }
      }
    }
    return { total, units: rows, features: columns };
  }

  function statesOf(started: StartedEvent): RunEvent {
    const { batch, steps } = started;
    const width = started.units * started.directions.length;
    const random = makeRandom(5);
    const phase = Float64Array.from({ length: width }, () => random() * 6);
    const pace = Float64Array.from({ length: width }, () => 5 + random() * 40);
    const fill = (at: (u: number, t: number, b: number) => number): Float32Array => {
      const array = new Float32Array(batch * steps * width);
      for (let b = 0; b < batch; b += 1)
        for (let t = 0; t < steps; t += 1)
          for (let u = 0; u < width; u += 1) array[(b * steps + t) * width + u] = at(u, t, b);
      return array;
    };
    const wave = (u: number, t: number, b: number): number =>
      Math.sin(t / pace[u]! + phase[u]! + b) + 0.25 * Math.sin(t / 2.3 + u);
    const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));
    const gate = (gain: number, bias: number) =>
      fill((u, t, b) => sigmoid(gain * wave(u + 1 < width ? u + 1 : u, t, b) + bias));
    const gates: Record<string, Float32Array> =
      started.cellKind === 'LSTM'
        ? {
            i: gate(1.6, 0),
            f: gate(1.4, 1.6),
            g: fill((u, t, b) => Math.tanh(1.3 * wave(u, t + 3, b))),
            o: gate(2, -0.3),
          }
        : started.cellKind === 'GRU'
          ? { z: gate(1.6, 0.4), r: gate(1.4, 0), n: fill((u, t, b) => Math.tanh(1.3 * wave(u, t, b))) }
          : {};
    return {
      kind: 'states',
      x: new Float32Array(batch * steps * started.inputDim),
      mask: null,
      h: fill((u, t, b) => Math.tanh(wave(u, t, b)) * 0.8),
      c: started.hasCell ? fill((u, t, b) => 1.6 * wave(u, t, b)) : null,
      gates,
    };
  }

  async function stream(id: number, request: RunRequest): Promise<void> {
    const { steps, batch } = sizesOf(request);
    const layer = layersOf(options).find(({ name }) => name === request.layer)!;
    const directions: Direction[] = layer.direction === 'bidirectional' ? ['forward', 'backward'] : ['forward'];
    const started: StartedEvent = {
      kind: 'started',
      layer: layer.name,
      cellKind: layer.kind!,
      engine: { ...estimateOf(request).engine, version: 'TensorFlow 2.18.1' },
      batch,
      steps,
      sourceSteps: steps,
      units: layer.units ?? NO_RUN.units,
      inputDim: layer.inputDim ?? NO_RUN.inputDim,
      directions,
      hasCell: layer.kind === 'LSTM',
      parts: directions.map((direction) => ({
        direction,
        kind: layer.kind!,
        units: layer.units ?? NO_RUN.units,
        hiddenSize: layer.outputSize ?? NO_RUN.units,
        hasCell: layer.kind === 'LSTM',
      })),
      modes: request.modes,
      estimate: estimateOf(request),
    };
    let sequence = 0;
    const send = (event: RunEvent): Promise<void> => post(id, sequence++, event);
    await send(started);
    if (request.modes.includes('states')) await send(statesOf(started));
    const noise = Float64Array.from({ length: batch * steps }, makeRandom(11));
    const noiseAt = (b: number, t: number): number => noise[b * steps + t]! - 0.5;
    const parts = directions.flatMap((direction) =>
      (['diagonal', 'final'] as const)
        .filter((mode) => request.modes.includes(mode))
        .map((mode) => ({ direction, mode })),
    );
    const chunks = Math.ceil(steps / options.chunk);
    let fraction = 0;
    for (const [index, { direction, mode }] of parts.entries()) {
      for (let chunk = 0; chunk < chunks; chunk += 1) {
        if (cancelled === id) return send({ kind: 'cancelled', fraction });
        const isFalling = mode === 'final' && direction === 'forward';
        const start = (isFalling ? chunks - 1 - chunk : chunk) * options.chunk;
        const count = Math.min(options.chunk, steps - start);
        const logAt = (slope: number, base: number, isHidden: boolean) => (b: number, t: number) => {
          if (mode === 'diagonal') return base - 0.4 + 0.5 * Math.sin(t / 13 + b) + 0.3 * noiseAt(b, t);
          const lag = direction === 'forward' ? steps - 1 - t : t;
          if (isHidden && options.zeroFrom !== null && lag >= options.zeroFrom) return -Infinity;
          if (isHidden && options.hasNaN && lag >= 40) return Number.NaN;
          const early = isHidden ? -1.6 * (1 - Math.exp(-lag / 5)) : -0.7 * (1 - Math.exp(-lag / 6));
          const spread = 0.3 + lag / 90;
          return base + early + slope * lag * (1 + 0.1 * (b - batch / 2)) + spread * noiseAt(b, t) * 1.2;
        };
        await send({
          kind: mode,
          direction,
          start,
          count,
          h: normsOf(started, start, count, logAt(options.slopes[0], 0, true), 3),
          c: started.hasCell ? normsOf(started, start, count, logAt(options.slopes[1], 0.8, false), 31) : null,
        });
        fraction = (index * chunks + chunk + 1) / (parts.length * chunks);
        await send({ kind: 'progress', fraction, stage: mode, secondsElapsed: fraction * 0.41 });
        if (options.failAt !== null && fraction >= options.failAt)
          return send({ kind: 'failed', error: options.failure });
      }
    }
    if (request.modes.includes('pairs')) {
      for (const direction of directions) {
        for (const quantity of ['dh_dx', ...(started.hasCell ? (['dc_dx'] as const) : []), 'ds_ds'] as const) {
          for (let targetStart = 0; targetStart < steps; targetStart += options.chunk) {
            if (cancelled === id) return send({ kind: 'cancelled', fraction });
            const targetCount = Math.min(options.chunk, steps - targetStart);
            for (let b = 0; b < batch; b += 1) {
              const logNorms = Float64Array.from({ length: targetCount * steps }, (_, at) =>
                pairLog(targetStart + Math.floor(at / steps), at % steps, direction, options),
              );
              const place = { sequence: b, targetStart, targetCount, sourceStart: 0, sourceCount: steps };
              await send({ kind: 'pairs', direction, quantity, ...place, logNorms });
            }
          }
        }
      }
    }
    await send({ kind: 'done', summary: summaryOf(request, started) });
  }

  /** Each reading is a model of its own. */
  let rereads = 100;
  const outcomes: { [N in RequestName]: (input: RequestInput<N>) => RequestResults[N] | Promise<RequestResults[N]> } = {
    openPaths: ({ paths }) => openPath(paths[0]!),
    openDialog: ({ purpose }) =>
      purpose === 'data' ? { model: null, data: OPENED_DATA, choice: null } : openPath('turbine-forecast.keras'),
    chooseFile: ({ purpose }) => ({ path: `/home/ada/${purpose}.npz`, fileName: `${purpose}.npz` }),
    rereadModel: async ({ choices }) => {
      const { model } = await openPath('sample.keras');
      return { model: model && { ...model, modelId: ++rereads, choices }, data: null, choice: null };
    },
    openSample: () => openPath('sample.keras'),
    closeModel: () => null,
    listSamples: () => [
      {
        name: 'lstm-vanishing',
        title: 'An LSTM that vanishes',
        description: 'Forget bias 0: what it read 60 steps ago is gone.',
        data: null,
      },
      {
        name: 'lstm-carrying',
        title: 'An LSTM that carries',
        description: 'Chrono-initialised: the cell keeps what it read for the whole run.',
        data: null,
      },
      {
        name: 'gru-sensors',
        title: 'A GRU on sensor data',
        description: 'Reset-after, with eight sensor channels to feed it.',
        data: 'sensors.csv',
      },
      {
        name: 'rnn-exploding',
        title: 'A SimpleRNN that explodes',
        description: 'Spectral radius 1.3 and little saturation: gradients grow without bound.',
        data: null,
      },
    ],
    estimate: ({ request }) => estimateOf(request),
    startRun: ({ request }) => {
      const id = ++runId;
      setTimeout(() => void stream(id, request), 5);
      return { runId: id };
    },
    cancelRun: ({ runId: id }) => {
      cancelled = id;
      wake();
      return null;
    },
    weightMatrix: ({ role, gate }) => {
      const rows = role === 'kernel' ? options.inputDim : role === 'bias' ? 1 : options.units;
      const random = makeRandom(gate.charCodeAt(0) * 31 + rows);
      const data = Float32Array.from(
        { length: rows * options.units },
        () => (random() + random() + random() - 1.5) * 0.5,
      );
      return { rows, columns: options.units, data };
    },
    jacobianSlice: ({ axis, index, direction }) => {
      const rows = axis === 'unit' ? options.inputDim : options.units;
      const columns = 160;
      const data = Float32Array.from({ length: rows * columns }, (_, at) => {
        const row = Math.floor(at / columns);
        return 0.4 * Math.sin((at % columns) / 7 + row * 1.3 + index) * Math.cos(row + index);
      });
      return { rows, columns, data, direction };
    },
    block: ({ direction, target, source, hasState }) => {
      const logNorm = pairLog(target, source, direction, options);
      const block = (rows: number, columns: number): StoredBlockData => {
        const size = Math.sqrt(2 / (rows * columns)) * Math.exp(logNorm);
        const data = Float32Array.from({ length: rows * columns }, (_, at) => size * Math.sin(1.7 * at + target));
        return { data, rows, columns, scale: 0, logNorm };
      };
      const { units, inputDim, kind } = options;
      const width = kind === 'LSTM' ? 2 * units : units;
      return {
        direction,
        h: block(units, inputDim),
        c: kind === 'LSTM' ? block(units, inputDim) : null,
        state: hasState ? block(width, width) : null,
      };
    },
    exportRun: ({ format }) => ({ path: `/home/ada/encoder.${format}` }),
    cancelExport: () => null,
    exportPicture: ({ name }) => ({ path: `/home/ada/${name}` }),
    engineStatus: status,
    restartEngine: () => {
      options.engine = 'ready';
      return status();
    },
    getSettings: () => settings,
    setTheme: ({ theme }) => (settings = { ...settings, theme }),
    about: () => ({ version: '0.1.0', versions: {}, licences: '' }),
  };

  function openPath(path: string): OpenOutcome {
    if (path.endsWith('.csv')) return { model: null, data: OPENED_DATA, choice: null };
    return { model: modelOf(options), data: null, choice: null };
  }

  const isOpening = (name: RequestName): boolean => ['openPaths', 'openDialog', 'openSample'].includes(name);

  return {
    options,
    calls,
    credit: () => credit,
    stop() {
      isStopped = true;
    },
    notify: (notice) => receiveNotice(notice),
    protocolVersion: 1,
    async request<N extends RequestName>(name: N, input: RequestInput<N>): Promise<Reply<RequestResults[N]>> {
      calls.push({ name, input: structuredClone(input) });
      if (isOpening(name) && options.openFailure) return { ok: false, error: options.openFailure };
      return { ok: true, value: structuredClone(await outcomes[name](input)) };
    },
    onNotice: (receive) => {
      receiveNotice = receive;
    },
    onRunMessage: (receive) => {
      receiveRun = receive;
    },
    grantCredit: (count) => {
      credit += count;
      wake();
    },
    pathOfFile: (file) => `/home/ada/${file.name}`,
  };
}
