import { definedOnly } from 'agent-sandbox-api';
import { QUEUE_METRIC_NAMES, type EventRecorderOptions, type InformerMetrics, type QueueMetrics, type RequestMetrics, type WorkerMetrics } from 'agent-sandbox-kube';
import { registerBuildInfo } from 'agent-sandbox-program';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { MeasureRequest } from '../reconcile/plan.js';
import type { Controller } from './controller.js';
import type { MetricDefinition } from '../reconcile/definition.js';

/** Bounds of durations in seconds, as client-go has them. */
const SECONDS = [0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** Measurements under the names that dashboards of Kubernetes controllers expect. */
export class Metrics {
  public readonly registry = new Registry();

  constructor(version: string) {
    collectDefaultMetrics({ register: this.registry });
    registerBuildInfo(this.registry, 'agent_sandbox_build_info', version);
  }

  /** Of requests to the API server. */
  public requests(): RequestMetrics {
    const count = new Counter({
      name: 'rest_client_requests_total', help: 'HTTP requests by status code and method', labelNames: ['code', 'method', 'resource'], registers: [this.registry],
    });
    const seconds = this.histogram('rest_client_request_duration_seconds', 'Duration of requests', ['verb']);
    return {
      request: ({ verb, resource, subresource, code, durationMs }) => {
        count.inc({ code: code || '<error>', method: verb, resource: subresource ? `${resource}/${subresource}` : resource });
        seconds.observe({ verb }, durationMs / 1000);
      },
    };
  }

  /** Of all work queues. */
  public queues(): QueueMetrics {
    const depth = this.gauge(QUEUE_METRIC_NAMES.depth, 'Keys that wait', ['name']);
    const added = this.counter(QUEUE_METRIC_NAMES.added, 'Keys that were added', ['name']);
    const waited = this.histogram(QUEUE_METRIC_NAMES.queueDuration, 'How long keys waited', ['name']);
    const worked = this.histogram(QUEUE_METRIC_NAMES.workDuration, 'How long keys were processed', ['name']);
    const retried = this.counter(QUEUE_METRIC_NAMES.retried, 'Keys that failed', ['name']);
    return {
      depth: (name, keys) => depth.set({ name }, keys),
      added: name => added.inc({ name }),
      queueDuration: (name, value) => waited.observe({ name }, value),
      workDuration: (name, value) => worked.observe({ name }, value),
      retried: name => retried.inc({ name }),
    };
  }

  /** Metrics of the caches: lists, watches and their objects. */
  public informers(): InformerMetrics {
    const lists = this.histogram('reflector_list_duration_seconds', 'Duration of complete lists', ['resource']);
    const watches = this.counter('reflector_watches_ended_total', 'Watches that ended: closed as planned, gone (too old), or failed', ['resource', 'why']);
    const events = this.counter('reflector_events_total', 'Changes that arrived by watch', ['resource', 'type']);
    return {
      listed: (resource, _objects, durationMs) => lists.observe({ resource }, durationMs / 1000),
      watchEnded: (resource, why) => watches.inc({ resource, why }),
      event: (resource, type) => events.inc({ resource, type }),
    };
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
    const active = this.gauge('controller_runtime_active_workers', 'Workers that are busy', ['controller']);
    return {
      reconciled: (controller, result, value) => {
        total.inc({ controller, result });
        seconds.observe({ controller }, value);
      },
      active: (controller, workers) => active.set({ controller }, workers),
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

  /** Queue metrics that are computed when they are scraped. */
  public observe(controllers: readonly Controller[]): void {
    const ask = (name: string, help: string, value: (controller: Controller) => number) => new Gauge({
      name, help, labelNames: ['name'], registers: [this.registry],
      collect() {
        controllers.forEach(controller => this.set({ name: controller.queue.name }, value(controller)));
      },
    });
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
    return new Histogram({ name, help, labelNames, buckets: SECONDS, registers: [this.registry] });
  }
}
