/** Float64 values of the native library on the host. */
import type { Ops, Value } from '../ops';

/**
 * The numbers of a float64 value, with 48 of their 53 digits: only float32 crosses the border, so each comes as two.
 *
 * @param ops - The native engine's operations.
 * @param value - A value of its `doubles()`; not freed.
 */
export function readDoubles(ops: Ops, value: Value): Float64Array {
  const doubles = ops.native!.doubles();
  return doubles.ops.tidy(() =>
    ops.tidy(() => {
      const high = doubles.narrow(value);
      const low = doubles.narrow(doubles.ops.sub(value, doubles.ops.toReal(high)));
      const rest = ops.read(low);
      return Float64Array.from(ops.read(high), (part, i) => (Number.isFinite(part) ? part + rest[i]! : part));
    }),
  );
}
