/**
 * The operations in float64 with plain loops: what the reference engine runs the layers below on, loading nothing.
 *
 * Arrays are never changed after they are made, so that a reshape shares them. Memory belongs to JavaScript; scopes
 * still check that no value is used after it was freed, so that a bug of a layer shows on every engine.
 * One file over 300 lines because it is one table of operations.
 */
import { normalDistribution } from '../../core/activations/error-function';
import { tanh } from '../../core/activations/hyperbolic';
import { sizeOf, type TensorData } from '../../core/tensor';
import type { RealArray } from '../engine';
import type { Ops, Value, ValueType } from '../ops';
import { Scopes, TrackedValue } from './scopes';
import { broadcastShape, broadcastStrides, frontAxis, reducedShape, sameShape, splitSizes, stridesOf } from './shapes';

/** A value in JavaScript's memory. */
class Float64Value extends TrackedValue {
  constructor(
    readonly data: TensorData,
    shape: readonly number[],
    type: ValueType,
  ) {
    super(shape, type);
  }
}

/** The operations in float64. */
export function createFloat64Ops(): Ops {
  return new Float64Ops();
}

class Float64Ops implements Ops {
  readonly engine = 'reference';
  readonly version = 'float64';
  readonly native = null;
  private live = 0;
  private readonly scopes = new Scopes<Float64Value>(() => void (this.live -= 1), Float64Value);
  private readonly reals = new Map<number, Float64Value>();

  upload(data: RealArray | readonly number[], shape: readonly number[]): Value {
    return this.make(Float64Array.from(data), shape);
  }

  uploadInts(data: Int32Array | readonly number[], shape: readonly number[]): Value {
    return this.make(Int32Array.from(data), shape);
  }

  constant(value: number): Value {
    let found = this.reals.get(value);
    if (!found) {
      found = new Float64Value(Float64Array.of(value), [], 'real');
      this.reals.set(value, found);
    }
    return found;
  }

  fill(shape: readonly number[], value: number): Value {
    return this.make(new Float64Array(sizeOf(shape)).fill(value), shape);
  }

  read(value: Value): RealArray {
    if (value.type !== 'real') throw new Error('only reals are read back');
    return Float64Array.from(this.dataOf(value));
  }

  readInto(value: Value, target: RealArray, offset = 0): void {
    if (value.type !== 'real') throw new Error('only reals are read back');
    target.set(this.dataOf(value), offset);
  }

  dispose(...values: readonly Value[]): void {
    this.scopes.dispose(values as readonly Float64Value[]);
  }

  tidy<R>(body: () => R): R {
    return this.scopes.tidy(body);
  }

  keep<V extends Value>(value: V): V {
    (value as unknown as Float64Value).kept = true;
    return value;
  }

  tensorCount(): number {
    return this.live;
  }

  close(): void {
    this.reals.clear();
  }

  matMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
    const outer = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const [rowsA, columnsA] = a.shape.slice(-2);
    const [rowsB, columnsB] = b.shape.slice(-2);
    const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
    const [inner, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
    if (k !== inner) throw new Error(`product of [${a.shape.join(',')}] and [${b.shape.join(',')}]`);
    const [stepA, innerA] = transposeA ? [1, columnsA] : [columnsA, 1];
    const [innerB, stepB] = transposeB ? [1, columnsB] : [columnsB, 1];
    const [dataA, dataB] = [this.dataOf(a), this.dataOf(b)];
    const out = new Float64Array(sizeOf(outer) * m * n);
    const strides = [a, b].map((value) => broadcastStrides(value.shape.slice(0, -2), outer));
    walk(outer, strides, (index, [offsetA, offsetB]) => {
      const startA = offsetA * rowsA * columnsA;
      const startB = offsetB * rowsB * columnsB;
      for (let i = 0; i < m; i++) {
        const row = (index * m + i) * n;
        for (let p = 0; p < k; p++) {
          const factor = dataA[startA + i * stepA + p * innerA];
          const from = startB + p * innerB;
          for (let j = 0; j < n; j++) out[row + j] += factor * dataB[from + j * stepB];
        }
      }
    });
    return this.make(out, [...outer, m, n]);
  }

  add = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x + y);
  sub = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x - y);
  mul = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x * y);
  div = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x / y);
  maximum = (a: Value, b: Value): Value => this.map2(a, b, Math.max);
  minimum = (a: Value, b: Value): Value => this.map2(a, b, Math.min);
  greater = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => Number(x > y), 'bool');
  greaterEqual = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => Number(x >= y), 'bool');
  equal = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => Number(x === y), 'bool');
  logicalAnd = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x & y, 'bool');
  logicalOr = (a: Value, b: Value): Value => this.map2(a, b, (x, y) => x | y, 'bool');
  logicalNot = (a: Value): Value => this.map1(a, (x) => 1 - x, 'bool');

  select(condition: Value, a: Value, b: Value): Value {
    return this.tidy(() => {
      const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape));
      const [choose, whole, other] = [condition, a, b].map((part) => this.dataOf(this.broadcastTo(part, shape)));
      return this.make(
        Float64Array.from(whole, (value, i) => (choose[i] ? value : other[i])),
        shape,
      );
    });
  }

  toReal = (value: Value): Value => this.map1(value, (x) => x);
  neg = (a: Value): Value => this.map1(a, (x) => -x);
  abs = (a: Value): Value => this.map1(a, Math.abs);
  sign = (a: Value): Value => this.map1(a, Math.sign);
  square = (a: Value): Value => this.map1(a, (x) => x * x);
  sqrt = (a: Value): Value => this.map1(a, Math.sqrt);
  rsqrt = (a: Value): Value => this.map1(a, (x) => 1 / Math.sqrt(x));
  reciprocal = (a: Value): Value => this.map1(a, (x) => 1 / x);
  exp = (a: Value): Value => this.map1(a, Math.exp);
  expm1 = (a: Value): Value => this.map1(a, Math.expm1);
  log = (a: Value): Value => this.map1(a, Math.log);
  log1p = (a: Value): Value => this.map1(a, Math.log1p);
  tanh = (a: Value): Value => this.map1(a, tanh);
  sigmoid = (a: Value): Value =>
    this.map1(a, (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x))));
  relu = (a: Value): Value => this.map1(a, (x) => Math.max(x, 0));
  erfc = (a: Value): Value => this.map1(a, (x) => 2 * normalDistribution(-x * Math.SQRT2));

  reshape(a: Value, shape: readonly number[]): Value {
    return this.make(this.dataOf(a), shape);
  }

  transpose(a: Value, permutation: readonly number[]): Value {
    const strides = stridesOf(a.shape);
    return this.pick(
      a,
      permutation.map((axis) => a.shape[axis]),
      permutation.map((axis) => strides[axis]),
      0,
    );
  }

  concat(values: readonly Value[], axis: number): Value {
    const front = frontAxis(axis, values[0].shape.length);
    const shape = values[0].shape.map((size, index) =>
      index === front ? values.reduce((sum, value) => sum + value.shape[front], 0) : size,
    );
    const outer = sizeOf(shape.slice(0, front));
    const out = emptyLike(this.dataOf(values[0]), sizeOf(shape));
    const rowSize = sizeOf(shape.slice(front));
    let start = 0;
    for (const value of values) {
      const data = this.dataOf(value);
      const size = data.length / outer;
      for (let row = 0; row < outer; row++) out.set(data.subarray(row * size, (row + 1) * size), row * rowSize + start);
      start += size;
    }
    return this.make(out, shape);
  }

  split(a: Value, parts: number | readonly number[], axis: number): Value[] {
    const front = frontAxis(axis, a.shape.length);
    const begin = a.shape.map(() => 0);
    return splitSizes(a.shape[front], parts).map((part) => {
      const made = this.slice(
        a,
        begin,
        a.shape.map((size, index) => (index === front ? part : size)),
      );
      begin[front] += part;
      return made;
    });
  }

  slice(a: Value, begin: readonly number[], size: readonly number[]): Value {
    const strides = stridesOf(a.shape);
    begin.forEach((first, axis) => {
      if (first < 0 || first + size[axis] > a.shape[axis]) throw new Error(`slice beyond [${a.shape.join(',')}]`);
    });
    return this.pick(
      a,
      size,
      strides,
      begin.reduce((sum, first, axis) => sum + first * strides[axis], 0),
    );
  }

  pad(a: Value, paddings: readonly (readonly [number, number])[], constant: number): Value {
    const shape = a.shape.map((size, axis) => paddings[axis][0] + size + paddings[axis][1]);
    const strides = stridesOf(shape);
    const data = this.dataOf(a);
    const out = emptyLike(data, sizeOf(shape)).fill(constant);
    const first = paddings.reduce((sum, [before], axis) => sum + before * strides[axis], 0);
    walk(a.shape, [strides], (index, [offset]) => {
      out[first + offset] = data[index];
    });
    return this.make(out, shape);
  }

  gather(a: Value, indices: Value, axis: number): Value {
    const front = frontAxis(axis, a.shape.length);
    const [data, chosen] = [this.dataOf(a), this.dataOf(indices)];
    const outer = sizeOf(a.shape.slice(0, front));
    const inner = sizeOf(a.shape.slice(front + 1));
    const out = emptyLike(data, outer * chosen.length * inner);
    for (let row = 0, at = 0; row < outer; row++) {
      for (const index of chosen) {
        if (index < 0 || index >= a.shape[front]) throw new Error(`index ${index} beyond ${a.shape[front]}`);
        const from = (row * a.shape[front] + index) * inner;
        out.set(data.subarray(from, from + inner), at);
        at += inner;
      }
    }
    return this.make(out, [...a.shape.slice(0, front), ...indices.shape, ...a.shape.slice(front + 1)]);
  }

  reverse(a: Value, axis: number): Value {
    const front = frontAxis(axis, a.shape.length);
    const strides = stridesOf(a.shape);
    const first = (a.shape[front] - 1) * strides[front];
    return this.pick(
      a,
      a.shape,
      strides.map((stride, index) => (index === front ? -stride : stride)),
      first,
    );
  }

  broadcastTo(a: Value, shape: readonly number[]): Value {
    if (sameShape(a.shape, shape)) return this.reshape(a, shape);
    return this.pick(a, shape, broadcastStrides(a.shape, shape), 0);
  }

  sum = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.reduce(a, axes, keepDims, 0, (sum, x) => sum + x);
  norm = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.sqrt(this.reduce(a, axes, keepDims, 0, (sum, x) => sum + x * x));

  mean(a: Value, axes: readonly number[], keepDims = false): Value {
    return this.tidy(() => {
      const total = this.sum(a, axes, keepDims);
      return this.mul(total, this.constant(sizeOf(total.shape) / sizeOf(a.shape)));
    });
  }

  max = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.reduce(a, axes, keepDims, -Infinity, Math.max);
  min = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.reduce(a, axes, keepDims, Infinity, Math.min);
  all = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce(a, axes, keepDims, 1, Math.min);
  any = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce(a, axes, keepDims, 0, Math.max);

  private reduce(
    a: Value,
    axes: readonly number[],
    keepDims: boolean,
    start: number,
    combine: (sum: number, x: number) => number,
  ): Value {
    const fronts = axes.map((axis) => frontAxis(axis, a.shape.length));
    const kept = reducedShape(a.shape, fronts, true);
    const data = this.dataOf(a);
    const out = emptyLike(data, sizeOf(kept)).fill(start);
    walk(a.shape, [broadcastStrides(kept, a.shape)], (index, [offset]) => {
      out[offset] = combine(out[offset], data[index]);
    });
    return this.make(out, reducedShape(a.shape, fronts, keepDims));
  }

  private map1(a: Value, body: (x: number) => number, type: 'real' | 'bool' = 'real'): Value {
    const data = this.dataOf(a);
    const out = type === 'real' ? new Float64Array(data.length) : new Uint8Array(data.length);
    for (let i = 0; i < data.length; i++) out[i] = body(data[i]);
    return this.make(out, a.shape);
  }

  private map2(a: Value, b: Value, body: (x: number, y: number) => number, type: 'real' | 'bool' = 'real'): Value {
    const [dataA, dataB] = [this.dataOf(a), this.dataOf(b)];
    const shape = broadcastShape(a.shape, b.shape);
    const out = type === 'real' ? new Float64Array(sizeOf(shape)) : new Uint8Array(sizeOf(shape));
    if (sameShape(a.shape, b.shape)) {
      for (let i = 0; i < out.length; i++) out[i] = body(dataA[i], dataB[i]);
    } else {
      const strides = [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)];
      walk(shape, strides, (index, [offsetA, offsetB]) => {
        out[index] = body(dataA[offsetA], dataB[offsetB]);
      });
    }
    return this.make(out, shape);
  }

  /** A copy of the entries that strides reach from a first one on. */
  private pick(a: Value, shape: readonly number[], strides: readonly number[], first: number): Value {
    const data = this.dataOf(a);
    const out = emptyLike(data, sizeOf(shape));
    walk(shape, [strides], (index, [offset]) => {
      out[index] = data[first + offset];
    });
    return this.make(out, shape);
  }

  private make(data: TensorData, shape: readonly number[]): Value {
    if (data.length !== sizeOf(shape)) throw new Error(`${data.length} numbers for shape [${shape.join(',')}]`);
    const type = data instanceof Float64Array ? 'real' : data instanceof Uint8Array ? 'bool' : 'int';
    this.live += 1;
    return this.scopes.track(new Float64Value(data, [...shape], type));
  }

  private dataOf(value: Value): TensorData {
    const own = value as Float64Value;
    if (own.freed) throw new Error('a freed value was used');
    return own.data;
  }
}

function emptyLike(data: TensorData, size: number): TensorData {
  if (data instanceof Int32Array) return new Int32Array(size);
  return data instanceof Uint8Array ? new Uint8Array(size) : new Float64Array(size);
}

/** Visits every position of a shape in row-major order, with its offsets under some strides. */
function walk(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (index: number, offsets: readonly number[]) => void,
): void {
  const total = sizeOf(shape);
  const position = shape.map(() => 0);
  const offsets = strides.map(() => 0);
  for (let index = 0; index < total; index++) {
    visit(index, offsets);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      position[axis]++;
      for (let which = 0; which < offsets.length; which++) offsets[which] += strides[which][axis];
      if (position[axis] < shape[axis]) break;
      for (let which = 0; which < offsets.length; which++) offsets[which] -= strides[which][axis] * shape[axis];
      position[axis] = 0;
    }
  }
}
