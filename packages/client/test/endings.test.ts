import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { CommandLine, ended } from './command-line.js';
import { Bench, CLAIMS } from './support.js';

const b64 = (content: string) => Buffer.from(content).toString('base64');

let commandLine: CommandLine;
let bench: Bench;

beforeAll(async () => {
  commandLine = await CommandLine.build();
}, 60_000);
afterAll(async () => commandLine[Symbol.asyncDispose]());
beforeEach(async () => {
  bench = await Bench.start();
});
afterEach(async () => bench[Symbol.asyncDispose]());

/** A program that writes one line, and many more if its output is read on. */
function talks({ endlessly }: { endlessly: boolean }): void {
  bench.sandbox.onSocket = socket => socket.on('message', data => {
    if (JSON.parse(data.toString()).start) {
      socket.send(JSON.stringify({ init: { processId: 1 } }));
      socket.send(JSON.stringify({ stdout: b64('begun\n') }));
      const timer = endlessly ? setInterval(() => socket.send(JSON.stringify({ stdout: b64('x'.repeat(10_000)) })), 1) : undefined;
      socket.on('close', () => clearInterval(timer));
    }
  });
}

/** `run` in a new sandbox, as soon as its command has written something. */
async function running(options: object = {}): Promise<ChildProcess> {
  const child = await commandLine.start(['run', '--pool', 'python', '--', 'work'], bench, options);
  await bench.bind();
  await once(child.stdout!, 'data');
  return child;
}

const claims = () => [...bench.api.all(CLAIMS).values()];

describe('the command line leaves no sandbox behind', () => {
  test.each([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129], ['SIGQUIT', 131]] as const)('after %s, and ends with %d', async (signal, code) => {
    talks({ endlessly: false });
    const child = await running();
    child.kill(signal);
    expect(await ended(child)).toMatchObject({ code, err: `agent-sandbox: ended by ${signal}\n` });
    expect(claims()).toEqual([]);
  });

  test('when a shell and its terminal both send SIGHUP, and nothing can be written any more', async () => {
    talks({ endlessly: false });
    const child = await running();
    child.stdout!.destroy();
    child.stderr!.destroy();
    child.kill('SIGHUP');
    child.kill('SIGHUP');
    expect(await ended(child)).toMatchObject({ code: 129 });
    expect(claims()).toEqual([]);
  });

  test('when its output is not read on, as with head -1', async () => {
    talks({ endlessly: true });
    const child = await running();
    child.stdout!.destroy();
    expect(await ended(child)).toEqual({ code: 141, signal: null, out: '', err: '' });
    expect(claims()).toEqual([]);
  });

  test('after an error that nothing caught', async () => {
    talks({ endlessly: false });
    const boom = `data:text/javascript,${encodeURIComponent('process.on("SIGUSR2", () => { throw new Error("boom"); })')}`;
    const child = await running({ env: { NODE_OPTIONS: `--import=${boom}` } });
    child.kill('SIGUSR2');
    expect(await ended(child)).toMatchObject({ code: 125, err: 'agent-sandbox: boom\n' });
    expect(claims()).toEqual([]);
  });

  test('when it is ended while the sandbox is not ready yet', async () => {
    const child = await commandLine.start(['run', '--pool', 'python', '--', 'work'], bench);
    await bench.claimed();
    child.kill('SIGTERM');
    expect((await ended(child)).code).toBe(143);
    expect(claims()).toEqual([]);
  });

  test.each([
    [['run', '--pool', 'python', '--', 'true'], 86_400], [['create', '--pool', 'python'], 604_800], [['create', '--pool', 'python', '--lifetime', '2h'], 7_200],
  ])('forever, even if it is killed: %j has a lifetime', async (args, seconds) => {
    const child = await commandLine.start(args, bench);
    const name = await bench.claimed();
    const { spec: { lifecycle }, metadata } = bench.api.all(CLAIMS).get(`team/${name}`)! as any;
    child.kill('SIGKILL');
    await ended(child);
    const asked = Date.parse(metadata.annotations['agents.x-k8s.io/client-first-requested-at']);
    expect(lifecycle).toEqual({ shutdownTime: expect.any(String), shutdownPolicy: 'Delete' });
    expect(Math.abs(Date.parse(lifecycle.shutdownTime) - asked - seconds * 1000)).toBeLessThanOrEqual(1000);
  });
});

describe('a program with the SDK leaves no sandbox behind', () => {
  /** Runs `code` with a sandbox in scope, and plays the controller. */
  async function program(code: string): Promise<ChildProcess> {
    const script = `
      import { SandboxClient, SandboxConnection } from './sdk.mjs';
      const client = new SandboxClient({ connection: SandboxConnection.direct({ url: ${JSON.stringify(bench.sandbox.url)} }) });
      const work = async () => {
        // What await using becomes, since not every Node has it.
        const sandbox = await client.create({ pool: 'python' });
        try {
          ${code}
        } finally {
          await sandbox[Symbol.asyncDispose]();
        }
      };
      await work();`;
    return commandLine.program(script, { KUBECONFIG: await commandLine.kubeconfig(bench.api.url) });
  }

  test.each([['SIGINT'], ['SIGTERM'], ['SIGHUP'], ['SIGQUIT']] as const)('that ends by %s, and still ends by it', async signal => {
    const child = await program('console.log("ready"); await new Promise(resolve => setTimeout(resolve, 600_000));');
    await bench.bind();
    await once(child.stdout!, 'data');
    child.kill(signal);
    expect(await ended(child)).toMatchObject({ code: null, signal });
    expect(claims()).toEqual([]);
  });

  test('that awaits something which never comes', async () => {
    const child = await program('await new Promise(() => undefined);');
    await bench.bind();
    expect(await ended(child)).toMatchObject({ code: 13 });
    expect(claims()).toEqual([]);
  });

  test('that fails where nothing catches it', async () => {
    const child = await program('setTimeout(() => { throw new Error("boom"); }, 1); await new Promise(resolve => setTimeout(resolve, 600_000));');
    await bench.bind();
    expect(await ended(child)).toMatchObject({ code: 1, err: expect.stringContaining('Error: boom') });
    expect(claims()).toEqual([]);
  });

  test('unless it keeps it', async () => {
    const child = await program('await client.close(); process.exit(0);');
    await bench.bind();
    await ended(child);
    expect(claims()).toHaveLength(1);
  });
});
