/**
 * Progress of a run on standard error: a bar on a terminal, one line of JSON per event, or nothing.
 */
import type { RunEvent } from '../shared/run';
import type { ProgressStyle } from './analyze-options';
import { blockSummary } from './block-text';
import type { Output } from './exit-codes';
import { jsonText } from './terminal-text';

/** Shows events. */
export interface ProgressReporter {
  show(event: RunEvent): void;
  /** Clears what is on the terminal. */
  end(): void;
}

const BAR_WIDTH = 24;
const MIN_MS_BETWEEN_DRAWS = 80;

/**
 * A reporter of the style asked for; without one, a bar where standard error is a terminal.
 *
 * @param style - The style, or null.
 * @param output - Where to print.
 */
export function makeProgress(style: ProgressStyle | null, output: Output): ProgressReporter {
  const chosen = style ?? (output.isTerminal ? 'bar' : 'none');
  if (chosen === 'json') return { show: (event) => output.err(`${jsonText(lean(event), 0)}\n`), end: () => undefined };
  return chosen === 'bar' ? makeBar(output) : { show: () => undefined, end: () => undefined };
}

/** An event without its arrays: what a script can follow. */
function lean(event: RunEvent): object {
  if (event.kind === 'diagonal' || event.kind === 'final') {
    const { kind, direction, start, count } = event;
    return { kind, direction, start, count };
  }
  if (event.kind === 'pairs') {
    const { kind, direction, quantity, sequence, targetStart, targetCount, sourceStart, sourceCount } = event;
    return { kind, direction, quantity, sequence, targetStart, targetCount, sourceStart, sourceCount };
  }
  if (event.kind === 'spectrum') {
    const { kind, direction, count, stateSize } = event;
    return { kind, direction, count, stateSize };
  }
  if (event.kind === 'block') return { kind: event.kind, ...blockSummary(event) };
  if (event.kind === 'eigenvalues') return { kind: event.kind, direction: event.direction };
  if (event.kind === 'loss-gradient') return { kind: event.kind, direction: event.direction };
  if (event.kind === 'states') return { kind: event.kind };
  return event.kind === 'done'
    ? { kind: 'done', hidden: event.summary.hidden.verdict, cell: event.summary.cell?.verdict ?? null }
    : event;
}

function makeBar(output: Output): ProgressReporter {
  let drawnAt = 0;
  return {
    show(event) {
      if (event.kind !== 'progress' || performance.now() - drawnAt < MIN_MS_BETWEEN_DRAWS) return;
      drawnAt = performance.now();
      const filled = Math.round(event.fraction * BAR_WIDTH);
      const left = event.fraction > 0.05 ? (event.secondsElapsed * (1 - event.fraction)) / event.fraction : null;
      const rest = left === null ? '' : `  about ${left < 10 ? left.toFixed(1) : Math.round(left)} s left`;
      output.draw(
        `\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${Math.round(event.fraction * 100)} %  ${event.stage}${rest}`,
      );
    },
    end: () => output.draw('\r\x1b[K'),
  };
}
