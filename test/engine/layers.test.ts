/**
 * What the fixtures of Keras do not reach: masks where layers meet, wrappers, ranks, and shapes that do not fit.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { PlainOperation } from '../../src/core/model';
import type { Ops } from '../../src/engine/ops';
import type { Flow, Mask } from '../../src/engine/layers/flow';
import { runPlainLayer, type AppliedOperation } from '../../src/engine/layers/run-layer';
import { ALL_OPS, noise, numbersOf } from './all-ops';
import { layer as makeLayer, weights } from './model-builder';

interface Given {
  readonly shape: readonly number[];
  readonly data?: ArrayLike<number>;
  readonly ids?: boolean;
  readonly mask?: readonly (readonly number[])[];
}

describe.each(ALL_OPS)('layers on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  /** Runs a layer on numbers and gives numbers; nothing may stay behind. */
  function run(
    operation: AppliedOperation,
    given: readonly Given[],
    className = 'Layer',
    major = 3,
    minor = 15,
  ): { shape: readonly number[]; values: number[]; mask: Mask | null } {
    const before = ops.tensorCount();
    const result = ops.tidy(() => {
      const inputs = given.map(({ shape, data, ids, mask }): Flow => {
        const size = shape.reduce((product, axis) => product * axis, 1);
        const numbers = Array.from(data ?? noise(size));
        const value = ids ? ops.uploadInts(numbers, shape) : ops.upload(numbers, shape);
        return {
          value,
          mask: mask ? { shape: [mask.length, mask[0].length], data: Uint8Array.from(mask.flat()) } : null,
        };
      });
      const made = runPlainLayer(
        { ops, layer: makeLayer(className, operation, []), keras: { major, minor } },
        operation,
        inputs,
      );
      return { shape: [...made.value.shape], values: numbersOf(ops, made.value), mask: made.mask };
    });
    expect(ops.tensorCount()).toBe(before);
    return result;
  }

  const close = (got: readonly number[], wanted: readonly number[]): void => {
    expect(got.length).toBe(wanted.length);
    got.forEach((value, i) => expect(Math.abs(value - wanted[i])).toBeLessThan(name === 'float64' ? 1e-12 : 2e-6));
  };

  const DENSE: AppliedOperation = {
    kind: 'dense',
    kernel: { shape: [2, 1], data: Float32Array.of(1, -2) },
    bias: { shape: [1], data: Float32Array.of(0.5) },
    activation: { name: 'relu' },
  };

  it('dense acts on the last axis of any rank', () => {
    expect(run(DENSE, [{ shape: [2, 2], data: [1, 0, 0, 1] }])).toMatchObject({ shape: [2, 1], values: [1.5, 0] });
    const deep = run(DENSE, [{ shape: [1, 2, 1, 2], data: [1, 0, 0, -1] }]);
    expect(deep).toMatchObject({ shape: [1, 2, 1, 1], values: [1.5, 2.5] });
  });

  it('convolution counts its taps as a plain loop does', () => {
    const kernel = weights([3, 2, 4], 5);
    const x = noise(2 * 9 * 4, 8);
    for (const padding of ['valid', 'same', 'causal'] as const) {
      for (const [stride, dilation] of [
        [1, 1],
        [2, 1],
        [1, 2],
        [3, 1],
      ]) {
        const operation: AppliedOperation = {
          kind: 'conv1d',
          kernel,
          bias: null,
          stride,
          dilation,
          groups: 2,
          padding,
          activation: { name: 'linear' },
        };
        const got = run(operation, [{ shape: [2, 9, 4], data: x }]);
        const reach = 2 * dilation + 1;
        const count = padding === 'valid' ? Math.floor((9 - reach) / stride) + 1 : Math.ceil(9 / stride);
        const total = Math.max((count - 1) * stride + reach - 9, 0);
        const left = padding === 'causal' ? reach - 1 : padding === 'same' ? Math.floor(total / 2) : 0;
        const wanted: number[] = [];
        for (let b = 0; b < 2; b++) {
          for (let t = 0; t < count; t++) {
            for (let out = 0; out < 4; out++) {
              let sum = 0;
              for (let tap = 0; tap < 3; tap++) {
                const s = t * stride + tap * dilation - left;
                if (s < 0 || s >= 9) continue;
                for (let d = 0; d < 2; d++) {
                  sum += x[(b * 9 + s) * 4 + Math.floor(out / 2) * 2 + d] * kernel.data[(tap * 2 + d) * 4 + out];
                }
              }
              wanted.push(sum);
            }
          }
        }
        expect(got.shape).toEqual([2, count, 4]);
        close(got.values, wanted);
      }
    }
  });

  it('pooling leaves padding out, of the largest as of the average', () => {
    const data = [-1, -5, -2, -4, -3];
    const pool = (pooling: 'max' | 'average', padding: 'valid' | 'same'): number[] =>
      run({ kind: 'pool1d', pooling, size: 2, stride: 2, padding }, [{ shape: [1, 5, 1], data }]).values;
    expect(pool('max', 'valid')).toEqual([-1, -2]);
    expect(pool('max', 'same')).toEqual([-1, -2, -3]);
    expect(pool('average', 'valid')).toEqual([-3, -3]);
    expect(pool('average', 'same')).toEqual([-3, -3, -3]);
  });

  it('works along the time axis under further axes', () => {
    const operation: AppliedOperation = { kind: 'upsampling1d', size: 2 };
    expect(run(operation, [{ shape: [1, 2, 1, 2], data: [1, 2, 3, 4] }])).toMatchObject({
      shape: [1, 2, 2, 2],
      values: [1, 2, 1, 2, 3, 4, 3, 4],
    });
    expect(run({ kind: 'padding1d', left: 1, right: 2 }, [{ shape: [1, 1, 1], data: [7] }]).values).toEqual([
      0, 7, 0, 0,
    ]);
    expect(run({ kind: 'cropping1d', left: 1, right: 0 }, [{ shape: [1, 2, 1], data: [7, 8] }]).values).toEqual([8]);
  });

  it('slices an axis from either end, and takes it out', () => {
    const x: Given = { shape: [1, 3, 2], data: [1, 2, 3, 4, 5, 6] };
    const slice = (axis: number, start: number, end: number, step: number, drop = false) =>
      run({ kind: 'slice', axis, slice: { start, end, step }, drop }, [x]);
    const far = 2 ** 31 - 1;
    expect(slice(1, 1, far, 1)).toMatchObject({ shape: [1, 2, 2], values: [3, 4, 5, 6] });
    expect(slice(1, -1, far, 1, true)).toMatchObject({ shape: [1, 2], values: [5, 6] });
    expect(slice(1, -1, -far, -1).values).toEqual([5, 6, 3, 4, 1, 2]);
    expect(slice(1, 0, far, 2).values).toEqual([1, 2, 5, 6]);
    expect(slice(2, 1, 2, 1)).toMatchObject({ shape: [1, 3, 1], values: [2, 4, 6] });
    expect(slice(1, -99, -1, 1).values).toEqual([1, 2, 3, 4]);
  });

  it('normalizes over one or several axes', () => {
    const x = [1, 2, 3, 6];
    const norm = (axes: readonly number[], rms: boolean, className: string, gamma: number[] | null): number[] =>
      run(
        {
          kind: 'layer-normalization',
          axes,
          epsilon: 0,
          rms,
          gamma: gamma && { shape: [gamma.length], data: Float64Array.from(gamma) },
          beta: null,
        },
        [{ shape: [1, 2, 2], data: x }],
        className,
      ).values;
    close(norm([-1], false, 'LayerNormalization', [1, 2]), [-1, 2, -1, 2]);
    const spread = Math.sqrt(14 / 4);
    close(
      norm([1, 2], false, 'LayerNormalization', null),
      x.map((value) => (value - 3) / spread),
    );
    const roots = [Math.sqrt(2.5), Math.sqrt(22.5)];
    close(norm([-1], true, 'RMSNormalization', null), [1 / roots[0], 2 / roots[0], 3 / roots[1], 6 / roots[1]]);
    close(norm([-1], true, 'TimeDistributed', null), [1 / roots[0], 2 / roots[0], 3 / roots[1], 6 / roots[1]]);
    close(norm([-1], true, 'LayerNormalization', null), [2, 4, 2, 4]);
  });

  it('scales along any axis', () => {
    const affine = (axis: number, scale: number[], offset: number[]): number[] =>
      run(
        {
          kind: 'affine',
          axis,
          scale: { shape: [scale.length], data: Float64Array.from(scale) },
          offset: { shape: [offset.length], data: Float64Array.from(offset) },
        },
        [{ shape: [1, 2, 2], data: [1, 2, 3, 4] }],
      ).values;
    expect(affine(-1, [1, 10], [0, 1])).toEqual([1, 21, 3, 41]);
    expect(affine(1, [1, 10], [0, 1])).toEqual([1, 2, 31, 41]);
    expect(affine(-1, [2], [0.5])).toEqual([2.5, 4.5, 6.5, 8.5]);
  });

  it('reshapes with one open size, permutes, repeats', () => {
    expect(run({ kind: 'reshape', target: [-1, 2] }, [{ shape: [2, 2, 3] }]).shape).toEqual([2, 3, 2]);
    expect(run({ kind: 'permute', dims: [2, 1] }, [{ shape: [1, 2, 3], data: [1, 2, 3, 4, 5, 6] }]).values).toEqual([
      1, 4, 2, 5, 3, 6,
    ]);
    expect(run({ kind: 'repeat', count: 3 }, [{ shape: [1, 2], data: [1, 2] }])).toMatchObject({
      shape: [1, 3, 2],
      values: [1, 2, 1, 2, 1, 2],
    });
    expect(run({ kind: 'flatten' }, [{ shape: [2, 3, 4] }]).shape).toEqual([2, 12]);
  });

  it('merges values of unlike rank by repeating along time', () => {
    const merge = (operation: Extract<PlainOperation, { kind: 'merge' }>['operation']): number[] =>
      run({ kind: 'merge', operation }, [
        { shape: [1, 2, 2], data: [1, 2, 3, 4] },
        { shape: [1, 2], data: [2, 3] },
      ]).values;
    expect(merge('add')).toEqual([3, 5, 5, 7]);
    expect(merge('subtract')).toEqual([-1, -1, 1, 1]);
    expect(merge('multiply')).toEqual([2, 6, 6, 12]);
    expect(merge('average')).toEqual([1.5, 2.5, 2.5, 3.5]);
    expect(merge('maximum')).toEqual([2, 3, 3, 4]);
    expect(merge('minimum')).toEqual([1, 2, 2, 3]);
  });

  it('takes ids as integers or whole reals, and masks the id 0 where asked', () => {
    const embedding = (maskZero: boolean): AppliedOperation => ({
      kind: 'embedding',
      maskZero,
      table: { shape: [3, 1], data: Float32Array.of(5, 6, 7) },
    });
    const got = run(embedding(true), [{ shape: [1, 3], data: [2, 0, 1], ids: true }]);
    expect(got).toMatchObject({ shape: [1, 3, 1], values: [7, 5, 6] });
    expect(Array.from(got.mask?.data ?? [])).toEqual([1, 0, 1]);
    expect(run(embedding(false), [{ shape: [1, 2], data: [1, 2] }])).toMatchObject({ values: [6, 7], mask: null });
    expect(() => run(embedding(true), [{ shape: [1, 1], data: [3], ids: true }])).toThrow(
      expect.objectContaining({ code: 'input/shape-mismatch', message: expect.stringContaining('id 3') as string }),
    );
  });

  it('masks the steps whose every entry is the value, and sets them to zero', () => {
    const got = run({ kind: 'masking', maskValue: 0.1 }, [
      { shape: [1, 3, 2], data: [0.1, 0.1, 0.1, 1, NaN, 0.1].map(Math.fround) },
    ]);
    expect(Array.from(got.mask?.data ?? [])).toEqual([0, 1, 1]);
    expect(got.values.slice(0, 2)).toEqual([0, 0]);
    expect(got.values[3]).toBe(1);
    expect(got.values[4]).toBeNaN();
    expect(got.mask?.shape).toEqual([1, 3]);
  });

  const MASK = [[1, 0, 1, 1]];
  const MASKED: Given = { shape: [1, 4, 2], mask: MASK };
  const AFFINE: AppliedOperation = {
    kind: 'affine',
    axis: -1,
    scale: { shape: [2], data: Float32Array.of(1, 1) },
    offset: { shape: [2], data: Float32Array.of(0, 0) },
  };
  const passed = (operation: AppliedOperation, className: string, major: number): boolean =>
    run(operation, [MASKED], className, major).mask !== null;

  it('passes a mask on or drops it as each Keras does', () => {
    expect(passed(DENSE, 'Dense', 2)).toBe(true);
    expect(passed({ kind: 'identity' }, 'Dropout', 2)).toBe(true);
    expect(passed({ kind: 'identity' }, 'Identity', 2)).toBe(false);
    expect(passed({ kind: 'identity' }, 'Identity', 3)).toBe(true);
    expect(passed(AFFINE, 'BatchNormalization', 2)).toBe(true);
    expect(passed(AFFINE, 'Rescaling', 2)).toBe(false);
    expect(passed(AFFINE, 'Rescaling', 3)).toBe(true);
    expect(passed({ kind: 'activation', activation: { name: 'relu' } }, 'ReLU', 3)).toBe(true);
    expect(passed({ kind: 'softmax', axis: -1 }, 'Softmax', 3)).toBe(true);
    expect(passed({ kind: 'upsampling1d', size: 1 }, 'UpSampling1D', 3)).toBe(false);
    expect(passed({ kind: 'reshape', target: [4, 2] }, 'Reshape', 2)).toBe(false);
    expect(passed(DENSE, 'TimeDistributed', 2)).toBe(true);
  });

  it('joins masks where branches meet', () => {
    const other: Given = { shape: [1, 4, 2], mask: [[1, 1, 0, 1]] };
    const open: Given = { shape: [1, 4, 2] };
    const joined = (operation: AppliedOperation, inputs: readonly Given[], major: number): number[] | null => {
      const { mask } = run(operation, inputs, 'Merge', major);
      return mask && Array.from(mask.data);
    };
    const add: AppliedOperation = { kind: 'merge', operation: 'add' };
    expect(joined(add, [MASKED, other], 2)).toEqual([1, 0, 0, 1]);
    expect(joined(add, [MASKED, other], 3)).toEqual([1, 1, 1, 1]);
    expect(joined(add, [MASKED, open], 2)).toEqual([1, 0, 1, 1]);
    expect(joined(add, [MASKED, open], 3)).toBeNull();
    const side: AppliedOperation = { kind: 'concatenate', axis: -1 };
    expect(joined(side, [MASKED, other], 2)).toEqual([1, 0, 0, 1]);
    expect(joined(side, [MASKED, other], 3)).toEqual([1, 1, 1, 1]);
    expect(joined(side, [open, open], 3)).toBeNull();
    const after: AppliedOperation = { kind: 'concatenate', axis: 1 };
    expect(joined(after, [MASKED, open], 3)).toEqual([1, 0, 1, 1, 1, 1, 1, 1]);
  });

  it('leaves what is masked out of a product, a largest and a smallest entry, as Keras does since 3.4', () => {
    const a: Given = { shape: [1, 4, 2], data: [1, -2, 0, 0, 3, 4, 0, 0], mask: [[1, 0, 1, 0]] };
    const b: Given = { shape: [1, 4, 2], data: [2, 5, 6, -7, 0, 0, 0, 0], mask: [[1, 1, 0, 0]] };
    const c: Given = { shape: [1, 4, 2], data: [-1, 2, 3, -4, 5, 6, 7, 8] };
    const merged = (
      operation: 'multiply' | 'maximum' | 'minimum',
      inputs: readonly Given[],
      major = 3,
      minor = 15,
    ): number[] => run({ kind: 'merge', operation }, inputs, 'Merge', major, minor).values;
    expect(merged('multiply', [a, b])).toEqual([2, -10, 6, -7, 3, 4, 0, 0]);
    expect(merged('multiply', [a, c])).toEqual([-1, -4, 3, -4, 15, 24, 7, 8]);
    expect(merged('multiply', [a, b, c])).toEqual([-2, -20, 18, 28, 15, 24, 7, 8]);
    expect(merged('maximum', [a, b])).toEqual([2, 5, 6, -7, 3, 4, 0, 0]);
    expect(merged('maximum', [c, a])).toEqual([1, 2, 3, -4, 5, 6, 7, 8]);
    expect(merged('maximum', [a, b, c])).toEqual([2, 5, 6, -4, 5, 6, 7, 8]);
    expect(merged('minimum', [a, b])).toEqual([1, -2, 6, -7, 3, 4, 0, 0]);
    expect(merged('minimum', [a, c])).toEqual([-1, -2, 3, -4, 3, 4, 7, 8]);
    expect(merged('minimum', [a, b, c])).toEqual([-1, -2, 3, -7, 3, 4, 7, 8]);
    for (const [major, minor] of [
      [2, 18],
      [3, 3],
    ]) {
      expect(merged('multiply', [a, b], major, minor).map(Math.abs)).toEqual([2, 10, 0, 0, 0, 0, 0, 0]);
      expect(merged('maximum', [a, c], major, minor)).toEqual([1, 2, 3, 0, 5, 6, 7, 8]);
    }
  });

  it('folds the steps of TimeDistributed into the batch, an inner mask included', () => {
    const flat = run({ kind: 'flatten' }, [{ shape: [2, 3, 2, 2] }], 'TimeDistributed');
    expect(flat.shape).toEqual([2, 3, 4]);
    const words = run(
      { kind: 'embedding', maskZero: true, table: { shape: [2, 1], data: Float32Array.of(5, 6) } },
      [{ shape: [1, 2, 2], data: [0, 1, 0, 0], ids: true }],
      'TimeDistributed',
    );
    expect(words).toMatchObject({ shape: [1, 2, 2, 1], values: [5, 6, 5, 5] });
    expect(words.mask).toEqual({ shape: [1, 2, 2], data: Uint8Array.of(0, 1, 0, 0) });
  });

  it.each<[string, AppliedOperation, readonly number[]]>([
    ['dense of another width', DENSE, [1, 4, 3]],
    [
      'convolution of another width',
      {
        kind: 'conv1d',
        kernel: weights([2, 3, 1]),
        bias: null,
        stride: 1,
        dilation: 1,
        groups: 1,
        padding: 'valid',
        activation: { name: 'linear' },
      },
      [1, 4, 2],
    ],
    [
      'a window longer than the sequence',
      { kind: 'pool1d', pooling: 'max', size: 5, stride: 1, padding: 'valid' },
      [1, 4, 2],
    ],
    ['cropping of everything', { kind: 'cropping1d', left: 2, right: 2 }, [1, 4, 2]],
    ['a slice of nothing', { kind: 'slice', axis: 1, slice: { start: 3, end: 9, step: 1 }, drop: false }, [1, 3, 2]],
    [
      'an axis of several entries taken out',
      { kind: 'slice', axis: 1, slice: { start: 0, end: 2, step: 1 }, drop: true },
      [1, 3, 2],
    ],
    ['reshape to another size', { kind: 'reshape', target: [3, -1] }, [1, 4, 2]],
    ['permute of another rank', { kind: 'permute', dims: [2, 1] }, [1, 4]],
    ['repeat of a sequence', { kind: 'repeat', count: 2 }, [1, 4, 2]],
    ['an axis that is not there', { kind: 'softmax', axis: 3 }, [1, 4, 2]],
    ['prelu of another shape', { kind: 'prelu', alpha: weights([3]), sharedAxes: [] }, [1, 4, 2]],
    [
      'normalization of another width',
      { kind: 'layer-normalization', axes: [-1], epsilon: 1, gamma: weights([3]), beta: null, rms: false },
      [1, 4, 2],
    ],
    ['scales of another width', { ...AFFINE, scale: weights([3]) }, [1, 4, 2]],
  ])('names the layer for %s', (_, operation, shape) => {
    expect(() => run(operation, [{ shape }], 'Odd')).toThrow(
      expect.objectContaining({ code: 'input/shape-mismatch', message: expect.stringContaining('Odd') as string }),
    );
  });

  it('names the layer where branches do not fit', () => {
    const inputs: readonly Given[] = [{ shape: [1, 4, 2] }, { shape: [1, 3, 2] }];
    const refusal = expect.objectContaining({ code: 'input/shape-mismatch' }) as Error;
    expect(() => run({ kind: 'merge', operation: 'add' }, inputs)).toThrow(refusal);
    expect(() => run({ kind: 'concatenate', axis: -1 }, inputs)).toThrow(refusal);
  });
});
