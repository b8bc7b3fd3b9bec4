const { writeFileSync, writeSync } = require('node:fs');

/**
 * Ends a jest run with one plain line over all projects, after naming every suite of which tests were skipped: what
 * did not run must not look like success. With `AGENT_SANDBOX_TEST_SUMMARY`, a file, the figures go there instead.
 */
class SummaryReporter {
  onRunComplete(_contexts, results) {
    const skipped = results.testResults.flatMap(file => {
      const tests = file.testResults.filter(test => ['pending', 'skipped', 'disabled', 'todo'].includes(test.status));
      const suites = new Map();
      for (const test of tests) {
        const suite = test.ancestorTitles[0] ?? test.title;
        suites.set(suite, (suites.get(suite) ?? 0) + 1);
      }
      return [...suites].map(([suite, count]) => `skipped: ${suite} (${count} tests, ${file.testFilePath.split('/').slice(-2).join('/')})`);
    });
    const counts = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      skipped: results.numPendingTests + results.numTodoTests,
    };
    const file = process.env.AGENT_SANDBOX_TEST_SUMMARY;
    if (file) {
      const failed = results.testResults.filter(suite => suite.numFailingTests > 0 || suite.testExecError).map(suite => ({
        path: suite.testFilePath,
        counts: {
          passed: suite.numPassingTests,
          failed: suite.testExecError ? 1 : suite.numFailingTests,
          skipped: suite.numPendingTests + suite.numTodoTests,
        },
      }));
      writeFileSync(file, JSON.stringify({ counts, skipped, failed }));
      return;
    }
    const lines = [...skipped, `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`];
    // At the very end: jest's own reporters come after this one. Past the stream, which jest silences before it ends the process.
    process.on('exit', () => writeSync(1, `\n${lines.join('\n')}\n`));
  }
}

module.exports = SummaryReporter;
