import { type ChildProcess, type SpawnOptions, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Bench } from './support.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** How a process ended and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
  readonly err: string;
}

/** The command line as a process, and the SDK for programs of tests: each bundled into one file, since starting a transpiler takes seconds. */
export class CommandLine implements AsyncDisposable {
  public static async build(): Promise<CommandLine> {
    const dir = await mkdtemp(join(tmpdir(), 'command-line-'));
    const script = `Promise.all([
      import('./scripts/bundle.ts').then(m => (m.bundle ?? m.default.bundle)('client', ${JSON.stringify(dir)})),
      import('esbuild').then(m => m.build({
        entryPoints: ['packages/client/src/index.ts'], outfile: ${JSON.stringify(join(dir, 'sdk.mjs'))}, bundle: true, platform: 'node', target: 'node20',
        format: 'esm', conditions: ['agent-sandbox-source'], logLevel: 'error',
        banner: { js: "import { createRequire as requireFor } from 'node:module';\\nconst require = requireFor(import.meta.url);" },
      })),
    ])`;
    await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script], { cwd: REPOSITORY, env: { PATH: process.env.PATH } });
    return new CommandLine(dir);
  }

  private readonly children = new Set<ChildProcess>();

  private constructor(public readonly dir: string) {}

  /** The file to run with Node. */
  public get file(): string {
    return join(this.dir, 'client.mjs');
  }

  /** A kubeconfig for a server without TLS and credentials. */
  public async kubeconfig(server: string): Promise<string> {
    const path = join(this.dir, `config-${new URL(server).port}`);
    await writeFile(path, JSON.stringify({
      'clusters': [{ name: 'c', cluster: { server } }], 'users': [{ name: 'u', user: {} }],
      'contexts': [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }], 'current-context': 'x',
    }));
    return path;
  }

  /** Starts the command line against the bench. */
  public async start([command, ...args]: readonly string[], bench: Bench, options: SpawnOptions = {}): Promise<ChildProcess> {
    return this.spawn([this.file, command, '--kubeconfig', await this.kubeconfig(bench.api.url), '--url', bench.sandbox.url, ...args], options);
  }

  /** Starts the command line with these arguments alone. */
  public run(args: readonly string[]): ChildProcess {
    return this.spawn([this.file, ...args]);
  }

  /** Starts a program that may import the SDK as `./sdk.mjs`. */
  public async program(source: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
    const file = join(this.dir, `program-${this.children.size}.mjs`);
    await writeFile(file, source);
    return this.spawn([file], { env });
  }

  /** Starts Node. */
  private spawn(args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn(process.execPath, args, { stdio: 'pipe', cwd: REPOSITORY, ...options, env: { PATH: process.env.PATH, HOME: this.dir, ...options.env } });
    this.children.add(child);
    return child;
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    this.children.forEach(child => child.kill('SIGKILL'));
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** Waits until a process has ended and its output is complete. */
export async function ended(child: ChildProcess): Promise<Ended> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', chunk => (out += chunk));
  child.stderr?.on('data', chunk => (err += chunk));
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve => child.once('close', (...end) => resolve(end)));
  return { code, signal, out, err };
}
