import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { FlagError, flagArgument, flagDefault, flagValue, optionName, parseCommand } from 'agent-sandbox-program';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parse as parseYaml } from 'yaml';

const { boolean, duration, integer, list, logLevel, number } = flagValue;

/** How callers may prove who they are; `allow-all` asks nobody. */
export const AUTHZ_MODES = ['tokenreview', 'scoped-token', 'static-token', 'allow-all'] as const;
export type AuthzMode = typeof AUTHZ_MODES[number];

/** Whether callers show client certificates. */
export const MTLS_MODES = ['off', 'optional', 'required'] as const;
export type MtlsMode = typeof MTLS_MODES[number];

/** From which sites' pages browsers send a session's cookie. */
export const SAME_SITE = ['lax', 'strict', 'none'] as const;

/** What the command line says. Durations are milliseconds. */
export interface Flags {
  readonly version: boolean;
  readonly httpBindAddress: string;
  readonly httpsBindAddress: string;
  readonly metricsBindAddress: string;
  readonly healthProbeBindAddress: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly tlsClientCaFile?: string;
  readonly mtlsMode: MtlsMode;
  readonly allowHttpTokens: boolean;
  readonly authzMode: readonly AuthzMode[];
  readonly authzTokenreviewTtl: number;
  readonly authzTokenreviewCacheSize: number;
  readonly authzTokenreviewAudiences: readonly string[];
  readonly authzAccessTtl: number;
  readonly authzScopedTokenSecretFile: readonly string[];
  readonly authzScopedTokenAllowV1: boolean;
  readonly authzStaticTokenFile?: string;
  /** From the environment only, so that it is in no process list. */
  readonly staticToken?: string;
  readonly authzFailureRateLimit: number;
  /** Empty: the whole cluster. */
  readonly cacheNamespace: readonly string[];
  readonly kubeconfig?: string;
  readonly additionalPorts: PortSet;
  readonly allowLoopbackPodIp: boolean;
  readonly proxyTimeout: number;
  readonly upstreamConnectTimeout: number;
  readonly upstreamMaxRetries: number;
  readonly upstreamRetryInitialDelay: number;
  readonly upstreamRetryMaxDelay: number;
  readonly resumeOnRequest: boolean;
  readonly resumeTimeout: number;
  readonly maxRequestBodyBytes: number;
  readonly maxHeaderBytes: number;
  readonly readHeaderTimeout: number;
  readonly idleTimeout: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerClient: number;
  readonly maxRequestsPerCaller: number;
  readonly rateLimit: number;
  readonly rateLimitBurst: number;
  readonly trustedProxyCidrs: BlockList;
  readonly websocketIdleTimeout: number;
  readonly websocketMaxLifetime: number;
  readonly websocketMaxConnectionsPerClient: number;
  readonly websocketMaxMessageBytes: number;
  readonly websocketOutliveToken: boolean;
  readonly corsAllowedOrigins: readonly string[];
  readonly hostRoutingDomain: string;
  readonly pathRoutingPrefix: string;
  readonly pathRoutingUnstrippedPrefix: string;
  readonly pathRoutingRewriteResponses: boolean;
  readonly authzCookieName: string;
  readonly authzCookieQueryParam: string;
  readonly authzCookieSameSite: typeof SAME_SITE[number];
  readonly authzCookieInsecure: boolean;
  readonly authzCookieAllowedOrigins: readonly string[];
  readonly authzCookieKeyFile: readonly string[];
  readonly authzCookieLifetime: number;
  readonly browserOidcIssuerUrl?: string;
  readonly browserOidcClientId?: string;
  readonly browserOidcClientSecretFile?: string;
  readonly browserOidcRedirectUrl?: string;
  readonly browserOidcScopes: readonly string[];
  readonly browserOidcUsernameClaim: string;
  readonly browserOidcUsernamePrefix?: string;
  readonly browserOidcGroupsClaim: string;
  readonly browserOidcGroupsPrefix: string;
  readonly workers: number;
  readonly shutdownTimeout: number;
  readonly accessLog: boolean;
  readonly enableTracing: boolean;
  readonly logLevel: string;
  /** Flags of the original that were given and have no effect here. */
  readonly ignored: readonly string[];
}

/** Ports that a sandbox need not declare. */
export class PortSet {
  private constructor(private readonly ranges: readonly (readonly [number, number])[]) {}

  /** Of `*`, or ports and ranges separated by commas: `3000,8000-8100`. Undefined for anything else. */
  public static parse(text: string): PortSet | undefined {
    const ranges: [number, number][] = [];
    for (const entry of text.split(',').map((part) => part.trim()).filter((part) => part !== '')) {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(entry === '*' ? '1-65535' : entry);
      const [from, to] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
      if (!(from >= 1 && from <= to && to <= 65535)) {
        return undefined;
      }
      ranges.push([from, to]);
    }
    return new PortSet(ranges);
  }

  public has(port: number): boolean {
    return this.ranges.some(([from, to]) => port >= from && port <= to);
  }
}

/** Flags of the other routers that do not apply: targets always come from the API, and the wait for an answer is the proxy timeout. */
const IGNORED = [
  'cluster-domain', 'cache-enabled', 'response-header-timeout', 'enable-otel-metrics', 'authz-tokenreview-require-token',
  'zap-devel', 'zap-encoder', 'zap-stacktrace-level', 'zap-time-encoding',
] as const;
const IGNORED_BOOLEANS: readonly string[] = ['cache-enabled', 'enable-otel-metrics', 'authz-tokenreview-require-token', 'zap-devel'];

const BOOLEANS = [
  'version', 'allow-http-tokens', 'authz-scoped-token-allow-v1', 'allow-loopback-pod-ip', 'resume-on-request', 'access-log', 'enable-tracing',
  'websocket-outlive-token', 'path-routing-rewrite-responses', 'authz-cookie-insecure', ...IGNORED_BOOLEANS,
];

/** Where the flags come from; the process itself unless told otherwise. */
export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly write?: (text: string) => void;
}

/** Reads command line, configuration file and environment, in this order of precedence. Throws `FlagError`. */
export function parseFlags(args: readonly string[], { env = process.env, write = (text) => process.stdout.write(text) }: Surroundings = {}): Flags {
  const normal = args.map((arg) => flagArgument(arg, BOOLEANS));
  const file = configFile(normal) ?? env.SANDBOX_ROUTER_CONFIG;
  const program = parseCommand(command(), [...fromEnvironment(env), ...(file ? fromFile(file) : []), ...normal], write);
  const { zapLogLevel: logLevel, enableTracing, ...options } = program.opts();
  const staticToken = env.ROUTER_AUTH_TOKEN?.trim() || undefined;
  const flags = {
    ...options, logLevel,
    enableTracing: enableTracing ?? Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT),
    authzMode: options.authzMode ?? defaultModes(env, staticToken),
    ...(staticToken === undefined ? {} : { staticToken }),
    ignored: IGNORED.filter((name) => program.getOptionValueSource(optionName(name)) === 'cli').map((name) => `--${name}`),
  } as unknown as Flags;
  check(flags);
  return flags;
}

/** The names of all flags with the help's words, for documents and charts. */
export function flagHelp(): readonly { readonly name: string; readonly description: string; readonly default: unknown }[] {
  return command().options.filter(({ hidden }) => !hidden)
    .map(({ long, description, defaultValue }) => ({ name: long!, description, default: defaultValue }));
}

function command(): Command {
  const program = new Command('agent-sandbox-router').description('Carries HTTP and WebSocket requests to sandboxes.')
    .addHelpText('after', '\nCommands:\n  mint  print a token for one sandbox; see "agent-sandbox-router mint --help"');
  const add = (flags: string, description: string, parse: (text: string, previous?: any) => unknown, value?: unknown) =>
    program.addOption(new Option(flags, description).argParser(parse).default(value, flagDefault(flags, value)));
  add('--version <boolean>', 'print the version and exit', boolean, false);
  add('--config <file>', 'YAML file of flags by name; the command line wins (env SANDBOX_ROUTER_CONFIG)', String);

  add('--http-bind-address <address>', 'of the plain HTTP listener; empty for none', String, ':8080');
  add('--https-bind-address <address>', 'of the HTTPS listener; empty for none', String, '');
  add('--metrics-bind-address <address>', 'of /metrics; 0 for none', String, ':9090');
  add('--health-probe-bind-address <address>', 'of /healthz and /readyz; 0 for none', String, ':8081');
  add('--tls-cert-file <file>', 'certificate of the HTTPS listener with its chain, PEM; read again when it changes', String);
  add('--tls-key-file <file>', 'its private key, PEM; read again when it changes', String);
  add('--tls-client-ca-file <file>', 'authorities of client certificates, PEM; read again when it changes', String);
  add('--mtls-mode <mode>', 'client certificates: off, optional (verified if shown) or required', oneOf(MTLS_MODES), 'off');
  add('--allow-http-tokens <boolean>', 'take tokens over plain HTTP from other hosts too: for routers behind something that ends TLS', boolean, false);

  add('--authz-mode <modes>', 'tokenreview, scoped-token, static-token, several separated by commas, or allow-all: nobody has to say who they are; default: tokenreview', modes);
  add('--authz-tokenreview-ttl <duration>', 'how long the answer about a token is remembered', duration(0), 30_000);
  add('--authz-tokenreview-cache-size <number>', 'tokens, and decisions, that are remembered at most', integer(1), 2048);
  add('--authz-tokenreview-audiences <list>', 'audiences of which tokens must have one', list, ['agent-sandbox-router']);
  add('--authz-access-ttl <duration>', 'how long the answer whether somebody may use a Sandbox is remembered', duration(0), 10_000);
  add('--authz-scoped-token-secret-file <list>', 'keys of scoped tokens, one file each of at least 32 bytes; a token of any of them counts; read again when they change', list, []);
  add('--authz-scoped-token-allow-v1 <boolean>', 'take tokens of version 1 too, which also open a later Sandbox of the same name', boolean, false);
  add('--authz-static-token-file <file>', 'the token that opens every Sandbox; read again when it changes (env ROUTER_AUTH_TOKEN holds the token itself)', String);
  add('--authz-failure-rate-limit <number>', 'tokens per second and client address that may turn out to be worthless; 0: no limit', number(0), 10);

  add('--cache-namespace <list>', 'serve the Sandboxes of these namespaces only, separated by commas; empty for all', list, []);
  add('--kubeconfig <file>', 'how to reach the API server; default: KUBECONFIG, the own pod, ~/.kube/config', String);
  add('--additional-ports <list>', 'ports that Sandboxes need not declare, besides 8888: 3000,8000-8100, or * for all', ports, PortSet.parse(''));
  add('--allow-loopback-pod-ip <boolean>', 'FOR TESTS ONLY: connect to Pods whose address is on loopback', boolean, false);

  add('--proxy-timeout <duration>', 'longest time from the request to the first byte of the answer, including resuming and connecting, and between two pieces of a body; X-Sandbox-Timeout can shorten it (env PROXY_TIMEOUT_SECONDS)', duration(1), 180_000);
  add('--upstream-connect-timeout <duration>', 'longest wait for one connection to a Sandbox', duration(1), 5_000);
  add('--upstream-max-retries <number>', 'how often a failed connection to a Sandbox is tried again', integer(0), 3);
  add('--upstream-retry-initial-delay <duration>', 'wait before the first of these; doubles each time', duration(0), 200);
  add('--upstream-retry-max-delay <duration>', 'longest of these waits', duration(0), 800);
  add('--resume-on-request <boolean>', 'resume a suspended Sandbox when a caller who may patch it asks for it; requests then wait for a Sandbox that is starting', boolean, false);
  add('--resume-timeout <duration>', 'how long such a request waits for the Sandbox', duration(1), 60_000);

  add('--max-request-body-bytes <number>', 'longest request body; 0: no limit', integer(0), 0);
  add('--max-header-bytes <number>', 'longest request header, request line included', integer(1024), 16_384);
  add('--read-header-timeout <duration>', 'how long a client may take to send a request header', duration(1), 10_000);
  add('--idle-timeout <duration>', 'how long a connection without a request is kept', duration(1), 120_000);
  add('--max-connections <number>', 'connections at the same time; 0: no limit. Limits hold per process', integer(0), 10_000);
  add('--max-connections-per-client <number>', 'connections of one address at the same time, trusted proxies apart; 0: no limit', integer(0), 1_000);
  add('--max-requests-per-caller <number>', 'requests of one caller at the same time, upgrades apart; 0: no limit', integer(0), 500);
  add('--rate-limit <number>', 'requests per second of one caller on average; 0: no limit', number(0), 0);
  add('--rate-limit-burst <number>', 'requests of one caller at once before that limit applies', integer(1), 100);
  add('--trusted-proxy-cidrs <list>', 'proxies whose X-Forwarded-For, -Host, -Proto, -Port and -Prefix are believed and passed on (env TRUSTED_PROXY_CIDRS)', cidrs, new BlockList());

  add('--websocket-idle-timeout <duration>', 'how long an upgraded connection may be silent; 0: no limit (env WEBSOCKET_IDLE_TIMEOUT_SECONDS)', duration(0), 3_600_000);
  add('--websocket-max-lifetime <duration>', 'how long an upgraded connection may last; 0: no limit (env WEBSOCKET_MAX_LIFETIME_SECONDS)', duration(0), 86_400_000);
  add('--websocket-max-connections-per-client <number>', 'upgraded connections of one caller; 0: no limit (env WEBSOCKET_MAX_CONNECTIONS_PER_CLIENT)', integer(0), 64);
  add('--websocket-max-message-bytes <number>', 'longest WebSocket message, as it is on the wire; 0: no limit (env WEBSOCKET_MAX_MESSAGE_BYTES)', integer(0), 16_777_216);
  add('--websocket-outlive-token <boolean>', 'keep upgraded connections open after their token has expired or its owner may no longer use the Sandbox', boolean, false);

  add('--cors-allowed-origins <list>', 'origins of pages, such as https://app.example.com, that may call Sandboxes with a token in a header, or * for all; preflight requests of others are refused', origins, []);

  add('--host-routing-domain <domain>', 'domain of host routes, such as sandboxes.example.com: <name>--<namespace>--<port>.<domain> is the address of a Sandbox; empty for none', domain, '');
  add('--path-routing-prefix <path>', 'beginning of path routes, such as /sandboxes: <prefix>/<namespace>/<name>/<port>/<path> is the address of a Sandbox, which gets /<path>; empty for none', prefix, '');
  add('--path-routing-unstripped-prefix <path>', 'the same for programs that know their base path: the Sandbox gets the path as it is; empty for none', prefix, '');
  add('--path-routing-rewrite-responses <boolean>', 'put the prefix before paths in Location and Set-Cookie of answers', boolean, true);
  add('--authz-cookie-name <name>', 'of the cookie that holds the session of a browser for one Sandbox; browsers see it with the prefix __Host- or __Secure-', cookieName, 'sandbox-session');
  add('--authz-cookie-query-param <name>', 'query parameter that carries the token which is exchanged for the cookie', cookieName, 'sandbox_token');
  add('--authz-cookie-same-site <mode>', 'SameSite of the cookie: lax, strict, or none to use Sandboxes in frames of --authz-cookie-allowed-origins', oneOf(SAME_SITE), 'lax');
  add('--authz-cookie-insecure <boolean>', 'FOR TESTS ONLY: let the cookie go over plain HTTP', boolean, false);
  add('--authz-cookie-allowed-origins <list>', 'origins besides its own whose pages may use a Sandbox by the cookie, or sign browsers in by a link', origins, []);
  add('--authz-cookie-key-file <list>', 'keys that seal sessions, one file each of at least 32 bytes, the same for all replicas; the first seals, all open; default: a random one', list, []);
  add('--authz-cookie-lifetime <duration>', 'longest session of a browser; it ends with its token in any case', duration(1_000), 43_200_000);
  add('--browser-oidc-issuer-url <url>', 'OpenID Connect provider where people sign in; default: none', url);
  add('--browser-oidc-client-id <id>', 'of the router at the provider', String);
  add('--browser-oidc-client-secret-file <file>', 'its secret; read again when it changes', String);
  add('--browser-oidc-redirect-url <url>', 'where the provider sends browsers back to: a host of the router that is no Sandbox\'s, such as https://login.sandboxes.example.com/oidc/callback', url);
  add('--browser-oidc-scopes <list>', 'that the router asks for', list, ['openid']);
  add('--browser-oidc-username-claim <claim>', 'that holds the user name, as --oidc-username-claim of the API server', String, 'sub');
  add('--browser-oidc-username-prefix <text>', 'before user names; default: the issuer and #, nothing with the claim email', String);
  add('--browser-oidc-groups-claim <claim>', 'that holds the groups', String, 'groups');
  add('--browser-oidc-groups-prefix <text>', 'before groups', String, '');

  add('--workers <number>', 'worker processes; 0: one for each core, at most 8', integer(0), 0);
  add('--shutdown-timeout <duration>', 'how long requests may go on after the process was told to end', duration(0), 30_000);
  add('--access-log <boolean>', 'log a line for each request', boolean, true);
  add('--enable-tracing <boolean>', 'send traces; default: if OTEL_EXPORTER_OTLP_ENDPOINT is set', boolean);
  add('--zap-log-level <level>', 'debug, info, warn, error, panic, or a number for more than info', logLevel, 'info');
  for (const name of IGNORED) {
    program.addOption(new Option(`--${name} <value>`, 'no effect').hideHelp());
  }
  return program;
}

/** Variables of the environment that stand for a flag. Numbers of seconds become durations. */
const VARIABLES: readonly (readonly [variable: string, flag: string, unit: string])[] = [
  ['PROXY_TIMEOUT_SECONDS', 'proxy-timeout', 's'],
  ['TRUSTED_PROXY_CIDRS', 'trusted-proxy-cidrs', ''],
  ['WEBSOCKET_IDLE_TIMEOUT_SECONDS', 'websocket-idle-timeout', 's'],
  ['WEBSOCKET_MAX_LIFETIME_SECONDS', 'websocket-max-lifetime', 's'],
  ['WEBSOCKET_MAX_CONNECTIONS_PER_CLIENT', 'websocket-max-connections-per-client', ''],
  ['WEBSOCKET_MAX_MESSAGE_BYTES', 'websocket-max-message-bytes', ''],
];

function fromEnvironment(env: NodeJS.ProcessEnv): string[] {
  return VARIABLES.filter(([variable]) => env[variable]?.trim()).map(([variable, flag, unit]) => `--${flag}=${env[variable]!.trim()}${unit}`);
}

/** The modes when no flag says them: what the environment variables of the first router mean, else tokens of the API server. */
function defaultModes(env: NodeJS.ProcessEnv, staticToken: string | undefined): readonly AuthzMode[] {
  if (staticToken !== undefined) {
    return ['static-token'];
  }
  return /^(1|true|t|yes|y|on)$/i.test(env.ALLOW_UNAUTHENTICATED_ROUTER?.trim() ?? '') ? ['allow-all'] : ['tokenreview'];
}

function configFile(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  return at < 0 ? undefined : args[at]!.includes('=') ? args[at]!.slice('--config='.length) : args[at + 1];
}

/** Flat scalars by the name of the flag, as arguments. */
function fromFile(file: string): string[] {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new FlagError(`the configuration file "${file}" cannot be read: ${(error as Error).message}`);
  }
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw new FlagError(`the configuration file "${file}" is not a map: write one "flag: value" per line`);
  }
  return Object.entries(content!).map(([name, value]) => {
    if (value === null || typeof value === 'object' || name === 'config') {
      throw new FlagError(`the configuration file "${file}" has no plain value for "${name}": write a string, number or boolean`);
    }
    return `--${name}=${value}`;
  });
}

function check(flags: Flags): void {
  const modesGiven = flags.authzMode;
  const problem = (condition: boolean, text: string) => {
    if (condition) {
      throw new FlagError(text);
    }
  };
  const isOff = (address: string) => address === '' || address === '0';
  problem(isOff(flags.httpBindAddress) && isOff(flags.httpsBindAddress), 'nothing to listen on: give --http-bind-address or --https-bind-address');
  problem(!isOff(flags.httpsBindAddress) && !(flags.tlsCertFile && flags.tlsKeyFile), '--https-bind-address needs --tls-cert-file and --tls-key-file');
  problem(flags.mtlsMode !== 'off' && isOff(flags.httpsBindAddress), `--mtls-mode=${flags.mtlsMode} needs --https-bind-address`);
  problem(flags.mtlsMode !== 'off' && !flags.tlsClientCaFile, `--mtls-mode=${flags.mtlsMode} needs --tls-client-ca-file`);
  problem(modesGiven.includes('allow-all') && modesGiven.length > 1, '--authz-mode=allow-all stands alone: with it, no token is looked at');
  problem(modesGiven.includes('scoped-token') && flags.authzScopedTokenSecretFile.length === 0, '--authz-mode=scoped-token needs --authz-scoped-token-secret-file');
  problem(
    modesGiven.includes('static-token') && !flags.authzStaticTokenFile && !flags.staticToken,
    '--authz-mode=static-token needs --authz-static-token-file or the variable ROUTER_AUTH_TOKEN',
  );
  problem(!modesGiven.includes('scoped-token') && flags.authzScopedTokenSecretFile.length > 0, '--authz-scoped-token-secret-file has no effect: add scoped-token to --authz-mode');
  problem(!modesGiven.includes('static-token') && flags.authzStaticTokenFile !== undefined, '--authz-static-token-file has no effect: add static-token to --authz-mode');
  browserProblems(flags).forEach((text) => problem(true, text));
  problem(flags.authzTokenreviewAudiences.length === 0, '--authz-tokenreview-audiences is empty: tokens that were made for somebody else must not count here');
}

/** What is wrong with the flags of browsers. */
function browserProblems(flags: Flags): string[] {
  const { hostRoutingDomain: host, pathRoutingPrefix: path, pathRoutingUnstrippedPrefix: unstripped, browserOidcIssuerUrl: issuer } = flags;
  const hasRoutes = host !== '' || path !== '' || unstripped !== '';
  const overlaps = path !== '' && unstripped !== '' && (`${path}/`.startsWith(`${unstripped}/`) || `${unstripped}/`.startsWith(`${path}/`));
  const needed = ['browserOidcClientId', 'browserOidcClientSecretFile', 'browserOidcRedirectUrl'] as const;
  const dashed = (name: string) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const redirect = flags.browserOidcRedirectUrl === undefined ? undefined : new URL(flags.browserOidcRedirectUrl);
  return [
    ...(overlaps ? ['--path-routing-prefix and --path-routing-unstripped-prefix must not begin with one another'] : []),
    ...(flags.authzCookieSameSite === 'none' && flags.authzCookieInsecure ? ['--authz-cookie-same-site=none needs secure cookies: leave --authz-cookie-insecure out'] : []),
    ...(flags.authzCookieKeyFile.length > 0 && !hasRoutes ? ['--authz-cookie-key-file has no effect: give --host-routing-domain or --path-routing-prefix'] : []),
    ...(issuer === undefined ? needed.filter((name) => flags[name] !== undefined).map((name) => `${dashed(name)} has no effect: give --browser-oidc-issuer-url`)
      : needed.filter((name) => !flags[name]).map((name) => `--browser-oidc-issuer-url needs ${dashed(name)}`)),
    ...(issuer !== undefined && !hasRoutes ? ['--browser-oidc-issuer-url has no effect: give --host-routing-domain or --path-routing-prefix'] : []),
    ...(issuer !== undefined && flags.authzMode.includes('allow-all') ? ['--browser-oidc-issuer-url has no effect: with --authz-mode=allow-all no one signs in'] : []),
    ...(redirect !== undefined && (redirect.pathname === '/' || redirect.search !== '' || redirect.hash !== '') ? ['--browser-oidc-redirect-url needs a path, and no query'] : []),
    ...(redirect !== undefined && host !== '' && redirect.hostname.endsWith(`.${host}`) && redirect.hostname.includes('--') ? ['--browser-oidc-redirect-url is the address of a Sandbox'] : []),
  ];
}

function oneOf<T extends string>(values: readonly T[]): (text: string) => T {
  return (text) => {
    if (!values.includes(text as T)) {
      throw new InvalidArgumentError(`give one of ${values.join(', ')}.`);
    }
    return text as T;
  };
}

function modes(text: string): AuthzMode[] {
  const given = list(text).map(oneOf(AUTHZ_MODES));
  if (given.length === 0) {
    throw new InvalidArgumentError(`give one of ${AUTHZ_MODES.join(', ')}.`);
  }
  return given;
}

function origins(text: string): string[] {
  const given = list(text);
  for (const entry of given) {
    if (entry !== '*' && !isOrigin(entry)) {
      throw new InvalidArgumentError(`"${entry}" is not an origin: write scheme, host and a port that is not the default, such as https://app.example.com.`);
    }
  }
  return given;
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}

function domain(text: string): string {
  if (text !== '' && !/^(?=.{1,190}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(text)) {
    throw new InvalidArgumentError('give a domain in lower case, such as sandboxes.example.com.');
  }
  return text;
}

function prefix(text: string): string {
  if (text !== '' && !/^(\/[A-Za-z0-9_-]+)+$/.test(text)) {
    throw new InvalidArgumentError('give a path of letters, digits, - and _ that does not end in a slash, such as /sandboxes.');
  }
  return text;
}

function cookieName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(text)) {
    throw new InvalidArgumentError('give 1 to 64 letters, digits, - and _.');
  }
  return text;
}

function url(text: string): string {
  const isLocal = URL.canParse(text) && ['localhost', '127.0.0.1', '[::1]'].includes(new URL(text).hostname.replace(/^.*\.localhost$/, 'localhost'));
  if (!URL.canParse(text) || !(new URL(text).protocol === 'https:' || (new URL(text).protocol === 'http:' && isLocal))) {
    throw new InvalidArgumentError('give an https:// URL; http:// only on localhost.');
  }
  return text;
}

function ports(text: string): PortSet {
  const set = PortSet.parse(text);
  if (set === undefined) {
    throw new InvalidArgumentError('give ports and ranges from 1 to 65535, such as 3000,8000-8100, or *.');
  }
  return set;
}

function cidrs(text: string): BlockList {
  const block = new BlockList();
  for (const entry of list(text)) {
    const [address = '', length] = entry.split('/');
    const family = isIP(address);
    const bits = length === undefined ? (family === 6 ? 128 : 32) : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
    if (family === 0 || address.includes('%') || !(bits <= (family === 6 ? 128 : 32))) {
      throw new InvalidArgumentError(`"${entry}" is not a CIDR: write 10.0.0.0/8 or fd00::/8.`);
    }
    block.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return block;
}
