import type { SandboxClient } from '../client.js';
import { SandboxInputError } from '../errors.js';
import type { Sandbox } from '../sandbox.js';
import { ExitError, EXIT, type Streams, harmless, messageOf, withProgress } from './output.js';

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
  /** Milliseconds until a new one ends by itself, whatever happens to this program. @default 86400000, which is one day */
  readonly lifetime?: number;
}

/** Milliseconds until a sandbox ends that this program could not delete: it was killed, or its machine failed. */
const LIFETIME_MS = 24 * 3600_000;
/** The same for sandboxes that are meant to stay after this program. */
export const KEPT_LIFETIME_MS = 7 * 24 * 3600_000;

/** Makes a sandbox from a pool or template, with progress for people. */
export function createSandbox(
  client: SandboxClient, options: SandboxOptions, streams: Streams, isShown: boolean, signal: AbortSignal,
): Promise<Sandbox> {
  const { name, pool, template, keep, readyTimeout, lifetime = LIFETIME_MS } = options;
  const title = `Sandbox of ${pool === undefined ? `template ${template}` : `pool ${pool}`}`;
  return withProgress(streams, isShown, title, onProgress => client.create({
    name,
    pool,
    template,
    keep,
    timeoutMs: readyTimeout,
    signal,
    onProgress,
    lifetime: { seconds: Math.ceil(lifetime / 1000) },
  }));
}

/**
 * Runs `work` in the sandbox. A new sandbox is deleted afterwards however the work ends, unless it is kept. If the deletion fails, a
 * message names the claim and the moment when its lifetime ends; the result of the work stands.
 */
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
  const sandbox = await createSandbox(client, options, streams, isShown, signal);
  try {
    if (sandbox.isKept) {
      streams.stderr.write(`claim ${sandbox.namespace}/${sandbox.claimName} is kept\n`);
    }
    return await work(sandbox);
  } finally {
    if (!sandbox.isKept) {
      await sandbox.delete({ signal: AbortSignal.timeout(DELETION_TIMEOUT_MS) }).catch(error => streams.stderr.write(
        `agent-sandbox: claim ${sandbox.namespace}/${sandbox.claimName} could not be deleted (${harmless(messageOf(error))}): `
        + `delete it, or it ends with its lifetime of ${(options.lifetime ?? LIFETIME_MS) / 1000} s\n`,
      ));
    }
  }
}

/** Milliseconds for the deletion at the end of the program. */
const DELETION_TIMEOUT_MS = 30_000;

/** What asks this program to end, and the exit code that says so: 128 and the number of the signal. */
const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: 143, SIGHUP: 129, SIGQUIT: 131 } as const;

/**
 * Runs a command of this program with a signal that is aborted by everything that ends programs: SIGINT, SIGTERM, SIGHUP, SIGQUIT, an
 * output that is not read any more, an error that nothing caught, an event loop that has run empty. So the work can delete what it made.
 * A second SIGINT, SIGTERM or SIGQUIT ends the program at once; a second SIGHUP does not, because shells and terminals both send one.
 *
 * Returns what the work returns.
 */
export async function endable<T>({ stdout }: Streams, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const end = (code: number, message: string) => controller.abort(new ExitError(code, message));
  const listeners: [string, (...args: any[]) => void][] = [
    ...Object.entries(SIGNALS).map(([name, code]): [string, () => void] => [name, () => {
      if (name !== 'SIGHUP') {
        Object.keys(SIGNALS).filter(other => other !== 'SIGHUP').forEach(other => process.off(other, listenerOf(other)));
      }
      end(code, `ended by ${name}`);
    }]),
    ['uncaughtException', (error: unknown) => end(EXIT.failed, messageOf(error))],
    ['unhandledRejection', (error: unknown) => end(EXIT.failed, messageOf(error))],
    ['beforeExit', () => end(EXIT.failed, 'there is nothing left to wait for')],
  ];
  const listenerOf = (name: string) => listeners.find(([other]) => other === name)![1];
  const broken = (error: NodeJS.ErrnoException) => end(
    error.code === 'EPIPE' ? EXIT.brokenPipe : EXIT.failed, error.code === 'EPIPE' ? '' : `the output cannot be written: ${error.message}`,
  );
  listeners.forEach(([name, listener]) => process.on(name, listener));
  stdout.on('error', broken);
  try {
    return await work(controller.signal);
  } catch (error) {
    // Whatever the work failed with then, this is why.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    listeners.forEach(([name, listener]) => process.off(name, listener));
    stdout.off('error', broken);
  }
}
