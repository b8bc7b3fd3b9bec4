import { untilAborted } from '../deadline.js';
import { SandboxInputError } from '../errors.js';
import { McpHttpServer, listenAddress } from '../mcp/http.js';
import { type GlobalOptions, clientOf } from './options.js';
import { EXIT, type Streams, harmless } from './output.js';

/** What `mcp` takes besides the options of every command. */
export interface McpFlags {
  readonly pool?: string;
  readonly http?: string;
  readonly allowedHost?: readonly string[];
  readonly allowedOrigin?: readonly string[];
  readonly allowHttpTokens?: boolean;
}

/** Serves MCP over HTTP until the signal is aborted. Uses no credentials of this process: callers bring their tokens. */
export async function serveMcpHttp(options: GlobalOptions & McpFlags, { stderr }: Streams, signal: AbortSignal): Promise<number> {
  const { http, pool, allowedHost = [], allowedOrigin = [], allowHttpTokens = false, restApi, tokenFile, serviceAccount } = options;
  if (!restApi) {
    throw new SandboxInputError('--http needs the REST surface of a router', { remedy: 'give --rest-api and --url' });
  }
  if (tokenFile !== undefined || serviceAccount !== undefined) {
    throw new SandboxInputError('--http takes the tokens of its callers', { remedy: 'leave --token-file and --service-account out' });
  }
  const log = (message: string) => void stderr.write(`agent-sandbox: ${harmless(message)}\n`);
  const server = new McpHttpServer({
    ...listenAddress(http!, allowHttpTokens), pool, allowedHosts: allowedHost, allowedOrigins: allowedOrigin, log,
    client: (token, address) => clientOf(options, {}, { token, headers: { 'x-forwarded-for': address } }),
  });
  await server.listen();
  log(`listening at ${server.url}`);
  try {
    await untilAborted(new Promise<never>(() => undefined), signal);
  } finally {
    await server.close();
  }
  return EXIT.ok;
}
