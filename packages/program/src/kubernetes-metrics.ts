import { Counter, Histogram, type Registry } from 'prom-client';

/** Bounds of durations in seconds, as client-go has them. */
export const CLIENT_GO_SECONDS = [0.000_01, 0.000_1, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

/** Metrics of caches, for the hooks `InformerMetrics` of agent-sandbox-kube: lists, watches and changes. */
export function informerMetrics(registry: Registry): {
  listed(resource: string, objects: number, durationMs: number): void;
  watchEnded(resource: string, why: string): void;
  event(resource: string, type: string): void;
} {
  const registers = [registry];
  const lists = new Histogram({
    name: 'reflector_list_duration_seconds', help: 'Duration of complete lists', labelNames: ['resource'], buckets: CLIENT_GO_SECONDS, registers,
  });
  const watches = new Counter({
    name: 'reflector_watches_ended_total', help: 'Watches that ended: closed as planned, gone (too old), or failed', labelNames: ['resource', 'why'], registers,
  });
  const events = new Counter({ name: 'reflector_events_total', help: 'Changes that arrived by watch', labelNames: ['resource', 'type'], registers });
  return {
    listed: (resource, _objects, durationMs) => lists.observe({ resource }, durationMs / 1000),
    watchEnded: (resource, why) => watches.inc({ resource, why }),
    event: (resource, type) => events.inc({ resource, type }),
  };
}

interface Exchange {
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string;
  readonly code: number;
}

/** Counts requests to the API server under the name that client-go has for it; for the hook `RequestMetrics.request` of agent-sandbox-kube. */
export function requestCounter(registry: Registry): (exchange: Exchange) => void {
  const count = new Counter({
    name: 'rest_client_requests_total', help: 'Requests to the API server by status code and method', labelNames: ['code', 'method', 'resource'], registers: [registry],
  });
  return ({ verb, resource, subresource, code }) => count.inc({ code: code || '<error>', method: verb, resource: subresource ? `${resource}/${subresource}` : resource });
}
