import { PassThrough } from 'node:stream';
import { Cluster, staticCredentials } from 'agent-sandbox-kube';
import { FakeApiServer } from '../../kube/test/fake-api-server.js';
import { main } from '../src/cli/program.js';
import { SandboxClient, type SandboxClientOptions } from '../src/client.js';
import { SandboxConnection } from '../src/connection/index.js';
import type { Sandbox } from '../src/sandbox.js';
import { FakeSandbox } from './fake-sandbox.js';

/** Where the fake API server keeps them. */
export const CLAIMS = '/apis/extensions.agents.x-k8s.io/v1beta1/sandboxclaims';
export const SANDBOXES = '/apis/agents.x-k8s.io/v1beta1/sandboxes';

/** An API server, a router with a sandbox behind it, and a client of both. */
export class Bench implements AsyncDisposable {
  public static async start(options: Partial<SandboxClientOptions> = {}): Promise<Bench> {
    const api = await FakeApiServer.start();
    const sandbox = await FakeSandbox.start();
    return new Bench(api, sandbox, options);
  }

  public readonly client: SandboxClient;

  private constructor(public readonly api: FakeApiServer, public readonly sandbox: FakeSandbox, options: Partial<SandboxClientOptions>) {
    const cluster = new Cluster({ credentials: staticCredentials({ server: api.url }), userAgent: 'test', random: () => 0, maxRetries: 0 });
    this.client = new SandboxClient({ cluster, namespace: 'team', connection: SandboxConnection.direct({ url: sandbox.url }), ...options });
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.client['options'].cluster!.close();
    await this.sandbox.stop();
    await this.api.stop();
  }

  /** A sandbox that exists already, under the name of its claim. */
  public exists(name: string): void {
    this.api.put(CLAIMS, {
      metadata: { namespace: 'team', name, creationTimestamp: new Date(Date.now() - 90 * 60_000).toISOString() },
      spec: { warmPoolRef: { name: 'python' } },
      status: { sandbox: { name: 'warm-1' }, conditions: [{ type: 'Ready', status: 'True', reason: 'DependenciesReady' }] },
    });
    this.putSandbox('warm-1');
  }

  /** Plays the controller for one claim as soon as it is created: binds it to a Sandbox of that name. */
  public async bind(sandbox: string = 'warm-1', condition: Partial<Record<string, string>> = {}): Promise<string> {
    const name = await this.claimed();
    this.putSandbox(sandbox);
    this.setStatus(name, {
      conditions: [{ type: 'Ready', status: 'True', reason: 'DependenciesReady', message: '', ...condition }],
      sandbox: { name: sandbox, podIPs: ['10.1.2.3'] },
    });
    return name;
  }

  /** Name of the first claim there is, as soon as there is one. */
  public async claimed(): Promise<string> {
    for (;;) {
      const [claim] = this.api.all(CLAIMS).values();
      if (claim) {
        return claim.metadata.name;
      }
      await new Promise(resolve => setTimeout(resolve, 2));
    }
  }

  public setStatus(name: string, status: object): void {
    this.api.put(CLAIMS, { ...this.api.all(CLAIMS).get(`team/${name}`)!, status });
  }

  public putSandbox(name: string, change: { spec?: object; status?: object; annotations?: object } = {}): void {
    const { spec = {}, annotations = {} } = change;
    this.api.put(SANDBOXES, {
      metadata: { namespace: 'team', name, annotations },
      spec: { podTemplate: {}, ...spec },
      status: change.status ?? { podIPs: ['10.1.2.3'], conditions: [{ type: 'Ready', status: 'True', reason: 'DependenciesReady', message: 'fine' }] },
    });
  }
}

/** Runs the command line in this process against a bench. */
export async function runCli(bench: Bench, args: string[], input: string | Buffer = ''): Promise<{ code: number; out: string; err: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const read = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString();
  const [out, err] = [read(stdout), read(stderr)];
  const code = await main(args, { stdin, stdout, stderr, env: {}, client: () => new SandboxClient({ ...bench.client['options'] }) } as any);
  stdout.end();
  stderr.end();
  return { code, out: await out, err: await err };
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<any> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it did not reject');
}

/** A bench with a sandbox that is ready to be used. */
export async function withSandbox(options: Partial<SandboxClientOptions> = {}): Promise<{ bench: Bench; sandbox: Sandbox }> {
  const bench = await Bench.start(options);
  const creating = bench.client.create({ pool: 'python' });
  await bench.bind();
  return { bench, sandbox: await creating };
}
