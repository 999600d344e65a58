/** A checksum by which two machines can tell whether they computed the same numbers. */

/** 32-bit odd multipliers; any will do, these mix well. */
const MULTIPLIERS = [0x9e3779b1, 0x85ebca77] as const;

/**
 * Sixteen hexadecimal digits that follow from every bit of the arrays, in their order. No protection against intent.
 *
 * @param arrays - Real numbers; their lengths count too.
 */
export function checksumOf(arrays: readonly (Float32Array | Float64Array)[]): string {
  const sums = Uint32Array.from(MULTIPLIERS);
  for (const array of arrays) {
    const words = new Uint32Array(array.buffer, array.byteOffset, array.byteLength / 4);
    MULTIPLIERS.forEach((multiplier, k) => {
      let sum = Math.imul(sums[k]! ^ words.length, multiplier);
      for (let at = 0; at < words.length; at++) {
        sum = Math.imul(sum ^ words[at]!, multiplier);
        sum ^= sum >>> 15;
      }
      sums[k] = sum;
    });
  }
  return [...sums].map((sum) => sum.toString(16).padStart(8, '0')).join('');
}
