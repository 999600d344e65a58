/** Seeded changes to an HDF5 file, made with knowledge of its parts. */
import type { RandomSource } from '../../../src/core/random';
import { below, mutateBytes, pick } from './mutate-bytes';
import { mutateJson } from './mutate-json';

const HDF5_PARTS = ['TREE', 'HEAP', 'SNOD', 'GCOL', 'OHDR', 'FRHP', 'BTHD'];

/** An HDF5 file changed in its directory, or in the configuration that it holds. */
export function mutateHdf5(bytes: Uint8Array, random: RandomSource): Uint8Array {
  const copy = Buffer.from(bytes);
  const start = copy.indexOf('{"class_name"');
  if (start >= 0 && below(random, 2) === 0) {
    const end = copy.indexOf(0, start);
    const changed = Buffer.from(mutateJson(copy.toString('utf8', start, end), random));
    copy.fill(0x20, start, end);
    changed.copy(copy, start, 0, Math.min(changed.length, end - start));
    return copy;
  }
  const places = HDF5_PARTS.flatMap((part) => {
    const found: number[] = [];
    for (let at = copy.indexOf(part); at >= 0; at = copy.indexOf(part, at + 1)) found.push(at);
    return found;
  });
  const place = below(random, 4) === 0 || places.length === 0 ? 0 : pick(random, places);
  return mutateBytes(copy, random, place, Math.min(copy.length, place + 96));
}
