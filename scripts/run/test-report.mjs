/**
 * Adds up what the test suites report. Pure: it reads vitest's JSON reports as data.
 */

/**
 * @typedef {{ passed: number, failed: number, skipped: number, failures: { name: string, file: string, message: string }[],
 *   skips: { name: string, file: string }[] }} Counts
 */

/** The counts of nothing. */
export function noCounts() {
  return { passed: 0, failed: 0, skipped: 0, failures: [], skips: [] };
}

/**
 * The counts of one vitest run.
 *
 * @param {{ testResults: { name: string, status: string, message?: string, assertionResults: { status: string, fullName: string,
 *   failureMessages?: string[] }[] }[] } | null} report its JSON report; null where it left none
 * @param {number | null} exitCode its exit code
 * @param {string} suite its name, for what failed outside of any test
 * @returns {Counts} a file that could not be loaded, and a run that failed without a failed test, each count as one failure
 */
export function countReport(report, exitCode, suite) {
  const counts = noCounts();
  for (const file of report?.testResults ?? []) {
    for (const test of file.assertionResults) addTest(counts, test, file.name);
    const hasFailedTest = file.assertionResults.some((test) => test.status === 'failed');
    if (file.status === 'failed' && !hasFailedTest)
      addFailure(counts, '(the file itself)', file.name, file.message ?? 'could not be run');
  }
  if (report === null) addFailure(counts, `(${suite})`, suite, `left no report; exit code ${exitCode}`);
  else if (exitCode !== 0 && counts.failed === 0)
    addFailure(counts, `(${suite})`, suite, `ended with exit code ${exitCode} though no test failed`);
  return counts;
}

function addTest(counts, test, file) {
  if (test.status === 'passed') counts.passed += 1;
  else if (test.status === 'failed') addFailure(counts, test.fullName, file, (test.failureMessages ?? []).join('\n'));
  else {
    counts.skipped += 1;
    counts.skips.push({ name: test.fullName, file });
  }
}

function addFailure(counts, name, file, message) {
  counts.failed += 1;
  counts.failures.push({ name, file, message });
}

/** The sum of several counts. */
export function addCounts(...all) {
  return {
    passed: all.reduce((sum, one) => sum + one.passed, 0),
    failed: all.reduce((sum, one) => sum + one.failed, 0),
    skipped: all.reduce((sum, one) => sum + one.skipped, 0),
    failures: all.flatMap((one) => one.failures),
    skips: all.flatMap((one) => one.skips),
  };
}

/**
 * The last line of `npm test`.
 *
 * @param {Counts} counts over all suites
 */
export function lastLine(counts) {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/**
 * Whether the run counts as a success.
 *
 * @param {Counts} counts over all suites
 * @param {boolean} complete whether this machine has the native engine and a window: then nothing may be skipped
 */
export function isSuccess(counts, complete) {
  return counts.failed === 0 && counts.passed > 0 && (!complete || counts.skipped === 0);
}
