import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { SandboxClient } from '../client.js';
import { SandboxInputError, SandboxNotFoundError } from '../errors.js';
import { Sandbox } from '../sandbox.js';

/** Label of claims with the session that made them. */
export const SESSION_LABEL = 'mcp.k8s-agent-sandbox/session-id';

const LONGEST_TIMEOUT = 600;
const MOST_ENTRIES = 10_000;
/** Bytes of a file for an agent, whose context is limited; larger ones go through the command line. */
const LARGEST_FILE = 10 * 1024 * 1024;

const claimName = z.string().describe('Name of the claim, as create_sandbox returned it');
const namespace = z.string().optional().describe('Namespace of the claim; default: that of the server');
const path = z.string().describe('Path below the directory of the sandbox');
const timeout = z.number().positive().max(LONGEST_TIMEOUT).default(60).describe(`Seconds; at most ${LONGEST_TIMEOUT}`);
const encoding = z.enum(['text', 'base64']).default('text').describe('How the content is written');

interface Session {
  readonly pool?: string;
  readonly session: string;
}

/** Adds the tools: create, delete, run, upload, download, list, exists. */
export function addTools(server: McpServer, client: SandboxClient, { pool: defaultPool, session }: Session): void {
  /** Handles of this session; a claim that is not one of them is refused, whatever its name. */
  const own = new Set<Sandbox>();
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
  ) => server.registerTool(name, { description, inputSchema }, (async (input: z.infer<z.ZodObject<S>>, { signal }: { signal: AbortSignal }) => {
    try {
      const result = await act(input, signal);
      return { content: [{ type: 'text', text: JSON.stringify(result) }] };
    } catch (error) {
      return { isError: true, content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }] };
    }
  }) as any);

  add('create_sandbox', 'Make an isolated sandbox. It is deleted at the end of the session, or after shutdown_after_seconds.', {
    warmpool: z.string().optional().describe('Pool to take it from; default: that of the server'),
    template: z.string().optional().describe('Template to make it from, instead of a pool'),
    namespace,
    shutdown_after_seconds: z.number().int().positive().nullable().default(300).describe('When it ends by itself; null for never'),
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
      lifetime: input.shutdown_after_seconds === null ? undefined : { seconds: input.shutdown_after_seconds },
      signal,
    });
    own.add(sandbox);
    return { claim_name: sandbox.claimName, namespace: sandbox.namespace, sandbox_name: sandbox.name };
  });

  add('delete_sandbox', 'Delete a sandbox of this session with everything in it.', { claim_name: claimName, namespace }, async (input, signal) => {
    const sandbox = find(input.claim_name, input.namespace);
    await sandbox.delete({ signal });
    own.delete(sandbox);
    return { deleted: true };
  });

  add('execute_command', 'Run a command in a sandbox and return its output. There is no shell: use sh -c for pipes and variables.', {
    claim_name: claimName, namespace, command: z.string().min(1), timeout,
  }, async (input, signal) => {
    const { commands } = find(input.claim_name, input.namespace);
    const { stdout, stderr, exitCode, timedOut } = await commands.run(input.command, { timeoutMs: input.timeout * 1000, signal });
    return { stdout, stderr, exit_code: exitCode, timed_out: timedOut };
  });

  add('upload_file', 'Write a file in a sandbox; directories on the way are made.', {
    claim_name: claimName, namespace, path, content: z.string(), encoding, timeout,
  }, async (input, signal) => {
    const content = input.encoding === 'base64' ? decodeBase64(input.content) : input.content;
    await find(input.claim_name, input.namespace).files.write(input.path, content, { timeoutMs: input.timeout * 1000, signal });
    return { path: input.path, size: Buffer.byteLength(content) };
  });

  add('download_file', 'Read a file of a sandbox, at most 10 MiB.', { claim_name: claimName, namespace, path, encoding, timeout }, async (input, signal) => {
    const { files } = find(input.claim_name, input.namespace);
    const content = await files.read(input.path, { maxBytes: LARGEST_FILE, timeoutMs: input.timeout * 1000, signal });
    return { path: input.path, size: content.length, encoding: input.encoding, content: content.toString(input.encoding === 'base64' ? 'base64' : 'utf8') };
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
}

/** Node skips what is no base64; an agent that made a mistake should hear of it. */
function decodeBase64(text: string): Buffer {
  const content = Buffer.from(text, 'base64');
  if (content.toString('base64').replace(/=+$/, '') !== text.replace(/\s/g, '').replace(/=+$/, '')) {
    throw new SandboxInputError('content is not base64', { remedy: 'encode it, or set encoding to text' });
  }
  return content;
}
