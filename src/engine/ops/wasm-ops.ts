/**
 * The operations as kernels of tfjs-core on its wasm backend, one thread, float32.
 *
 * Kernels are called directly, without tfjs-core's engine around them: no tape, no scopes of its own, so that a value
 * is freed exactly when the shared bookkeeping says so. What a kernel's JavaScript gives is only a handle.
 * One file over 300 lines because it is one table of kernels; nothing in it is an algorithm.
 */
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { TempogradError } from '../../core/errors';
import { sizeOf } from '../../core/tensor';
import type { RealArray } from '../engine';
import type { Ops, Value, ValueType } from '../ops';
import { Scopes, TrackedValue } from './scopes';
import { broadcastShape, frontAxis, sameShape, splitSizes } from './shapes';

/** Products of fewer multiplications are done before the fast way is set up. */
const MIN_FAST_WORK = 20_000;

/** What is used of the wasm backend of tfjs. */
export interface WasmBackend {
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: number } };
  write(values: Float32Array | Int32Array | null, shape: number[], dtype: 'float32' | 'int32' | 'bool'): object;
  readSync(dataId: object): Float32Array | Int32Array | Uint8Array;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
  numDataIds(): number;
}

/** What a loaded wasm library offers. */
export interface WasmLibrary {
  readonly version: string;
  readonly backend: WasmBackend;
  /** The function of a kernel by its name in tfjs-core. */
  kernel(name: string): KernelFunc;
}

/** A value in the memory of the wasm module. */
class WasmValue extends TrackedValue {
  constructor(
    readonly info: TensorInfo,
    type: ValueType,
  ) {
    super(info.shape, type);
  }
}

/**
 * The operations on a loaded wasm library.
 *
 * @param library - The library; sets of operations that share it count each other's tensors.
 */
export function createWasmOps(library: WasmLibrary): Ops {
  return new WasmOps(library);
}

class WasmOps implements Ops {
  readonly engine = 'wasm';
  readonly version: string;
  readonly native = null;
  private readonly backend: WasmBackend;
  private readonly scopes = new Scopes<WasmValue>(
    (value) => void this.backend.disposeData(value.info.dataId),
    WasmValue,
  );
  private readonly reals = new Map<number, WasmValue>();
  /** After a failed allocation something was written to address 0: nothing computed afterwards could be trusted. */
  private isDamaged = false;

  constructor(private readonly library: WasmLibrary) {
    this.version = library.version;
    this.backend = library.backend;
  }

  upload(data: RealArray | readonly number[], shape: readonly number[]): Value {
    return this.create(new Float32Array(data), shape, 'real');
  }

  uploadInts(data: Int32Array | readonly number[], shape: readonly number[]): Value {
    return this.create(new Int32Array(data), shape, 'int');
  }

  constant(value: number): Value {
    this.checkIntact();
    let found = this.reals.get(value);
    if (!found) {
      const dataId = this.backend.write(new Float32Array([value]), [], 'float32');
      found = new WasmValue({ dataId, shape: [], dtype: 'float32' }, 'real');
      this.reals.set(value, found);
    }
    return found;
  }

  fill(shape: readonly number[], value: number): Value {
    return this.create(new Float32Array(sizeOf(shape)).fill(value), shape, 'real');
  }

  read(value: Value): RealArray {
    if (value.type !== 'real') throw new Error('only reals are read back');
    return this.backend.readSync(this.infoOf(value).dataId) as Float32Array;
  }

  readInto(value: Value, target: RealArray, offset = 0): void {
    target.set(this.read(value), offset);
  }

  dispose(...values: readonly Value[]): void {
    this.scopes.dispose(values as readonly WasmValue[]);
  }

  tidy<R>(body: () => R): R {
    return this.scopes.tidy(body);
  }

  keep<V extends Value>(value: V): V {
    (value as unknown as WasmValue).kept = true;
    return value;
  }

  tensorCount(): number {
    return this.backend.numDataIds() - this.reals.size;
  }

  close(): void {
    for (const value of this.reals.values()) this.backend.disposeData(value.info.dataId);
    this.reals.clear();
  }

  /** The library's fast product takes one pair of matrices as they lie; its general one is fourteen times slower. */
  matMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
    const work = sizeOf(a.shape.slice(-2)) * b.shape[b.shape.length - (transposeB ? 2 : 1)];
    const leading = a.shape.slice(0, -2);
    const isPlain = !transposeA && !transposeB && sizeOf(leading) === 1 && sizeOf(b.shape.slice(0, -2)) === 1;
    if (isPlain || work < MIN_FAST_WORK || !sameShape(leading, b.shape.slice(0, -2))) {
      return this.run('BatchMatMul', { a: this.infoOf(a), b: this.infoOf(b) }, { transposeA, transposeB });
    }
    return this.tidy(() => {
      const left = transposeA ? this.turned(a) : a;
      const right = transposeB ? this.turned(b) : b;
      const count = sizeOf(leading);
      if (count === 1) return this.matMul(left, right);
      const parts = [left, right].map((value) => {
        const matrix = value.shape.slice(-2);
        return this.split(this.reshape(value, [count, ...matrix]), count, 0);
      });
      const products = parts[0].map((part, i) => this.matMul(part, parts[1][i]));
      const joined = this.concat(products, 0);
      return this.reshape(joined, [...leading, ...joined.shape.slice(-2)]);
    });
  }

  /** The last two axes swapped. */
  private turned(value: Value): Value {
    const axes = value.shape.map((_, axis) => axis);
    const last = axes.length - 1;
    return this.transpose(value, [...axes.slice(0, -2), last, last - 1]);
  }

  add = (a: Value, b: Value): Value => this.run2('Add', a, b);
  sub = (a: Value, b: Value): Value => this.run2('Sub', a, b);
  mul = (a: Value, b: Value): Value => this.run2('Multiply', a, b);
  div = (a: Value, b: Value): Value => this.run2('RealDiv', a, b);
  maximum = (a: Value, b: Value): Value => this.run2('Maximum', a, b);
  minimum = (a: Value, b: Value): Value => this.run2('Minimum', a, b);
  greater = (a: Value, b: Value): Value => this.run2('Greater', a, b);
  greaterEqual = (a: Value, b: Value): Value => this.run2('GreaterEqual', a, b);
  equal = (a: Value, b: Value): Value => this.run2('Equal', a, b);
  logicalAnd = (a: Value, b: Value): Value => this.run2('LogicalAnd', a, b);
  logicalOr = (a: Value, b: Value): Value => this.run2('LogicalOr', a, b);
  logicalNot = (a: Value): Value => this.run1('LogicalNot', a);

  /** The kernel takes only operands of one shape. */
  select(condition: Value, a: Value, b: Value): Value {
    return this.tidy(() => {
      const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape));
      const [whole, t, e] = [condition, a, b].map((part) => this.infoOf(this.broadcastTo(part, shape)));
      return this.run('Select', { condition: whole!, t: t!, e: e! });
    });
  }

  toReal(value: Value): Value {
    return this.run('Cast', { x: this.infoOf(value) }, { dtype: 'float32' });
  }

  neg = (a: Value): Value => this.run1('Neg', a);
  abs = (a: Value): Value => this.run1('Abs', a);
  sign = (a: Value): Value => this.run1('Sign', a);
  square = (a: Value): Value => this.run1('Square', a);
  sqrt = (a: Value): Value => this.run1('Sqrt', a);
  rsqrt = (a: Value): Value => this.run1('Rsqrt', a);
  reciprocal = (a: Value): Value => this.run1('Reciprocal', a);
  exp = (a: Value): Value => this.run1('Exp', a);
  expm1 = (a: Value): Value => this.run1('Expm1', a);
  log = (a: Value): Value => this.run1('Log', a);
  tanh = (a: Value): Value => this.run1('Tanh', a);
  sigmoid = (a: Value): Value => this.run1('Sigmoid', a);
  relu = (a: Value): Value => this.run1('Relu', a);

  /**
   * ln(1 + a) as ln(u) a/(u - 1), u = 1 + a rounded: the kernel of that name is ln(1 + a) as written.
   * Source: Kahan; Goldberg 1991, What every computer scientist should know about floating-point arithmetic, theorem 4.
   */
  log1p(a: Value): Value {
    return this.tidy(() => {
      const one = this.constant(1);
      const u = this.add(a, one);
      const isTiny = this.equal(u, one);
      const rounded = this.select(isTiny, one, this.sub(u, one));
      return this.select(isTiny, a, this.div(this.mul(this.log(u), a), rounded));
    });
  }

  /**
   * There is no such kernel: the Chebyshev form of Numerical Recipes, relative error below 1.2e-7 everywhere.
   * Source: Press et al., Numerical Recipes (2nd edition), section 6.2, erfcc.
   */
  erfc(a: Value): Value {
    return this.tidy(() => {
      const z = this.abs(a);
      const one = this.constant(1);
      const t = this.reciprocal(this.add(one, this.mul(this.constant(0.5), z)));
      let polynomial = this.constant(ERFC_COEFFICIENTS[0]);
      for (const coefficient of ERFC_COEFFICIENTS.slice(1)) {
        polynomial = this.add(this.mul(polynomial, t), this.constant(coefficient));
      }
      const tail = this.mul(t, this.exp(this.sub(polynomial, this.square(z))));
      return this.select(this.greaterEqual(a, this.constant(0)), tail, this.sub(this.constant(2), tail));
    });
  }

  reshape(a: Value, shape: readonly number[]): Value {
    if (sizeOf(shape) !== sizeOf(a.shape)) throw new Error(`[${a.shape.join(',')}] reshaped to [${shape.join(',')}]`);
    const { dataId, dtype } = this.infoOf(a);
    this.backend.incRef(dataId);
    return this.wrap({ dataId, dtype, shape: [...shape] });
  }

  transpose(a: Value, permutation: readonly number[]): Value {
    return this.run('Transpose', { x: this.infoOf(a) }, { perm: [...permutation] });
  }

  concat(values: readonly Value[], axis: number): Value {
    const front = frontAxis(axis, values[0].shape.length);
    const infos = values.map((value) => this.infoOf(value));
    return this.run('Concat', infos as never, { axis: front });
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
    return this.run('Slice', { x: this.infoOf(a) }, { begin: [...begin], size: [...size] });
  }

  pad(a: Value, paddings: readonly (readonly [number, number])[], constant: number): Value {
    return this.run(
      'PadV2',
      { x: this.infoOf(a) },
      { paddings: paddings.map((pair) => [...pair]), constantValue: constant },
    );
  }

  gather(a: Value, indices: Value, axis: number): Value {
    const front = frontAxis(axis, a.shape.length);
    return this.run('GatherV2', { x: this.infoOf(a), indices: this.infoOf(indices) }, { axis: front, batchDims: 0 });
  }

  reverse(a: Value, axis: number): Value {
    return this.run('Reverse', { x: this.infoOf(a) }, { dims: [frontAxis(axis, a.shape.length)] });
  }

  broadcastTo(a: Value, shape: readonly number[]): Value {
    if (sameShape(a.shape, shape)) return this.reshape(a, shape);
    const padded = [...new Array<number>(shape.length - a.shape.length).fill(1), ...a.shape];
    return this.tidy(() => {
      const repeats = padded.map((size, axis) => shape[axis] / size);
      return this.run('Tile', { x: this.infoOf(this.reshape(a, padded)) }, { reps: repeats });
    });
  }

  sum = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('Sum', { x: this.infoOf(a) }, { axis: fronts(a, axes), keepDims });
  norm = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.tidy(() => this.sqrt(this.sum(this.square(a), axes, keepDims)));
  mean = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('Mean', { x: this.infoOf(a) }, { axis: fronts(a, axes), keepDims });
  max = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('Max', { x: this.infoOf(a) }, { reductionIndices: fronts(a, axes), keepDims });
  min = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('Min', { x: this.infoOf(a) }, { axis: fronts(a, axes), keepDims });
  all = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('All', { x: this.infoOf(a) }, { axis: fronts(a, axes), keepDims });
  any = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.run('Any', { x: this.infoOf(a) }, { axis: fronts(a, axes), keepDims });

  private create(copy: Float32Array | Int32Array, shape: readonly number[], type: 'real' | 'int'): Value {
    if (copy.length !== sizeOf(shape)) throw new Error(`${copy.length} numbers for shape [${shape.join(',')}]`);
    this.checkIntact();
    const dtype = type === 'real' ? 'float32' : 'int32';
    return this.wrap({ dataId: this.backend.write(copy, [...shape], dtype), shape: [...shape], dtype });
  }

  private run1(name: string, a: Value): Value {
    return this.run(name, { x: this.infoOf(a) });
  }

  private run2(name: string, a: Value, b: Value): Value {
    return this.run(name, { a: this.infoOf(a), b: this.infoOf(b) });
  }

  private run(name: string, inputs: Record<string, TensorInfo>, attributes: Record<string, unknown> = {}): Value {
    const kernel = this.library.kernel(name);
    return this.wrap(kernel({ inputs, backend: this.backend, attrs: attributes as never }) as TensorInfo);
  }

  private wrap(info: TensorInfo): Value {
    const type = info.dtype === 'float32' ? 'real' : info.dtype === 'bool' ? 'bool' : 'int';
    const value = this.scopes.track(new WasmValue(info, type));
    // A failed allocation is address 0, which nothing in the backend looks at.
    const isMissing = this.backend.dataIdMap.get(info.dataId).memoryOffset === 0 && sizeOf(info.shape) > 0;
    this.isDamaged ||= isMissing;
    if (isMissing) throw outOfMemory(`The wasm engine has no memory left for [${info.shape.join(', ')}]`);
    return value;
  }

  private infoOf(value: Value): TensorInfo {
    const own = value as WasmValue;
    if (own.freed) throw new Error('a freed value was used');
    this.checkIntact();
    return own.info;
  }

  private checkIntact(): void {
    if (this.isDamaged) throw outOfMemory('The wasm engine ran out of memory before and must be started anew');
  }
}

/** From the highest power of t down; the constant term stands beside -z^2 in the exponent. */
const ERFC_COEFFICIENTS = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  -1.26551223,
];

function outOfMemory(message: string): TempogradError {
  return new TempogradError('engine/out-of-memory', message);
}

function fronts(a: Value, axes: readonly number[]): number[] {
  return axes.map((axis) => frontAxis(axis, a.shape.length)).sort((left, right) => left - right);
}
