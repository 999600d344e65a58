/**
 * Large run messages in pieces, so that neither process stands still while megabytes are copied.
 *
 * Between processes arrays are copied, not moved: the states of a long run would freeze the window for as long as that
 * takes. The sender splits, the page joins; small messages go as they are.
 */
import type { RunEvent, RunMessage } from './run';

type Numbers = Float32Array | Float64Array | Uint8Array;

/** Messages with less in their arrays go whole, and no piece is larger. */
export const PIECE_BYTES = 2 ** 19;

/** The place of an array in an event. */
interface ArrayPlace {
  /** Property names from the event down. */
  readonly path: readonly string[];
  readonly length: number;
}

/** Announces a message whose arrays follow in pieces; in itself they are empty. */
export interface MessageHead {
  readonly kind: 'head';
  readonly message: RunMessage;
  readonly places: readonly ArrayPlace[];
  readonly pieces: number;
}

/** A part of one array of the message that was announced last. */
export interface ArrayPiece {
  readonly kind: 'piece';
  /** Index into `places` of the head. */
  readonly place: number;
  readonly start: number;
  readonly values: Numbers;
}

/** What crosses the run port. */
export type RunItem = RunMessage | MessageHead | ArrayPiece;

/**
 * Bytes in the arrays of an event.
 *
 * @param event - Any event.
 */
export function arrayBytesOf(event: RunEvent): number {
  return findArrays(event, []).reduce((sum, { array }) => sum + array.byteLength, 0);
}

/**
 * A message as a head and its pieces, in the order in which they are to be sent.
 *
 * @param message - A message of any size.
 * @param pieceBytes - Largest piece.
 */
export function* splitMessage(
  message: RunMessage,
  pieceBytes = PIECE_BYTES,
): Generator<MessageHead | ArrayPiece, void, void> {
  const found = findArrays(message.event, []);
  const stepOf = (array: Numbers): number => Math.max(1, Math.floor(pieceBytes / array.BYTES_PER_ELEMENT));
  const event = withoutArrays(message.event) as RunEvent;
  yield {
    kind: 'head',
    message: { ...message, event },
    places: found.map(({ path, array }) => ({ path, length: array.length })),
    pieces: found.reduce((sum, { array }) => sum + Math.ceil(array.length / stepOf(array)), 0),
  };
  for (const [place, { array }] of found.entries()) {
    const step = stepOf(array);
    // A copy of the part: a view would be sent with the whole memory behind it.
    for (let start = 0; start < array.length; start += step) {
      yield { kind: 'piece', place, start, values: array.slice(start, start + step) };
    }
  }
}

/**
 * A receiver of items that hands on whole messages.
 *
 * @param receive - Called for each message, as soon as it is whole; the credit it took is given back by who receives it.
 * @param grant - Gives back one credit, for a piece or for a message that will not become whole.
 */
export function makeJoiner(receive: (message: RunMessage) => void, grant: () => void): (item: RunItem) => void {
  let head: MessageHead | null = null;
  let arrays: Numbers[] = [];
  let missing = 0;
  const finish = (): void => {
    if (head === null || missing > 0) return;
    const { message } = head;
    head = null;
    receive(message);
  };
  /** Whatever was under way belongs to a run that was stopped. */
  const drop = (): void => {
    if (head !== null) grant();
    head = null;
  };
  return (item) => {
    if (!('kind' in item)) {
      drop();
      return receive(item);
    }
    if (item.kind === 'head') {
      drop();
      head = item;
      missing = item.pieces;
      arrays = item.places.map((place) => allocate(item.message.event, place));
      return finish();
    }
    grant();
    if (head === null) return;
    arrays[item.place]!.set(item.values, item.start);
    missing -= 1;
    finish();
  };
}

function isNumbers(value: unknown): value is Numbers {
  return value instanceof Float32Array || value instanceof Float64Array || value instanceof Uint8Array;
}

function findArrays(value: unknown, path: readonly string[]): { path: readonly string[]; array: Numbers }[] {
  if (isNumbers(value)) return [{ path, array: value }];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([key, part]) => findArrays(part, [...path, key]));
}

function withoutArrays(value: unknown): unknown {
  if (isNumbers(value)) return value.slice(0, 0);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutArrays(part)]));
}

/** Puts a full-size array of the same kind in the place of the empty one, and gives it. */
function allocate(event: RunEvent, { path, length }: ArrayPlace): Numbers {
  const last = path.length - 1;
  const holder = path.slice(0, last).reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], event);
  const slots = holder as Record<string, Numbers>;
  const Kind = slots[path[last]!]!.constructor as new (size: number) => Numbers;
  return (slots[path[last]!] = new Kind(length));
}
