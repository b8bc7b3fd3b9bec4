import { isUtf8 } from 'node:buffer';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import type { SandboxClient } from '../client.js';
import { SandboxInputError, SandboxNotFoundError } from '../errors.js';
import type { Sandbox } from '../sandbox.js';
import { Background } from './background.js';

/** Label of claims with the session that made them. */
export const SESSION_LABEL = 'mcp.k8s-agent-sandbox/session-id';

const LONGEST_TIMEOUT = 600;
const MOST_ENTRIES = 10_000;
/** Bytes of each stream of a command for an agent, unless it asks for more. */
const LARGEST_OUTPUT = 64 * 1024;
/** Lifetime in seconds of sandboxes without a lifetime of their own: the session may be killed before it deletes them. */
const LONGEST_LIFETIME = 24 * 3600;
/** Bytes of a file for an agent, whose context is limited; larger ones go through the command line. */
const LARGEST_FILE = 10 * 1024 * 1024;

const claimName = z.string().describe('Name of the claim, as create_sandbox returned it');
const namespace = z.string().optional().describe('Namespace of the claim; default: that of the server');
const commandId = z.number().int().describe('Number of the command, as start_command returned it');
const path = z.string().describe('Path below the directory of the sandbox');
const timeout = z.number().positive().max(LONGEST_TIMEOUT).default(60).describe(`Seconds; at most ${LONGEST_TIMEOUT}`);
const encoding = z.enum(['text', 'base64']).default('text').describe('How the content is written');

interface Session {
  readonly pool?: string;
  readonly session: string;
}

/**
 * Adds the tools: create, delete, run, upload, download, list, exists; start, read, write and stop for commands in the background. Returns
 * what ends those.
 */
export function addTools(server: McpServer, client: SandboxClient, { pool: defaultPool, session }: Session): () => void {
  /** Handles of this session; a claim that is not one of them is refused, whatever its name. */
  const own = new Set<Sandbox>();
  const background = new Background(LARGEST_OUTPUT);
  const find = (name: string, where?: string): Sandbox => {
    const found = [...own].find(each => each.claimName === name && (where === undefined || each.namespace === where));
    if (!found) {
      throw new SandboxNotFoundError(`this session has no sandbox "${name}"`, { remedy: 'make one with create_sandbox' });
    }
    return found;
  };
  const add = <S extends z.ZodRawShape>(
    name: string,
    description: string,
    inputSchema: S,
    act: (input: z.infer<z.ZodObject<S>>, signal: AbortSignal) => Promise<object>,
  ) => server.registerTool(name, { description, inputSchema }, (async (input: z.infer<z.ZodObject<S>>, extra: Extra) => {
    const { signal } = extra;
    const stop = reportProgress(extra);
    try {
      const result = await act(input, signal);
      return { content: result instanceof Picture ? [result.block] : [{ type: 'text', text: JSON.stringify(result) }] };
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }] };
    } finally {
      stop();
    }
  }) as any);

  add('create_sandbox', 'Make an isolated sandbox. It is deleted at the end of the session, or after shutdown_after_seconds.', {
    warmpool: z.string().optional().describe('Pool to take it from; default: that of the server'),
    template: z.string().optional().describe('Template to make it from, instead of a pool'),
    namespace,
    shutdown_after_seconds: z.number().int().positive().nullable().default(300).describe('When it ends by itself; null for the longest time, one day'),
  }, async (input, signal) => {
    const pool = input.warmpool ?? (input.template === undefined ? defaultPool : undefined);
    if (pool === undefined && input.template === undefined) {
      throw new SandboxInputError('there is no default pool', { remedy: 'name a warmpool or a template' });
    }
    const sandbox = await client.create({
      pool,
      template: pool === undefined ? input.template : undefined,
      namespace: input.namespace,
      labels: { [SESSION_LABEL]: session },
      lifetime: { seconds: input.shutdown_after_seconds ?? LONGEST_LIFETIME },
      signal,
    });
    own.add(sandbox);
    return { claim_name: sandbox.claimName, namespace: sandbox.namespace, sandbox_name: sandbox.name };
  });

  add('delete_sandbox', 'Delete a sandbox of this session with everything in it.', { claim_name: claimName, namespace }, async (input, signal) => {
    const sandbox = find(input.claim_name, input.namespace);
    background.close(sandbox);
    await sandbox.delete({ signal });
    own.delete(sandbox);
    return { deleted: true };
  });

  add('execute_command', 'Run a command in a sandbox and return its output. There is no shell: use sh -c for pipes and variables.', {
    claim_name: claimName, namespace, command: z.string().min(1), timeout,
    max_output_bytes: z.number().int().positive().max(LARGEST_FILE).default(LARGEST_OUTPUT)
      .describe('Bytes of each stream that are returned, half from its beginning and half from its end'),
  }, async (input, signal) => {
    const { commands } = find(input.claim_name, input.namespace);
    const { stdout, stderr, exitCode, timedOut, truncated, omittedBytes } = await commands.run(input.command, {
      timeoutMs: input.timeout * 1000, maxOutputBytes: input.max_output_bytes, signal,
    });
    return { stdout, stderr, exit_code: exitCode, timed_out: timedOut, ...(truncated && { truncated, omitted_bytes: omittedBytes }) };
  });

  add('start_command', 'Start a command in the background, for servers and long work. It runs until it ends, is stopped, or the session ends.', {
    claim_name: claimName, namespace, timeout,
    command: z.array(z.string()).min(1).describe('Program and its arguments. There is no shell: use sh -c for pipes and variables'),
    cwd: z.string().optional().describe('Directory below that of the sandbox; default: that of the sandbox'),
  }, async input => {
    const sandbox = find(input.claim_name, input.namespace);
    return { command_id: await background.start(sandbox, input.command, { timeoutMs: input.timeout * 1000, cwd: input.cwd }) };
  });

  add('read_command', 'Return what a command in the background has written since the last call, and its exit code when it has ended.', {
    claim_name: claimName, namespace, command_id: commandId,
    wait: z.number().nonnegative().max(LONGEST_TIMEOUT).default(10).describe('Seconds to wait for output or the end if there is nothing yet; 0 for none'),
  }, (input, signal) => background.read(find(input.claim_name, input.namespace), input.command_id, input.wait * 1000, signal));

  add('write_command', 'Write text to the standard input of a command in the background.', {
    claim_name: claimName, namespace, command_id: commandId, input: z.string(),
    end: z.boolean().default(false).describe('Whether the input ends with this'),
  }, async input => {
    await background.write(find(input.claim_name, input.namespace), input.command_id, input.input, input.end);
    return { written: Buffer.byteLength(input.input) };
  });

  add('stop_command', 'Send a signal to a command in the background; read_command then tells how it ended.', {
    claim_name: claimName, namespace, command_id: commandId,
    signal: z.enum(['SIGINT', 'SIGTERM', 'SIGKILL']).default('SIGTERM'),
  }, async input => {
    await background.stop(find(input.claim_name, input.namespace), input.command_id, input.signal);
    return { sent: input.signal };
  });

  add('upload_file', 'Write a file in a sandbox; directories on the way are made.', {
    claim_name: claimName, namespace, path, content: z.string(), encoding, timeout,
  }, async (input, signal) => {
    const content = input.encoding === 'base64' ? decodeBase64(input.content) : input.content;
    await find(input.claim_name, input.namespace).files.write(input.path, content, { timeoutMs: input.timeout * 1000, signal });
    return { path: input.path, size: Buffer.byteLength(content) };
  });

  add('download_file', 'Read a file of a sandbox, at most 10 MiB. Pictures come as pictures.', {
    claim_name: claimName, namespace, path, timeout,
    encoding: z.enum(['auto', 'text', 'base64']).default('auto').describe('How the content is returned; auto: a picture, text, or else base64'),
  }, async (input, signal) => {
    const { files } = find(input.claim_name, input.namespace);
    const content = await files.read(input.path, { maxBytes: LARGEST_FILE, timeoutMs: input.timeout * 1000, signal });
    const mimeType = input.encoding === 'auto' ? pictureTypeOf(content) : undefined;
    if (mimeType) {
      return new Picture({ type: 'image', data: content.toString('base64'), mimeType });
    }
    // Bytes that are no text would arrive as something else.
    const encoding = input.encoding === 'auto' ? (isText(content) ? 'text' : 'base64') : input.encoding;
    return { path: input.path, size: content.length, encoding, content: content.toString(encoding === 'base64' ? 'base64' : 'utf8') };
  });

  add('list_files', 'List a directory of a sandbox.', {
    claim_name: claimName, namespace, path: z.string().default('').describe('Default: the directory of the sandbox'),
    max_entries: z.number().int().positive().max(MOST_ENTRIES).default(1000), timeout,
  }, async (input, signal) => {
    const entries = await find(input.claim_name, input.namespace).files.list(input.path, { timeoutMs: input.timeout * 1000, signal });
    return {
      entries: entries.slice(0, input.max_entries).map(({ name, size, type, modified }) => ({ name, size, type, modified: modified.toISOString() })),
      total_entries: entries.length,
      truncated: entries.length > input.max_entries,
    };
  });

  add('file_exists', 'Say whether a path exists in a sandbox.', { claim_name: claimName, namespace, path, timeout }, async (input, signal) => {
    const { files } = find(input.claim_name, input.namespace);
    return { path: input.path, exists: await files.exists(input.path, { timeoutMs: input.timeout * 1000, signal }) };
  });
  return () => background.close();
}

/** What the protocol hands to a tool besides its input. */
interface Extra {
  readonly signal: AbortSignal;
  readonly _meta?: { readonly progressToken?: string | number };
  sendNotification(notification: object): Promise<void>;
}

/** Milliseconds between two signs of life of a tool that works. */
const PROGRESS_MS = 5_000;

/** Sends progress to a caller that requested it, so that it does not time out. Returns a function that stops it. */
function reportProgress({ _meta, sendNotification }: Extra): () => void {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) {
    return () => undefined;
  }
  const begin = performance.now();
  const tell = () => {
    const seconds = Math.round((performance.now() - begin) / 1000);
    sendNotification({ method: 'notifications/progress', params: { progressToken, progress: seconds, message: `working for ${seconds} s` } }).catch(() => undefined);
  };
  tell();
  const timer = setInterval(tell, PROGRESS_MS);
  return () => clearInterval(timer);
}

/** An answer that is a picture. */
class Picture {
  constructor(public readonly block: { readonly type: 'image'; readonly data: string; readonly mimeType: string }) {}
}

/** Media type of the kinds of pictures that models take, by their first bytes. */
function pictureTypeOf(content: Buffer): string | undefined {
  const begins = (bytes: string, at = 0) => content.subarray(at, at + bytes.length).toString('latin1') === bytes;
  return begins('\x89PNG\r\n\x1a\n') ? 'image/png'
    : begins('\xff\xd8\xff') ? 'image/jpeg'
      : begins('GIF87a') || begins('GIF89a') ? 'image/gif'
        : begins('RIFF') && begins('WEBP', 8) ? 'image/webp' : undefined;
}

function isText(content: Buffer): boolean {
  return isUtf8(content) && !content.includes(0);
}

/** Node skips characters that are not base64; an agent should get an error instead. */
function decodeBase64(text: string): Buffer {
  const content = Buffer.from(text, 'base64');
  if (content.toString('base64').replace(/=+$/, '') !== text.replace(/\s/g, '').replace(/=+$/, '')) {
    throw new SandboxInputError('content is not base64', { remedy: 'encode it, or set encoding to text' });
  }
  return content;
}
