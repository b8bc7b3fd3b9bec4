import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PODS, type Pod } from 'agent-sandbox-api';
import { Reader, isNotFound, isSituation } from 'agent-sandbox-kube';
import type { SandboxClient } from '../client.js';
import { SandboxInputError } from '../errors.js';
import type { Sandbox } from '../sandbox.js';
import { EXIT, type Streams, print } from './output.js';

export interface ForwardFlags {
  /** On this machine. */
  readonly listenPort?: number;
  readonly path?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  /** Of the runtime. */
  readonly port: number;
}

/** Forwards a port until the signal, and prints the address, or opens it in a browser as well. */
export async function forwardPort(
  client: SandboxClient, claim: string, port: number | undefined, flags: ForwardFlags, opens: boolean,
  streams: Streams & { readonly env: NodeJS.ProcessEnv }, signal: AbortSignal,
): Promise<number> {
  const sandbox = await client.get(claim, { signal });
  const target = port ?? await onlyPort(client, sandbox, flags.port, signal);
  await using forward = await sandbox.forward({ port: target, listenPort: flags.listenPort, path: flags.path, signal });
  print(streams, flags.json ?? false, { url: forward.url, port: target, listenPort: forward.listenPort }, () => [forward.url]);
  if (!flags.quiet && !flags.json) {
    streams.stderr.write(`leads to port ${target} of ${sandbox.namespace}/${claim} until Ctrl-C; anyone who has the address can use it\n`);
  }
  const page = opens ? await openInBrowser(forward.url, streams.env) : undefined;
  try {
    await forward.closed;
  } finally {
    await page?.[Symbol.asyncDispose]();
  }
  signal.throwIfAborted();
  return EXIT.ok;
}

/** The port that the Pod declares besides that of the runtime. */
async function onlyPort(client: SandboxClient, sandbox: Sandbox, runtimePort: number, signal: AbortSignal): Promise<number> {
  let pod: Pod | undefined;
  try {
    const { podName } = await sandbox.status({ signal });
    pod = podName === undefined ? undefined : await new Reader(client.cluster).get(PODS, { namespace: sandbox.namespace, name: podName }, { signal });
  } catch (error) {
    if (!isNotFound(error) && !isSituation(error, 'forbidden')) {
      throw error;
    }
  }
  const declared = pod?.spec.containers?.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)) ?? [];
  const ports = [...new Set(declared)].filter(port => port !== runtimePort);
  if (ports.length !== 1) {
    const found = ports.length === 0 ? 'the Pod declares no port besides that of the runtime, or may not be read' : `the Pod declares the ports ${ports.join(', ')}`;
    throw new SandboxInputError(found, { remedy: 'name the port' });
  }
  return ports[0];
}

/**
 * Opens an address in the user's browser. The address has a key, and the arguments of programs are no secret on a machine: the browser gets a
 * file that only this user can read, and that leads there.
 */
async function openInBrowser(url: string, env: NodeJS.ProcessEnv): Promise<AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'agent-sandbox-'));
  const file = join(dir, 'open.html');
  const escaped = url.replace(/[&"]/g, character => `&#${character.charCodeAt(0)};`);
  await writeFile(file, `<!doctype html><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0; url=${escaped}">\n`, { mode: 0o600 });
  const programs: Readonly<Record<string, string>> = { darwin: 'open', win32: 'explorer' };
  const child = spawn(env.BROWSER || (programs[process.platform] ?? 'xdg-open'), [file], { stdio: 'ignore', detached: true, env });
  // Without a browser, the printed address is still there.
  child.on('error', () => undefined);
  child.unref();
  return { [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
