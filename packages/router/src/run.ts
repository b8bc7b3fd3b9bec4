import { definedOnly } from 'agent-sandbox-api';
import { Cluster, briefErrors, loadCredentials } from 'agent-sandbox-kube';
import { Endpoints, FlagError, exitSoon, untilAborted, type EndpointResponse } from 'agent-sandbox-program';
import { destination as openDestination, pino, stdSerializers, type Logger } from 'pino';
import type { Flags } from './flags.js';
import { Metrics } from './metrics.js';
import { Router } from './router.js';
import { startTracing, type Tracing } from './tracing.js';

/** Bytes of the access log that are written at once, and milliseconds after which they are in any case. */
const LOG_CHUNK_BYTES = 12_288;
const LOG_FLUSH_MS = 1_000;

export interface RunOptions {
  readonly flags: Flags;
  readonly version: string;
}

/** What one process needs besides its router. */
export interface Process {
  readonly router: Router;
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Ends the router first, then what it needs. */
  close(): Promise<void>;
}

/** Builds a router and its dependencies. Throws without credentials for the API server, or if a file is invalid. */
export async function assemble({ flags, version }: RunOptions): Promise<Process> {
  const logger = loggerOf(flags);
  if (flags.ignored.length > 0) {
    logger.info({ flags: flags.ignored }, 'flags are accepted, but have no effect');
  }
  const metrics = new Metrics(version);
  const cluster = new Cluster({
    credentials: loadCredentials(definedOnly({ kubeconfig: flags.kubeconfig })),
    userAgent: `agent-sandbox-router/${version}`,
    logger,
    metrics: metrics.apiRequests(),
  });
  const access = accessLogger(flags);
  let tracing: Tracing | undefined;
  let router: Router;
  try {
    tracing = flags.enableTracing ? await startTracing(version) : undefined;
    router = new Router({
      flags, cluster, logger, metrics,
      ...definedOnly({ accessLog: access && ((fields: object, message: string) => access.logger.info(fields, message)), tracing }),
    });
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return {
    router, metrics, logger,
    close: async () => {
      await router.close();
      await cluster.close();
      // A collector that does not answer is no reason not to end.
      await tracing?.close().catch(error => logger.warn({ err: error }, 'the last traces were not sent'));
      access?.close();
    },
  };
}

/** Runs a router in this process until the signal is aborted. Sets the exit code to 1 if it cannot start. */
export async function run(options: RunOptions, signal: AbortSignal): Promise<void> {
  const { flags } = options;
  const logger = loggerOf(flags);
  let current: Process | undefined;
  let isReady = false;
  const health = healthEndpoints(flags, () => isReady && !signal.aborted);
  const measures = new Endpoints(flags.metricsBindAddress, { '/metrics': () => metricsAnswer(current) });
  try {
    await health.bind();
    await measures.bind();
    current = await assemble(options);
    await Promise.race([current.router.start(), rejectedBy(signal)]);
    isReady = true;
    logger.info({ ports: current.router.ports }, 'listening');
    await untilAborted(signal);
    logger.info({ reason: (signal.reason as Error).message }, 'ending');
    await current.close();
    logger.info({}, 'ended');
  } catch (error) {
    if (!signal.aborted) {
      logger.fatal({ err: error }, 'cannot go on');
      process.exitCode = 1;
    }
  }
  health.close();
  measures.close();
  exitSoon();
}

/** `/healthz` is fine as long as the process can answer; `/readyz` only while it takes requests. */
export function healthEndpoints({ healthProbeBindAddress }: Flags, isReady: () => boolean): Endpoints {
  return new Endpoints(healthProbeBindAddress, {
    '/healthz': () => ({ status: 200, text: '{"status":"ok"}', contentType: 'application/json' }),
    '/readyz': () => (isReady() ? { status: 200, text: 'ok' } : { status: 503, text: 'draining' }),
  });
}

function rejectedBy(signal: AbortSignal): Promise<never> {
  return untilAborted(signal).then(() => {
    throw signal.reason;
  });
}

async function metricsAnswer(current: Process | undefined): Promise<EndpointResponse> {
  const { registry } = current?.metrics ?? {};
  return registry === undefined ? { status: 503, text: 'starting' } : { status: 200, text: await registry.metrics(), contentType: registry.contentType };
}

export function loggerOf({ logLevel }: Pick<Flags, 'logLevel'>): Logger {
  return pino({ level: logLevel, serializers: { err: briefErrors(stdSerializers.err, error => error instanceof FlagError) } });
}

/** A logger of its own, because writing each line at once would cost a tenth of the throughput. */
function accessLogger(flags: Flags): { logger: Logger; close: () => void } | undefined {
  if (!flags.accessLog) {
    return undefined;
  }
  const destination = openDestination({ dest: 1, sync: false, minLength: LOG_CHUNK_BYTES });
  const timer = setInterval(() => destination.flush(), LOG_FLUSH_MS).unref();
  return {
    logger: pino({ level: 'info', base: undefined }, destination),
    close: () => {
      clearInterval(timer);
      destination.flushSync();
    },
  };
}
