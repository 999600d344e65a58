import { describe, expect, it } from 'vitest';
import { ComputedArrays } from '../../src/readers/dialects/onnx/computed-arrays';

const MIB = 2 ** 20;
const array = (bytes: number) => [{ shape: [bytes / 4], data: new Float32Array(bytes / 4) }];

describe('arrays that were computed', () => {
  it('are there again as long as there is room', () => {
    const kept = new ComputedArrays();
    const [small, other] = [array(1024), array(2048)];
    kept.set(small, small);
    kept.set(other, other);
    expect([kept.get(small), kept.get(other), kept.get({})]).toEqual([small, other, null]);
  });

  it('go when 32 MiB stand beside the newest, those first that were not used for longest', () => {
    const kept = new ComputedArrays();
    const all = Array.from({ length: 5 }, () => array(10 * MIB));
    for (const arrays of all.slice(0, 4)) kept.set(arrays, arrays);
    expect(kept.get(all[0]!)).not.toBeNull();
    kept.set(all[4]!, all[4]!);
    expect(all.map((arrays) => kept.get(arrays) !== null)).toEqual([true, false, true, true, true]);
  });

  it('keep one that is larger than the room beside those that are made of it', () => {
    const kept = new ComputedArrays();
    const [large, ...parts] = [array(48 * MIB), array(8 * MIB), array(8 * MIB), array(8 * MIB)];
    kept.set(large!, large!);
    for (const part of parts) {
      expect(kept.get(large!)).not.toBeNull();
      kept.set(part, part);
    }
    expect(kept.get(parts[0]!)).toBeNull();
  });

  it('are gone when they are taken out', () => {
    const kept = new ComputedArrays();
    const arrays = array(1024);
    kept.set(arrays, arrays);
    kept.delete(arrays);
    expect(kept.get(arrays)).toBeNull();
  });
});
