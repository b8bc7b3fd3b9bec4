import { definedOnly } from 'agent-sandbox-api';
import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { FlagError, parseFlagTable } from 'agent-sandbox-program';
import { parse as parseYaml } from 'yaml';
import { PROGRAM, type FlagValues } from './flags.gen.js';

/** How callers may authenticate; `allow-all` disables authentication. */
export type AuthzMode = FlagValues['authzMode'][number];

/** Whether callers show client certificates. */
export type MtlsMode = FlagValues['mtlsMode'];

/** What the command line says. Durations are milliseconds. */
export interface Flags extends Omit<FlagValues, 'additionalPorts' | 'trustedProxyCidrs' | 'enableTracing'> {
  readonly additionalPorts: PortSet;
  readonly trustedProxyCidrs: BlockList;
  readonly enableTracing: boolean;
  /** From the environment only, so that it is in no process list. */
  readonly staticToken?: string;
}

/** Ports that a sandbox need not declare. */
export class PortSet {
  private constructor(private readonly ranges: readonly (readonly [number, number])[]) {}

  /** Of entries as the flag accepts them: `*`, ports and ranges. */
  public static of(entries: readonly string[]): PortSet {
    return new PortSet(entries.map(entry => {
      const [from, to = from] = (entry === '*' ? '1-65535' : entry).split('-').map(Number);
      return [from!, to!];
    }));
  }

  public has(port: number): boolean {
    return this.ranges.some(([from, to]) => port >= from && port <= to);
  }
}

/** Environment and files that flags are read from. @default - those of the process */
export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv;
  readonly write?: (text: string) => void;
}

/** Reads command line, configuration file and environment, in this order of precedence. Throws `FlagError`. */
export function parseFlags(args: readonly string[], { env = process.env, write = text => process.stdout.write(text) }: Surroundings = {}): Flags {
  const file = configFile(args) ?? env.SANDBOX_ROUTER_CONFIG;
  const { additionalPorts, trustedProxyCidrs, enableTracing, authzMode, ...values } = parseFlagTable<FlagValues>(PROGRAM, args, {
    env, write, before: file ? fromFile(file) : [], more: '\nCommands:\n  mint  print a token for one sandbox; see "agent-sandbox-router mint --help"',
  });
  const staticToken = env.ROUTER_AUTH_TOKEN?.trim() || undefined;
  const flags: Flags = {
    ...values,
    additionalPorts: PortSet.of(additionalPorts),
    trustedProxyCidrs: blockList(trustedProxyCidrs),
    enableTracing: enableTracing ?? Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT),
    authzMode: authzMode.length > 0 ? authzMode : defaultModes(env, staticToken),
    ...definedOnly({ staticToken }),
  };
  check(flags);
  return flags;
}

/** The modes when no flag says them: what the environment variables of the first router mean, else tokens of the API server. */
function defaultModes(env: NodeJS.ProcessEnv, staticToken: string | undefined): readonly AuthzMode[] {
  if (staticToken !== undefined) {
    return ['static-token'];
  }
  return /^(1|true|t|yes|y|on)$/i.test(env.ALLOW_UNAUTHENTICATED_ROUTER?.trim() ?? '') ? ['allow-all'] : ['tokenreview'];
}

function configFile(args: readonly string[]): string | undefined {
  const at = args.findIndex(arg => /^--?config(=|$)/.test(arg));
  return at < 0 ? undefined : args[at]!.includes('=') ? args[at]!.slice(args[at]!.indexOf('=') + 1) : args[at + 1];
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
  problem(flags.restApi && !modesGiven.includes('tokenreview'), '--rest-api needs users of the cluster: add tokenreview to --authz-mode');
  browserProblems(flags).forEach(text => problem(true, text));
  problem(!modesGiven.includes('static-token') && flags.authzStaticTokenFile !== undefined, '--authz-static-token-file has no effect: add static-token to --authz-mode');
}

/** What is wrong with the flags of browsers. */
function browserProblems(flags: Flags): string[] {
  const { hostRoutingDomain: host, pathRoutingPrefix: path, pathRoutingUnstrippedPrefix: unstripped, browserOidcIssuerUrl: issuer } = flags;
  const hasRoutes = host !== '' || path !== '' || unstripped !== '';
  const overlaps = path !== '' && unstripped !== '' && (`${path}/`.startsWith(`${unstripped}/`) || `${unstripped}/`.startsWith(`${path}/`));
  const needed = ['browserOidcClientId', 'browserOidcClientSecretFile', 'browserOidcRedirectUrl'] as const;
  const dashed = (name: string) => `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`;
  const redirect = flags.browserOidcRedirectUrl === undefined ? undefined : new URL(flags.browserOidcRedirectUrl);
  const shadows = flags.restApi && [path, unstripped].some(prefix => /^\/v1(\/|$)/.test(prefix));
  return [
    ...(shadows ? ['--rest-api has the paths below /v1: choose another --path-routing-prefix'] : []),
    ...(overlaps ? ['--path-routing-prefix and --path-routing-unstripped-prefix must not begin with one another'] : []),
    ...(flags.authzCookieSameSite === 'none' && flags.authzCookieInsecure ? ['--authz-cookie-same-site=none needs secure cookies: leave --authz-cookie-insecure out'] : []),
    ...(flags.authzCookieKeyFile.length > 0 && !hasRoutes ? ['--authz-cookie-key-file has no effect: give --host-routing-domain or --path-routing-prefix'] : []),
    ...(issuer === undefined ? needed.filter(name => flags[name] !== undefined).map(name => `${dashed(name)} has no effect: give --browser-oidc-issuer-url`)
      : needed.filter(name => !flags[name]).map(name => `--browser-oidc-issuer-url needs ${dashed(name)}`)),
    ...(issuer !== undefined && !hasRoutes ? ['--browser-oidc-issuer-url has no effect: give --host-routing-domain or --path-routing-prefix'] : []),
    ...(issuer !== undefined && flags.authzMode.includes('allow-all') ? ['--browser-oidc-issuer-url has no effect: with --authz-mode=allow-all users do not sign in'] : []),
    ...(redirect !== undefined && (redirect.pathname === '/' || redirect.search !== '' || redirect.hash !== '') ? ['--browser-oidc-redirect-url needs a path, and no query'] : []),
    ...(redirect !== undefined && host !== '' && redirect.hostname.endsWith(`.${host}`) && redirect.hostname.includes('--') ? ['--browser-oidc-redirect-url is the address of a Sandbox'] : []),
  ];
}

function blockList(cidrs: readonly string[]): BlockList {
  const block = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', length] = cidr.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    block.addSubnet(address, Number(length ?? (family === 'ipv6' ? 128 : 32)), family);
  }
  return block;
}
