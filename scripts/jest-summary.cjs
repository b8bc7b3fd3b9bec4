const { writeSync } = require('node:fs');

/**
 * Ends a jest run with one plain line over all projects, after naming every suite of which tests were skipped: what
 * did not run must not look like success.
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
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const lines = [...skipped, `${results.numPassedTests} passed, ${failed} failed, ${results.numPendingTests + results.numTodoTests} skipped`];
    // At the very end: jest's own reporters come after this one. Past the stream, which jest silences before it ends the process.
    process.on('exit', () => writeSync(1, `\n${lines.join('\n')}\n`));
  }
}

module.exports = SummaryReporter;
