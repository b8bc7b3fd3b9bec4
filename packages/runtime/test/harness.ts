import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { request, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { ExecuteResult } from '../src/plain/execute.js';
import { COMMAND_ROUTES, COMMON_ROUTES, createServer, DEFAULTS, Runtime, type RuntimeOptions } from '../src/index.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
  readonly json: any;
}

export interface Call {
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly body?: Buffer | string;
}

/** A runtime on a loopback port of its own, with a base directory of its own. */
export class Harness {
  private constructor(
    /** Holds `base`, and is outside of it. */
    public readonly outside: string,
    public readonly base: string,
    public readonly runtime: Runtime,
    public readonly port: number,
    private readonly end: () => Promise<void>,
  ) {}

  public static async start(options: Partial<RuntimeOptions> = {}): Promise<Harness> {
    const outside = await realpath(await mkdtemp(join(tmpdir(), 'runtime-')));
    const base = join(outside, 'app');
    const runtime = await Runtime.open({ ...DEFAULTS, baseDir: base, env: { ...process.env }, logger: pino({ level: 'silent' }), ...options });
    const server = await createServer(runtime, [...COMMON_ROUTES, ...COMMAND_ROUTES]);
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = server.server.address() as AddressInfo;
    return new Harness(outside, base, runtime, port, async () => {
      await Promise.all([runtime.stop(), server.close()]);
      await runtime.close();
    });
  }

  public async stop(): Promise<void> {
    await this.end();
    await rm(this.outside, { recursive: true, force: true });
  }

  /** Sends a request with exactly this target: nothing is normalised. */
  public call(target: string, { method = 'GET', headers = {}, body }: Call = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.port, path: target, method, headers, agent: false }, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode!, headers: response.headers, body: bytes, text: bytes.toString(), get json() { return JSON.parse(bytes.toString()); } });
        });
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  public postJson(target: string, body: unknown, headers: { readonly [name: string]: string } = {}): Promise<Answer> {
    return this.call(target, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  }

  /** The answer of `/execute`. */
  public async execute(command: string, timeoutSeconds?: number, encoding?: 'base64'): Promise<ExecuteResult> {
    const answer = await this.postJson('/execute', { command, timeout_seconds: timeoutSeconds, encoding });
    if (answer.status !== 200) {
      throw new Error(`status ${answer.status}: ${answer.text}`);
    }
    return answer.json;
  }

  public upload(filename: string, content: Buffer | string, field = 'file'): Promise<Answer> {
    return this.call('/upload', { method: 'POST', ...multipart([{ field, filename, content }]) });
  }
}

export function multipart(parts: readonly { field: string; filename?: string; content: Buffer | string }[]): { headers: { [name: string]: string }; body: Buffer } {
  const boundary = 'X-test-boundary-X';
  const body = parts.flatMap(({ field, filename, content }) => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="${field}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ]);
  return { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body: Buffer.concat([...body, Buffer.from(`--${boundary}--\r\n`)]) };
}

/** Waits until something holds, at most 20 s. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined | false> | T | undefined | false): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const value = await probe();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`still not: ${what}`);
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Waits until a process has ended. It may still be a zombie: who collects it is not the runtime's business. */
export function gone(pid: string | number): Promise<true> {
  return eventually(`process ${pid} gone`, async () => {
    const stat = await readFile(`/proc/${Number(pid)}/stat`, 'utf8').catch(() => ') Z');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z') || undefined;
  });
}
