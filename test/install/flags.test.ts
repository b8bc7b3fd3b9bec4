import * as path from 'node:path';
import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { ControllerLogLevel, type RouterProps } from '../../src';
import type { TextRuleName } from '../../api/flags/rules';
import { CONTROLLER_FLAGS } from '../../src/install/controller-flags.gen';
import { BROWSER_FLAGS, OIDC_FLAGS } from '../../src/install/router-browser';
import type { InstalledFlag } from '../../src/install/flag';
import { ROUTER_FLAGS } from '../../src/install/router-flags.gen';
import { ROUTER_RULES } from '../../api/rights';
import { granted } from '../cluster/support/rights';
import { testChart } from '../helpers';
import { ROUTER, controllerPod, install, routerPod } from './helpers';
import { runTypeScript } from '../typescript';

jest.setTimeout(120_000);

/** What a program says against a command line; empty if it takes it, and knows a use for all of it. */
function against(program: 'controller' | 'router', args: string[]): string {
  return evaluated(program, 'flags', '{ parseFlags }', 'console.log(parseFlags(process.argv.slice(1)).ignored.join());', args);
}

/** What a program prints that has the exports of a module of a package, which is an ES module. */
function evaluated(program: string, module: string, exports: string, statements: string, args: string[] = []): string {
  const file = path.join(__dirname, '..', '..', 'packages', program, 'src', `${module}.ts`);
  const code = `import ${exports} from ${JSON.stringify(file)}; ${statements}`;
  const { stdout, stderr } = runTypeScript(['--input-type=module', '-e', code, '--', ...args]);
  return (stdout + stderr).trim();
}

const TEXTS: { readonly [rule in TextRuleName]: string } = {
  any: 'a', word: 'a', dnsLabel: 'a', dnsSubdomain: 'cluster.local', ports: '8000-8100', proxyCidr: 'fd00::/8', origin: '*', routeDomain: 'sandboxes.example.com',
  pathPrefix: '/raw', cookieName: 'a', secureUrl: 'https://id.example.com',
};

/** A value for a flag, by its type. */
function exampleOf({ type, least = 0, choices, items = 'any' }: InstalledFlag): unknown {
  switch (type) {
    case 'boolean': return true;
    case 'integer':
    case 'number': return Math.max(least, 3);
    case 'duration': return Duration.millis(Math.max(least, 1500));
    case 'seconds': return Duration.seconds(Math.max(least / 1000, 90));
    case 'logLevel': return ControllerLogLevel.DEBUG;
    case 'choice': return choices![0];
    case 'text': return TEXTS[items];
    case 'list': return [choices?.[0] ?? TEXTS[items]];
  }
}

/** A value for each prop of a table of flags, so that a new flag needs none here. */
const examplesOf = (flags: { readonly [prop: string]: InstalledFlag }) => Object.fromEntries(Object.entries(flags).map(([prop, flag]) => [prop, exampleOf(flag)]));

test('the controller takes every flag that the chart can set', () => {
  const { args } = controllerPod({ ...examplesOf(CONTROLLER_FLAGS), kubeApiQps: -1, sandboxWarmPoolMaxRefillRate: 0.5 }).spec.containers[0];
  expect(args).toHaveLength(Object.keys(CONTROLLER_FLAGS).length);
  expect(against('controller', args)).toBe('');
});

test('the router takes every flag that the chart can set', () => {
  const secret = (name: string) => kplus.Secret.fromSecretName(testChart(), 'secret', name);
  const props: Partial<RouterProps> = {
    ...examplesOf(ROUTER_FLAGS), rateLimit: 0.5, maxConnections: 0, enableTracing: false,
    tlsSecret: secret('cert'), scopedTokenSecret: secret('keys'), staticTokenSecret: secret('static'),
    browser: {
      domain: 'sandboxes.example.com', pathPrefix: '/sandboxes', unstrippedPathPrefix: '/raw', sessionSecret: secret('session'), sessionLifetime: Duration.hours(8),
      allowedOrigins: ['https://portal.example.com'],
      oidc: {
        issuerUrl: 'https://id.example.com', clientId: 'router', clientSecret: secret('oidc'), scopes: ['openid', 'groups'], usernameClaim: 'email', usernamePrefix: 'oidc:',
        groupsClaim: 'roles', groupsPrefix: 'oidc:',
      },
    },
  };
  const { args } = routerPod(props, { namespaces: ['a'] }).spec.containers[0];
  for (const flag of [...Object.values(ROUTER_FLAGS).map(({ flag: name }) => name), ...Object.values(BROWSER_FLAGS), ...Object.values(OIDC_FLAGS)]) {
    expect(args.filter((arg: string) => arg.startsWith(`--${flag}=`))).toHaveLength(1);
  }
  expect(against('router', args)).toBe('');
});

test('the router gets exactly the rights of the table, under which its tests run', () => {
  const roles = install({ userRoles: false, router: { ...ROUTER, resumeOnRequest: true, restApi: true } })
    .filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name.startsWith('sandbox-router'));
  expect(granted(roles)).toEqual(granted([{ rules: Object.values(ROUTER_RULES).flat() }]));
});
