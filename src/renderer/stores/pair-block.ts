/** The Jacobian behind the chosen cell of the flow map, asked of the engine when the cell is chosen. */
import { ref, shallowRef, watch } from 'vue';
import type { ErrorRecord } from '../../core/errors';
import type { RequestInput } from '../../shared/contract';
import type { StoredBlockData } from '../../shared/pair-block';
import { request } from '../api';
import type { PairQuantity } from './pair-maps';

/** A selection that goes on moving asks for nothing, milliseconds. */
const SETTLE_MS = 80;

/** Which block. */
export interface WantedBlock extends Omit<RequestInput<'block'>, 'hasState'> {
  readonly quantity: PairQuantity;
}

/** A block and what it is of. */
interface FetchedBlock {
  readonly wanted: WantedBlock;
  readonly data: StoredBlockData;
}

/** One entry of a block. */
interface BlockEntry {
  readonly row: number;
  readonly column: number;
  readonly value: number;
  /** ln of its size in the true block. */
  readonly logSize: number;
}

/**
 * The entries of a block of the largest size, largest first.
 *
 * @param block - The block.
 * @param count - How many.
 */
export function largestEntries({ data, columns, scale }: StoredBlockData, count: number): readonly BlockEntry[] {
  const found: { at: number; size: number }[] = [];
  for (let at = 0; at < data.length; at += 1) {
    const size = Math.abs(data[at]!);
    if (found.length === count && !(size > found.at(-1)!.size)) continue;
    const place = found.findIndex((other) => size > other.size);
    found.splice(place < 0 ? found.length : place, 0, { at, size });
    if (found.length > count) found.pop();
  }
  return found.map(({ at, size }) => ({
    row: Math.floor(at / columns),
    column: at % columns,
    value: data[at]!,
    logSize: Math.log(size) + scale * Math.LN2,
  }));
}

/**
 * The block of what is wanted, fetched again whenever that changes; only the last answer counts.
 *
 * @param wanted - Which block, read reactively; null = none.
 */
export function usePairBlock(wanted: () => WantedBlock | null) {
  const block = shallowRef<FetchedBlock | null>(null);
  const error = shallowRef<ErrorRecord | null>(null);
  const isFetching = ref(false);
  let asked = 0;

  async function fetch(place: WantedBlock): Promise<void> {
    const mine = ++asked;
    const { quantity, ...pair } = place;
    const reply = await request('block', { ...pair, ...(quantity === 'ds_ds' && { hasState: true }) });
    if (mine !== asked) return;
    isFetching.value = false;
    error.value = reply.ok ? null : reply.error;
    const part = reply.ok ? reply.value : null;
    const data = part && { dh_dx: part.h, dc_dx: part.c, ds_ds: part.state }[quantity];
    block.value = data ? { wanted: place, data } : null;
  }

  watch(
    () => JSON.stringify(wanted()),
    (_, __, onCleanup) => {
      asked += 1;
      error.value = null;
      const place = wanted();
      isFetching.value = place !== null;
      if (place === null) {
        block.value = null;
        return;
      }
      const timer = setTimeout(() => void fetch(place), SETTLE_MS);
      onCleanup(() => clearTimeout(timer));
    },
    { immediate: true },
  );

  return { block, error, isFetching };
}
