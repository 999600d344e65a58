/** The cap that a failure is about, in words, and the value that is proposed instead. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, checkLimit } from '../../src/readers/limits';
import { toErrorRecord, type ErrorRecord } from '../../src/core/errors';
import { exceededLimit, LIMIT_TEXTS, limitValueText, proposedLimit } from '../../src/renderer/texts/limits';

/** The failure as main hands it on. */
function failure(
  name: keyof typeof DEFAULT_LIMITS,
  value: number,
  more: object = { paths: ['/a.keras'] },
): ErrorRecord {
  try {
    checkLimit('Something', value, name, DEFAULT_LIMITS);
  } catch (error) {
    const record = toErrorRecord(error);
    return { ...record, details: { ...record.details, ...more } };
  }
  throw new Error(`${value} does not exceed ${name}`);
}

describe('a limit that was exceeded', () => {
  it('is in words whichever it is', () => {
    expect(Object.keys(LIMIT_TEXTS)).toEqual(Object.keys(DEFAULT_LIMITS));
    for (const { counts, protects } of Object.values(LIMIT_TEXTS)) {
      expect(counts).not.toBe('');
      expect(protects).toMatch(/^Keeps .*\.$/);
    }
  });

  it('is told with its unit', () => {
    const ratio = exceededLimit(failure('maxZipRatio', 1032))!;
    expect([limitValueText(ratio, ratio.allowed), limitValueText(ratio, ratio.found)]).toEqual(['200', '1\u202f032']);
    const tensor = exceededLimit(failure('maxTensorBytes', 5e9))!;
    expect([limitValueText(tensor, tensor.allowed), limitValueText(tensor, tensor.found)]).toEqual([
      '2.1 GB',
      '5.0 GB',
    ]);
  });

  it('leaves room for what was found, and twice as much where counting stopped at the limit', () => {
    expect(proposedLimit(exceededLimit(failure('maxZipRatio', 1032))!)).toBe(1032);
    const { maxNamedTensors } = DEFAULT_LIMITS;
    expect(proposedLimit(exceededLimit(failure('maxNamedTensors', maxNamedTensors + 1))!)).toBe(2 * maxNamedTensors);
  });

  it('carries what was raised before', () => {
    const limits = { maxZipEntries: 20_000 };
    expect(exceededLimit(failure('maxZipRatio', 1032, { paths: ['/a'], limits }))).toMatchObject({ raised: limits });
  });

  it('is none where nothing can be raised: no file to open again, no such limit, another code', () => {
    expect(exceededLimit(failure('maxZipRatio', 1032, {}))).toBeNull();
    const slow = {
      code: 'reader/limit-exceeded',
      message: '',
      remedy: '',
      details: { limitSeconds: 5, paths: ['/a'] },
    };
    expect(exceededLimit(slow as ErrorRecord)).toBeNull();
    expect(exceededLimit({ ...failure('maxZipRatio', 1032), code: 'reader/corrupt' })).toBeNull();
    const other = failure('maxZipRatio', 1032, { paths: ['/a'], limit: 'constructor' });
    expect(exceededLimit(other)).toBeNull();
  });
});
