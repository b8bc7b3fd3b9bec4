import { definedOnly } from 'agent-sandbox-api';
import { QUEUE_METRIC_NAMES, onAbort, type EventRecorderOptions, type InformerMetrics, type QueueMetrics, type RequestMetrics, type WorkerMetrics } from 'agent-sandbox-kube';
import { CLIENT_GO_SECONDS, informerMetrics, registerBuildInfo, requestCounter } from 'agent-sandbox-program';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { MeasureRequest } from '../reconcile/plan.js';
import type { Controller } from './controller.js';
import type { MetricDefinition } from '../reconcile/definition.js';

/** Bounds of delays of the event loop in seconds. */
const DELAYS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];
/** Each sample wakes the process. */
const DELAY_SAMPLE_MS = 100;

/** What prom-client's own gauges of the event loop begin with, and an interval at which they take no samples: each would wake the process. */
const LAG_GAUGES = 'nodejs_eventloop_lag_';
const NO_SAMPLES_MS = 86_400_000;

/** Measurements under the names that dashboards of Kubernetes controllers expect. */
export class Metrics {
  public readonly registry = new Registry();

  constructor(version: string) {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: NO_SAMPLES_MS });
    this.registry.getMetricsAsArray().filter(({ name }) => name.startsWith(LAG_GAUGES)).forEach(({ name }) => this.registry.removeSingleMetric(name));
    registerBuildInfo(this.registry, 'agent_sandbox_build_info', version);
  }

  /**
   * How much later than planned timers run, until the signal is aborted: what long pieces of work and garbage collection add to latencies.
   * A histogram, so that a scraper sees the tail of any time range. It takes the place of prom-client's gauges, which show the time since the
   * last scrape. `clock` is in milliseconds.
   */
  public eventLoop(signal: AbortSignal, clock: () => number = () => performance.now()): void {
    const delays = new Histogram({ name: 'nodejs_eventloop_delay_seconds', help: 'Delay of timers', buckets: DELAYS, registers: [this.registry] });
    let planned = clock() + DELAY_SAMPLE_MS;
    const timer = setInterval(() => {
      const now = clock();
      delays.observe(Math.max(0, now - planned) / 1000);
      planned = now + DELAY_SAMPLE_MS;
    }, DELAY_SAMPLE_MS).unref();
    onAbort(signal, () => clearInterval(timer));
  }

  /** Of requests to the API server. */
  public requests(): RequestMetrics {
    const count = requestCounter(this.registry);
    const seconds = this.histogram('rest_client_request_duration_seconds', 'Duration of requests', ['verb']);
    return {
      request: exchange => {
        count(exchange);
        seconds.observe({ verb: exchange.verb }, exchange.durationMs / 1000);
      },
    };
  }

  /** Of all work queues. */
  public queues(): QueueMetrics {
    const added = this.counter(QUEUE_METRIC_NAMES.added, 'Keys that were added', ['name']);
    const waited = this.histogram(QUEUE_METRIC_NAMES.queueDuration, 'How long keys waited', ['name']);
    const worked = this.histogram(QUEUE_METRIC_NAMES.workDuration, 'How long keys were processed', ['name']);
    const retried = this.counter(QUEUE_METRIC_NAMES.retried, 'Keys that failed', ['name']);
    return {
      added: name => added.inc({ name }),
      queueDuration: (name, value) => waited.observe({ name }, value),
      workDuration: (name, value) => worked.observe({ name }, value),
      retried: name => retried.inc({ name }),
    };
  }

  /** Metrics of the caches. */
  public informers(): InformerMetrics {
    return informerMetrics(this.registry);
  }

  /** Of Events that are not sent: too many wait, too many are about one object, or the API server refuses them. */
  public droppedEvents(): NonNullable<EventRecorderOptions['onDropped']> {
    const dropped = this.counter('agent_sandbox_events_dropped_total', 'Events that were dropped', ['why']);
    return why => dropped.inc({ why });
  }

  /** Of all workers. */
  public workers(): WorkerMetrics {
    const total = this.counter('controller_runtime_reconcile_total', 'Reconciliations by result', ['controller', 'result']);
    const seconds = this.histogram('controller_runtime_reconcile_time_seconds', 'Duration of reconciliations', ['controller']);
    return {
      reconciled: (controller, result, value) => {
        total.inc({ controller, result });
        seconds.observe({ controller }, value);
      },
    };
  }

  /** Whether this process holds a Lease, under the name that client-go has for it. */
  public leaders(): (lease: string, leading: boolean) => void {
    const status = this.gauge('leader_election_master_status', '1 on the process that leads, 0 on the others', ['name']);
    return (lease, leading) => status.set({ name: lease }, leading ? 1 : 0);
  }

  /** Metrics that plans feed. */
  public measures(definitions: readonly MetricDefinition[]): (request: MeasureRequest) => void {
    const taken = new Map(definitions.map(({ name, type, help, labels, buckets }) => {
      const options = { name, help, labelNames: [...labels], registers: [this.registry] };
      const metric = type === 'counter' ? new Counter(options) : new Histogram({ ...options, ...definedOnly({ buckets: buckets === undefined ? undefined : [...buckets] }) });
      return [name, (request: MeasureRequest) =>
        (metric instanceof Counter ? metric.inc({ ...request.labels }, request.value) : metric.observe({ ...request.labels }, request.value))];
    }));
    return request => taken.get(request.metric)?.(request);
  }

  /** Metrics of queues and workers that are computed when they are scraped: to keep them up to date would cost time at each change. */
  public observe(controllers: readonly Controller[]): void {
    const ask = (name: string, help: string, value: (controller: Controller) => number, label = 'name') => new Gauge({
      name, help, labelNames: [label], registers: [this.registry],
      collect() {
        controllers.forEach(controller => this.set({ [label]: controller.queue.name }, value(controller)));
      },
    });
    ask(QUEUE_METRIC_NAMES.depth, 'Keys that wait', ({ queue }) => queue.depth);
    ask('controller_runtime_active_workers', 'Workers that are busy', ({ queue }) => queue.processingCount, 'controller');
    ask(QUEUE_METRIC_NAMES.unfinishedWork, 'Time that keys have been in process', ({ queue }) => queue.unfinishedWorkSeconds);
    ask(QUEUE_METRIC_NAMES.longestRunning, 'Time that the oldest key has been in process', ({ queue }) => queue.longestRunningSeconds);
  }

  private counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  private histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({ name, help, labelNames, buckets: CLIENT_GO_SECONDS, registers: [this.registry] });
  }
}
