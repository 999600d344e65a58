/**
 * Log norms of the last state's Jacobians against the lag, per state, direction and sequence.
 *
 * The pieces of `final` arrive in either order of time; the curves are read once all are there.
 */
import { lagSeries } from '../core/diagnostics/lag-series';
import type { Direction, StateName } from '../core/jacobian';
import type { Tensor } from '../core/tensor';
import type { FinalEvent } from '../shared/run';

/** Gathers `final` events into curves. */
export class LagCurves {
  /** `[B, T]` by state and direction, at the input's own time index. */
  private readonly norms = new Map<string, Float64Array>();

  /**
   * @param batch - B
   * @param steps - T of x.
   * @param mask - `[B, T]`, 1 = valid; null without a mask.
   */
  constructor(
    private readonly batch: number,
    readonly steps: number,
    private readonly mask: Tensor<Uint8Array> | null,
  ) {}

  /**
   * Takes one piece.
   *
   * @param event - A `final` event of the run.
   */
  add(event: FinalEvent): void {
    this.fill('h', event, event.h.total);
    if (event.c) this.fill('c', event, event.c.total);
  }

  /**
   * The curve of each sequence, natural logs by lag; a sequence without a valid step has an empty one.
   *
   * @param state - h or c.
   * @param direction - Which recurrence.
   * @returns Empty when the run had no `final` mode.
   */
  curves(state: StateName, direction: Direction): readonly Float64Array[] {
    const norms = this.norms.get(`${state} ${direction}`);
    if (!norms) return [];
    const { batch, steps } = this;
    return Array.from({ length: batch }, (_, b) => {
      const [from, to] = [b * steps, (b + 1) * steps];
      return lagSeries(norms.subarray(from, to), direction, this.mask?.data.subarray(from, to) ?? null);
    });
  }

  private fill(state: StateName, event: FinalEvent, total: Float64Array): void {
    const { batch, steps } = this;
    const key = `${state} ${event.direction}`;
    const norms = this.norms.get(key) ?? new Float64Array(batch * steps).fill(NaN);
    this.norms.set(key, norms);
    for (let b = 0; b < batch; b++) {
      norms.set(total.subarray(b * event.count, (b + 1) * event.count), b * steps + event.start);
    }
  }
}
