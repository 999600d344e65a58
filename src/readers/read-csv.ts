/**
 * Sequences from a table: rows are timesteps, columns are features; the header line is found by itself.
 */
import Papa from 'papaparse';
import { TempogradError } from '../core/errors';
import type { Tensor } from '../core/tensor';
import type { ByteSource } from './byte-source';
import { DEFAULT_LIMITS, checkLimit, type ReadLimits } from './limits';

/** A table of numbers. */
export interface CsvTable {
  /** `[T, D]` */
  readonly tensor: Tensor<Float64Array>;
  /** The header, null without one. */
  readonly columns: readonly string[] | null;
}

/** One row of the file with its number, counted from 1. */
interface CsvRow {
  readonly line: number;
  readonly cells: readonly string[];
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const DECIMAL_COMMA = /^[+-]?\d+,\d+([eE][+-]?\d+)?$/;
const NOT_FINITE = /^([+-]?(nan|inf|infinity)|n\/?a|null|none|)$/i;
const SAMPLE_LINES = 20;

/**
 * The numbers of a table.
 *
 * @param source - The file: UTF-8 or UTF-16 text; comma, semicolon, tab, bar or white space between cells.
 * @param name - Its name, for messages.
 * @param header - Whether the first row is a header; null finds out: it is one when a cell of it is text.
 * @param limits - Caps.
 * @throws TempogradError `input/not-readable` naming row and column, `input/not-finite` for an empty or NaN cell,
 * `reader/limit-exceeded`.
 */
export function readCsv(
  source: ByteSource,
  name: string,
  header: boolean | null = null,
  limits: ReadLimits = DEFAULT_LIMITS,
): CsvTable {
  checkLimit(`Size of ${name} in bytes`, source.size, 'maxCsvBytes', limits);
  const rows = splitRows(decodeText(source.read(0, source.size), name));
  const first = rows[0];
  if (!first) throw refuse(`${name} holds no rows`);
  const hasHeader = header ?? first.cells.some((cell) => toNumber(cell) === null && !NOT_FINITE.test(cell));
  const columns = hasHeader ? first.cells : null;
  const body = hasHeader ? rows.slice(1) : rows;
  if (body.length === 0) throw refuse(`${name} holds a header but no numbers`);
  const width = first.cells.length;
  checkLimit(`Numbers in ${name}`, body.length * width, 'maxInputValues', limits);
  const data = new Float64Array(body.length * width);
  for (const [index, row] of body.entries()) readRow(row, width, columns, name, data.subarray(index * width));
  return { tensor: { shape: [body.length, width], data }, columns };
}

function decodeText(bytes: Uint8Array, name: string): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  const text = new TextDecoder(encoding).decode(bytes);
  if (text.includes('\0')) throw refuse(`${name} is not a text, so it is no table`);
  return text;
}

function splitRows(text: string): readonly CsvRow[] {
  const delimiter = findDelimiter(text);
  const spaced = delimiter === ' ';
  const { data } = Papa.parse<string[]>(spaced ? text.replace(/[ \t]+/g, ' ') : text, {
    delimiter,
    skipEmptyLines: false,
  });
  const rows: CsvRow[] = [];
  for (const [index, cells] of data.entries()) {
    const trimmed = cells.map((cell) => cell.trim());
    const inner = spaced ? trimmed.filter((cell) => cell !== '') : trimmed;
    const isComment = inner[0]?.startsWith('#') === true;
    const isBlank = inner.length === 0 || (inner.length === 1 && inner[0] === '');
    if (!isComment && !isBlank) rows.push({ line: index + 1, cells: inner });
  }
  return rows;
}

/** The mark that stands in every one of the first lines; a tab before a semicolon before a bar before a comma. */
function findDelimiter(text: string): string {
  const lines = text
    .slice(0, 1 << 16)
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .slice(0, SAMPLE_LINES);
  const found = ['\t', ';', '|', ','].find((mark) => lines.length > 0 && lines.every((line) => line.includes(mark)));
  if (found !== undefined) return found;
  return lines.length > 0 && lines.every((line) => /\S[ \t]+\S/.test(line.trim())) ? ' ' : ',';
}

function readRow(row: CsvRow, width: number, columns: readonly string[] | null, name: string, out: Float64Array): void {
  if (row.cells.length !== width) {
    throw new TempogradError(
      'input/not-readable',
      `${name}: row ${String(row.line)} has ${String(row.cells.length)} columns, the first row has ${String(width)}`,
      {
        remedy: 'Give every row the same number of columns.',
        details: { row: row.line, expected: width, actual: row.cells.length },
      },
    );
  }
  for (const [index, cell] of row.cells.entries()) {
    const value = toNumber(cell);
    if (value !== null && Number.isFinite(value)) out[index] = value;
    else throw badCell(cell, row.line, index, columns, name);
  }
}

function badCell(
  cell: string,
  line: number,
  index: number,
  columns: readonly string[] | null,
  name: string,
): TempogradError {
  const title = columns?.[index];
  const place = `row ${String(line)}, column ${String(index + 1)}${title === undefined ? '' : ` (${title})`}`;
  const details = { row: line, column: index + 1, cell: cell.slice(0, 100) };
  if (NOT_FINITE.test(cell) || toNumber(cell) !== null) {
    const what = cell === '' ? 'is empty' : `holds ${cell}`;
    return new TempogradError('input/not-finite', `${name}: ${place} ${what}`, { details });
  }
  return new TempogradError(
    'input/not-readable',
    `${name}: ${place} holds the text ${JSON.stringify(cell.slice(0, 40))}, not a number`,
    {
      remedy: 'Remove columns that are not numbers, such as dates and names.',
      details,
    },
  );
}

/** The number that a cell is, null for text; a comma may stand for the decimal point. */
function toNumber(cell: string): number | null {
  if (NUMBER.test(cell)) return Number(cell);
  return DECIMAL_COMMA.test(cell) ? Number(cell.replace(',', '.')) : null;
}

function refuse(message: string): TempogradError {
  return new TempogradError('input/not-readable', message);
}
