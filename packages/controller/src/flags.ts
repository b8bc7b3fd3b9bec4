import { flagArgument, flagDefault, flagValue, optionName, parseCommand } from 'agent-sandbox-program';
import { Command, Option } from 'commander';

/** What the command line says. */
export interface Flags {
  readonly version: boolean;
  readonly kubeconfig?: string;
  /** Empty: the whole cluster. */
  readonly namespaces: readonly string[];
  readonly extensions: boolean;
  readonly clusterDomain: string;
  readonly metricsBindAddress: string;
  readonly healthProbeBindAddress: string;
  readonly leaderElect: boolean;
  /** Empty: where the process runs. */
  readonly leaderElectionNamespace: string;
  readonly kubeApiQps: number;
  readonly kubeApiBurst: number;
  readonly apiConnections: number;
  readonly sandboxConcurrentWorkers: number;
  readonly sandboxTemplateConcurrentWorkers: number;
  readonly sandboxClaimConcurrentWorkers: number;
  readonly sandboxWarmPoolConcurrentWorkers: number;
  readonly sandboxWarmPoolMaxBatchSize: number;
  /** Milliseconds. */
  readonly sandboxWarmPoolReplenishDelay: number;
  /** Sandboxes per second; 0: no limit. */
  readonly sandboxWarmPoolMaxRefillRate: number;
  /** Milliseconds. */
  readonly sandboxWarmPoolReadinessGracePeriod: number;
  /** Milliseconds. */
  readonly sandboxWarmPoolUnschedulableRecheckInterval: number;
  /** 0: no limit. */
  readonly sandboxWarmPoolMaxReplicas: number;
  /** Milliseconds. */
  readonly sandboxWarmPoolProgressDeadline: number;
  /** Milliseconds. */
  readonly sandboxWarmPoolStatusWindow: number;
  readonly enableWarmPoolEviction: boolean;
  readonly disableClaimEvents: boolean;
  readonly disableClaimObservabilityAnnotations: boolean;
  readonly claimObservabilityAnnotations: boolean;
  readonly allowedLabelDomainsFile: string;
  readonly cacheLabelSelectors: boolean;
  /** Milliseconds. */
  readonly sandboxWriteBehindWindow: number;
  /** Milliseconds. */
  readonly sandboxStatusSettleWindow: number;
  /** Whether reconciliations are traced and exported, as the variables `OTEL_EXPORTER_OTLP_*` say. */
  readonly enableTracing: boolean;
  readonly logLevel: string;
  /** Flags of the original that were given and have no effect here. */
  readonly ignored: readonly string[];
}

/**
 * Flags of the original that do not apply: there is no webhook, no profiler of Go, and no HTTP/2 connection that watches
 * would have to share.
 */
const IGNORED = [
  'enable-webhook', 'manage-webhook-certs', 'webhook-port', 'webhook-cert-dir', 'webhook-cert-name', 'webhook-key-name', 'webhook-service-name',
  'webhook-namespace', 'separate-watch-connection', 'enable-pprof', 'enable-pprof-debug', 'pprof-block-profile-rate', 'pprof-mutex-profile-fraction',
  'zap-devel', 'zap-encoder', 'zap-stacktrace-level', 'zap-time-encoding',
] as const;

/** Those among them that may stand alone. */
const IGNORED_BOOLEANS: readonly string[] = [
  'enable-webhook', 'manage-webhook-certs', 'separate-watch-connection', 'enable-pprof', 'enable-pprof-debug', 'zap-devel',
];
const BOOLEANS = [
  'version', 'extensions', 'leader-elect', 'cache-label-selectors', 'enable-warm-pool-eviction', 'disable-claim-events',
  'disable-claim-observability-annotations', 'claim-observability-annotations', 'enable-tracing', ...IGNORED_BOOLEANS,
];

/** Reads a command line. Throws `FlagError`; `--help` prints the flags and throws as well, with an empty message. */
export function parseFlags(args: readonly string[], write: (text: string) => void = (text) => process.stdout.write(text)): Flags {
  const program = parseCommand(command(), args.map((arg) => flagArgument(arg, BOOLEANS)), write);
  const { zapLogLevel: logLevel, ...options } = program.opts();
  const given = IGNORED.filter((name) => program.getOptionValueSource(optionName(name)) === 'cli');
  return { ...(options as Omit<Flags, 'logLevel' | 'ignored'>), logLevel, ignored: given.map((name) => `--${name}`) };
}

const { boolean, duration, integer, list, logLevel, number } = flagValue;

function command(): Command {
  const program = new Command('agent-sandbox-controller').description('Brings Sandboxes and their templates to life.');
  const add = (flags: string, description: string, parse: (text: string) => unknown, value?: unknown) =>
    program.addOption(new Option(flags, description).argParser(parse).default(value, flagDefault(flags, value)));
  add('--version <boolean>', 'print the version and exit', boolean, false);
  add('--kubeconfig <file>', 'how to reach the API server; default: KUBECONFIG, the own pod, ~/.kube/config', String);
  add('--namespaces <list>', 'look at these namespaces only, separated by commas, so that Roles suffice', list, []);
  add('--extensions <boolean>', 'also run the controllers of the extensions', boolean, false);
  add('--cluster-domain <name>', 'suffix of the names of Services', String, 'cluster.local');
  add('--metrics-bind-address <address>', 'of the metrics; 0 for none', String, ':8080');
  add('--health-probe-bind-address <address>', 'of /healthz and /readyz; 0 for none', String, ':8081');
  add('--leader-elect <boolean>', 'work only while holding the Lease', boolean, true);
  add('--leader-election-namespace <name>', 'of the Lease; default: where the process runs', String, '');
  add('--kube-api-qps <number>', 'requests per second on average; negative: no limit', number(-Infinity), -1);
  add('--kube-api-burst <number>', 'requests at once before the limit applies', integer(1), 10);
  add('--api-connections <number>', 'connections to the API server at least', integer(1), 1);
  add('--sandbox-concurrent-workers <number>', 'Sandboxes in work at the same time', integer(1), 100);
  add('--sandbox-template-concurrent-workers <number>', 'templates in work at the same time', integer(1), 1);
  add('--sandbox-claim-concurrent-workers <number>', 'claims in work at the same time', integer(1), 50);
  add('--sandbox-warm-pool-concurrent-workers <number>', 'pools in work at the same time', integer(1), 1);
  add('--sandbox-warm-pool-max-batch-size <number>', 'Sandboxes that a pool creates or deletes per reconciliation', integer(1), 300);
  add('--sandbox-warm-pool-replenish-delay <duration>', 'how long a pool waits after it lost a member', duration(0), 0);
  add('--sandbox-warm-pool-max-refill-rate <number>', 'Sandboxes per second that a pool makes; 0: no limit', number(0), 0);
  add('--sandbox-warm-pool-readiness-grace-period <duration>', 'how long a member may be without readiness before it is replaced', duration(1), 300_000);
  add('--sandbox-warm-pool-unschedulable-recheck-interval <duration>', 'how often members that no node takes are looked at', duration(1), 60_000);
  add('--sandbox-warm-pool-max-replicas <number>', 'most Sandboxes of a pool, whatever it asks for; 0: no limit', integer(0), 0);
  add('--sandbox-warm-pool-progress-deadline <duration>', 'how long a pool may come no closer to its size before it says so', duration(1), 600_000);
  add('--sandbox-warm-pool-status-window <duration>', 'how long a pool status that only counts may wait for the next change', duration(0), 1000);
  add('--enable-warm-pool-eviction <boolean>', 'let the cluster autoscaler evict idle members', boolean, true);
  add('--disable-claim-events <boolean>', 'send no Events about claims', boolean, false);
  add('--claim-observability-annotations <boolean>', 'write on each claim when it was seen and ready, and its Sandbox', boolean, false);
  add('--disable-claim-observability-annotations <boolean>', 'write none of them, whatever else is said', boolean, false);
  add('--allowed-label-domains-file <file>', 'lists the domains under which claims may add labels', String, '/etc/sandbox-config/allowed-label-domains');
  add('--cache-label-selectors <boolean>', 'see only Pods and Services with the label of a Sandbox', boolean, false);
  add('--sandbox-write-behind-window <duration>', 'how long a metadata change of a Pod may wait, at most 1s', duration(0), 0);
  add('--sandbox-status-settle-window <duration>', 'how long the status of a starting Sandbox may wait for the next change', duration(0), 1000);
  add('--enable-tracing <boolean>', 'export traces over OTLP (gRPC), as the variables OTEL_EXPORTER_OTLP_* say', boolean, false);
  add('--zap-log-level <level>', 'debug, info, warn, error, panic, or a number for more than info', logLevel, 'info');
  for (const name of IGNORED) {
    program.addOption(new Option(`--${name} <value>`, 'no effect').hideHelp());
  }
  return program;
}
