import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { COMMANDS } from '../src/cli/commands.gen.js';
import { type AnalysisLibrary, loadLibrary } from '../src/cli/library.js';
import { main } from '../src/cli/program.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** Runs the command line with a library that writes what it is given. */
async function run(args: string[], library: AnalysisLibrary = { main: given => ({ output: JSON.stringify(given), code: 0 }) }) {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const read = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString();
  const [out, err] = [read(stdout), read(stderr)];
  const code = await main(args, { stdin, stdout, stderr, env: {}, library: () => Promise.resolve(library) } as any);
  stdout.end();
  stderr.end();
  return { code, out: await out, err: await err };
}

test.each([
  [['check', 'dist', '--strict', '--format', 'sarif'], ['check', '--format', 'sarif', '--strict', '--', 'dist']],
  [['diff', 'old', 'new'], ['diff', '--', 'old', 'new']],
  [['posture', 'a', 'b', '--against', 'old', '--fail-on-change', '-o', 'x.html'], ['posture', '--output', 'x.html', '--against', 'old', '--fail-on-change', '--', 'a', 'b']],
  [['network', 'python', 'aws-metadata', '-f', 'a', '-f', '-', '--port', 'UDP/53'], ['network', '--file', 'a', '--file', '-', '--port', 'UDP/53', '--', 'python', 'aws-metadata']],
  [['graph', '-'], ['graph', '--', '-']],
])('%j is handed to the constructs\' package', async (args, given) => {
  expect(await run(args)).toEqual({ code: 0, out: `${JSON.stringify(given)}\n`, err: '' });
});

test('what the package says about the command line goes to stderr, and its exit code is that of the program', async () => {
  expect(await run(['check', 'none'], { main: () => ({ output: 'none: there is no such file or folder', code: 2 }) })).toEqual({ code: 2, out: '', err: 'none: there is no such file or folder\n' });
  expect(await run(['check', 'bad'], { main: () => ({ output: '1 errors', code: 1 }) })).toEqual({ code: 1, out: '1 errors\n', err: '' });
});

test.each([
  [['check', 'dist', '-n', 'agents'], 'agent-sandbox: options of a cluster have no effect on files: add --cluster'],
  [['check', '--format', 'xml', 'dist'], "error: option '--format <format>' argument 'xml' is invalid. Allowed choices are text, json, sarif, junit."],
  [['completion', 'tcsh'], "error: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish."],
])('%j is wrong', async (args, message) => {
  expect(await run(args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(message) });
});

describe('the constructs\' package', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'library-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('is named where there is none, with what installs it', async () => {
    await expect(loadLibrary(folder)).rejects.toThrow('needs the package cdk8s-agent-sandbox, which is not installed here: npm install --save-dev cdk8s-agent-sandbox');
  });

  test('is that of the repository, from its sources', async () => {
    const file = join(folder, 'box.yaml');
    await writeFile(file, JSON.stringify({ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box', namespace: 'agents' }, spec: {} }));
    const { stdout, stderr, status } = spawnSync('npm', ['run', '--silent', 'agent-sandbox', '--', 'graph', file], { cwd: REPOSITORY, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
    expect({ stdout, stderr, status }).toEqual({ stdout: 'Tenant agents\n└─ Sandbox box\n', stderr: '', status: 0 });
  });
});

describe('completion', () => {
  test('in bash: commands, options, values and files', async () => {
    const { out } = await run(['completion', 'bash']);
    const complete = (...words: string[]) => {
      const script = `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _agent_sandbox; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script, 'bash', 'agent-sandbox', ...words], { cwd: REPOSITORY, encoding: 'utf8' }).stdout.split('\n').filter(line => line !== '');
    };
    expect(complete('po')).toEqual(['posture']);
    expect(complete('posture', '--fa')).toEqual(['--fail-on-change']);
    expect(complete('posture', '--format', 'm')).toEqual(['markdown']);
    expect(complete('check', 'exam')).toEqual(['examples']);
    expect(complete('network', '--expect', '')).toEqual(['allowed', 'denied']);
  });

  test.each(['zsh', 'fish'])('%s knows every command and option', async shell => {
    const { out } = await run(['completion', shell]);
    const words = COMMANDS.flatMap(({ name, flags }) => [name, ...flags.map(flag => (shell === 'fish' ? `-l ${flag.name}` : `--${flag.name}[`))]);
    expect(words.filter(word => !out.includes(word))).toEqual([]);
  });

  const installed = ['zsh', 'fish'].filter(shell => spawnSync(shell, ['-c', 'true']).status === 0);
  (installed.length > 0 ? test.each(installed) : test.skip.each(['zsh, fish (not installed)']))('%s takes the script', async shell => {
    const { out } = await run(['completion', shell]);
    expect(spawnSync(shell, ['-n'], { input: out, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });
});
