/**
 * What whole pairs will take, checked and told before anything is computed.
 */
import { planRun, type AnalysisOrder } from '../analysis/analyze';
import { checkFullPairs } from '../analysis/full-pairs';
import { formatBytes } from '../charts/number-format';
import { checkRoom, type WriteHost } from '../export/write-run';
import { oneLine } from './terminal-text';

/**
 * One line with the size of what `--full` will write.
 *
 * @param orders - The runs, one per layer.
 * @param out - Where to.
 * @param host - The machine, which knows the room on the disk.
 * @throws TempogradError `output/too-large` where a layer is above `--max-bytes`, or all of them do not fit the disk.
 */
export function fullNotice(orders: readonly AnalysisOrder[], out: string, host: Pick<WriteHost, 'freeBytes'>): string {
  let bytes = 0;
  let all = 0;
  for (const order of orders) {
    const { fullBytes, size, estimate } = planRun(order);
    checkFullPairs(fullBytes, order.request, size);
    bytes += fullBytes;
    all += estimate.resultBytes;
  }
  checkRoom(out, all, host);
  return `whole Jacobians of all pairs: ${formatBytes(bytes)} (${bytes} bytes) of ${oneLine(out)}`;
}
