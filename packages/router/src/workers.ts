import cluster, { type Worker } from 'node:cluster';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { SESSION_KEY_VARIABLE, randomSessionKey } from './browser/setup.js';
import { Endpoints, exitSoon, untilAborted } from 'agent-sandbox-program';
import { AggregatorRegistry } from 'prom-client';
import type { Flags } from './flags.js';
import { assemble, healthEndpoints, loggerOf, type RunOptions } from './run.js';

/** More workers than this share too little. */
const MOST_WORKERS = 8;
/** Milliseconds beyond the time to shut down after which a worker is ended the hard way. */
const KILL_AFTER_MS = 5_000;
/** Workers that may end by themselves within a minute before the whole process does. */
const MOST_CRASHES = 5;
const CRASH_WINDOW_MS = 60_000;

type Message = { readonly router: 'ready' | 'drain' };

/** How many workers the flags mean: by default one for each core that this process may use. */
export function workerCount({ workers }: Pick<Flags, 'workers'>, cores: number = usableCores()): number {
  return workers > 0 ? workers : Math.max(1, Math.min(MOST_WORKERS, cores));
}

/** Cores of the machine, or of the control group if that gives fewer. */
function usableCores(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').trim().split(' ').map(Number);
    // "max" is no limit
    return Number.isNaN(quota) ? availableParallelism() : Math.min(availableParallelism(), Math.ceil(quota! / period!));
  } catch {
    return availableParallelism();
  }
}

/**
 * Runs several workers that share the ports, and answers for them: health, metrics, the end. Each worker has caches and limits of
 * its own, so that none has to ask another one for each request.
 */
export async function runPrimary({ flags }: RunOptions, signal: AbortSignal): Promise<void> {
  const logger = loggerOf(flags);
  const ready = new Set<Worker>();
  const count = workerCount(flags);
  const aggregator = new AggregatorRegistry();
  const isReady = () => ready.size === count && !signal.aborted;
  const health = healthEndpoints(flags, isReady);
  const measures = new Endpoints(flags.metricsBindAddress, {
    '/metrics': async () => ({ status: 200, text: await aggregator.clusterMetrics(), contentType: aggregator.contentType }),
  });
  const failed = new AbortController();
  const crashes: number[] = [];
  // Sessions of browsers have to count in all workers.
  const environment = { [SESSION_KEY_VARIABLE]: randomSessionKey() };
  cluster.on('message', (worker, message: Message) => {
    if (message.router === 'ready') {
      ready.add(worker);
      if (ready.size === count) {
        logger.info({ workers: count }, 'listening');
      }
    }
  });
  cluster.on('exit', (worker, code, by) => {
    const wasReady = ready.delete(worker);
    if (signal.aborted || failed.signal.aborted) {
      return;
    }
    const now = performance.now();
    crashes.push(now);
    const recent = crashes.filter(at => now - at < CRASH_WINDOW_MS).length;
    logger.error({ pid: worker.process.pid, code, signal: by }, 'a worker has ended');
    // One that never was ready would not be the next time either: a port is taken, a file is missing.
    if (!wasReady || recent > MOST_CRASHES) {
      failed.abort();
    } else {
      cluster.fork(environment);
    }
  });
  try {
    await health.bind();
    await measures.bind();
    for (let i = 0; i < count; i++) {
      cluster.fork(environment);
    }
    await Promise.race([untilAborted(signal), untilAborted(failed.signal)]);
  } catch (error) {
    logger.fatal({ err: error }, 'cannot go on');
    failed.abort();
  }
  if (failed.signal.aborted) {
    process.exitCode = 1;
  }
  await endWorkers(flags.shutdownTimeout + KILL_AFTER_MS);
  health.close();
  measures.close();
  logger.info({}, 'ended');
  exitSoon();
}

/** Runs the router in a worker, until the primary says so or is gone. */
export async function runWorker(options: RunOptions): Promise<void> {
  const logger = loggerOf(options.flags);
  const stop = new AbortController();
  // Signals to the whole group are for the primary, which passes them on.
  ['SIGTERM', 'SIGINT'].forEach(signal => process.on(signal, () => undefined));
  process.on('message', (message: Message) => message.router === 'drain' && stop.abort());
  process.on('disconnect', () => stop.abort());
  try {
    const current = await assemble(options);
    new AggregatorRegistry();
    AggregatorRegistry.setRegistries([current.metrics.registry]);
    await current.router.start();
    process.send!({ router: 'ready' } satisfies Message);
    await untilAborted(stop.signal);
    await current.close();
    process.exit(0);
  } catch (error) {
    logger.fatal({ err: error }, 'cannot go on');
    process.exit(1);
  }
}

async function endWorkers(timeoutMs: number): Promise<void> {
  const workers = Object.values(cluster.workers ?? {}) as Worker[];
  await Promise.all(workers.map(worker => new Promise<void>(resolve => {
    const timer = setTimeout(() => worker.process.kill('SIGKILL'), timeoutMs);
    worker.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    if (worker.isConnected()) {
      worker.send({ router: 'drain' } satisfies Message);
    }
  })));
}
