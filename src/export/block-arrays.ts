/** The block of one pair of steps as arrays: rows of both directions with one scale. */
import type { StateName } from '../core/jacobian';
import type { BlockEvent, StoredBlockData } from '../shared/pair-block';
import type { StartedEvent } from '../shared/run';
import { rowsOf } from './array-declarations';
import type { NpzWriter } from './npz-writer';

/**
 * Writes a block.
 *
 * @param writer - The file.
 * @param started - The run.
 * @param event - The block of each direction.
 */
export function writeBlock(writer: NpzWriter, started: StartedEvent, event: BlockEvent): void {
  for (const state of ['h', 'c'] as const) {
    const found = event.parts.filter((part) => part[state] !== null);
    if (found.length === 0) continue;
    const scale = jointScale(found.map((part) => part[state]!));
    for (const part of found) {
      const { data, scale: own, columns } = part[state]!;
      const { offset } = rowsOf(started, state, part.direction)!;
      const factor = 2 ** (own - scale);
      writer.write(nameOf(state), offset * columns, factor === 1 ? data : data.map((value) => value * factor));
    }
    writer.write(`scale_${nameOf(state)}`, 0, [scale]);
  }
}

/** The largest scale of a block that is not zero. */
function jointScale(blocks: readonly StoredBlockData[]): number {
  const scales = blocks.filter(({ logNorm }) => logNorm !== -Infinity).map(({ scale }) => scale);
  return scales.length === 0 ? 0 : Math.max(...scales);
}

function nameOf(state: StateName): string {
  return `block_d${state}_dx`;
}
