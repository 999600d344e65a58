/** The way to a layer through the layers below it: what runs, what stands in the way, what is left behind. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Direction } from '../../src/core/jacobian';
import type { CellDescription, Layer } from '../../src/core/model';
import { makeReferenceCell } from '../../src/core/reference/reference-cell';
import { runCell } from '../../src/core/reference/run-cell';
import type { Tensor } from '../../src/core/tensor';
import type { Engine, LayerInput } from '../../src/engine/engine';
import { loadEngine } from '../../src/engine/load-engine';
import { ENGINE_NAMES, noise } from './all-ops';
import { at, layer, lstm, model, recurrent, recurrentLayer } from './model-builder';

const NEVER = new AbortController().signal;
const [B, T, D, H] = [2, 5, 3, 4];
const X: Tensor<Float64Array> = { shape: [B, T, D], data: Float64Array.from(noise(B * T * D, 3)) };
const INPUT = layer('InputLayer', { kind: 'input', shape: [null, D], integer: false }, []);
const TARGET = recurrent(lstm(H, 2, 9), { returnSequences: true });

/** States of a cell over X, `[b][t] -> h or c`. */
function statesOf(
  cell: CellDescription,
  direction: Direction,
  mask?: readonly number[][],
  start = 0,
): { h: Float64Array; c: Float64Array | null }[] {
  const reference = makeReferenceCell(cell);
  return Array.from({ length: B }, (_, b) =>
    runCell(reference, X.data.slice(b * T * D, (b + 1) * T * D), {
      direction,
      mask: mask ? Uint8Array.from(mask[b]) : null,
      initial: { h: new Float64Array(cell.units).fill(start), c: new Float64Array(cell.units).fill(start) },
    }),
  );
}

const sequence = (states: readonly { h: Float64Array }[]): number[] => states.flatMap(({ h }) => [...h]);
const step = (array: Float64Array, t: number): number[] => [...array.subarray(t * H, (t + 1) * H)];
const reversed = (h: Float64Array): number[] => Array.from({ length: T }, (_, t) => step(h, T - 1 - t)).flat();

describe.each(ENGINE_NAMES)('forward pass on %s', (name) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await loadEngine(name);
  });
  const tolerance = name === 'reference' ? 1e-12 : 1e-5;

  async function below(
    layers: readonly Layer[],
    target: number,
    inputs: readonly Tensor[] = [X],
    producer?: string,
  ): Promise<LayerInput> {
    const before = engine.tensorCount();
    try {
      return await engine.runBelow(model(layers, producer), target, inputs, NEVER);
    } finally {
      expect(engine.tensorCount()).toBe(before);
    }
  }

  const close = (got: ArrayLike<number>, wanted: readonly number[]): void => {
    expect(got.length).toBe(wanted.length);
    wanted.forEach((value, i) => expect(Math.abs(got[i] - value)).toBeLessThan(tolerance));
  };

  it('gives the sequence, the last step or the reversed sequence of a recurrent layer below', async () => {
    const cell = lstm(D, H);
    const target = (inputDim = H): Layer => recurrentLayer(recurrent(lstm(inputDim, 2, 9)), [at(1)]);
    const whole = await below(
      [INPUT, recurrentLayer(recurrent(cell, { returnSequences: true }), [at(0)]), target()],
      2,
    );
    close(whole.x.data, sequence(statesOf(cell, 'forward')));

    const repeat = layer('RepeatVector', { kind: 'repeat', count: 2 }, [at(1)]);
    const above = recurrentLayer(recurrent(lstm(H, 2, 9)), [at(2)]);
    const last = await below([INPUT, recurrentLayer(recurrent(cell), [at(0)]), repeat, above], 3);
    close(
      last.x.data,
      statesOf(cell, 'forward').flatMap(({ h }) => [...step(h, T - 1), ...step(h, T - 1)]),
    );

    const lone = recurrent(null, { backward: cell, returnSequences: true, outputReversed: true });
    const turned = await below([INPUT, recurrentLayer(lone, [at(0)]), target()], 2);
    close(
      turned.x.data,
      statesOf(cell, 'backward').flatMap(({ h }) => reversed(h)),
    );
  });

  it.each(['concat', 'sum', 'mul', 'ave', 'none'] as const)('merges two directions by %s', async (mergeMode) => {
    const [forward, backward] = [lstm(D, H), lstm(D, H, 20)];
    const operation = recurrent(forward, { backward, mergeMode, returnSequences: true });
    const width = mergeMode === 'concat' ? 2 * H : H;
    const target = recurrentLayer(recurrent(lstm(width, 2, 9)), [at(1, mergeMode === 'none' ? 1 : 0)]);
    const got = await below([INPUT, recurrentLayer(operation, [at(0)]), target], 2);
    const [f, b] = [statesOf(forward, 'forward'), statesOf(backward, 'backward')];
    const join = {
      concat: (x: number[], y: number[]) => [...x, ...y],
      sum: (x: number[], y: number[]) => x.map((value, i) => value + y[i]),
      mul: (x: number[], y: number[]) => x.map((value, i) => value * y[i]),
      ave: (x: number[], y: number[]) => x.map((value, i) => (value + y[i]) / 2),
      none: (_: number[], y: number[]) => y,
    }[mergeMode];
    const wanted = f.flatMap(({ h }, i) =>
      Array.from({ length: T }, (_, t) => join(step(h, t), step(b[i].h, t))).flat(),
    );
    close(got.x.data, wanted);
  });

  it('hands the states of an encoder to a decoder, and its own input to each direction of stacked cells', async () => {
    const [forward, backward] = [lstm(D, H), lstm(D, H, 20)];
    const encoder = recurrent(forward, { backward, returnState: true, mergeMode: 'concat' });
    const decoder = recurrent(lstm(D, H, 30), {
      backward: lstm(H, H, 40),
      backwardInput: at(3),
      initialState: [at(1, 1), at(1, 2), at(1, 3), at(1, 4)],
    });
    const dense = layer(
      'Dense',
      { kind: 'dense', kernel: { shape: [D, H], data: noise(D * H, 6) }, bias: null, activation: { name: 'linear' } },
      [at(0)],
    );
    const layers = [
      INPUT,
      recurrentLayer(encoder, [at(0)], 'encoder'),
      { ...INPUT, name: 'second' },
      dense,
      recurrentLayer(decoder, [at(2)], 'decoder'),
    ];
    const second: Tensor<Float64Array> = { shape: X.shape, data: X.data.map((value) => -value) };
    const got = await below(layers, 4, [X, second]);
    close(got.x.data, [...second.data]);
    expect(got.backwardX?.shape).toEqual([B, T, H]);
    const [f, b] = [statesOf(forward, 'forward'), statesOf(backward, 'backward')];
    close(
      got.initialState.forward?.h0.data ?? [],
      f.flatMap(({ h }) => step(h, T - 1)),
    );
    close(
      got.initialState.forward?.c0?.data ?? [],
      f.flatMap(({ c }) => step(c ?? new Float64Array(), T - 1)),
    );
    close(
      got.initialState.backward?.h0.data ?? [],
      b.flatMap(({ h }) => step(h, 0)),
    );
    close(
      got.initialState.backward?.c0?.data ?? [],
      b.flatMap(({ c }) => step(c ?? new Float64Array(), 0)),
    );
  });

  const MASK = [
    [0, 1, 1, 0, 1],
    [0, 0, 0, 0, 0],
  ];
  const MASKED: Tensor<Float64Array> = {
    shape: X.shape,
    data: X.data.map((value, i) => value * MASK[Math.floor(i / (T * D))][Math.floor(i / D) % T]),
  };
  const MASKING = layer('Masking', { kind: 'masking', maskValue: 0 }, [at(0)]);

  it('shows the last valid output at masked steps, nothing before the first, while the states carry on', async () => {
    const cell = lstm(D, H);
    const reader = (more = {}): Layer[] => [
      INPUT,
      MASKING,
      recurrentLayer(recurrent(cell, { returnSequences: true, returnState: true, ...more }), [at(1)]),
      recurrentLayer(recurrent(lstm(H, H, 9), { initialState: [at(2, 1), at(2, 2)] }), [at(2)]),
    ];
    const states = statesOf(cell, 'forward', MASK);
    const got = await below(reader(), 3, [MASKED]);
    close(got.x.data, sequence(states));
    expect(Array.from(got.mask?.data ?? [])).toEqual(MASK.flat());
    const zeroed = await below(reader({ zeroOutputForMask: true }), 3, [MASKED]);
    close(
      zeroed.x.data,
      sequence(states).map((value, i) => value * MASK[Math.floor(i / (T * H))][Math.floor(i / H) % T]),
    );
    close(
      zeroed.initialState.forward?.h0.data ?? [],
      states.flatMap(({ h }) => step(h, T - 1)),
    );
  });

  it('shows nothing before the first valid step even where the recurrence starts from given states', async () => {
    const cell = lstm(D, H, 50);
    const start = 0.75;
    const constant: Layer = layer(
      'Dense',
      {
        kind: 'dense',
        kernel: { shape: [D, H], data: new Float32Array(D * H) },
        bias: { shape: [H], data: new Float32Array(H).fill(start) },
        activation: { name: 'linear' },
      },
      [at(2)],
    );
    const layers = [
      INPUT,
      MASKING,
      layer('InputLayer', { kind: 'input', shape: [D], integer: false }, [], 'state'),
      constant,
      recurrentLayer(recurrent(cell, { returnSequences: true, returnState: true, initialState: [at(3), at(3)] }), [
        at(1),
      ]),
      recurrentLayer(recurrent(lstm(H, H, 9), { initialState: [at(4, 1), at(4, 2)] }), [at(4)]),
    ];
    const got = await below(layers, 5, [MASKED, { shape: [B, D], data: new Float64Array(B * D) }]);
    const carried = statesOf(cell, 'forward', MASK, start);
    const shown = carried.flatMap(({ h }, b) =>
      Array.from({ length: T }, (_, t) =>
        MASK[b].slice(0, t + 1).includes(1) ? step(h, t) : new Array<number>(H).fill(0),
      ).flat(),
    );
    close(got.x.data, shown);
    close(
      got.initialState.forward?.h0.data ?? [],
      carried.flatMap(({ h }) => step(h, T - 1)),
    );
  });

  it.each([
    ['Keras 3.15.1', [1, 1, 1, 0, 1]],
    ['Keras 3 (version not stored)', [1, 1, 1, 0, 1]],
    ['Keras 2 (version not stored)', [0, 1, 0, 0, 1]],
    ['Keras 3.3.0', [0, 1, 0, 0, 1]],
    ['tf.keras 2.18.0', [0, 1, 0, 0, 1]],
    ['Keras 2.3.1', [0, 1, 0, 0, 1]],
    ['', [0, 1, 0, 0, 1]],
  ])('joins masks as the writer does: %s', async (producer, wanted) => {
    const second = { ...INPUT, name: 'second' };
    const masking = { ...MASKING, inputs: [at(2)] };
    const add = layer('Add', { kind: 'merge', operation: 'add' }, [at(1), at(3)]);
    const layers = [INPUT, MASKING, second, masking, add, recurrentLayer(recurrent(lstm(D, 2, 9)), [at(4)])];
    const other: Tensor<Float64Array> = {
      shape: X.shape,
      data: X.data.map((value, i) => value * [1, 1, 0, 0, 1][Math.floor(i / D) % T]),
    };
    const got = await below(layers, 5, [MASKED, other], producer);
    expect(Array.from(got.mask?.data ?? []).slice(0, T)).toEqual(wanted);
  });

  it('folds what TimeDistributed spreads over, and unfolds what it gives', async () => {
    const cell = lstm(D, H);
    const deep = layer('InputLayer', { kind: 'input', shape: [1, null, D], integer: false }, []);
    const each = recurrentLayer(recurrent(cell, { timeDistributed: true }), [at(0)], 'each');
    const target = recurrentLayer(recurrent(lstm(H, 2, 9)), [at(1)]);
    const input: Tensor<Float64Array> = { shape: [B, 1, T, D], data: X.data };
    const got = await below([deep, each, target], 2, [input]);
    expect(got.x.shape).toEqual([B, 1, H]);
    close(
      got.x.data,
      statesOf(cell, 'forward').flatMap(({ h }) => step(h, T - 1)),
    );
    const own = await below([deep, each], 1, [input]);
    expect(own.x.shape).toEqual([B, T, D]);
    close(own.x.data, [...X.data]);
  });

  it('runs only what leads to the layer', async () => {
    const strange = layer('Attention', { kind: 'unsupported', reason: 'it is not a plain layer' }, [at(0)]);
    const target = recurrentLayer(recurrent(lstm(D, 2, 9)), [at(0)]);
    const got = await below([INPUT, strange, target], 2);
    close(got.x.data, [...X.data]);
  });

  it('names the layer that stands in the way, and the way around it', async () => {
    const strange = layer('Attention', { kind: 'unsupported', reason: 'it is not a plain layer' }, [at(0)], 'attend');
    const target = recurrentLayer(TARGET, [at(1)]);
    await expect(below([INPUT, strange, target], 2)).rejects.toMatchObject({
      code: 'cell/unsupported',
      message: expect.stringMatching(/attend.*Attention.*memory.*it is not a plain layer/) as string,
      remedy: expect.stringContaining('--at-layer') as string,
      details: { blockedBy: 'attend' },
    });
    await expect(below([recurrentLayer(TARGET, [])], 0, [])).rejects.toMatchObject({
      code: 'cell/unsupported',
      message: expect.stringContaining('no layers below') as string,
    });
    const alone = layer('Dense', { kind: 'identity' }, [], 'cut');
    await expect(below([INPUT, alone, recurrentLayer(TARGET, [at(1)])], 2)).rejects.toMatchObject({
      code: 'cell/unsupported',
      details: { blockedBy: 'cut' },
    });
  });

  it('refuses inputs that do not fit, with what was given and what was expected', async () => {
    const target = recurrentLayer(recurrent(lstm(D, 2, 9)), [at(0)]);
    const refuse = async (layers: readonly Layer[], inputs: readonly Tensor[], message: RegExp): Promise<void> => {
      await expect(below(layers, layers.length - 1, inputs)).rejects.toMatchObject({
        code: 'input/shape-mismatch',
        message: expect.stringMatching(message) as string,
      });
    };
    await refuse([INPUT, target], [{ shape: [B, T * D], data: X.data }], /\[2, 15\].*\[B, \*, 3\]/);
    await refuse([INPUT, target], [{ shape: [(B * T * D) / 5, 1, 5], data: X.data }], /\[6, 1, 5\].*\[B, \*, 3\]/);
    await refuse([INPUT, target], [], /1 inputs, 0 were given/);
    await refuse(
      [INPUT, recurrentLayer(recurrent(lstm(D + 1, 2, 9)), [at(0)])],
      [X],
      /memory.*\[2, 5, 3\].*\[B, T, 4\]/,
    );
    const flat = layer('Flatten', { kind: 'flatten' }, [at(0)]);
    await refuse(
      [INPUT, flat, recurrentLayer(recurrent(lstm(D, 2, 9)), [at(1)])],
      [X],
      /memory.*\[2, 15\].*\[B, T, 3\]/,
    );
  });

  it('leaves nothing behind when it is aborted, before or while it runs', async () => {
    const cell = lstm(D, H);
    const layers = [
      INPUT,
      recurrentLayer(recurrent(cell, { returnSequences: true }), [at(0)]),
      recurrentLayer(recurrent(lstm(H, 2, 9)), [at(1)]),
    ];
    const before = engine.tensorCount();
    const reason = new Error('enough');
    await expect(engine.runBelow(model(layers), 2, [X], AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(engine.tensorCount()).toBe(before);

    const controller = new AbortController();
    const opened = engine.openLayer.bind(engine);
    const stopping: Engine = Object.create(engine, {
      openLayer: {
        value: async (...parameters: Parameters<Engine['openLayer']>) => {
          const run = await opened(...parameters);
          controller.abort(reason);
          return run;
        },
      },
    }) as Engine;
    await expect(stopping.runBelow(model(layers), 2, [X], controller.signal)).rejects.toBe(reason);
    expect(engine.tensorCount()).toBe(before);
  });

  it('refuses a layer input that does not fit its cell', async () => {
    const target = recurrentLayer(recurrent(lstm(D, H)), []);
    const input = (more: Partial<LayerInput>): LayerInput => ({
      x: X,
      backwardX: null,
      mask: null,
      initialState: {},
      ...more,
    });
    const before = engine.tensorCount();
    const wrong: readonly Partial<LayerInput>[] = [
      { x: { shape: [B, D, T], data: X.data } },
      { mask: { shape: [B, T - 1], data: new Uint8Array(B * (T - 1)) } },
      { initialState: { forward: { h0: { shape: [B, H + 1], data: new Float64Array(B * (H + 1)) }, c0: null } } },
    ];
    for (const more of wrong) {
      await expect(engine.openLayer(target, input(more), NEVER)).rejects.toMatchObject({
        code: 'input/shape-mismatch',
      });
    }
    expect(engine.tensorCount()).toBe(before);
  });
});
