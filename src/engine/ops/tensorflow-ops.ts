/**
 * The operations as TensorFlow kernels, called by name through the native addon.
 *
 * Type attributes are left out wherever TensorFlow infers them from the inputs. Small integer arguments (axes, shapes,
 * permutations) are uploaded once and kept; `tensorCount` leaves them out, so that it is 0 when nothing leaked.
 * One file over 300 lines because it is one table of kernels; nothing in it is an algorithm.
 */
import { TempogradError } from '../../core/errors';
import { sizeOf } from '../../core/tensor';
import type { RealArray } from '../engine';
import type {
  DoubleOps,
  FusedLstm,
  KernelAttribute,
  NativeOps,
  Ops,
  ReadBuffer,
  RowPattern,
  Value,
  ValueType,
} from '../ops';
import { RowPatterns } from './tensorflow-row-patterns';
import { openReadBuffer } from './tensorflow-read-buffer';
import { Scopes, TrackedValue } from './scopes';
import { frontAxis, splitSizes } from './shapes';
import type { BindingAttribute, TensorflowBinding, TensorMetadata } from './tensorflow-binding';

/** TensorFlow's number for float64, which the addon does not name; see types.proto. */
const DT_DOUBLE = 2;

/** So many small integer arguments are kept before all are dropped: a long run makes new ones at every step. */
const MAX_KEPT_CONSTANTS = 2048;

/** A value in TensorFlow's memory. */
class TensorflowValue extends TrackedValue {
  constructor(
    readonly id: number,
    shape: readonly number[],
    type: ValueType,
  ) {
    super(shape, type);
  }
}

const NO_ATTRIBUTES: readonly BindingAttribute[] = [];

/**
 * The operations on a loaded addon.
 *
 * @param binding - The addon; several sets of operations may share it, but then count each other's tensors.
 */
export function createTensorflowOps(binding: TensorflowBinding): Ops {
  return new TensorflowOps(binding);
}

class TensorflowOps implements Ops, NativeOps {
  readonly engine = 'tensorflow';
  readonly version: string;
  readonly native: NativeOps = this;
  private readonly scopes = new Scopes<TensorflowValue>(
    (value) => this.binding.deleteTensor(value.id),
    TensorflowValue,
  );
  private readonly reals = new Map<number, TensorflowValue>();
  private readonly integers = new Map<string, number>();
  private readonly attributes = new WeakMap<readonly KernelAttribute[], readonly BindingAttribute[]>();
  private readonly keepDims: readonly BindingAttribute[];
  private readonly products: readonly (readonly BindingAttribute[])[];
  private readonly batchProducts: readonly (readonly BindingAttribute[])[];
  private readonly castToReal: readonly BindingAttribute[];
  private readonly withPeepholes: readonly BindingAttribute[];
  private readonly counts = new Map<string, readonly BindingAttribute[]>();
  private readonly int64s = new Map<number, number>();
  private readonly rowPatterns: RowPatterns;

  private doubleOps: TensorflowOps | null = null;
  private readonly realType: number;

  /**
   * @param binding - The addon.
   * @param isDouble - Reals are float64; for short computations that float32 is too coarse for.
   */
  constructor(
    private readonly binding: TensorflowBinding,
    private readonly isDouble = false,
  ) {
    this.realType = isDouble ? DT_DOUBLE : binding.TF_FLOAT;
    this.version = `TensorFlow ${binding.TF_Version}`;
    this.rowPatterns = new RowPatterns(binding);
    const flag = (name: string, value: boolean): BindingAttribute => ({ name, type: binding.TF_ATTR_BOOL, value });
    this.keepDims = [flag('keep_dims', true)];
    this.withPeepholes = [flag('use_peephole', true)];
    const transposes = [false, true].flatMap((a) => [false, true].map((b) => [a, b] as const));
    this.products = transposes.map(([a, b]) => [flag('transpose_a', a), flag('transpose_b', b)]);
    this.batchProducts = transposes.map(([a, b]) => [flag('adj_x', a), flag('adj_y', b)]);
    this.castToReal = [{ name: 'DstT', type: binding.TF_ATTR_TYPE, value: this.realType }];
  }

  upload(data: RealArray | readonly number[], shape: readonly number[]): Value {
    if (this.isDouble) return this.uploadDouble(data, shape);
    return this.create(new Float32Array(data), shape, 'real');
  }

  uploadInts(data: Int32Array | readonly number[], shape: readonly number[]): Value {
    return this.create(new Int32Array(data), shape, 'int');
  }

  constant(value: number): Value {
    let found = this.reals.get(value);
    if (!found) {
      const id = this.createReal(new Float32Array([value]), []);
      found = new TensorflowValue(id, [], 'real');
      if (this.isDouble) found = this.addRest(found, [value]);
      this.reals.set(value, found);
    }
    return found;
  }

  fill(shape: readonly number[], value: number): Value {
    return this.runIds('Fill', NO_ATTRIBUTES, [this.integer(shape), this.idOf(this.constant(value))]);
  }

  read(value: Value): RealArray {
    if (value.type !== 'real') throw new Error('only reals are read back');
    if (this.isDouble) throw new Error('doubles are narrowed before they are read');
    return this.binding.tensorDataSync(this.idOf(value)) as Float32Array;
  }

  readInto(value: Value, target: RealArray, offset = 0): void {
    target.set(this.read(value), offset);
  }

  dispose(...values: readonly Value[]): void {
    this.scopes.dispose(values as readonly TensorflowValue[]);
  }

  tidy<R>(body: () => R): R {
    return this.scopes.tidy(body);
  }

  keep<V extends Value>(value: V): V {
    (value as unknown as TensorflowValue).kept = true;
    return value;
  }

  tensorCount(): number {
    return this.binding.getNumOfTensors() - this.keptCount();
  }

  doubles(): DoubleOps {
    this.doubleOps ??= new TensorflowOps(this.binding, true);
    const ops = this.doubleOps;
    return { ops, narrow: (value) => this.runIds('Cast', this.castToReal, [ops.idOf(value)]) };
  }

  close(): void {
    this.doubleOps?.close();
    this.doubleOps = null;
    for (const value of this.reals.values()) this.binding.deleteTensor(value.id);
    this.reals.clear();
    this.dropIntegers();
    for (const id of this.int64s.values()) this.binding.deleteTensor(id);
    this.int64s.clear();
    this.rowPatterns.close();
  }

  kernel(
    name: string,
    attributes: readonly KernelAttribute[],
    inputs: readonly Value[],
    outputs: number,
  ): TensorflowValue[] {
    let own = this.attributes.get(attributes);
    if (!own) {
      own = attributes.map((attribute) => this.translate(attribute));
      this.attributes.set(attributes, own);
    }
    return this.execute(
      name,
      own,
      inputs.map((input) => this.idOf(input)),
      outputs,
    ).map((made) => this.wrap(made));
  }

  fusedLstm(
    x: Value,
    h0: Value,
    c0: Value,
    weights: Value,
    bias: Value,
    peepholes: readonly [Value, Value, Value] | null,
  ): FusedLstm {
    const steps = x.shape[0];
    let stepsId = this.int64s.get(steps);
    if (stepsId === undefined) {
      stepsId = this.binding.createTensor([], this.binding.TF_INT64, new Int32Array([steps, 0]));
      this.int64s.set(steps, stepsId);
    }
    const none = this.fill([h0.shape[1]], 0);
    const [input, forget, output] = peepholes ?? [none, none, none];
    const ids = [x, c0, h0, weights, input, forget, output, bias].map((value) => this.idOf(value));
    const attributes = peepholes ? this.withPeepholes : NO_ATTRIBUTES;
    const made = this.execute('BlockLSTMV2', attributes, [stepsId, ...ids], 7).map((value): Value => this.wrap(value));
    const [i, c, f, o, g, activated, h] = made as [Value, Value, Value, Value, Value, Value, Value];
    this.dispose(none, activated);
    return { i, c, f, o, g, h };
  }

  combineRows(pattern: RowPattern, factors: Value, rows: Value): Value {
    const { indices, shape } = this.rowPatterns.of(pattern);
    const isFlat = factors.shape.length === 1;
    const flat = isFlat ? factors : this.reshape(factors, [sizeOf(factors.shape)]);
    const ids = [indices, this.idOf(flat), shape, this.idOf(rows)];
    const combined = this.runIds('SparseTensorDenseMatMul', NO_ATTRIBUTES, ids);
    if (!isFlat) this.dispose(flat);
    return combined;
  }

  readBuffer(rows: number, rowLength: number): ReadBuffer | null {
    return openReadBuffer(this.binding, rows, rowLength, (value) => this.idOf(value));
  }

  matMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
    const flags = (transposeA ? 2 : 0) + (transposeB ? 1 : 0);
    if (a.shape.length === 2 && b.shape.length === 2) return this.run2('MatMul', a, b, this.products[flags]);
    return this.run2('BatchMatMulV2', a, b, this.batchProducts[flags]);
  }

  add = (a: Value, b: Value): Value => this.run2('AddV2', a, b);
  sub = (a: Value, b: Value): Value => this.run2('Sub', a, b);
  mul = (a: Value, b: Value): Value => this.run2('Mul', a, b);
  div = (a: Value, b: Value): Value => this.run2('RealDiv', a, b);
  maximum = (a: Value, b: Value): Value => this.run2('Maximum', a, b);
  minimum = (a: Value, b: Value): Value => this.run2('Minimum', a, b);
  greater = (a: Value, b: Value): Value => this.run2('Greater', a, b);
  greaterEqual = (a: Value, b: Value): Value => this.run2('GreaterEqual', a, b);
  equal = (a: Value, b: Value): Value => this.run2('Equal', a, b);
  logicalAnd = (a: Value, b: Value): Value => this.run2('LogicalAnd', a, b);
  logicalOr = (a: Value, b: Value): Value => this.run2('LogicalOr', a, b);
  logicalNot = (a: Value): Value => this.run1('LogicalNot', a);

  select(condition: Value, a: Value, b: Value): Value {
    return this.runIds('SelectV2', NO_ATTRIBUTES, [this.idOf(condition), this.idOf(a), this.idOf(b)]);
  }

  toReal(value: Value): Value {
    return this.runIds('Cast', this.castToReal, [this.idOf(value)]);
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
  log1p = (a: Value): Value => this.run1('Log1p', a);
  tanh = (a: Value): Value => this.run1('Tanh', a);
  sigmoid = (a: Value): Value => this.run1('Sigmoid', a);
  relu = (a: Value): Value => this.run1('Relu', a);
  erfc = (a: Value): Value => this.run1('Erfc', a);

  reshape(a: Value, shape: readonly number[]): Value {
    return this.runIds('Reshape', NO_ATTRIBUTES, [this.idOf(a), this.integer(shape)]);
  }

  transpose(a: Value, permutation: readonly number[]): Value {
    return this.runIds('Transpose', NO_ATTRIBUTES, [this.idOf(a), this.integer(permutation)]);
  }

  concat(values: readonly Value[], axis: number): Value {
    const front = frontAxis(axis, values[0].shape.length);
    const ids = values.map((value) => this.idOf(value));
    if (ids.length === 1) return this.runIds('Identity', NO_ATTRIBUTES, ids);
    return this.runIds('ConcatV2', this.concatenation(ids.length, values[0].type), [...ids, this.integer(front)]);
  }

  split(a: Value, parts: number | readonly number[], axis: number): Value[] {
    const front = frontAxis(axis, a.shape.length);
    const sizes = splitSizes(a.shape[front], parts);
    const attributes = this.count('num_split', sizes.length);
    const made =
      typeof parts === 'number'
        ? this.execute('Split', attributes, [this.integer(front), this.idOf(a)], parts)
        : this.execute('SplitV', attributes, [this.idOf(a), this.integer(sizes), this.integer(front)], sizes.length);
    return made.map((metadata) => this.wrap(metadata));
  }

  slice(a: Value, begin: readonly number[], size: readonly number[]): Value {
    return this.runIds('Slice', NO_ATTRIBUTES, [this.idOf(a), this.integer(begin), this.integer(size)]);
  }

  pad(a: Value, paddings: readonly (readonly [number, number])[], constant: number): Value {
    const amounts = this.integer(paddings.flat(), [paddings.length, 2]);
    return this.runIds('PadV2', NO_ATTRIBUTES, [this.idOf(a), amounts, this.idOf(this.constant(constant))]);
  }

  gather(a: Value, indices: Value, axis: number): Value {
    const front = this.integer(frontAxis(axis, a.shape.length));
    return this.runIds('GatherV2', NO_ATTRIBUTES, [this.idOf(a), this.idOf(indices), front]);
  }

  reverse(a: Value, axis: number): Value {
    const axes = this.integer([frontAxis(axis, a.shape.length)]);
    return this.runIds('ReverseV2', NO_ATTRIBUTES, [this.idOf(a), axes]);
  }

  broadcastTo(a: Value, shape: readonly number[]): Value {
    return this.runIds('BroadcastTo', NO_ATTRIBUTES, [this.idOf(a), this.integer(shape)]);
  }

  sum = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('Sum', a, axes, keepDims);
  norm = (a: Value, axes: readonly number[], keepDims = false): Value =>
    this.reduce('EuclideanNorm', a, axes, keepDims);
  mean = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('Mean', a, axes, keepDims);
  max = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('Max', a, axes, keepDims);
  min = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('Min', a, axes, keepDims);
  all = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('All', a, axes, keepDims);
  any = (a: Value, axes: readonly number[], keepDims = false): Value => this.reduce('Any', a, axes, keepDims);

  private reduce(name: string, a: Value, axes: readonly number[], keepDims: boolean): Value {
    const fronts = axes.map((axis) => frontAxis(axis, a.shape.length));
    return this.runIds(name, keepDims ? this.keepDims : NO_ATTRIBUTES, [this.idOf(a), this.integer(fronts)]);
  }

  private keptCount(): number {
    const own = this.reals.size + this.integers.size + this.int64s.size + this.rowPatterns.count();
    return own + (this.doubleOps?.keptCount() ?? 0);
  }

  private create(copy: Float32Array | Int32Array, shape: readonly number[], type: 'real' | 'int'): Value {
    if (copy.length !== sizeOf(shape)) throw new Error(`${copy.length} numbers for shape [${shape.join(',')}]`);
    const { TF_FLOAT, TF_INT32 } = this.binding;
    const id = this.binding.createTensor(shape, type === 'real' ? TF_FLOAT : TF_INT32, copy);
    return this.scopes.track(new TensorflowValue(id, [...shape], type));
  }

  /** Float32 numbers as a tensor of reals. */
  private createReal(data: Float32Array, shape: readonly number[]): number {
    const id = this.binding.createTensor(shape, this.binding.TF_FLOAT, data);
    if (!this.isDouble) return id;
    const cast = this.binding.executeOp('Cast', this.castToReal, [id], 1)[0].id;
    this.binding.deleteTensor(id);
    return cast;
  }

  /** Only float32 crosses the border: a number goes over as two, which keeps 48 of its 53 digits. */
  private uploadDouble(data: RealArray | readonly number[], shape: readonly number[]): Value {
    const rounded = new Float32Array(data);
    if (rounded.length !== sizeOf(shape)) throw new Error(`${rounded.length} numbers for shape [${shape.join(',')}]`);
    const value = new TensorflowValue(this.createReal(rounded, shape), [...shape], 'real');
    return this.scopes.track(this.addRest(value, data));
  }

  /** The value with what rounding `data` to float32 left out; the argument is freed when it is replaced. */
  private addRest(rounded: TensorflowValue, data: RealArray | readonly number[]): TensorflowValue {
    if (data instanceof Float32Array) return rounded;
    const rest = Float32Array.from(data, (value) => (Number.isFinite(value) ? value - Math.fround(value) : 0));
    if (rest.every((value) => value === 0)) return rounded;
    const restId = this.createReal(rest, rounded.shape);
    const { id } = this.execute('AddV2', NO_ATTRIBUTES, [rounded.id, restId], 1)[0];
    this.binding.deleteTensor(restId);
    this.binding.deleteTensor(rounded.id);
    return new TensorflowValue(id, rounded.shape, 'real');
  }

  /** The id of a kept integer argument: a scalar for a number, else a vector, or of the shape given. */
  private integer(values: number | readonly number[], shape?: readonly number[]): number {
    const key = `${typeof values === 'number' ? 's' : (shape ?? '')}:${values.toString()}`;
    let id = this.integers.get(key);
    if (id === undefined) {
      if (this.integers.size >= MAX_KEPT_CONSTANTS) this.dropIntegers();
      const data = Int32Array.from(typeof values === 'number' ? [values] : values);
      id = this.binding.createTensor(
        typeof values === 'number' ? [] : (shape ?? [data.length]),
        this.binding.TF_INT32,
        data,
      );
      this.integers.set(key, id);
    }
    return id;
  }

  private dropIntegers(): void {
    for (const id of this.integers.values()) this.binding.deleteTensor(id);
    this.integers.clear();
  }

  private count(name: string, value: number): readonly BindingAttribute[] {
    const key = `${name}:${value}`;
    let attributes = this.counts.get(key);
    if (!attributes) {
      attributes = [{ name, type: this.binding.TF_ATTR_INT, value }];
      this.counts.set(key, attributes);
    }
    return attributes;
  }

  /** TensorFlow does not infer the type of a list of inputs. */
  private concatenation(length: number, type: ValueType): readonly BindingAttribute[] {
    const key = `concat:${type}:${length}`;
    let attributes = this.counts.get(key);
    if (!attributes) {
      const { TF_INT32, TF_BOOL, TF_ATTR_TYPE, TF_ATTR_INT } = this.binding;
      const value = { real: this.realType, int: TF_INT32, bool: TF_BOOL }[type];
      attributes = [
        { name: 'N', type: TF_ATTR_INT, value: length },
        { name: 'T', type: TF_ATTR_TYPE, value },
      ];
      this.counts.set(key, attributes);
    }
    return attributes;
  }

  private translate({ name, kind, value }: KernelAttribute): BindingAttribute {
    const { binding } = this;
    const kinds = {
      int: binding.TF_ATTR_INT,
      float: binding.TF_ATTR_FLOAT,
      bool: binding.TF_ATTR_BOOL,
      string: binding.TF_ATTR_STRING,
      shape: binding.TF_ATTR_SHAPE,
    };
    if (kind !== 'type') return { name, type: kinds[kind], value };
    const types: Readonly<Record<string, number>> = {
      real: this.realType,
      int: binding.TF_INT32,
      bool: binding.TF_BOOL,
      int64: binding.TF_INT64,
    };
    return { name, type: binding.TF_ATTR_TYPE, value: types[String(value)] };
  }

  private run1(name: string, a: Value): Value {
    return this.wrap(this.execute(name, NO_ATTRIBUTES, [this.idOf(a)], 1)[0]);
  }

  private run2(name: string, a: Value, b: Value, attributes = NO_ATTRIBUTES): Value {
    return this.wrap(this.execute(name, attributes, [this.idOf(a), this.idOf(b)], 1)[0]);
  }

  private runIds(name: string, attributes: readonly BindingAttribute[], ids: readonly number[]): Value {
    return this.wrap(this.execute(name, attributes, ids, 1)[0]);
  }

  private execute(
    name: string,
    attributes: readonly BindingAttribute[],
    inputs: readonly number[],
    outputs: number,
  ): TensorMetadata[] {
    try {
      return this.binding.executeOp(name, attributes, inputs, outputs);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      if (/OOM|exhausted|bad_alloc|allocat/i.test(message)) {
        throw new TempogradError('engine/out-of-memory', `TensorFlow has no memory left for ${name}`, {
          details: { kernel: name },
          cause,
        });
      }
      throw new Error(`kernel ${name}: ${message}`, { cause });
    }
  }

  private wrap({ id, shape, dtype }: TensorMetadata): TensorflowValue {
    const { TF_BOOL } = this.binding;
    const type = dtype === this.realType ? 'real' : dtype === TF_BOOL ? 'bool' : 'int';
    return this.scopes.track(new TensorflowValue(id, shape, type));
  }

  private idOf(value: Value): number {
    const own = value as TensorflowValue;
    if (own.freed) throw new Error('a freed value was used');
    return own.id;
  }
}
