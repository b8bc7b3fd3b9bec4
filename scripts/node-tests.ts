/** Runs the tests on a real node: builds what they need where a node can be, and lets them be skipped by name where none can. */
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

const ROOT = path.resolve(__dirname, '..');
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
    const built = run(['--import', 'tsx', path.join(ROOT, 'testbed', 'src', 'cli.ts'), 'build', '--if-missing', '--group', 'control-plane', 'tools', 'node']);
    if (built !== 0) {
      return built;
    }
  }
  return run([
    '--experimental-vm-modules', '--disable-warning=ExperimentalWarning', require.resolve('jest/bin/jest'),
    '--selectProjects', 'node', '--ci', '--forceExit', '--runInBand', ...args.filter(argument => argument !== '--all'),
  ], { AGENT_SANDBOX_NODE_TESTS_ALL: args.includes('--all') ? '1' : '' });
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;
}

main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
  console.error(`test:node: ${(error as Error).message}`);
  process.exitCode = 1;
});
