/**
 * What the descriptions in a file take in memory once they are objects, counted while they are read.
 *
 * A byte of a file can become a hundred in memory: an empty message, a tuple, an entry of a dictionary. Each reader says
 * here what it makes before it makes it, so that one cap holds for all formats and for all parts of one file. The numbers
 * of tensors have limits of their own. The sizes are those of V8 without compressed pointers, rounded up; nothing is taken
 * off when an object is dropped, because the collector comes later.
 */

/** Bytes of what readers make, without the texts and lists inside. */
export const OBJECT_BYTES = {
  /** A place in a list, with the room that lists keep to grow. */
  entry: 16,
  /** A list or a tuple. */
  list: 64,
  /** An entry of a dictionary. */
  pair: 48,
  /** An empty dictionary or set. */
  dictionary: 208,
  /** An object of a few fields, such as a place in the file. */
  record: 96,
  /** A text. */
  text: 32,
} as const;

/** The objects of one reading. */
export class ObjectCount {
  readonly #check: (bytes: number) => void;
  #bytes = 0;

  /**
   * @param check - Told of the sum each time; throws where it is too much.
   */
  constructor(check: (bytes: number) => void) {
    this.#check = check;
  }

  /** The sum so far, bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Counts what is about to be made.
   *
   * @param bytes - What it takes.
   * @throws TempogradError `reader/limit-exceeded` naming `maxObjectBytes`.
   */
  add(bytes: number): void {
    this.#bytes += bytes;
    this.#check(this.#bytes);
  }

  /**
   * Counts a text.
   *
   * @param length - Its characters.
   * @throws TempogradError as `add`.
   */
  addText(length: number): void {
    this.add(OBJECT_BYTES.text + length);
  }
}
