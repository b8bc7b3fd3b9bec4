import * as path from 'node:path';
import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { type ControllerFlagProps, ControllerLogLevel, type RouterProps } from '../../src';
import { CONTROLLER_FLAGS } from '../../src/install/controller-flags.gen';
import { BROWSER_FLAGS, OIDC_FLAGS } from '../../src/install/router-browser';
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

const CONTROLLER: Required<ControllerFlagProps> = {
  extensions: true,
  shards: 2,
  namespaces: ['a', 'b'],
  leaderElect: true,
  clusterDomain: 'cluster.local',
  kubeApiQps: -1,
  kubeApiBurst: 10,
  apiConnections: 2,
  sandboxConcurrentWorkers: 1,
  sandboxClaimConcurrentWorkers: 1,
  sandboxWarmPoolConcurrentWorkers: 1,
  sandboxTemplateConcurrentWorkers: 1,
  sandboxWarmPoolMaxBatchSize: 1,
  sandboxWarmPoolReplenishDelay: Duration.seconds(0),
  sandboxWarmPoolMaxRefillRate: 0.5,
  sandboxWarmPoolReadinessGracePeriod: Duration.minutes(1),
  sandboxWarmPoolUnschedulableRecheckInterval: Duration.millis(1500),
  sandboxWarmPoolMaxReplicas: 100,
  sandboxWarmPoolProgressDeadline: Duration.minutes(1),
  sandboxWarmPoolStatusWindow: Duration.millis(500),
  enableWarmPoolEviction: false,
  disableClaimEvents: true,
  disableSandboxEvents: true,
  claimObservabilityAnnotations: true,
  cacheLabelSelectors: true,
  sandboxWriteBehindWindow: Duration.millis(250),
  sandboxStatusSettleWindow: Duration.seconds(1),
  logLevel: ControllerLogLevel.DEBUG,
  enableTracing: true,
  extraArgs: [],
};

test('the controller takes every flag that the chart can set', () => {
  const { args } = controllerPod(CONTROLLER).spec.containers[0];
  expect(args).toHaveLength(Object.keys(CONTROLLER_FLAGS).length);
  expect(against('controller', args)).toBe('');
});

test('the router takes every flag that the chart can set', () => {
  const secret = (name: string) => kplus.Secret.fromSecretName(testChart(), 'secret', name);
  const props: Partial<RouterProps> = {
    tlsSecret: secret('cert'), scopedTokenSecret: secret('keys'), staticTokenSecret: secret('static'), allowHttpTokens: true, tokenAudiences: ['a'],
    resumeOnRequest: true, resumeTimeout: Duration.seconds(1), restApi: true, additionalPorts: ['3000', '8000-8100'], proxyTimeout: Duration.seconds(1),
    maxRequestBodyBytes: 1, rateLimit: 0.5, rateLimitBurst: 5, maxRequestsPerCaller: 5, maxConnections: 0, maxConnectionsPerClient: 5,
    websocketIdleTimeout: Duration.minutes(1), websocketMaxLifetime: Duration.hours(1), logLevel: ControllerLogLevel.ERROR, trustedProxyCidrs: ['10.0.0.0/8', 'fd00::/8'], workers: 2, accessLog: true, enableTracing: false,
    websocketOutliveToken: true, corsAllowedOrigins: ['*'],
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
  expect(Object.keys(ROUTER_FLAGS).filter(prop => !(prop in props))).toEqual([]);
  for (const flag of [...Object.values(BROWSER_FLAGS), ...Object.values(OIDC_FLAGS)]) {
    expect(args.filter((arg: string) => arg.startsWith(`--${flag}=`))).toHaveLength(1);
  }
  expect(against('router', args)).toBe('');
});

test('the router gets exactly the rights of the table, under which its tests run', () => {
  const roles = install({ userRoles: false, router: { ...ROUTER, resumeOnRequest: true, restApi: true } })
    .filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name.startsWith('sandbox-router'));
  expect(granted(roles)).toEqual(granted([{ rules: Object.values(ROUTER_RULES).flat() }]));
});
