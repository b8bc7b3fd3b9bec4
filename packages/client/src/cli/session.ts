import { SandboxClient } from '../client.js';
import { SandboxInputError } from '../errors.js';
import { Sandbox } from '../sandbox.js';
import { ExitError, EXIT, Streams, withProgress } from './output.js';

/** Which sandbox a command runs in: an existing one, or a new one that goes when the command is done. */
export interface SandboxOptions {
  readonly sandbox?: string;
  readonly pool?: string;
  readonly template?: string;
  readonly keep?: boolean;
  /** Of the claim of a new one. */
  readonly name?: string;
  /** Milliseconds until a new one must be ready. */
  readonly readyTimeout?: number;
  /** Milliseconds until a new one ends by itself, whatever happens to this program. */
  readonly lifetime?: number;
}

/** Makes a sandbox from a pool or template, with progress for people. */
export function createSandbox(
  client: SandboxClient, options: SandboxOptions, streams: Streams, isShown: boolean, signal: AbortSignal,
): Promise<Sandbox> {
  const { name, pool, template, keep, readyTimeout, lifetime } = options;
  const title = `Sandbox of ${pool === undefined ? `template ${template}` : `pool ${pool}`}`;
  return withProgress(streams, isShown, title, onProgress => client.create({
    name,
    pool,
    template,
    keep,
    timeoutMs: readyTimeout,
    signal,
    onProgress,
    lifetime: lifetime === undefined ? undefined : { seconds: Math.ceil(lifetime / 1000) },
  }));
}

/** Runs `work` in the sandbox; a new one is deleted afterwards, also after Ctrl-C and failures, unless it is kept. */
export async function inSandbox<T>(
  client: SandboxClient, options: SandboxOptions, streams: Streams, isShown: boolean, signal: AbortSignal, work: (sandbox: Sandbox) => Promise<T>,
): Promise<T> {
  const { sandbox: claim, pool, template } = options;
  if ([claim, pool, template].filter(value => value !== undefined).length !== 1) {
    throw new SandboxInputError('it is not clear which sandbox is meant', { remedy: 'give one of --pool, --template and --sandbox' });
  }
  if (claim !== undefined) {
    return work(await client.get(claim, { signal }));
  }
  await using sandbox = await createSandbox(client, options, streams, isShown, signal);
  if (sandbox.isKept) {
    streams.stderr.write(`claim ${sandbox.namespace}/${sandbox.claimName} is kept\n`);
  }
  return await work(sandbox);
}

/**
 * Runs a command of this program with a signal that Ctrl-C and SIGTERM abort; a second one ends the program at once, as without us.
 * Returns what the work returns.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new ExitError(EXIT.interrupted, 'interrupted'));
  const names = ['SIGINT', 'SIGTERM'] as const;
  names.forEach(name => process.once(name, interrupt));
  try {
    return await work(controller.signal);
  } finally {
    names.forEach(name => process.off(name, interrupt));
  }
}
