/** Which pairs of steps of a run are held against float64, and what the engine said of them. */
import type { PairsChunk, PairsQuantity } from '../../core/jacobian';
import type { BenchCase } from './cases';

/** Pairs that are compared, about. */
const SAMPLES = 200;

/** States from which on a source takes long to push in float64. */
const LARGE_STATE = 1024;

/** What is compared of each kind of pairs. */
const QUANTITIES = { input: ['dh_dx', 'dc_dx'], state: ['ds_ds'] } as const;

/** Log norms that an engine gave at sampled pairs of the first sequence. */
export class SampledPairs {
  readonly sources: readonly number[];
  private readonly found = new Map<string, number>();
  private readonly targets = new Map<number, readonly number[]>();

  /**
   * @param benchCase - Sizes of the case.
   * @param kind - By the input, or by the state.
   */
  constructor(
    { steps, units, layers }: Pick<BenchCase, 'steps' | 'units' | 'layers'>,
    readonly kind: 'input' | 'state',
  ) {
    const isLong = layers > 0 || kind === 'state' || 2 * units > LARGE_STATE;
    const sources = Math.min(isLong ? 4 : 8, steps);
    const targets = Math.ceil(SAMPLES / sources);
    this.sources = spread(0, steps - 1, sources + 1).slice(0, sources);
    for (const source of this.sources) {
      // Where every step depends on every other, targets before the source count too.
      this.targets.set(source, spread(layers > 0 ? 0 : source, steps - 1, targets));
    }
  }

  /** Targets of a source. */
  targetsOf(source: number): readonly number[] {
    return this.targets.get(source) ?? [];
  }

  /** Keeps what a chunk holds of the sampled pairs. */
  look({ quantity, sequence, targetStart, targetCount, sourceStart, sourceCount, logNorms }: PairsChunk): void {
    if (sequence !== 0 || !(QUANTITIES[this.kind] as readonly PairsQuantity[]).includes(quantity)) return;
    for (const source of this.sources) {
      const column = source - sourceStart;
      if (column < 0 || column >= sourceCount) continue;
      for (const target of this.targetsOf(source)) {
        const row = target - targetStart;
        if (row < 0 || row >= targetCount) continue;
        this.found.set(`${quantity} ${target} ${source}`, logNorms[row * sourceCount + column]);
      }
    }
  }

  /** What the engine gave last; -Infinity where no chunk covered the pair: that is an exact zero. */
  at(quantity: PairsQuantity, target: number, source: number): number {
    return this.found.get(`${quantity} ${target} ${source}`) ?? -Infinity;
  }
}

/** So many whole numbers from one to another, evenly, each once. */
function spread(first: number, last: number, count: number): readonly number[] {
  const all = Array.from({ length: count }, (_, i) =>
    Math.round(first + ((last - first) * i) / Math.max(1, count - 1)),
  );
  return [...new Set(all)];
}
