import { describe, expect, it } from 'vitest';
import { addCounts, countReport, isSuccess, lastLine, noCounts } from '../../scripts/run/test-report.mjs';

const test = (status: string, fullName = 'a test') => ({
  status,
  fullName,
  failureMessages: status === 'failed' ? ['expected 1'] : [],
});
const file = (name: string, tests: ReturnType<typeof test>[], status = 'passed') => ({
  name,
  status,
  message: '',
  assertionResults: tests,
});

describe('countReport', () => {
  it('counts passed, failed and skipped tests, todo ones as skipped', () => {
    const report = {
      testResults: [
        file('a.test.ts', [test('passed'), test('failed', 'breaks'), test('pending'), test('todo')], 'failed'),
      ],
    };
    const counts = countReport(report, 1, 'unit');
    expect([counts.passed, counts.failed, counts.skipped]).toEqual([1, 1, 2]);
    expect(counts.failures).toEqual([{ name: 'breaks', file: 'a.test.ts', message: 'expected 1' }]);
  });

  it('counts a file that could not be loaded as one failure', () => {
    const broken = { ...file('b.test.ts', [], 'failed'), message: 'Cannot find module' };
    const counts = countReport({ testResults: [broken] }, 1, 'unit');
    expect(counts.failed).toBe(1);
    expect(counts.failures[0]?.message).toBe('Cannot find module');
  });

  it('counts a run without a report, and one that fails without a failed test, as one failure', () => {
    expect(countReport(null, 137, 'window').failed).toBe(1);
    expect(countReport({ testResults: [file('a.test.ts', [test('passed')])] }, 1, 'window').failed).toBe(1);
    expect(countReport({ testResults: [file('a.test.ts', [test('passed')])] }, 0, 'window').failed).toBe(0);
  });
});

describe('the end of npm test', () => {
  const passed = { ...noCounts(), passed: 3 };
  const skipped = { ...noCounts(), skipped: 2 };

  it('has the promised last line', () => {
    expect(lastLine(addCounts(passed, skipped, passed))).toBe('6 passed, 0 failed, 2 skipped');
  });

  it('fails on a failure, on nothing at all, and on a skip where the machine can run everything', () => {
    expect(isSuccess(passed, true)).toBe(true);
    expect(isSuccess(noCounts(), true)).toBe(false);
    expect(isSuccess({ ...passed, failed: 1 }, false)).toBe(false);
    expect(isSuccess(addCounts(passed, skipped), true)).toBe(false);
    expect(isSuccess(addCounts(passed, skipped), false)).toBe(true);
  });
});
