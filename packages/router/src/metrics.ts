import type { InformerMetrics, RequestMetrics } from 'agent-sandbox-kube';
import { informerMetrics, registerBuildInfo, requestCounter } from 'agent-sandbox-program';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { RequestRecord } from './record.js';

/** Bounds of durations in seconds, as the Go router has them. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180];

/** Measurements under the names of the Go router. Sandboxes and callers are never labels: there would be too many. */
export class Metrics {
  public readonly registry = new Registry();
  private readonly requests = this.counter('sandbox_router_requests_total', 'Requests by outcome', ['method', 'code', 'sandbox_namespace']);
  private readonly seconds = new Histogram({
    name: 'sandbox_router_request_duration_seconds', help: 'Time until a request was over', labelNames: ['method', 'code', 'sandbox_namespace'],
    buckets: SECONDS, registers: [this.registry],
  });
  private readonly upstreamErrors = this.counter('sandbox_router_upstream_errors_total', 'Failures of sandboxes', ['sandbox_namespace', 'reason']);
  private readonly retries = this.counter('sandbox_router_upstream_retries_total', 'Connections that were tried again', ['sandbox_namespace']);
  private readonly decisions = this.counter('sandbox_router_authz_decisions_total', 'Decisions about callers', ['sandbox_namespace', 'decision']);
  private readonly reloads = this.counter('sandbox_router_cert_reloads_total', 'Changes of certificate files', ['outcome']);

  constructor(version: string) {
    collectDefaultMetrics({ register: this.registry });
    registerBuildInfo(this.registry, 'sandbox_router_build_info', version);
  }

  /** @param namespace `-` unless it is known to exist */
  public observe(record: RequestRecord, namespace: string, seconds: number): void {
    const labels = { method: record.method, code: String(record.status), sandbox_namespace: namespace };
    this.requests.inc(labels);
    this.seconds.observe(labels, seconds);
    if (record.decision !== undefined) {
      this.decisions.inc({ sandbox_namespace: namespace, decision: record.decision });
    }
    if (record.error !== undefined) {
      const reason = ['dial', 'timeout', 'eof'].includes(record.error) ? record.error : 'other';
      this.upstreamErrors.inc({ sandbox_namespace: namespace, reason });
    }
  }

  public retried(namespace: string): void {
    this.retries.inc({ sandbox_namespace: namespace });
  }

  public reloaded(success: boolean): void {
    this.reloads.inc({ outcome: success ? 'success' : 'failure' });
  }

  /** Reads the number of requests in flight at each scrape. */
  public observeInflight(count: () => number): void {
    new Gauge({
      name: 'sandbox_router_inflight_requests', help: 'Requests under way, upgraded connections among them', registers: [this.registry],
      collect() {
        this.set(count());
      },
    });
  }

  /** Metrics of the caches. */
  public informers(): InformerMetrics {
    return informerMetrics(this.registry);
  }

  /** Of requests to the API server. */
  public apiRequests(): RequestMetrics {
    return { request: requestCounter(this.registry) };
  }

  private counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }
}
