/**
 * `--trace`: one line of JSON per stage of a run, with its time and the memory at its end.
 */
import type { RunEvent } from '../shared/run';
import { jsonText } from './terminal-text';

/** Collects the stages of a command. */
export interface Trace {
  add(event: RunEvent, layer: string): void;
  /** The lines. */
  text(): string;
}

/**
 * A trace that begins now: what comes before the first stage of the first layer is `open`.
 *
 * @param isWanted - Whether anything is collected.
 */
export function makeTrace(isWanted: boolean): Trace {
  const lines: string[] = [];
  let stage = 'open';
  let since = performance.now();
  return {
    add(event, layer) {
      const next = event.kind === 'progress' ? event.stage : event.kind === 'done' ? 'done' : stage;
      if (!isWanted || next === stage) return;
      const now = performance.now();
      const line = { layer, stage, seconds: (now - since) / 1000, residentBytes: process.memoryUsage.rss() };
      // Between two layers nothing happens.
      if (stage !== 'done') lines.push(jsonText(line, 0));
      stage = next;
      since = now;
    },
    text: () => lines.map((line) => `${line}\n`).join(''),
  };
}
