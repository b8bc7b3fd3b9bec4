// Matchers for jest and vitest: expect.extend(matchers). A file of its own, because the constructs need no test framework.
module.exports = require('./lib/src/testing/matchers');
