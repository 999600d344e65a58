/** Seeded changes to a protocol buffer message: its fields, at any depth, with lengths that are right again. */
import type { RandomSource } from '../../../src/core/random';
import { NUMBERS, below, mutateBytes, pick } from './mutate-bytes';

interface Field {
  number: number;
  wire: number;
  /** Of a varint. */
  value: bigint;
  /** Of all others. */
  bytes: Uint8Array;
}

const MAX_DEPTH = 12;
const HUGE: readonly bigint[] = [0n, 1n, 0x7fffffffn, 0xffffffffn, 1n << 40n, (1n << 63n) - 1n, (1n << 64n) - 1n];

/** The message with one to three of its fields changed. */
export function mutateProtobuf(bytes: Uint8Array, random: RandomSource): Uint8Array {
  let message = bytes;
  for (let count = 1 + below(random, 3); count > 0; count--) message = mutateMessage(message, random, 0);
  return message;
}

function mutateMessage(bytes: Uint8Array, random: RandomSource, depth: number): Uint8Array {
  const fields = parse(bytes);
  if (fields === null || fields.length === 0) return mutateBytes(bytes, random);
  const index = below(random, fields.length);
  const field = fields[index]!;
  const isNested = field.wire === 2 && depth < MAX_DEPTH && parse(field.bytes) !== null && field.bytes.length > 0;
  if (isNested && below(random, 4) > 0) {
    field.bytes = mutateMessage(field.bytes, random, depth + 1);
    return encode(fields);
  }
  switch (below(random, 7)) {
    case 0:
      fields.splice(index, 1);
      break;
    case 1:
      fields.splice(index, 0, field);
      break;
    case 2:
      field.number = 1 + below(random, 20);
      break;
    case 3: {
      const other = below(random, fields.length);
      fields[index] = fields[other]!;
      fields[other] = field;
      break;
    }
    case 4:
      field.wire = pick(random, [0, 1, 2, 5]);
      if (field.wire === 1) field.bytes = new Uint8Array(8);
      if (field.wire === 5) field.bytes = new Uint8Array(4);
      break;
    default:
      if (field.wire === 0) field.value = below(random, 2) === 0 ? pick(random, HUGE) : BigInt(pick(random, NUMBERS));
      else if (field.bytes.length > 0) field.bytes = mutateBytes(field.bytes, random);
  }
  return encode(fields);
}

/** The fields of a message, null where the bytes are none. */
function parse(bytes: Uint8Array): Field[] | null {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint | null => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) return null;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return null;
  };
  while (at < bytes.length) {
    const key = varint();
    if (key === null || key >> 3n === 0n || key >> 3n > 1000n) return null;
    const wire = Number(key & 7n);
    const field: Field = { number: Number(key >> 3n), wire, value: 0n, bytes: new Uint8Array(0) };
    if (wire === 0) {
      const value = varint();
      if (value === null) return null;
      field.value = value;
    } else {
      const length = wire === 1 ? 8n : wire === 5 ? 4n : wire === 2 ? varint() : null;
      if (length === null || length > BigInt(bytes.length - at)) return null;
      field.bytes = bytes.subarray(at, at + Number(length));
      at += Number(length);
    }
    fields.push(field);
  }
  return fields;
}

function encode(fields: readonly Field[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { number, wire, value, bytes } of fields) {
    parts.push(encodeVarint((BigInt(number) << 3n) | BigInt(wire)));
    if (wire === 0) parts.push(encodeVarint(value));
    if (wire === 2) parts.push(encodeVarint(BigInt(bytes.length)));
    if (wire !== 0) parts.push(bytes);
  }
  return Buffer.concat(parts);
}

function encodeVarint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}
