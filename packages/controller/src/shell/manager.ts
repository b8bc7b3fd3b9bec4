import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { LEASE, SHARD_LEASES, definedOnly } from 'agent-sandbox-api';
import { Cluster, EventRecorder, LeaderElector, LeadershipLostError, Reader, ShardElection, Writer, loadCredentials, sleep, type Logger } from 'agent-sandbox-kube';
import { Endpoints, FlagError } from 'agent-sandbox-program';
import type { Flags } from '../flags.js';
import { Caches } from './caches.js';
import { Controller } from './controller.js';
import type { ControllerDefinition } from '../reconcile/definition.js';
import { Executor } from './executor.js';
import { RequestPriority } from './request-priority.js';
import { Metrics } from './metrics.js';
import { NamespaceGate } from './namespace-gate.js';
import type { Kind } from '../reconcile/cache.js';
import { countPools } from './pool-counts.js';
import { countMembers, countSandboxes } from './sandbox-counts.js';
import { Shards } from './shards.js';

/** A connection carries one request at a time. */
const FEWEST_CONNECTIONS = 32;

/** In a burst of claims the API server is the bottleneck, and Events are not urgent. */
const EVENT_DELAY_MS = 1000;

/** Every object is looked at again after about this long, in case an event was missed. */
const RESYNC_MS = 36_000_000;
const RESYNC_JITTER = 0.1;

export interface ManagerOptions {
  readonly flags: Flags;
  readonly definitions: readonly ControllerDefinition[];
  readonly logger: Logger;
  readonly version: string;
}

/**
 * Runs controllers until the signal is aborted. Caches, metrics and health checks run on every replica, so that the next leader
 * can start at once; only the leader reconciles, or with shards each replica what it holds. Rejects when a Lease is lost.
 */
export async function runManager({ flags, definitions, logger, version }: ManagerOptions, signal: AbortSignal): Promise<void> {
  const metrics = new Metrics(version);
  const stopping = new AbortController();
  metrics.eventLoop(stopping.signal);
  const stop = () => stopping.abort(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  const cluster = new Cluster({
    credentials: loadCredentials(definedOnly({ kubeconfig: flags.kubeconfig })),
    userAgent: `agent-sandbox-controller/${version}`,
    qps: flags.kubeApiQps,
    burst: flags.kubeApiBurst,
    connections: Math.max(FEWEST_CONNECTIONS, flags.apiConnections),
    logger,
    metrics: metrics.requests(),
  });
  const identity = `${hostname()}_${randomUUID()}`;
  const setLeader = flags.leaderElect ? metrics.leaders() : () => undefined;
  const shards = flags.shards > 1
    ? new Shards(flags.shards, (shard, owned) => {
      setLeader(SHARD_LEASES[shard]!, owned);
      logger.info({ shard, of: flags.shards }, owned ? 'working on a shard' : 'ended the work on a shard');
    })
    : undefined;
  const election = electionOf(cluster, flags, identity);
  // A process that was suspended may resume its work before it learns that another one leads now.
  const onWrite = () => {
    if (election?.isValid() === false) {
      throw new LeadershipLostError(LEASE, 'it was not renewed in time');
    }
  };
  const caches = new Caches({
    cluster,
    kinds: definitions.flatMap(({ reads }) => reads),
    ...(flags.namespaces.length === 0 ? {} : { namespaces: flags.namespaces }),
    labelledOnly: flags.cacheLabelSelectors,
    metrics: metrics.informers(),
  });
  // Imported dynamically: OpenTelemetry is loaded only when tracing is enabled.
  const tracing = flags.enableTracing ? (await import('./tracing.js')).Tracing.overGrpc(version, logger) : undefined;
  const requestPriority = new RequestPriority();
  const gate = new NamespaceGate(() => cluster.clock.monotonic());
  // Before the controllers listen, so that a namespace is in doubt before anything is created in it again.
  caches.onLoss(namespace => gate.doubt(namespace));
  const recorders: EventRecorder[] = [];
  const queueMetrics = metrics.queues();
  const workerMetrics = metrics.workers();
  const onDropped = metrics.droppedEvents();
  const controllers = definitions.map(definition => {
    const events = new EventRecorder({ cluster, controller: definition.name, instance: identity, delayMs: EVENT_DELAY_MS, onDropped });
    recorders.push(events);
    const writer = caches.connect(new Writer(cluster, { fieldManager: definition.name, onWrite }));
    const measure = metrics.measures(definition.metrics ?? []);
    const executor = new Executor({ reader: new Reader(cluster), writer, gate, measure, ...(definition.silent ? {} : { events }) });
    return new Controller({
      definition, caches, executor, requestPriority, clock: cluster.clock, logger, queueMetrics, workerMetrics,
      ...definedOnly({ tracing, owns: shards && ((namespace: string) => shards.owns(namespace)) }),
    });
  });
  let working = false;
  [LEASE, ...(shards ? SHARD_LEASES.slice(0, flags.shards) : [])].forEach(lease => setLeader(lease, false));
  metrics.observe(controllers);
  const isWorking = () => working && caches.hasSynced;
  /** The objects of a kind that this process works on: each object is counted by one process. */
  const owned = <K extends Kind>(kind: K) => caches.list(kind).filter(({ metadata }) => shards?.owns(metadata.namespace ?? '') ?? true);
  countSandboxes(metrics.registry, () => owned('Sandbox'), isWorking);
  if (definitions.some(({ reads }) => reads.includes('SandboxWarmPool'))) {
    countMembers(metrics.registry, () => owned('SandboxWarmPool'), ({ metadata }) => caches.byIndex('Sandbox', 'controller', metadata.uid ?? ''), isWorking);
    countPools(metrics.registry, () => owned('SandboxWarmPool'), isWorking, flags.sandboxWarmPoolMaxReplicas);
  }
  const endpoints = [
    new Endpoints(flags.metricsBindAddress, {
      '/metrics': async () => ({ status: 200, text: await metrics.registry.metrics(), contentType: metrics.registry.contentType }),
    }),
    new Endpoints(flags.healthProbeBindAddress, {
      '/healthz': () => ({ status: 200, text: 'ok' }),
      '/readyz': () => (caches.hasSynced ? { status: 200, text: 'ok' } : { status: 500, text: 'the caches have not synced yet' }),
    }),
  ];
  try {
    for (const server of endpoints) {
      await server.bind();
    }
    const listening = caches.run(stopping.signal);
    const workOn = async (shard: number, leading: AbortSignal) => {
      await caches.waitForSync(leading);
      await shards?.work(shard, controllers, leading);
    };
    const work = async (leading: AbortSignal) => {
      setLeader(LEASE, true);
      await caches.waitForSync(leading);
      working = true;
      logger.info({ controllers: definitions.map(({ name }) => name) }, 'working');
      const resynced = resync(cluster, caches, leading);
      await Promise.all(controllers.map(controller => controller.run(leading)));
      await resynced;
    };
    await (election?.run(work, workOn, stopping.signal) ?? work(stopping.signal));
    await Promise.all(recorders.map(events => events.close()));
    stopping.abort();
    await listening;
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stopping.abort();
    endpoints.forEach(server => server.close());
    await tracing?.shutdown();
    await cluster.close();
  }
}

/** How this process comes to work, and whether it may go on. */
interface Election {
  readonly isValid: () => boolean;
  readonly run: ShardElection['run'];
}

function electionOf(cluster: Cluster, flags: Flags, identity: string): Election | undefined {
  if (flags.shards > SHARD_LEASES.length) {
    throw new FlagError(`--shards is ${flags.shards}: use at most ${SHARD_LEASES.length}, for which there are Leases in the role`);
  }
  if (!flags.leaderElect) {
    if (flags.shards > 1) {
      throw new FlagError('--shards needs leader election, which divides the work: leave out --leader-elect=false, or --shards');
    }
    return undefined;
  }
  const namespace = flags.leaderElectionNamespace || cluster.namespace;
  if (namespace === undefined || namespace === '') {
    throw new FlagError('no namespace for the Lease: give --leader-election-namespace, or --leader-elect=false for a single process');
  }
  const options = { cluster, namespace, name: LEASE, identity };
  if (flags.shards > 1) {
    const sharded = new ShardElection({ ...options, shards: SHARD_LEASES.slice(0, flags.shards) });
    return { isValid: () => sharded.isValid, run: (start, lead, signal) => sharded.run(start, lead, signal) };
  }
  const single = new LeaderElector(options);
  return { isValid: () => single.isLeader, run: (start, _lead, signal) => single.run(start, signal) };
}

async function resync(cluster: Cluster, caches: Caches, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(cluster.clock, RESYNC_MS * (1 + RESYNC_JITTER * cluster.random()), signal).catch(() => undefined);
    if (!signal.aborted) {
      caches.resync();
    }
  }
}
