/** The part of jsfive that the tests use; the package has no types of its own. */
declare module 'jsfive' {
  export class Group {
    readonly keys: string[];
    readonly attrs: Readonly<Record<string, unknown>>;
    get(path: string): Group | Dataset;
  }
  export class Dataset {
    readonly shape: number[];
    readonly value: ArrayLike<number | bigint> & Iterable<number | bigint>;
  }
  export class File extends Group {
    constructor(buffer: ArrayBufferLike, name: string);
  }
}
