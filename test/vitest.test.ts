import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface Outcome {
  readonly title: string;
  readonly status: string;
  readonly failureMessages: readonly string[];
}

test('assertions, checks and matchers work in vitest, as the guide to testing says', () => {
  const folder = mkdtempSync(join(tmpdir(), 'vitest-'));
  try {
    const output = join(folder, 'result.json');
    const program = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
    const { stderr } = spawnSync(process.execPath, [program, 'run', '--root', join(__dirname, 'vitest'), '--reporter', 'json', '--outputFile', output], {
      encoding: 'utf8', env: { ...process.env, CI: 'true', NODE_OPTIONS: '', JEST_WORKER_ID: undefined, AGENT_SANDBOX_UPDATE: undefined },
    });
    expect(stderr).not.toContain('Startup Error');
    const outcomes: Outcome[] = JSON.parse(readFileSync(output, 'utf8')).testResults.flatMap((file: any) => file.assertionResults);
    expect(outcomes.map(({ title, status }) => `${status}: ${title}`)).toEqual([
      'passed: assertions and checks hold',
      'failed: an assertion explains why it fails',
      'passed: a posture is that of the file beside the test',
      'failed: a posture of a named file explains what has changed',
    ]);
    expect(outcomes[1].failureMessages[0]).toContain("expected a Sandbox 'box', and there is no Sandbox of this name");
    expect(outcomes[3].failureMessages[0]).toContain('- isolation: gVisor (RuntimeClass gvisor)\n    + isolation: none');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
