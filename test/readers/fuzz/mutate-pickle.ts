/** Seeded changes to a pickle: operations exchanged, and what an attacker would put between them. */
import type { RandomSource } from '../../../src/core/random';
import { below, mutateBytes, pick } from './mutate-bytes';

/** Each is legal at some place; none may run anything, or take memory on its word. */
const INSERTS: readonly string[] = [
  'cposix\nsystem\n',
  'cbuiltins\neval\n',
  'ctorch._utils\n_rebuild_tensor_v2\n',
  'ccollections\nOrderedDict\n',
  '(',
  ')',
  '}',
  ']',
  't',
  'R',
  'b',
  's',
  'u',
  'e',
  'Q',
  '0',
  '2',
  '.',
  '\x81',
  '\x93',
  '\x94',
  '\x85',
  '\x8b\xff\xff\xff\xff',
  '\x8e\xff\xff\xff\xff\xff\xff\xff\x0f',
  'X\xff\xff\xff\x7f',
  'T\xff\xff\xff\xff',
  'h\x00',
  'j\xff\xff\xff\x7f',
  'r\xff\xff\xff\x7f',
  'K\x00',
  'J\xff\xff\xff\xff',
  'G\x7f\xf0\x00\x00\x00\x00\x00\x00',
];

/** Operations that take the place of one another without moving what follows. */
const SINGLES = Buffer.from('(.)}]tRbsueQ02N\x81\x85\x86\x87\x88\x89\x8f\x93\x94', 'latin1');

/** The pickle with one to four operations changed or inserted. */
export function mutatePickle(bytes: Uint8Array, random: RandomSource): Uint8Array {
  let copy = Buffer.from(bytes);
  for (let count = 1 + below(random, 4); count > 0; count--) {
    const at = below(random, copy.length);
    const choice = below(random, 4);
    if (choice === 0) {
      const insert = Buffer.from(pick(random, INSERTS), 'latin1');
      copy = Buffer.concat([copy.subarray(0, at), insert, copy.subarray(at)]);
    } else if (choice === 1) {
      const place = nextSingle(copy, at);
      copy[place] = SINGLES[below(random, SINGLES.length)]!;
    } else if (choice === 2) {
      const place = nextSingle(copy, at);
      copy = Buffer.concat([copy.subarray(0, place), copy.subarray(place + 1)]);
    } else {
      copy = Buffer.from(mutateBytes(copy, random, at, Math.min(copy.length, at + 16)));
    }
    if (copy.length === 0) return copy;
  }
  return copy;
}

function nextSingle(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) if (SINGLES.includes(bytes[at]!)) return at;
  return from;
}
