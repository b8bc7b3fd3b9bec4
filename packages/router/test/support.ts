import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { definedOnly, nameHash } from 'agent-sandbox-api';
import { Cluster, staticCredentials, type Logger } from 'agent-sandbox-kube';
import { Agent, request } from 'undici';
import { FakeApiServer, type Received } from '../../kube/test/fake-api-server.js';
import { waitFor } from '../../../testbed/src/wait.js';
import { parseFlags } from '../src/flags.js';
import { Metrics } from '../src/metrics.js';
import { Router, type RouterOptions } from '../src/router.js';

export { freePort } from '../../../testbed/src/ports.js';

export const SANDBOXES = '/apis/agents.x-k8s.io/v1beta1/sandboxes';
const PODS = '/api/v1/pods';

/** Waits for a condition, with a deadline. */
export function eventually<T>(what: string, attempt: () => T | Promise<T>, timeoutMs = 20_000): Promise<Exclude<NonNullable<T>, false>> {
  return waitFor(attempt, { what, intervalMs: 5, timeoutMs }) as Promise<Exclude<NonNullable<T>, false>>;
}

/** An API server with Sandboxes and their Pods, which answers reviews. */
export class FakeCluster {
  public static async start(): Promise<FakeCluster> {
    return new FakeCluster(await FakeApiServer.start());
  }

  /** Users by token; the audience is right by default. */
  public readonly users = new Map<string, { username: string; audiences?: string[] | undefined }>();
  /** Who may do what: `username verb subresource namespace/name`. */
  public readonly grants = new Set<string>();
  public readonly reviews: Received[] = [];
  public reviewsFail = false;

  private constructor(public readonly api: FakeApiServer) {
    api.respond = received => this.review(received);
  }

  /** A Sandbox with a ready Pod on loopback. Returns its UID. */
  public sandbox(name: string, options: SandboxOptions = {}): string {
    const { namespace = 'default', ports = [], ip = '127.0.0.1', ready = true, labels, hostNetwork, spec } = options;
    const sandbox = this.api.put(SANDBOXES, {
      metadata: { name, namespace, ...definedOnly({ labels }) },
      spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image', ports: ports.map(containerPort => ({ containerPort })) }] } }, ...spec },
    });
    this.pod(name, { namespace, ip, ready, ownerUid: sandbox.metadata.uid, ...definedOnly({ hostNetwork }) });
    return sandbox.metadata.uid;
  }

  public pod(name: string, { namespace = 'default', ip = '127.0.0.1', ready = true, ownerUid = '', hostNetwork = false }: PodOptions): void {
    this.api.put(PODS, {
      metadata: {
        name, namespace, labels: { 'agents.x-k8s.io/sandbox-name-hash': nameHash(name) },
        ownerReferences: [{ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name, uid: ownerUid, controller: true }],
      },
      spec: { hostNetwork },
      status: { podIPs: [{ ip }], conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
    });
  }

  public remove(name: string, namespace = 'default'): void {
    this.api.remove(PODS, `${namespace}/${name}`);
    this.api.remove(SANDBOXES, `${namespace}/${name}`);
  }

  private review(received: Received): unknown {
    const { path, body } = received;
    if (!path.endsWith('reviews')) {
      return undefined;
    }
    this.reviews.push(received);
    if (this.reviewsFail) {
      throw { code: 500, reason: 'InternalError' };
    }
    if (path.endsWith('tokenreviews')) {
      const user = this.users.get(body.spec.token);
      const audiences = user && 'audiences' in user ? user.audiences : body.spec.audiences;
      return { ...body, metadata: {}, status: user === undefined ? { authenticated: false } : { authenticated: true, audiences, user: { username: user.username, groups: ['devs'] } } };
    }
    const { user, resourceAttributes: { verb, subresource = '', namespace, name } } = body.spec;
    return { ...body, metadata: {}, status: { allowed: this.grants.has(`${user} ${verb} ${subresource} ${namespace}/${name}`) } };
  }
}

interface PodOptions {
  readonly namespace?: string;
  readonly ip?: string;
  readonly ready?: boolean;
  readonly ownerUid?: string;
  readonly hostNetwork?: boolean;
}

interface SandboxOptions extends Omit<PodOptions, 'ownerUid'> {
  readonly ports?: readonly number[];
  readonly labels?: Record<string, string>;
  readonly spec?: object;
}

export interface Running {
  readonly router: Router;
  readonly port: number;
  readonly url: string;
  readonly metrics: Metrics;
  readonly accessLog: Record<string, any>[];
  readonly log: string[];
  close(timeoutMs?: number): Promise<void>;
}

/** A router in this process, open unless the flags say otherwise. */
export async function startRouter(cluster: FakeCluster, args: readonly string[] = [], more: Partial<RouterOptions> = {}): Promise<Running> {
  const given = args.some(arg => arg.startsWith('--authz-mode')) ? args : ['--authz-mode=allow-all', ...args];
  const flags = parseFlags(['--http-bind-address=127.0.0.1:0', '--allow-loopback-pod-ip', ...given], { env: {} });
  const log: string[] = [];
  const write = (fields: object, message: string) => void log.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warn: write, error: write };
  const accessLog: Record<string, any>[] = [];
  const metrics = new Metrics('test');
  const connection = new Cluster({ credentials: staticCredentials({ server: cluster.api.url }), userAgent: 'test/1.0' });
  // As a line has them: without those that are undefined.
  const writeLine = (fields: object) => void accessLog.push(JSON.parse(JSON.stringify(fields)) as Record<string, any>);
  const router = new Router({ flags, cluster: connection, logger, metrics, accessLog: writeLine, ...more });
  await router.start();
  const [port] = router.ports as [number];
  return {
    router, port, metrics, accessLog, log, url: `http://127.0.0.1:${port}`,
    close: async (timeoutMs = 2_000) => {
      await router.close(timeoutMs);
      await connection.close();
    },
  };
}

/** What a backend has got. */
export interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: string[];
  readonly body: Buffer;
}

export interface Backend {
  readonly server: Server;
  readonly port: number;
  readonly got: Got[];
  close(): Promise<void>;
}

/** A program in a sandbox. Without a handler it answers every request with what it got, as JSON. */
export async function startBackend(handler?: RequestListener, port = 0): Promise<Backend> {
  const got: Got[] = [];
  const echo = async (incoming: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) {
      chunks.push(chunk);
    }
    const { method = '', url = '', headers, rawHeaders } = incoming;
    const body = Buffer.concat(chunks);
    got.push({ method, url, headers, rawHeaders, body });
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, length: body.length }));
  };
  const server = createServer(handler ?? ((incoming, response) => void echo(incoming, response).catch(() => response.destroy())));
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket.once('close', () => sockets.delete(socket))));
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  return {
    server, got, port: (server.address() as AddressInfo).port,
    close: () => new Promise(resolve => {
      server.close(() => resolve());
      sockets.forEach(socket => socket.destroy());
    }),
  };
}

export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
  /** Of a refusal. */
  readonly detail?: string;
}

const agent = new Agent({ keepAliveTimeout: 10, headersTimeout: 30_000, bodyTimeout: 30_000 });

/** Sends a request and reads the whole answer. */
export async function ask(url: string, { headers = {}, method = 'GET', body }: { headers?: Record<string, string>; method?: string; body?: any } = {}): Promise<Reply> {
  const answer = await request(url, { headers, method: method as 'GET', body, dispatcher: agent });
  const text = await answer.body.text();
  let detail: string | undefined;
  try {
    detail = JSON.parse(text).detail;
  } catch {
    detail = undefined;
  }
  return { status: answer.statusCode, headers: answer.headers, text, ...definedOnly({ detail }) };
}

/** Sends bytes as they are, and returns all that comes back until the connection ends. */
export function raw(port: number, text: string | Buffer, timeoutMs = 20_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection was not ended; so far: ${answer}`));
    }, timeoutMs);
    socket.on('data', chunk => (answer += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}
