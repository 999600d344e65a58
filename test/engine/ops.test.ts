import { beforeAll, describe, expect, it } from 'vitest';
import { loadWasm } from '../../src/engine/backend';
import { createFloat64Ops } from '../../src/engine/ops/float64-ops';
import { createWasmOps, type WasmBackend } from '../../src/engine/ops/wasm-ops';
import type { Ops, Value } from '../../src/engine/ops';
import { ALL_OPS, HAS_NATIVE, noise, numbersOf } from './all-ops';

const SHAPES = { a: [2, 3, 4], b: [3, 1], c: [2, 4, 3], wide: [1, 2, 3, 2, 2] } as const;

/** Every operation on the same arguments, with a shape and numbers to compare. */
const CASES: Readonly<Record<string, (o: Ops, a: Value, b: Value) => Value>> = {
  add: (o, a, b) => o.add(a, b),
  sub: (o, a, b) => o.sub(b, a),
  mul: (o, a, b) => o.mul(a, b),
  div: (o, a, b) => o.div(a, b),
  'mul by a scalar': (o, a) => o.mul(a, o.constant(3)),
  'mul of rank 5': (o) => o.mul(o.upload(noise(24), [1, 2, 3, 2, 2]), o.upload(noise(6, 3), [2, 1, 3, 1, 1])),
  'sub of a row and a column': (o, a) => o.sub(o.reshape(a, [2, 3, 1, 4]), o.reshape(a, [2, 3, 4, 1])),
  maximum: (o, a, b) => o.maximum(a, b),
  minimum: (o, a, b) => o.minimum(b, a),
  greater: (o, a, b) => o.greater(a, b),
  greaterEqual: (o, a) => o.greaterEqual(a, a),
  equal: (o, a, b) => o.equal(a, o.maximum(a, b)),
  logicalAnd: (o, a, b) => o.logicalAnd(o.greater(a, b), o.greater(a, o.constant(0.2))),
  logicalOr: (o, a, b) => o.logicalOr(o.greater(a, b), o.greater(a, o.constant(0.2))),
  logicalNot: (o, a, b) => o.logicalNot(o.greater(a, b)),
  select: (o, a, b) => o.select(o.greater(a, b), a, o.constant(7)),
  'select by a column': (o, a, b) => o.select(o.greater(b, o.constant(0)), a, o.neg(a)),
  neg: (o, a) => o.neg(a),
  abs: (o, a) => o.abs(a),
  sign: (o, a) => o.sign(a),
  square: (o, a) => o.square(a),
  sqrt: (o, a) => o.sqrt(o.abs(a)),
  rsqrt: (o, a) => o.rsqrt(o.add(o.abs(a), o.constant(0.1))),
  reciprocal: (o, a) => o.reciprocal(o.add(o.abs(a), o.constant(0.1))),
  exp: (o, a) => o.exp(o.mul(a, o.constant(20))),
  expm1: (o, a) => o.expm1(o.mul(a, o.constant(0.01))),
  log: (o, a) => o.log(o.abs(a)),
  log1p: (o, a) => o.log1p(o.mul(a, o.constant(0.01))),
  tanh: (o, a) => o.tanh(a),
  sigmoid: (o, a) => o.sigmoid(o.mul(a, o.constant(9))),
  relu: (o, a) => o.relu(a),
  erfc: (o, a) => o.erfc(o.mul(a, o.constant(5))),
  reshape: (o, a) => o.reshape(a, [4, 6]),
  transpose: (o, a) => o.transpose(a, [2, 0, 1]),
  'transpose with an axis of one': (o, a) => o.transpose(o.reshape(a, [2, 1, 3, 4]), [3, 1, 0, 2]),
  concat: (o, a) => o.concat([a, o.neg(a), a], 1),
  'concat on the last axis': (o, a, b) => o.concat([a, o.broadcastTo(b, [2, 3, 2])], -1),
  'concat of one': (o, a) => o.concat([a], 0),
  split: (o, a) => o.split(a, 2, -1)[1],
  'split by sizes': (o, a) => o.split(a, [1, 2], 1)[1],
  slice: (o, a) => o.slice(a, [1, 0, 1], [1, 3, 2]),
  pad: (o, a) =>
    o.pad(
      a,
      [
        [0, 1],
        [2, 0],
        [1, 1],
      ],
      -3,
    ),
  gather: (o, a) => o.gather(a, o.uploadInts([2, 0, 2, 1], [2, 2]), 1),
  reverse: (o, a) => o.reverse(a, 1),
  broadcastTo: (o, _, b) => o.broadcastTo(b, [2, 3, 4]),
  'broadcastTo the same': (o, a) => o.broadcastTo(a, [2, 3, 4]),
  sum: (o, a) => o.sum(a, [0, 2]),
  'sum keeping axes': (o, a) => o.sum(a, [1], true),
  'sum of all': (o, a) => o.sum(a, [0, 1, 2]),
  norm: (o, a) => o.norm(a, [0, 2]),
  'norm keeping axes': (o, a) => o.norm(a, [1], true),
  mean: (o, a) => o.mean(a, [-1], true),
  max: (o, a) => o.max(a, [1]),
  min: (o, a) => o.min(a, [0]),
  all: (o, a) => o.all(o.greater(a, o.constant(-0.5)), [2]),
  any: (o, a) => o.any(o.greater(a, o.constant(0.5)), [1], true),
  matMul: (o, a) => o.matMul(o.reshape(a, [6, 4]), o.upload(noise(20, 5), [4, 5])),
  'matMul of transposed ones': (o, a) => o.matMul(o.reshape(a, [4, 6]), o.upload(noise(20, 5), [5, 4]), true, true),
  'matMul in batches': (o, a) => o.matMul(a, o.upload(noise(24, 5), [2, 4, 3])),
  'matMul in batches, transposed': (o, a) => o.matMul(a, o.upload(noise(30, 5), [2, 3, 5]), true, false),
  'matMul with a shared matrix': (o, a) => o.matMul(a, o.upload(noise(12, 5), [1, 3, 4]), false, true),
  fill: (o) => o.fill([2, 2], 4.5),
};

describe.each(ALL_OPS)('operations on %s', (name, make) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await make();
  });

  it.each(Object.keys(CASES))('%s', (operation) => {
    const exact = createFloat64Ops();
    const run = (o: Ops): { shape: readonly number[]; numbers: number[] } =>
      o.tidy(() => {
        const made = CASES[operation](o, o.upload(noise(24), SHAPES.a), o.upload(noise(3, 9), SHAPES.b));
        return { shape: made.shape, numbers: numbersOf(o, made) };
      });
    const before = ops.tensorCount();
    const got = run(ops);
    const wanted = run(exact);
    expect(got.shape).toEqual(wanted.shape);
    const largest = Math.max(...wanted.numbers.map(Math.abs));
    got.numbers.forEach((number, i) => {
      const scale = ['exp', 'erfc', 'sigmoid'].includes(operation) ? Math.abs(wanted.numbers[i]) : largest;
      expect(Math.abs(number - wanted.numbers[i])).toBeLessThanOrEqual((name === 'float64' ? 0 : 4e-6) * scale);
    });
    expect(ops.tensorCount()).toBe(before);
  });

  it('copies what is uploaded, and what is read', () => {
    const data = Float32Array.of(1, 2, 3);
    const value = ops.upload(data, [3]);
    data.fill(9);
    const read = ops.read(value);
    read.fill(8);
    expect(Array.from(ops.read(value))).toEqual([1, 2, 3]);
    const target = new Float32Array(5);
    ops.readInto(value, target, 2);
    expect(Array.from(target)).toEqual([0, 0, 1, 2, 3]);
    ops.dispose(value);
  });

  it('frees what is not returned from a scope, at every depth, and what an error leaves behind', () => {
    const before = ops.tensorCount();
    const kept = ops.tidy(() => {
      const inner = ops.tidy(() => [ops.fill([2], 1), { value: ops.fill([2], 2) }, ops.fill([2], 3)] as const);
      ops.fill([2], 4);
      return { first: inner[0], second: inner[1] };
    });
    expect(ops.tensorCount()).toBe(before + 2);
    expect(() =>
      ops.tidy(() => {
        ops.fill([3], 5);
        throw new Error('halt');
      }),
    ).toThrow('halt');
    expect(ops.tensorCount()).toBe(before + 2);
    ops.dispose(kept.first, kept.second.value);
    expect(ops.tensorCount()).toBe(before);
    expect(() => ops.dispose(kept.first)).toThrow('twice');
    expect(() => ops.add(kept.first, kept.first)).toThrow('freed');
  });

  it('keeps a value out of every scope until it is disposed', () => {
    const before = ops.tensorCount();
    let held: Value | undefined;
    ops.tidy(() => {
      ops.tidy(() => {
        held = ops.keep(ops.fill([2], 6));
      });
    });
    expect(ops.tensorCount()).toBe(before + 1);
    if (held) ops.dispose(held);
    expect(ops.tensorCount()).toBe(before);
  });

  it('refuses an asynchronous scope', () => {
    expect(() => ops.tidy(async () => Promise.resolve(1))).toThrow('asynchronous');
  });

  it('stays at its count over thousands of different small arguments', () => {
    const before = ops.tensorCount();
    const value = ops.fill([3000], 1);
    for (let first = 0; first < 2900; first++) ops.dispose(ops.slice(value, [first], [3]));
    ops.dispose(value);
    expect(ops.tensorCount()).toBe(before);
  });
});

describe.skipIf(!HAS_NATIVE)('the native engine alone', () => {
  it('computes a whole LSTM in one kernel', async () => {
    const ops = await ALL_OPS[0][1]();
    const native = ops.native;
    if (!native) throw new Error('the native engine offers kernels');
    const [steps, batch, units, inputDim] = [5, 2, 3, 4];
    const [xData, weightData] = [noise(steps * batch * inputDim), noise((inputDim + units) * 4 * units, 2)];
    const before = ops.tensorCount();
    const got = ops.tidy(() => {
      const made = native.fusedLstm(
        ops.upload(xData, [steps, batch, inputDim]),
        ops.fill([batch, units], 0.1),
        ops.fill([batch, units], -0.2),
        ops.upload(weightData, [inputDim + units, 4 * units]),
        ops.fill([4 * units], 0.3),
        null,
      );
      return { h: ops.read(made.h), c: ops.read(made.c), f: ops.read(made.f) };
    });
    expect(ops.tensorCount()).toBe(before);

    const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));
    for (let b = 0; b < batch; b++) {
      let h = new Array<number>(units).fill(0.1);
      let c = new Array<number>(units).fill(-0.2);
      for (let t = 0; t < steps; t++) {
        const z = [...xData.subarray((t * batch + b) * inputDim, (t * batch + b + 1) * inputDim), ...h];
        const gate = (index: number, u: number): number =>
          z.reduce((sum, value, row) => sum + value * weightData[row * 4 * units + index * units + u], 0.3);
        const forget = c.map((_, u) => sigmoid(gate(1, u)));
        c = c.map((value, u) => forget[u] * value + sigmoid(gate(0, u)) * Math.tanh(gate(2, u)));
        h = c.map((value, u) => sigmoid(gate(3, u)) * Math.tanh(value));
        const at = (t * batch + b) * units;
        h.forEach((value, u) => expect(got.h[at + u]).toBeCloseTo(value, 6));
        c.forEach((value, u) => expect(got.c[at + u]).toBeCloseTo(value, 6));
        forget.forEach((value, u) => expect(got.f[at + u]).toBeCloseTo(value, 6));
      }
    }
  });

  it('runs a kernel by name with its attributes', async () => {
    const ops = await ALL_OPS[0][1]();
    const attributes = [
      { name: 'equation', kind: 'string', value: 'ij,kj->ik' },
      { name: 'N', kind: 'int', value: 2 },
      { name: 'T', kind: 'type', value: 'real' },
    ] as const;
    const got = ops.tidy(() => {
      const a = ops.upload([1, 2, 3, 4], [2, 2]);
      return Array.from(ops.read(ops.native!.kernel('Einsum', attributes, [a, a], 1)[0]));
    });
    expect(got).toEqual([5, 11, 11, 25]);
    expect(() => ops.native?.kernel('NoSuchKernel', [], [], 1)).toThrow('NoSuchKernel');
  });
});

describe('wasm without memory', () => {
  it('says so, and computes nothing more, because something was written to address 0', async () => {
    const library = await loadWasm();
    let offset = 8;
    const backend: WasmBackend = {
      write: () => ({}),
      dataIdMap: { get: () => ({ memoryOffset: offset }) },
      readSync: () => new Float32Array(1),
      disposeData: () => true,
      incRef: () => undefined,
      numDataIds: () => 0,
    };
    const ops = createWasmOps({ ...library, backend });
    const value = ops.upload([1], [1]);
    offset = 0;
    const refusal = (message: string): unknown =>
      expect.objectContaining({ code: 'engine/out-of-memory', message: expect.stringContaining(message) as string });
    expect(() => ops.upload([2], [1])).toThrow(refusal('no memory left') as Error);
    offset = 8;
    expect(() => ops.upload([3], [1])).toThrow(refusal('started anew') as Error);
    expect(() => ops.read(value)).toThrow(refusal('started anew') as Error);
    expect(() => ops.constant(1)).toThrow(refusal('started anew') as Error);
  });
});
