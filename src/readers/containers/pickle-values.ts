/** What a pickle can hold: plain values, containers, and records of what it would import and call. */
import type { ByteSource } from '../byte-source';

/** A name that the pickle would import. */
export class PickleGlobal {
  /**
   * @param module - `torch._utils`.
   * @param name - `_rebuild_tensor_v2`.
   */
  constructor(
    readonly module: string,
    readonly name: string,
  ) {}

  /** `torch._utils._rebuild_tensor_v2`, for lists and messages. */
  get path(): string {
    return `${this.module}.${this.name}`;
  }
}

/** An object that the pickle would make by a call, with what it would be filled with. */
export class PickleObject {
  /** Set by BUILD. */
  state: PickleValue = null;
  // Made when they are filled: most objects have neither, and a file can have very many objects.
  #items: PickleValue[] | null = null;
  #entries: Map<PickleValue, PickleValue> | null = null;

  /**
   * @param callable - What would be called, usually a `PickleGlobal`.
   * @param args - With what.
   */
  constructor(
    readonly callable: PickleValue,
    readonly args: PickleValue,
  ) {}

  /** What APPEND(S) put into it, where it is no list. */
  get items(): readonly PickleValue[] {
    return this.#items ?? NO_ITEMS;
  }

  /** What SETITEM(S) put into it, where it is no dictionary. */
  get entries(): ReadonlyMap<PickleValue, PickleValue> {
    return this.#entries ?? NO_ENTRIES;
  }

  /** The list to append to; made at the first call. */
  itemsToFill(): PickleValue[] {
    return (this.#items ??= []);
  }

  /** The dictionary to put entries into; made at the first call. */
  entriesToFill(): Map<PickleValue, PickleValue> {
    return (this.#entries ??= new Map<PickleValue, PickleValue>());
  }
}

const NO_ITEMS: readonly PickleValue[] = [];
const NO_ENTRIES: ReadonlyMap<PickleValue, PickleValue> = new Map();

/** A reference to data outside the pickle (BINPERSID). */
export class PicklePersistent {
  /** @param id - For PyTorch a tuple that names a storage. */
  constructor(readonly id: PickleValue) {}
}

/** Bytes where they lie: an array of any size costs nothing until it is read. */
export class PickleBytes {
  /** @param source - The bytes. */
  constructor(readonly source: ByteSource) {}
}

/** A tuple, to tell it from a list. */
export class PickleTuple {
  /** @param items - Its items. */
  constructor(readonly items: readonly PickleValue[]) {}
}

/** Whatever a pickle can hold. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleBytes
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleTuple
  | PickleGlobal
  | PickleObject
  | PicklePersistent;
