/**
 * The operations that the engine's own code is written in, over opaque values.
 *
 * Three implementations stand in `ops/`: TensorFlow kernels called by name, tfjs-core on wasm, and plain float64.
 * There is no tape and no gradient. Values live in engine memory until disposed or until the `tidy` around them ends;
 * a value outside any `tidy` is its maker's to dispose. Axes may be negative, counted from the last one.
 */
import type { EngineName, RealArray } from './engine';

/** What a value holds: reals in the engine's precision, 32-bit integers (indices), or truth values. */
export type ValueType = 'real' | 'int' | 'bool';

/** A handle to an array in engine memory. Only its shape may be looked at. */
export interface Value {
  readonly shape: readonly number[];
  readonly type: ValueType;
}

/** An attribute of a TensorFlow kernel. */
export interface KernelAttribute {
  readonly name: string;
  readonly kind: 'type' | 'int' | 'float' | 'bool' | 'string' | 'shape';
  /** For `type` one of the words `real`, `int`, `bool`, `int64`. */
  readonly value: unknown;
}

/** What the fused LSTM forward pass gives; each `[T, B, H]`, gates after their activation, `ci` = g. */
export interface FusedLstm {
  readonly i: Value;
  readonly c: Value;
  readonly f: Value;
  readonly o: Value;
  readonly g: Value;
  readonly h: Value;
}

/** A host array that values are copied into without new memory. */
export interface ReadBuffer {
  /** `[rows, rowLength]`, overwritten by `put`. */
  readonly array: Float32Array;
  /**
   * Copies a value of `count * rowLength` numbers to rows `firstRow ..`.
   *
   * @param value - Any shape.
   * @param firstRow - Where its first row goes.
   */
  put(value: Value, firstRow: number): void;
  /** Lets go of the engine's hold on the array; the array itself stays valid. */
  dispose(): void;
}

/** Operations in float64 beside an engine's own, for short computations that float32 is too coarse for. */
export interface DoubleOps {
  readonly ops: Ops;
  /** A value of `ops` as a value of the engine itself, rounded to its precision. */
  narrow(value: Value): Value;
}

/** The places of the entries of a sparse matrix. */
export interface RowPattern {
  /** Of the rule that the places follow; patterns of one name and size are the same. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Row and column of each entry, one after the other, rows ascending. */
  places(): Int32Array;
}

/** What only the native engine offers; `null` elsewhere, where the caller takes the general way. */
export interface NativeOps {
  /**
   * Rows that are small combinations of other rows, in one pass: a sparse matrix times `rows`.
   *
   * @param pattern - Where the matrix has entries; kept by its name and sizes.
   * @param factors - The entries in the order of their places, any shape.
   * @param rows - `[pattern.columns, q]`
   * @returns `[pattern.rows, q]`
   */
  combineRows(pattern: RowPattern, factors: Value, rows: Value): Value;
  /** Float64 operations on the same library; what they hold is freed by `close`. Their values cannot be read back. */
  doubles(): DoubleOps;
  /**
   * A read buffer over shared memory, or null where the array cannot be shared (its address is not aligned).
   *
   * @param rows - Number of rows.
   * @param rowLength - Numbers in a row.
   */
  readBuffer(rows: number, rowLength: number): ReadBuffer | null;
  /**
   * Runs any TensorFlow kernel.
   *
   * @param name - Its registered name, `BatchMatMulV2`.
   * @param attributes - Every attribute that it needs; use constants, they are cached by identity.
   * @param inputs - Its inputs in order.
   * @param outputs - How many outputs it has.
   */
  kernel(name: string, attributes: readonly KernelAttribute[], inputs: readonly Value[], outputs: number): Value[];
  /**
   * The forward pass of an LSTM with sigmoid gates and tanh over all steps by the kernel BlockLSTMV2.
   *
   * @param x - `[T, B, D]`
   * @param h0 - `[B, H]`
   * @param c0 - `[B, H]`
   * @param weights - kernel above recurrent kernel, `[D + H, 4H]`, blocks i f g o as in Keras.
   * @param bias - `[4H]`
   * @param peepholes - p_i, p_f, p_o, each `[H]`; null without.
   */
  fusedLstm(
    x: Value,
    h0: Value,
    c0: Value,
    weights: Value,
    bias: Value,
    peepholes: readonly [Value, Value, Value] | null,
  ): FusedLstm;
}

/** The operations; each makes a new value and leaves its arguments alone. Elementwise ones broadcast as NumPy does. */
export interface Ops {
  readonly engine: EngineName;
  /** Of the numerical library. */
  readonly version: string;
  readonly native: NativeOps | null;

  // Memory
  /** A value of a copy of `data`, rounded to the engine's precision; later changes of `data` are not seen. */
  upload(data: RealArray | readonly number[], shape: readonly number[]): Value;
  /** An `int` value of a copy of `data`. */
  uploadInts(data: Int32Array | readonly number[], shape: readonly number[]): Value;
  /** A real of shape `[]`, kept by the engine and shared: do not dispose it. */
  constant(value: number): Value;
  /** A real value filled with one number. */
  fill(shape: readonly number[], value: number): Value;
  /** A fresh copy of a real value's numbers, row-major, owned by the caller. */
  read(value: Value): RealArray;
  /** Copies a real value's numbers into `target` from `offset` on. */
  readInto(value: Value, target: RealArray, offset?: number): void;
  /** Frees values; one that is already freed is a bug and throws. */
  dispose(...values: readonly Value[]): void;
  /**
   * What `body` returns; every other value made inside is freed, all of them when `body` throws. Values are found in
   * what is returned through arrays and plain objects. Not for async bodies.
   */
  tidy<R>(body: () => R): R;
  /** Takes values out of the `tidy` scopes around: their maker must dispose them. */
  keep<V extends Value>(value: V): V;
  /** Live values, constants of the engine itself left out. */
  tensorCount(): number;
  /** Frees all that the operations hold, constants included. */
  close(): void;

  // Products
  /** `a b`, `[.., m, k] [.., k, n]`, over equal or broadcast leading axes. */
  matMul(a: Value, b: Value, transposeA?: boolean, transposeB?: boolean): Value;

  // Elementwise, two arguments
  add(a: Value, b: Value): Value;
  sub(a: Value, b: Value): Value;
  mul(a: Value, b: Value): Value;
  div(a: Value, b: Value): Value;
  maximum(a: Value, b: Value): Value;
  minimum(a: Value, b: Value): Value;
  /** 1 where a > b, as truth values. */
  greater(a: Value, b: Value): Value;
  greaterEqual(a: Value, b: Value): Value;
  equal(a: Value, b: Value): Value;
  logicalAnd(a: Value, b: Value): Value;
  logicalOr(a: Value, b: Value): Value;
  logicalNot(a: Value): Value;
  /** `a` where `condition`, else `b`; all of one shape after broadcasting. */
  select(condition: Value, a: Value, b: Value): Value;
  /** Truth values or integers as reals 0 and 1. */
  toReal(value: Value): Value;

  // Elementwise, one argument
  neg(a: Value): Value;
  abs(a: Value): Value;
  sign(a: Value): Value;
  square(a: Value): Value;
  sqrt(a: Value): Value;
  rsqrt(a: Value): Value;
  reciprocal(a: Value): Value;
  exp(a: Value): Value;
  expm1(a: Value): Value;
  log(a: Value): Value;
  log1p(a: Value): Value;
  tanh(a: Value): Value;
  sigmoid(a: Value): Value;
  relu(a: Value): Value;
  /** 1 - erf(a), with its relative precision kept for large a. */
  erfc(a: Value): Value;

  // Shape
  /** The same numbers under another shape. */
  reshape(a: Value, shape: readonly number[]): Value;
  transpose(a: Value, permutation: readonly number[]): Value;
  concat(values: readonly Value[], axis: number): Value;
  /** Equal parts along an axis (a number), or parts of the given sizes. The axis stays. */
  split(a: Value, parts: number | readonly number[], axis: number): Value[];
  slice(a: Value, begin: readonly number[], size: readonly number[]): Value;
  pad(a: Value, paddings: readonly (readonly [number, number])[], constant: number): Value;
  /** Entries of `a` along `axis` at `indices` (any shape), an `int` value. */
  gather(a: Value, indices: Value, axis: number): Value;
  reverse(a: Value, axis: number): Value;
  broadcastTo(a: Value, shape: readonly number[]): Value;

  // Reductions
  sum(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  /** The root of the sum of squares; one pass where the library has it. */
  norm(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  mean(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  max(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  min(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  all(a: Value, axes: readonly number[], keepDims?: boolean): Value;
  any(a: Value, axes: readonly number[], keepDims?: boolean): Value;
}
