/**
 * The block of one pair of steps as lines for a terminal, and as it stands beside a summary in JSON.
 */
import { scaleByPower } from '../core/linalg/scaling';
import type { BlockEvent, StoredBlockData } from '../shared/pair-block';
import { columns } from './terminal-text';

/** So much of a block is shown. */
const SHOWN_ROWS = 8;
const SHOWN_COLUMNS = 6;

/**
 * The lines of a block; none where there is none.
 *
 * @param block - The block, or null.
 */
export function blockText(block: BlockEvent | null): readonly string[] {
  if (!block) return [];
  const { target, source, sequence, parts } = block;
  return parts.flatMap(({ direction, h, c }) => {
    const title = (state: string, { rows, columns: width, logNorm }: StoredBlockData): string => {
      const norm = logNorm === -Infinity ? 'exactly zero' : `log norm ${logNorm.toFixed(4)}`;
      const half = parts.length === 1 ? '' : `, ${direction}`;
      return `  block d${state}_${target}/dx_${source} of sequence ${sequence}${half}: ${rows} x ${width}, ${norm}`;
    };
    const cell = c ? [title('c', c), ...entriesText(c)] : [];
    return [title('h', h), ...entriesText(h), ...cell];
  });
}

/**
 * What of a block stands in JSON: its place, sizes and norms; its numbers are in the arrays.
 *
 * @param block - The block.
 */
export function blockSummary({ target, source, sequence, parts }: BlockEvent): object {
  const plain = ({ rows, columns: width, scale, logNorm }: StoredBlockData): object => {
    return { rows, columns: width, scale, logNorm };
  };
  const states = parts.map(({ direction, h, c }) => ({ direction, h: plain(h), c: c && plain(c) }));
  return { target, source, sequence, parts: states };
}

/** The first entries, as they truly are. */
function entriesText({ data, rows, columns: width, scale, logNorm }: StoredBlockData): readonly string[] {
  if (logNorm === -Infinity) return [];
  const shown = Array.from({ length: Math.min(rows, SHOWN_ROWS) }, (_, row) => {
    const entries = Array.from({ length: Math.min(width, SHOWN_COLUMNS) }, (__, column) =>
      entryText(data[row * width + column]!, scale),
    );
    return width > SHOWN_COLUMNS ? [...entries, '..'] : entries;
  });
  return [...columns(shown), ...(rows > SHOWN_ROWS ? ['..'] : [])].map((line) => `    ${line}`);
}

/** A number times 2^scale; by its power of two where no double holds it. */
function entryText(value: number, scale: number): string {
  const whole = scaleByPower(value, scale);
  const isHeld = value === 0 || (whole !== 0 && Number.isFinite(whole));
  return isHeld ? whole.toExponential(3) : `${value.toExponential(3)} * 2^${scale}`;
}
