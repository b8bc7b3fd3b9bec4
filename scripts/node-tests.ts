/** Runs the tests on a real node: builds what they need where a node can be, and lets them be skipped by name where none can. */
import * as path from 'node:path';
import { JEST, node, ROOT } from './jest';

const USAGE = `usage: npm run test:node [-- [--all] [JEST ARGUMENTS]]

  --all  run the tests that take long, too`;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(USAGE);
    return 0;
  }
  const { missingForNode } = await import('../testbed/src/index.js');
  const missing = missingForNode();
  if (missing) {
    console.log(`the tests on a real node are skipped: ${missing}`);
  } else {
    const built = node(['--import', 'tsx', path.join(ROOT, 'testbed', 'src', 'cli.ts'), 'build', '--if-missing', '--group', 'control-plane', 'tools', 'node']);
    if (built !== 0) {
      return built;
    }
  }
  return node([
    ...JEST, '--selectProjects', 'node', '--runInBand', ...args.filter(argument => argument !== '--all'),
  ], { AGENT_SANDBOX_NODE_TESTS_ALL: args.includes('--all') ? '1' : '' });
}

main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
  console.error(`test:node: ${(error as Error).message}`);
  process.exitCode = 1;
});
