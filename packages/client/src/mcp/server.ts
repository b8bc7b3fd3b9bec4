import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { SandboxClient } from '../client.js';
import { SESSION_LABEL, addTools } from './tools.js';

export interface McpOptions {
  /** Pool for sandboxes of which the agent names none. */
  readonly pool?: string;
  readonly signal: AbortSignal;
  readonly stdin: Readable;
  readonly stdout: Writable;
}

/**
 * A server of the Model Context Protocol for one session: its sandboxes carry the session's label, and it touches no others. At the
 * end of the session they are deleted.
 */
export function createMcpServer(
  client: SandboxClient, { pool, session = randomBytes(8).toString('hex') }: { readonly pool?: string; readonly session?: string } = {},
): McpServer {
  const server = new McpServer({ name: 'agent-sandbox', version: process.env.AGENT_SANDBOX_VERSION ?? '0.0.0' });
  server.server.onclose = addTools(server, client, { pool, session });
  server.registerResource('sandboxes', new ResourceTemplate('sandboxes://{namespace}', { list: undefined }), {
    description: 'The sandboxes of this session in a namespace', mimeType: 'application/json',
  }, async (uri, { namespace }) => {
    const claims = await client.list({ namespace: String(namespace), labelSelector: `${SESSION_LABEL}=${session}` });
    return { contents: [{ uri: uri.href, mimeType: 'application/json', text: JSON.stringify(claims) }] };
  });
  return server;
}

/** Serves on stdin and stdout until stdin ends or the signal is aborted. */
export async function serveMcp(client: SandboxClient, { pool, signal, stdin, stdout }: McpOptions): Promise<void> {
  const server = createMcpServer(client, { pool });
  await server.connect(new StdioServerTransport(stdin, stdout));
  try {
    await Promise.race([once(stdin, 'end', { signal }), once(stdin, 'close', { signal })]);
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  } finally {
    await server.close();
    await client.deleteAll();
  }
}
