/** Removes what a killed worker left half written. */
import { dirname, resolve } from 'node:path';
import { removeLeftovers } from '../host/file-sink';
import type { AnalyzeOrder } from './analyze-options';

/**
 * Removes the temporary files of a process from the folders that an order names.
 *
 * @param pid - The process, which has ended.
 * @param order - What it was doing; nothing when left out.
 */
export function cleanAfter(pid: number, order: AnalyzeOrder | undefined): void {
  if (!order) return;
  const files = [order.out, order.report, typeof order.json === 'string' ? order.json : null];
  const folders = new Set(files.filter((path) => path !== null && path !== '').map((path) => dirname(resolve(path!))));
  if (order.out !== null) folders.add(resolve(order.out));
  if (order.csv !== null) folders.add(resolve(order.csv));
  for (const folder of folders) removeLeftovers(folder, pid);
}
