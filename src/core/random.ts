/**
 * Seeded random numbers that are the same bytes on every machine.
 *
 * The generator is PCG32 (64-bit state, XSH-RR output), the normal variates come from the polar method.
 */

const MULTIPLIER = 6364136223846793005n;
const INCREMENT = 1442695040888963407n;
const MASK_64 = (1n << 64n) - 1n;
/** Splits the 64-bit product into 32-bit halves so that the state can live in two plain numbers. */
const MULTIPLIER_HIGH = Number(MULTIPLIER >> 32n);
const MULTIPLIER_LOW = Number(MULTIPLIER & 0xffffffffn);
const INCREMENT_HIGH = Number(INCREMENT >> 32n);
const INCREMENT_LOW = Number(INCREMENT & 0xffffffffn);

/** A source of random numbers with its own state. */
export interface RandomSource {
  /** An integer, uniform on 0 .. 2^32 - 1. */
  nextUint32(): number;
  /** Uniform on [0, 1), 32 bits of it random. */
  nextUniform(): number;
  /** Standard normal. */
  nextNormal(): number;
}

/**
 * A PCG32 generator of the increment 1442695040888963407, seeded as the reference implementation does.
 *
 * @param seed - A non-negative integer.
 * Source: M. O'Neill, "PCG: a family of simple fast space-efficient statistically good algorithms" (2014), PCG-XSH-RR;
 * G. Marsaglia and T. A. Bray, "A convenient method for generating normal variables" (1964), the polar method.
 */
export function makeRandom(seed: number): RandomSource {
  let high = 0;
  let low = 0;
  let spare: number | null = null;

  const step = (): void => {
    // (high, low) * multiplier + increment, modulo 2^64, in 32-bit pieces.
    const a = low & 0xffff;
    const b = low >>> 16;
    const p0 = a * (MULTIPLIER_LOW & 0xffff);
    const p1 = b * (MULTIPLIER_LOW & 0xffff);
    const p2 = a * (MULTIPLIER_LOW >>> 16);
    const p3 = b * (MULTIPLIER_LOW >>> 16);
    const middle = p1 + Math.floor(p0 / 65536) + (p2 % 4294967296);
    const productLow = ((middle % 65536) * 65536 + (p0 % 65536)) % 4294967296;
    const carry = p3 + Math.floor(middle / 65536);
    const productHigh =
      (carry + (Math.imul(high, MULTIPLIER_LOW) >>> 0) + (Math.imul(low, MULTIPLIER_HIGH) >>> 0)) % 4294967296;
    const sumLow = productLow + INCREMENT_LOW;
    low = sumLow % 4294967296;
    high = (productHigh + INCREMENT_HIGH + (sumLow >= 4294967296 ? 1 : 0)) % 4294967296;
  };

  const nextUint32 = (): number => {
    const oldHigh = high;
    const oldLow = low;
    step();
    // xorshifted = ((old >> 18) ^ old) >> 27, low 32 bits; rotation = old >> 59.
    const shiftedHigh = oldHigh >>> 18;
    const shiftedLow = ((oldHigh << 14) | (oldLow >>> 18)) >>> 0;
    const mixedHigh = (shiftedHigh ^ oldHigh) >>> 0;
    const mixedLow = (shiftedLow ^ oldLow) >>> 0;
    const xorshifted = ((mixedHigh << 5) | (mixedLow >>> 27)) >>> 0;
    const rotation = oldHigh >>> 27;
    return ((xorshifted >>> rotation) | (xorshifted << (-rotation & 31))) >>> 0;
  };

  const initial = (BigInt(seed) + INCREMENT) & MASK_64;
  high = Number(initial >> 32n);
  low = Number(initial & 0xffffffffn);
  step();

  const nextUniform = (): number => nextUint32() / 4294967296;

  const nextNormal = (): number => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    for (;;) {
      const u = 2 * nextUniform() - 1;
      const v = 2 * nextUniform() - 1;
      const square = u * u + v * v;
      if (square > 0 && square < 1) {
        const factor = Math.sqrt((-2 * Math.log(square)) / square);
        spare = v * factor;
        return u * factor;
      }
    }
  };
  return { nextUint32, nextUniform, nextNormal };
}
