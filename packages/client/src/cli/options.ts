import { readFileSync } from 'node:fs';
import { RUNTIME_PORT } from 'agent-sandbox-api';
import { loadCredentials } from 'agent-sandbox-kube';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SandboxClient, type SandboxClientOptions } from '../client.js';
import { type ConnectionPlan, SandboxConnection } from '../connection/index.js';
import { SandboxInputError } from '../errors.js';
import { RouterToken, type TokenProvider } from '../tokens.js';

/** Variable with a token for the router: a token on the command line would be in every list of processes. */
const TOKEN_VARIABLE = 'AGENT_SANDBOX_ROUTER_TOKEN';

/** What every command takes. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly url?: string;
  readonly gateway?: string;
  readonly restApi?: boolean;
  readonly inCluster?: boolean;
  readonly routerNamespace?: string;
  readonly caFile?: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly serviceAccount?: string;
  readonly allowInsecureToken?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Adds the options that every command takes. */
export function addGlobalOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, the own pod, ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace of the sandboxes (default: that of the context)')
    .addOption(new Option('--url <url>', 'reach the router at this address').conflicts(['gateway', 'inCluster', 'routerNamespace']))
    .option('--rest-api', 'claim through the router, without Kubernetes; needs --url')
    .addOption(new Option('--gateway <[namespace/]name>', 'reach the router through this Gateway').conflicts(['inCluster', 'routerNamespace']))
    .addOption(new Option('--in-cluster', 'reach the pods themselves, from inside the cluster').conflicts(['routerNamespace']))
    .option('--router-namespace <name>', 'namespace of the router for the tunnel (default: agent-sandbox-system)')
    .option('--ca-file <file>', 'authorities of the router\'s certificate, PEM')
    .option('--port <number>', 'port of the runtime', portNumber, RUNTIME_PORT)
    .option('--token-file <file>', `token for the router (or ${TOKEN_VARIABLE})`)
    .addOption(new Option('--service-account <[namespace/]name>', 'get router tokens of this ServiceAccount').conflicts('tokenFile'))
    .option('--allow-insecure-token', 'send the token over plain HTTP, too')
    .option('--json', 'print JSON')
    .option('-q, --quiet', 'show no progress');
}

/** A client as the options say. Makes no request. Throws `SandboxInputError`, and plain errors for files that cannot be read. */
export function clientOf(options: GlobalOptions, env: NodeJS.ProcessEnv, more: Partial<SandboxClientOptions> = {}): SandboxClient {
  const { kubeconfig, context, namespace, port, allowInsecureToken, restApi, url } = options;
  if (restApi && url === undefined) {
    throw new SandboxInputError('--rest-api needs the address of a router', { remedy: 'give it with --url' });
  }
  return new SandboxClient({
    credentials: restApi ? undefined : loadCredentials({ kubeconfig, context, env }),
    restApi,
    namespace,
    connection: connectionOf(options),
    token: more.token ?? tokenOf(options, env),
    port,
    allowInsecureTokens: allowInsecureToken,
    // The program itself listens for its end.
    deleteOnExit: false,
    ...more,
  });
}

function connectionOf({ url, gateway, inCluster, routerNamespace, caFile, port }: GlobalOptions): ConnectionPlan {
  const tls = caFile === undefined ? undefined : { ca: readFileSync(caFile, 'utf8') };
  if (url !== undefined) {
    return SandboxConnection.direct({ url, tls });
  }
  if (gateway !== undefined) {
    return SandboxConnection.gateway({ ...parseReference(gateway), scheme: tls ? 'https' : 'http', tls });
  }
  if (tls) {
    throw new SandboxInputError('--ca-file has no effect here', { remedy: 'give it with --url or --gateway' });
  }
  return inCluster ? SandboxConnection.inCluster({ port }) : SandboxConnection.tunnel({ routerNamespace });
}

function tokenOf({ tokenFile, serviceAccount }: GlobalOptions, env: NodeJS.ProcessEnv): TokenProvider | undefined {
  if (serviceAccount !== undefined) {
    return RouterToken.fromServiceAccount(parseReference(serviceAccount));
  }
  if (tokenFile !== undefined) {
    return RouterToken.fromFile(tokenFile);
  }
  const token = env[TOKEN_VARIABLE]?.trim();
  return token ? RouterToken.fixed(token) : undefined;
}

/** Of a flag: `name` or `namespace/name`. */
function parseReference(text: string): { name: string; namespace?: string } {
  const slash = text.indexOf('/');
  return slash < 0 ? { name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) };
}

/** Of a flag: 1 to 65535. */
export function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new InvalidArgumentError('give a number from 1 to 65535');
  }
  return port;
}

/** Of a flag: 0 or more. */
export function lines(text: string): number {
  if (!/^\d{1,9}$/.test(text)) {
    throw new InvalidArgumentError('give a number of lines');
  }
  return Number(text);
}

/** Of a flag: a duration above 0 and below 100 years, in seconds or with a unit (`90`, `90s`, `15m`, `8h`, `7d`), as milliseconds. */
export function duration(text: string): number {
  const found = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)?$/.exec(text);
  const value = found ? Number(found[1]) * UNIT_MS[found[2] ?? 's'] : NaN;
  if (!(value > 0 && value < LONGEST_MS)) {
    throw new InvalidArgumentError('give seconds above 0, or a number with a unit such as 90s, 15m, 8h or 7d');
  }
  return value;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const LONGEST_MS = 100 * 365 * 86_400_000;

/** Of a flag that may be repeated. */
export function several(text: string, previous: readonly string[] = []): string[] {
  return [...previous, text.toLowerCase()];
}

/** Of a flag that may be repeated: `NAME=value`. */
export function variable(text: string, previous: Readonly<Record<string, string>> = {}): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals < 1) {
    throw new InvalidArgumentError('give NAME=value');
  }
  return { ...previous, [text.slice(0, equals)]: text.slice(equals + 1) };
}
