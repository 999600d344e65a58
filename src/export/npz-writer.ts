/**
 * Writes an `.npz` whose arrays arrive in pieces and in any order.
 *
 * Members are stored, not deflated, so every array's place in the file is known before its first value: a run streams
 * straight to disk, whatever its size. Sizes beyond 4 GiB use zip64. The same arrays give the same bytes.
 */
import { PiecewiseCrc32 } from './crc32';
import type { FileSink } from '../shared/file-sink';
import { NPY_BYTES, npyHeader, type NpyType } from './npy-header';

/** One array of the archive, known before anything is computed. */
export interface ArrayDeclaration {
  readonly name: string;
  readonly type: NpyType;
  readonly shape: readonly number[];
}

interface Member extends ArrayDeclaration {
  readonly fileName: Uint8Array;
  /** Of one that grows it is written again when its shape is known. */
  header: Uint8Array;
  size: number;
  readonly headerPosition: number;
  readonly dataPosition: number;
  readonly crc: PiecewiseCrc32;
  /** Filled from the start and written in any pieces, so that its bytes are summed when all are there. */
  isScattered: boolean;
}

const LOCAL_HEADER_BYTES = 30;
const FILL_ELEMENTS = 1 << 20;
/** Bytes that are read back at once to be summed. */
const SUMMED_BYTES = 1 << 24;
/** Room for the shape of any array with one axis. */
const GROWING_HEADER_BYTES = 128;
const ZIP64_EXTRA_BYTES = 20;
/** 1980-01-01: a fixed date keeps the bytes the same from run to run. */
const DOS_DATE = 0x21;
const VERSION_ZIP64 = 45;
const MAX_UINT32 = 0xffffffff;
/** Of a regular file, readable by all, in the external attributes (Unix). */
const UNIX_MODE = 0o100644;

/** An `.npz` archive being written. */
export class NpzWriter {
  private readonly members = new Map<string, Member>();
  private end = 0;

  /**
   * @param sink - Where the bytes go; committed by `close`, otherwise left to the caller to abort.
   * @param declarations - All arrays, in the order in which they stand in the archive.
   */
  constructor(
    private readonly sink: FileSink,
    declarations: readonly ArrayDeclaration[],
  ) {
    for (const declaration of declarations) this.declare(declaration);
  }

  /**
   * Adds an array behind all others.
   *
   * @param declaration - The array.
   */
  declare(declaration: ArrayDeclaration): void {
    this.place(declaration, npyHeader(declaration.type, declaration.shape));
  }

  /**
   * Adds elements at the end of an array of one axis whose length is not known before; it must be the last one.
   *
   * @param name - A new name, or that of the last array.
   * @param type - Its type.
   * @param values - What is added.
   */
  append(name: string, type: NpyType, values: ArrayLike<number>): void {
    if (!this.members.has(name)) this.place({ name, type, shape: [0] }, npyHeader(type, [0], GROWING_HEADER_BYTES));
    const member = this.members.get(name)!;
    if (member.dataPosition + member.size !== this.end) throw new Error(`array ${name} is not the last one`);
    const length = (member.size - member.header.length) / NPY_BYTES[type] + values.length;
    this.write(name, length - values.length, values);
    member.size += values.length * NPY_BYTES[type];
    member.header = npyHeader(type, [length], GROWING_HEADER_BYTES);
    this.end = member.dataPosition + member.size;
    member.crc.add(0, member.header);
    this.sink.write(member.dataPosition, member.header);
  }

  /**
   * Fills an array, over which any elements may then be written in any pieces and any number of them.
   *
   * @param name - A declared name, of which nothing was written yet.
   * @param value - What it is filled with.
   */
  scatter(name: string, value: number): void {
    const member = this.members.get(name);
    if (!member) throw new Error(`array ${name} was not declared`);
    member.isScattered = true;
    const elements = (member.size - member.header.length) / NPY_BYTES[member.type];
    for (let start = 0; start < elements; start += FILL_ELEMENTS) {
      this.write(name, start, new Float64Array(Math.min(FILL_ELEMENTS, elements - start)).fill(value));
    }
  }

  /**
   * Writes consecutive elements of an array.
   *
   * @param name - A declared name.
   * @param firstElement - Row-major index of the first element.
   * @param values - Values of any real type; converted to the declared type.
   */
  write(name: string, firstElement: number, values: ArrayLike<number>): void {
    const member = this.members.get(name);
    if (!member) throw new Error(`array ${name} was not declared`);
    const bytes = toBytes(member.type, values);
    const offset = member.header.length + firstElement * NPY_BYTES[member.type];
    if (!member.isScattered) member.crc.add(offset, bytes);
    this.sink.write(member.dataPosition + offset, bytes);
  }

  /**
   * Consecutive float32 elements that were written before.
   *
   * @param name - A declared name of type float32.
   * @param firstElement - Row-major index of the first element.
   * @param count - How many.
   */
  readFloats(name: string, firstElement: number, count: number): Float32Array {
    const member = this.members.get(name);
    if (!member) throw new Error(`array ${name} was not declared`);
    const bytes = this.sink.read(member.dataPosition + member.header.length + 4 * firstElement, 4 * count);
    return new Float32Array(bytes.buffer, bytes.byteOffset, count);
  }

  /**
   * Fills every element that was not written: NaN in arrays of reals, 0 in arrays of integers.
   *
   * @param names - Only these arrays; all when left out.
   * @param value - What stands in the place of NaN.
   */
  fillMissing(names?: readonly string[], value = NaN): void {
    for (const member of this.members.values()) {
      if (member.isScattered || (names && !names.includes(member.name))) continue;
      const width = NPY_BYTES[member.type];
      for (const gap of member.crc.gaps(member.size)) {
        const first = (gap.offset - member.header.length) / width;
        const last = first + gap.length / width;
        for (let start = first; start < last; start += FILL_ELEMENTS) {
          const count = Math.min(FILL_ELEMENTS, last - start);
          this.write(member.name, start, new Float64Array(count).fill(member.type === 'int32' ? 0 : value));
        }
      }
    }
  }

  /**
   * Lets every element that was not written be zero, without writing it: what a sink is not given is zero.
   *
   * @param names - Of these arrays.
   */
  leaveZeros(names: readonly string[]): void {
    for (const member of this.members.values()) {
      if (!names.includes(member.name)) continue;
      for (const gap of member.crc.gaps(member.size)) member.crc.addZeros(gap.offset, gap.length);
    }
  }

  /**
   * Writes headers and directory and commits the file; every element must have been written once.
   *
   * @param otherName - Name of the file when it is not the sink's own.
   */
  async close(otherName?: string): Promise<void> {
    const directory: Uint8Array[] = [];
    for (const member of this.members.values()) {
      const crc = this.sumOf(member);
      this.sink.write(member.headerPosition, localHeader(member, crc));
      directory.push(directoryEntry(member, crc));
    }
    const directoryBytes = Buffer.concat(directory);
    this.sink.write(this.end, directoryBytes);
    this.sink.write(this.end + directoryBytes.length, endRecords(this.members.size, directoryBytes.length, this.end));
    await this.sink.commit(otherName);
  }

  private place(declaration: ArrayDeclaration, header: Uint8Array): void {
    const fileName = new TextEncoder().encode(`${declaration.name}.npy`);
    const elements = declaration.shape.reduce((product, size) => product * size, 1);
    const size = header.length + elements * NPY_BYTES[declaration.type];
    const headerPosition = this.end;
    const dataPosition = headerPosition + LOCAL_HEADER_BYTES + fileName.length + ZIP64_EXTRA_BYTES;
    const crc = new PiecewiseCrc32();
    crc.add(0, header);
    this.sink.write(dataPosition, header);
    const place = { headerPosition, dataPosition, crc };
    this.members.set(declaration.name, { ...declaration, fileName, header, size, ...place, isScattered: false });
    this.end = dataPosition + size;
  }

  private sumOf({ isScattered, crc, dataPosition, size }: Member): number {
    if (!isScattered) return crc.total(size);
    const summed = new PiecewiseCrc32();
    for (let at = 0; at < size; at += SUMMED_BYTES) {
      summed.add(at, this.sink.read(dataPosition + at, Math.min(SUMMED_BYTES, size - at)));
    }
    return summed.total(size);
  }
}

function toBytes(type: NpyType, values: ArrayLike<number>): Uint8Array {
  const fits =
    (type === 'float32' && values instanceof Float32Array) ||
    (type === 'float64' && values instanceof Float64Array) ||
    (type === 'int32' && values instanceof Int32Array) ||
    (type === 'uint8' && values instanceof Uint8Array);
  const array = fits ? (values as Float32Array) : convert(type, values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function convert(type: NpyType, values: ArrayLike<number>): Float32Array | Float64Array | Int32Array | Uint8Array {
  if (type === 'uint8') return Uint8Array.from(values);
  if (type === 'float32') return Float32Array.from(values);
  return type === 'float64' ? Float64Array.from(values) : Int32Array.from(values);
}

function localHeader(member: Member, crc: number): Uint8Array {
  const bytes = Buffer.alloc(LOCAL_HEADER_BYTES + member.fileName.length + ZIP64_EXTRA_BYTES);
  bytes.writeUInt32LE(0x04034b50, 0);
  bytes.writeUInt16LE(VERSION_ZIP64, 4);
  bytes.writeUInt16LE(DOS_DATE, 12);
  bytes.writeUInt32LE(crc, 14);
  bytes.writeUInt32LE(MAX_UINT32, 18);
  bytes.writeUInt32LE(MAX_UINT32, 22);
  bytes.writeUInt16LE(member.fileName.length, 26);
  bytes.writeUInt16LE(ZIP64_EXTRA_BYTES, 28);
  bytes.set(member.fileName, LOCAL_HEADER_BYTES);
  const extra = LOCAL_HEADER_BYTES + member.fileName.length;
  bytes.writeUInt16LE(1, extra);
  bytes.writeUInt16LE(16, extra + 2);
  bytes.writeBigUInt64LE(BigInt(member.size), extra + 4);
  bytes.writeBigUInt64LE(BigInt(member.size), extra + 12);
  return bytes;
}

function directoryEntry(member: Member, crc: number): Uint8Array {
  const extraLength = 28;
  const bytes = Buffer.alloc(46 + member.fileName.length + extraLength);
  bytes.writeUInt32LE(0x02014b50, 0);
  bytes.writeUInt16LE((3 << 8) | VERSION_ZIP64, 4);
  bytes.writeUInt16LE(VERSION_ZIP64, 6);
  bytes.writeUInt16LE(DOS_DATE, 14);
  bytes.writeUInt32LE(crc, 16);
  bytes.writeUInt32LE(MAX_UINT32, 20);
  bytes.writeUInt32LE(MAX_UINT32, 24);
  bytes.writeUInt16LE(member.fileName.length, 28);
  bytes.writeUInt16LE(extraLength, 30);
  bytes.writeUInt32LE((UNIX_MODE << 16) >>> 0, 38);
  bytes.writeUInt32LE(MAX_UINT32, 42);
  bytes.set(member.fileName, 46);
  const extra = 46 + member.fileName.length;
  bytes.writeUInt16LE(1, extra);
  bytes.writeUInt16LE(24, extra + 2);
  bytes.writeBigUInt64LE(BigInt(member.size), extra + 4);
  bytes.writeBigUInt64LE(BigInt(member.size), extra + 12);
  bytes.writeBigUInt64LE(BigInt(member.headerPosition), extra + 20);
  return bytes;
}

function endRecords(entries: number, directoryLength: number, directoryPosition: number): Uint8Array {
  const bytes = Buffer.alloc(56 + 20 + 22);
  bytes.writeUInt32LE(0x06064b50, 0);
  bytes.writeBigUInt64LE(44n, 4);
  bytes.writeUInt16LE((3 << 8) | VERSION_ZIP64, 12);
  bytes.writeUInt16LE(VERSION_ZIP64, 14);
  bytes.writeBigUInt64LE(BigInt(entries), 24);
  bytes.writeBigUInt64LE(BigInt(entries), 32);
  bytes.writeBigUInt64LE(BigInt(directoryLength), 40);
  bytes.writeBigUInt64LE(BigInt(directoryPosition), 48);
  bytes.writeUInt32LE(0x07064b50, 56);
  bytes.writeBigUInt64LE(BigInt(directoryPosition + directoryLength), 64);
  bytes.writeUInt32LE(1, 72);
  bytes.writeUInt32LE(0x06054b50, 76);
  bytes.writeUInt16LE(entries, 84);
  bytes.writeUInt16LE(entries, 86);
  bytes.writeUInt32LE(MAX_UINT32, 88);
  bytes.writeUInt32LE(MAX_UINT32, 92);
  return bytes;
}
