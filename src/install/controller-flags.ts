import { Duration } from 'cdk8s';
import { dnsLabel, dnsSubdomain, integer, Problems } from '../checks';
import { ControllerImplementation } from './implementation';

/** How much controller or router say. */
export enum ControllerLogLevel {
  /** Everything, also what is done for each object. */
  DEBUG = 'debug',

  /** What happens to the process as a whole. */
  INFO = 'info',

  /** Errors only. */
  ERROR = 'error',
}

/** The command line of the controller. Each prop is the flag of the same name; what is not set has the program's own default. */
export interface ControllerFlagProps {
  /**
   * Whether the controllers of claims, templates and warm pools run.
   *
   * @default true
   */
  readonly extensions?: boolean;

  /**
   * Namespaces to look at. Their Roles then take the place of the ClusterRole. They have to exist.
   *
   * @default - the whole cluster
   */
  readonly namespaces?: string[];

  /**
   * Whether replicas agree on one that works. Without it there can be one replica only.
   *
   * @default true
   */
  readonly leaderElect?: boolean;

  /**
   * Suffix of the names of Services.
   *
   * @default - cluster.local
   */
  readonly clusterDomain?: string;

  /**
   * Requests per second to the API server on average; negative is no limit.
   *
   * @default - no limit
   */
  readonly kubeApiQps?: number;

  /**
   * Requests at once before `kubeApiQps` applies, at least 1.
   *
   * @default - 10
   */
  readonly kubeApiBurst?: number;

  /**
   * Connections to the API server, at least 1.
   *
   * @default - 1 (the controller of this project opens more where it needs them)
   */
  readonly apiConnections?: number;

  /**
   * Sandboxes in work at the same time, at least 1.
   *
   * @default - 100
   */
  readonly sandboxConcurrentWorkers?: number;

  /**
   * Claims in work at the same time, at least 1.
   *
   * @default - 50
   */
  readonly sandboxClaimConcurrentWorkers?: number;

  /**
   * Warm pools in work at the same time, at least 1.
   *
   * @default - 1
   */
  readonly sandboxWarmPoolConcurrentWorkers?: number;

  /**
   * Templates in work at the same time, at least 1.
   *
   * @default - 1
   */
  readonly sandboxTemplateConcurrentWorkers?: number;

  /**
   * Sandboxes that a pool makes or deletes in one pass, at least 1.
   *
   * @default - 300
   */
  readonly sandboxWarmPoolMaxBatchSize?: number;

  /**
   * How long a pool waits after it lost a member before it makes another.
   *
   * @default - not at all
   */
  readonly sandboxWarmPoolReplenishDelay?: Duration;

  /**
   * Sandboxes per second that a pool makes; 0 is no limit.
   *
   * @default - no limit
   */
  readonly sandboxWarmPoolMaxRefillRate?: number;

  /**
   * How long a member of a pool may be without readiness before it is replaced.
   *
   * @default - 5 minutes
   */
  readonly sandboxWarmPoolReadinessGracePeriod?: Duration;

  /**
   * How often members that no node takes are looked at.
   *
   * @default - 1 minute
   */
  readonly sandboxWarmPoolUnschedulableRecheckInterval?: Duration;

  /**
   * Most Sandboxes of a pool, whatever it asks for; 0 is no limit. Not in the original.
   *
   * @default - no limit
   */
  readonly sandboxWarmPoolMaxReplicas?: number;

  /**
   * How long a pool may come no closer to its size before its condition `Progressing` says so. Not in the original.
   *
   * @default - 10 minutes
   */
  readonly sandboxWarmPoolProgressDeadline?: Duration;

  /**
   * How long a pool status that only counts may wait for the next change. Not in the original.
   *
   * @default - 1 second
   */
  readonly sandboxWarmPoolStatusWindow?: Duration;

  /**
   * Whether the cluster autoscaler may evict idle members of pools.
   *
   * @default - true
   */
  readonly enableWarmPoolEviction?: boolean;

  /**
   * Whether claims get no Events.
   *
   * @default - false
   */
  readonly disableClaimEvents?: boolean;

  /**
   * Whether claims are annotated with the times when they were seen and ready, and with their Sandbox. Costs writes. Not in
   * the original, which always does so.
   *
   * @default - false
   */
  readonly claimObservabilityAnnotations?: boolean;

  /**
   * Whether only Pods and Services with the label of a Sandbox are kept in memory. Objects that Sandboxes shall adopt
   * need the label then, too.
   *
   * @default - false
   */
  readonly cacheLabelSelectors?: boolean;

  /**
   * How long a change of a Pod's metadata may wait for others, at most one second.
   *
   * @default - not at all
   */
  readonly sandboxWriteBehindWindow?: Duration;

  /**
   * How long the status of a starting Sandbox may wait for the next change. Not in the original.
   *
   * @default - 1 second
   */
  readonly sandboxStatusSettleWindow?: Duration;

  /**
   * How much the controller says.
   *
   * @default - info
   */
  readonly logLevel?: ControllerLogLevel;

  /**
   * Whether traces are sent by OTLP over gRPC. The standard variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`, say where to
   * (see `env`).
   *
   * @default - false
   */
  readonly enableTracing?: boolean;

  /**
   * Further arguments, as they are.
   *
   * @default - none
   */
  readonly extraArgs?: string[];
}

type FlagProp = Exclude<keyof ControllerFlagProps, 'extraArgs'>;

/** Each prop and its flag, in the order of the command line. @internal */
export const CONTROLLER_FLAGS: { readonly [prop in FlagProp]: string } = {
  extensions: 'extensions',
  leaderElect: 'leader-elect',
  namespaces: 'namespaces',
  clusterDomain: 'cluster-domain',
  kubeApiQps: 'kube-api-qps',
  kubeApiBurst: 'kube-api-burst',
  apiConnections: 'api-connections',
  sandboxConcurrentWorkers: 'sandbox-concurrent-workers',
  sandboxClaimConcurrentWorkers: 'sandbox-claim-concurrent-workers',
  sandboxWarmPoolConcurrentWorkers: 'sandbox-warm-pool-concurrent-workers',
  sandboxTemplateConcurrentWorkers: 'sandbox-template-concurrent-workers',
  sandboxWarmPoolMaxBatchSize: 'sandbox-warm-pool-max-batch-size',
  sandboxWarmPoolReplenishDelay: 'sandbox-warm-pool-replenish-delay',
  sandboxWarmPoolMaxRefillRate: 'sandbox-warm-pool-max-refill-rate',
  sandboxWarmPoolReadinessGracePeriod: 'sandbox-warm-pool-readiness-grace-period',
  sandboxWarmPoolUnschedulableRecheckInterval: 'sandbox-warm-pool-unschedulable-recheck-interval',
  sandboxWarmPoolMaxReplicas: 'sandbox-warm-pool-max-replicas',
  sandboxWarmPoolProgressDeadline: 'sandbox-warm-pool-progress-deadline',
  sandboxWarmPoolStatusWindow: 'sandbox-warm-pool-status-window',
  enableWarmPoolEviction: 'enable-warm-pool-eviction',
  disableClaimEvents: 'disable-claim-events',
  claimObservabilityAnnotations: 'claim-observability-annotations',
  cacheLabelSelectors: 'cache-label-selectors',
  sandboxWriteBehindWindow: 'sandbox-write-behind-window',
  sandboxStatusSettleWindow: 'sandbox-status-settle-window',
  enableTracing: 'enable-tracing',
  logLevel: 'zap-log-level',
};

/** What only the controller of this project understands. */
const NOT_IN_THE_ORIGINAL: readonly FlagProp[] = [
  'namespaces', 'sandboxStatusSettleWindow', 'sandboxWarmPoolMaxReplicas', 'sandboxWarmPoolProgressDeadline', 'sandboxWarmPoolStatusWindow',
  'claimObservabilityAnnotations',
];

const WHOLE_NUMBERS: readonly FlagProp[] = [
  'kubeApiBurst', 'apiConnections', 'sandboxConcurrentWorkers', 'sandboxClaimConcurrentWorkers', 'sandboxWarmPoolConcurrentWorkers',
  'sandboxTemplateConcurrentWorkers', 'sandboxWarmPoolMaxBatchSize',
];

/** The least that a duration may be, in milliseconds. */
const DURATIONS: { readonly [prop in FlagProp]?: number } = {
  sandboxWarmPoolReplenishDelay: 0,
  sandboxWarmPoolReadinessGracePeriod: 1,
  sandboxWarmPoolUnschedulableRecheckInterval: 1,
  sandboxWarmPoolProgressDeadline: 1,
  sandboxWarmPoolStatusWindow: 0,
  sandboxWriteBehindWindow: 0,
  sandboxStatusSettleWindow: 0,
};

/** @internal */
export function checkFlags(problems: Problems, props: ControllerFlagProps, implementation: ControllerImplementation): void {
  if (implementation !== ControllerImplementation.BUNDLED) {
    NOT_IN_THE_ORIGINAL.filter(prop => props[prop] !== undefined).forEach(prop =>
      problems.add(prop, props[prop], 'the controller of the original has no such flag: leave it out'));
  }
  if (props.namespaces) {
    if (props.namespaces.length === 0) {
      problems.add('namespaces', props.namespaces, 'name at least one, or leave it out for the whole cluster');
    }
    props.namespaces.forEach((namespace, index) => problems.check(`namespaces[${index}]`, namespace, dnsLabel));
    problems.unique(index => `namespaces[${index}]`, props.namespaces, 'it is in the list already: remove one');
  }
  problems.check('clusterDomain', props.clusterDomain, dnsSubdomain);
  problems.check('sandboxWarmPoolMaxReplicas', props.sandboxWarmPoolMaxReplicas, integer(0));
  WHOLE_NUMBERS.forEach(prop => problems.check(prop, props[prop] as number | undefined, integer(1)));
  problems.check('kubeApiQps', props.kubeApiQps, value => (Number.isFinite(value) ? undefined : 'use a number; negative is no limit'));
  problems.check('sandboxWarmPoolMaxRefillRate', props.sandboxWarmPoolMaxRefillRate, value =>
    (Number.isFinite(value) && value >= 0 ? undefined : 'use a number of at least 0; 0 is no limit'));
  for (const [prop, least] of Object.entries(DURATIONS)) {
    const ms = (props[prop as FlagProp] as Duration | undefined)?.toMilliseconds({ integral: false });
    if (ms !== undefined && !(Number.isInteger(ms) && ms >= least)) {
      problems.add(prop, `${ms}ms`, `use whole milliseconds${least > 0 ? ', more than 0' : ''}`);
    }
  }
  if ((props.sandboxWriteBehindWindow?.toMilliseconds({ integral: false }) ?? 0) > 1000) {
    problems.add('sandboxWriteBehindWindow', goDuration(props.sandboxWriteBehindWindow!), 'use at most one second');
  }
}

/** The arguments that props say, in the order of `CONTROLLER_FLAGS`. @internal */
export function flagArgs(props: ControllerFlagProps): string[] {
  const all: ControllerFlagProps = { ...props, extensions: props.extensions ?? true, leaderElect: props.leaderElect ?? true };
  const args = (Object.keys(CONTROLLER_FLAGS) as FlagProp[])
    .filter(prop => all[prop] !== undefined)
    .map(prop => `--${CONTROLLER_FLAGS[prop]}=${text(all[prop])}`);
  return [...args, ...(props.extraArgs ?? [])];
}

function text(value: unknown): string {
  return value instanceof Duration ? goDuration(value) : Array.isArray(value) ? value.join(',') : String(value);
}

/** As Go writes durations. @internal */
export function goDuration(duration: Duration): string {
  const ms = duration.toMilliseconds({ integral: false });
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
