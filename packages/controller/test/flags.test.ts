import { FlagError, parseDuration } from 'agent-sandbox-program';
import { PROGRAM } from '../src/flags.gen.js';
import { parseFlags } from '../src/flags.js';

test('has the defaults of the original', () => {
  expect(parseFlags([])).toMatchObject({
    extensions: false, leaderElect: true, clusterDomain: 'cluster.local', metricsBindAddress: ':8080', healthProbeBindAddress: ':8081', kubeApiQps: -1,
    sandboxConcurrentWorkers: 100, sandboxClaimConcurrentWorkers: 50, sandboxWarmPoolMaxBatchSize: 300, sandboxWarmPoolReadinessGracePeriod: 300_000,
    namespaces: [], logLevel: 'info', ignored: [],
  });
});

test('reads flags as Go programs do: one dash or two, booleans with and without a value', () => {
  const flags = parseFlags(['-extensions', '--leader-elect=false', '-kubeconfig', '/tmp/k', '--sandbox-write-behind-window=1m30s', '--namespaces=a, b,', '--zap-log-level=5']);
  expect(flags).toMatchObject({ extensions: true, leaderElect: false, kubeconfig: '/tmp/k', sandboxWriteBehindWindow: 90_000, namespaces: ['a', 'b'], logLevel: 'debug' });
});

test('takes flags of the original that have no effect, and says so', () => {
  expect(parseFlags(['--metrics-secure-serving', '--metrics-cert-dir=/certs', '--tls-min-version', 'VersionTLS13', '--sandbox-claim-warm-candidate-grace-period=soon']).ignored)
    .toEqual(['--metrics-secure-serving', '--metrics-cert-dir', '--tls-min-version', '--sandbox-claim-warm-candidate-grace-period']);
  expect(parseFlags(['--enable-webhook=false', '--manage-webhook-certs', '--zap-encoder', 'json']).ignored).toEqual(['--enable-webhook', '--manage-webhook-certs', '--zap-encoder']);
});

/** Flags of the controller of the original, from 0.1 to 1.0.12. */
const ORIGINAL = `version extensions cluster-domain metrics-bind-address health-probe-bind-address leader-elect leader-election-namespace
  webhook-port webhook-cert-dir webhook-cert-name webhook-key-name webhook-service-name webhook-namespace manage-webhook-certs enable-webhook
  kube-api-qps kube-api-burst api-connections separate-watch-connection cache-label-selectors
  sandbox-concurrent-workers sandbox-claim-concurrent-workers sandbox-warm-pool-concurrent-workers sandbox-template-concurrent-workers
  sandbox-warm-pool-max-batch-size sandbox-warm-pool-replenish-delay sandbox-warm-pool-max-refill-rate sandbox-warm-pool-readiness-grace-period
  sandbox-warm-pool-unschedulable-recheck-interval sandbox-claim-warm-candidate-grace-period enable-warm-pool-eviction
  disable-claim-events disable-sandbox-events disable-claim-observability-annotations sandbox-write-behind-window
  enable-tracing enable-pprof enable-pprof-debug pprof-block-profile-rate pprof-mutex-profile-fraction
  metrics-secure-serving metrics-cert-dir tls-min-version tls-cipher-suites
  kubeconfig zap-devel zap-encoder zap-log-level zap-stacktrace-level zap-time-encoding`.split(/\s+/);

test('V7 knows every flag of the original', () => {
  const known = PROGRAM.flags.map(({ name }) => name);
  expect(ORIGINAL.filter(flag => !known.includes(flag))).toEqual([]);
});

test('V7 takes flags that it does not know, and names them', () => {
  const flags = parseFlags(['--flag-of-tomorrow', 'value', '--kubeconfig', '--strange', '-other-flag=3', '--extensions', '--last-one']);
  expect(flags).toMatchObject({ unknown: ['--flag-of-tomorrow', '--other-flag', '--last-one'], extensions: true, kubeconfig: '--strange' });
  expect(parseFlags([]).unknown).toEqual([]);
});

test.each([
  ['--sandbox-concurrent-workers=0', 'give a whole number from 1 to 2147483647.'],
  ['--sandbox-warm-pool-max-refill-rate=Infinity', 'give a number of at least 0.'],
  ['--sandbox-warm-pool-readiness-grace-period=0', 'give a duration such as 500ms or 1m30s, from 1ms to 596h31m23.647s in whole milliseconds.'],
  ['--kube-api-qps=fast', 'give a number.'],
  ['--extensions=maybe', 'give true or false.'],
  ['--namespace=team', "unknown option '--namespace=team'"],
  ['--extesnions', 'Did you mean --extensions?'],
])('refuses %s', (flag, message) => {
  expect(() => parseFlags([flag])).toThrow(FlagError);
  expect(() => parseFlags([flag])).toThrow(message);
});

test.each([['0', 0], ['250ms', 250], ['1.5s', 1500], ['1h2m3s', 3_723_000], ['-1s', -1000], ['', undefined], ['5', undefined], ['5 m', undefined]])('reads the duration %j as %j', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test('the help writes defaults as the command line takes them', () => {
  let help = '';
  expect(() => parseFlags(['--help'], text => void (help += text))).toThrow(FlagError);
  expect(help).toContain('before it is replaced. (default: 5m0s)');
  expect(help).toContain('Roles in these namespaces then take the place of the ClusterRole. (default: the whole cluster)');
});
