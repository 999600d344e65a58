/**
 * Who frees which value: the bookkeeping that the three implementations of the operations share.
 *
 * A value belongs to the innermost `tidy` in which it was made; what a scope returns passes to the scope around it.
 * It knows nothing of how memory is freed: that is the `release` it is given.
 */
import type { Value, ValueType } from '../ops';

/** A value with what the bookkeeping needs. */
export class TrackedValue implements Value {
  /** Its memory is gone; using it is a bug. */
  freed = false;
  /** Taken out of all scopes by `keep`. */
  kept = false;

  /**
   * @param shape - Sizes of the axes.
   * @param type - What it holds.
   */
  constructor(
    readonly shape: readonly number[],
    readonly type: ValueType,
  ) {}
}

/** The scopes of one set of operations. */
export class Scopes<V extends TrackedValue> {
  private readonly stack: V[][] = [];

  /**
   * @param release - Frees a value's memory.
   * @param kind - The class of the values, to find them in what `tidy` returns.
   */
  constructor(
    private readonly release: (value: V) => void,
    private readonly kind: new (...parameters: never[]) => V,
  ) {}

  /**
   * The value itself, entered into the innermost scope.
   *
   * @param value - A new value.
   */
  track(value: V): V {
    const { length } = this.stack;
    if (length > 0) this.stack[length - 1].push(value);
    return value;
  }

  /**
   * What `body` returns, all other values made inside freed.
   *
   * @param body - Synchronous.
   * @throws Error when `body` returns a promise: its values would be freed too early.
   */
  tidy<R>(body: () => R): R {
    const scope: V[] = [];
    this.stack.push(scope);
    let result: R;
    try {
      result = body();
      if (result instanceof Promise) throw new Error('tidy was given an asynchronous body');
    } catch (error) {
      this.stack.pop();
      this.releaseAll(scope, null);
      throw error;
    }
    this.stack.pop();
    const returned = new Set<V>();
    this.collect(result, returned);
    this.releaseAll(scope, returned);
    return result;
  }

  /**
   * Frees values at once.
   *
   * @param values - Live values.
   * @throws Error when one was freed before.
   */
  dispose(values: readonly V[]): void {
    for (const value of values) {
      if (value.freed) throw new Error('a value was freed twice');
      value.freed = true;
      this.release(value);
    }
  }

  private releaseAll(scope: readonly V[], returned: ReadonlySet<V> | null): void {
    for (const value of scope) {
      if (value.freed || value.kept) continue;
      if (returned?.has(value)) {
        this.track(value);
      } else {
        value.freed = true;
        this.release(value);
      }
    }
  }

  private collect(found: unknown, into: Set<V>): void {
    if (typeof found !== 'object' || found === null || ArrayBuffer.isView(found)) return;
    if (found instanceof this.kind) {
      into.add(found);
    } else if (Array.isArray(found)) {
      for (const entry of found) this.collect(entry, into);
    } else if (Object.getPrototypeOf(found) === Object.prototype) {
      for (const entry of Object.values(found)) this.collect(entry, into);
    }
  }
}
