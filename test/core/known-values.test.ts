import { describe, expect, it } from 'vitest';
import { isAsExpected, KNOWN_VALUES } from '../../src/core/known-values';

describe('the known-value table', () => {
  it.each(KNOWN_VALUES)('$id: $what', (row) => {
    const got = row.compute();
    expect({ got, isRight: isAsExpected(row, got) }).toEqual({ got, isRight: true });
  });

  it('has no id twice', () => {
    expect(new Set(KNOWN_VALUES.map((row) => row.id)).size).toBe(KNOWN_VALUES.length);
  });
});

describe('isAsExpected', () => {
  it('refuses what is off, NaN, and another label', () => {
    expect(isAsExpected({ expected: 1, tolerance: 0.1 }, 1.2)).toBe(false);
    expect(isAsExpected({ expected: 1, tolerance: 0.1 }, NaN)).toBe(false);
    expect(isAsExpected({ expected: 'carried', tolerance: 0 }, 'vanishing')).toBe(false);
    expect(isAsExpected({ expected: 'carried', tolerance: 0 }, 1)).toBe(false);
    expect(isAsExpected({ expected: 1, tolerance: 0.1 }, 1.05)).toBe(true);
  });
});
