/**
 * Parts of a run (`analyze --shard`) put together: the very file that one run writes, byte for byte.
 *
 * Parts are read by range and one at a time, so that memory does not grow with them. Their order does not matter: what
 * comes where is said by their records, and the halves of a Bidirectional layer meet in the order of a run.
 */
import { TempogradError } from '../core/errors';
import type { Direction, PairsQuantity } from '../core/jacobian';
import { PART_ARRAYS, PLACE_COLUMNS, PLACE_DIRECTIONS, type OpenPart, type PartFile } from '../shared/part-record';
import type { StartedEvent } from '../shared/run';
import { arrayBytes, declareArrays, isPairsArray } from './array-declarations';
import { NpzWriter, type ArrayDeclaration } from './npz-writer';
import { RunArrays } from './run-arrays';
import { checkRoom, type WriteHost } from './write-run';

/** What putting together needs from the machine; its `pause` cancels it. */
export type MergeHost = Pick<WriteHost, 'openSink' | 'freeBytes' | 'pause'>;

/** Elements that are copied at once. */
const COPIED_ELEMENTS = 1 << 20;
/** Rectangles whose places are read at once. */
const PLACES_AT_ONCE = 1 << 8;

/**
 * The parts of one run, in their order, none missing.
 *
 * @param files - Parts in any order.
 * @throws TempogradError `usage/bad-option` for parts of different runs, a part that is there twice, or missing ones.
 */
export function orderParts(files: readonly PartFile[]): readonly PartFile[] {
  const first = files[0]!;
  const { count } = first.record.started.part;
  const byIndex = new Map<number, PartFile>();
  for (const file of files) {
    checkSameRun(first, file);
    const { index } = file.record.started.part;
    const other = byIndex.get(index);
    if (other) {
      throw refuse(`${other.path} and ${file.path} are both part ${index} of ${count}`, 'Name every part once.', {
        parts: [other.path, file.path],
        index,
      });
    }
    byIndex.set(index, file);
  }
  const all = Array.from({ length: count }, (_, at) => at + 1);
  const missing = all.filter((index) => !byIndex.has(index));
  if (missing.length > 0) {
    const named = missing.slice(0, 20).map((index) => `${index}/${count}`);
    const more = missing.length > named.length ? ` and ${missing.length - named.length} more` : '';
    throw refuse(
      `${missing.length} of ${count} parts ${missing.length === 1 ? 'is' : 'are'} missing: ${named.join(', ')}${more}`,
      `Compute ${missing.length === 1 ? 'it' : 'them'} with the same command and --shard ${named[0]}, and name all parts.`,
      { missing, count },
    );
  }
  return all.map((index) => byIndex.get(index)!);
}

/** Nothing when two parts have the facts of one run. */
function checkSameRun(first: PartFile, other: PartFile): void {
  const [a, b] = [first.record, other.record];
  const facts = (record: typeof a): Readonly<Record<string, string>> => ({
    ...record.facts,
    'number of parts': String(record.started.part.count),
  });
  const [own, theirs] = [facts(a), facts(b)];
  const names = [...new Set([...Object.keys(own), ...Object.keys(theirs)])];
  const name = names.find((key) => own[key] !== theirs[key]);
  if (name === undefined) return;
  throw refuse(
    `${first.path} and ${other.path} are parts of different runs: ${name} is ${own[name] ?? 'not given'} in one, ${theirs[name] ?? 'not given'} in the other`,
    'Give parts of one run: the same version, model, input, options and engine, and the same n.',
    { paths: [first.path, other.path], fact: name },
  );
}

function refuse(message: string, remedy: string, details: Record<string, unknown>): TempogradError {
  return new TempogradError('usage/bad-option', message, { remedy, details });
}

/**
 * The run that parts make together.
 *
 * @param parts - In their order.
 */
export function wholeRun(parts: readonly PartFile[]): StartedEvent {
  const { part: _, ...whole } = parts[0]!.record.started;
  return whole;
}

/**
 * Writes the arrays of a run from its parts.
 *
 * @param parts - What `orderParts` gave.
 * @param path - The file.
 * @param host - The machine.
 * @throws TempogradError `reader/corrupt` where a part does not hold what its record says, `output/not-writable`,
 * `output/too-large`; an Error when it was cancelled.
 */
export async function mergeParts(parts: readonly PartFile[], path: string, host: MergeHost): Promise<void> {
  const started = wholeRun(parts);
  const declarations = declareArrays(started);
  checkRoom(path, arrayBytes(declarations), host);
  const sink = host.openSink(path);
  const breathe = async (): Promise<void> => {
    if ((await host.pause?.()) === false) throw new Error('putting the parts together was cancelled');
  };
  const writer = new NpzWriter(sink, declarations);
  const arrays = new RunArrays(sink, started, writer);
  const pairs = declarations.filter(({ name }) => isPairsArray(name));
  // What no rectangle covers is exactly zero.
  for (const { name } of pairs) writer.scatter(name, -Infinity);
  const others = declarations.filter((declaration) => !pairs.includes(declaration));
  for (const file of parts) {
    await file.use(async (part) => {
      for (const declaration of others) await copySequences(writer, declaration, file, part, breathe);
    });
  }
  // The half that comes second in a run adds to the first where both meet.
  for (const direction of started.directions) {
    for (const file of parts) await file.use((part) => layPairs(arrays, started, direction, file, part, breathe));
  }
  arrays.complete();
  await writer.close();
}

/** Lays a part's sequences behind those of the parts before it. */
async function copySequences(
  writer: NpzWriter,
  { name, shape }: ArrayDeclaration,
  file: PartFile,
  part: OpenPart,
  breathe: () => Promise<void>,
): Promise<void> {
  const { started } = file.record;
  const { first, count } = started.part.sequences;
  if (count === 0) return;
  // Steps of a curve are the same for every sequence, eigenvalues those of the first one; the first part gives them.
  const isCommon = name.startsWith('lyapunov_curve_steps') || name.startsWith('eigenvalues_');
  if (isCommon && first > 0) return;
  const array = await part.array(name);
  const row = isCommon ? shape : shape.slice(1);
  const expected = isCommon ? shape : [count, ...row];
  if (!array || array.shape.join() !== expected.join()) {
    throw damaged(file, `its array ${name} should have the shape [${expected.join(', ')}]`);
  }
  const width = row.reduce((product, size) => product * size, 1);
  const total = isCommon ? width : count * width;
  const start = isCommon ? 0 : first * width;
  for (let at = 0; at < total; at += COPIED_ELEMENTS) {
    writer.write(name, start + at, array.read(at, Math.min(COPIED_ELEMENTS, total - at)));
    await breathe();
  }
}

/** Lays the rectangles of one direction where a run lays them. */
async function layPairs(
  arrays: RunArrays,
  started: StartedEvent,
  direction: Direction,
  file: PartFile,
  part: OpenPart,
  breathe: () => Promise<void>,
): Promise<void> {
  const places = await part.array(PART_ARRAYS.places);
  if (!places) return;
  const values = await part.array(PART_ARRAYS.values);
  const [rectangles = 0, columns] = places.shape;
  if (!values || columns !== PLACE_COLUMNS) throw damaged(file, 'its norms of pairs have no places');
  let at = 0;
  for (let start = 0; start < rectangles; start += PLACES_AT_ONCE) {
    await breathe();
    const rows = Math.min(PLACES_AT_ONCE, rectangles - start);
    const table = places.read(start * PLACE_COLUMNS, rows * PLACE_COLUMNS);
    for (let row = 0; row < rows; row++) {
      const place = placeOf(table.subarray(row * PLACE_COLUMNS, (row + 1) * PLACE_COLUMNS), started, file);
      const length = place.targetCount * place.sourceCount;
      const from = at;
      at += length;
      if (place.direction !== direction) continue;
      if (at > values.shape[0]!) throw damaged(file, 'it has fewer norms of pairs than places');
      const logNorms = values.read(from, length) as Float64Array;
      arrays.add({ event: { kind: 'pairs', ...place, logNorms }, chunk: null });
    }
  }
}

/** A row of the table as the rectangle that it says, which must lie in the run. */
function placeOf(row: Iterable<number>, started: StartedEvent, file: PartFile) {
  const [quantity = -1, side = -1, sequence = -1, targetStart = -1, targetCount = -1, ...sourced] = row;
  const [sourceStart = -1, sourceCount = -1, isJoined = 0] = sourced;
  const name = file.record.quantities[quantity];
  const direction = PLACE_DIRECTIONS[side];
  const sources = name === 'dh_ds0' ? 1 : Math.max(started.steps, started.sourceSteps);
  const fits =
    sequence >= 0 &&
    sequence < started.batch &&
    liesIn(targetStart, targetCount, started.steps) &&
    liesIn(sourceStart, sourceCount, sources);
  if (name === undefined || direction === undefined || !fits)
    throw damaged(file, 'a rectangle of pairs leaves the run');
  return {
    quantity: name as PairsQuantity,
    direction,
    sequence,
    targetStart,
    targetCount,
    sourceStart,
    sourceCount,
    ...(isJoined === 1 && { isJoined: true as const }),
  };
}

function liesIn(start: number, count: number, size: number): boolean {
  return start >= 0 && count >= 0 && start + count <= size;
}

function damaged(file: PartFile, what: string): TempogradError {
  return new TempogradError('reader/corrupt', `${file.path} is no whole part: ${what}`, {
    remedy: 'Compute this part again, with the same command and --shard.',
    details: { path: file.path },
  });
}
