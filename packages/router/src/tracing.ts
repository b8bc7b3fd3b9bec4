import type { IncomingHttpHeaders } from 'node:http';
import type { Span } from '@opentelemetry/api';
import type { SpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { RequestRecord } from './record.js';

/** Traces of requests. */
export interface Tracing {
  /** Begins a span, below that of the caller if there is one. */
  begin(record: RequestRecord, headers: IncomingHttpHeaders): void;
  /** Trace headers for the sandbox, as names and values in turn. */
  headersOf(record: RequestRecord): string[];
  /** What the access log says about it. */
  idsOf(record: RequestRecord): { readonly trace_id?: string; readonly span_id?: string };
  end(record: RequestRecord): void;
  /** Sends the spans that are still buffered. */
  close(): Promise<void>;
}

/**
 * Starts tracing. The libraries of OpenTelemetry are loaded here, so that they cost nothing without tracing.
 *
 * @param processor receives the spans; by default OTLP over gRPC, to the endpoint in the variables of OpenTelemetry
 */
export async function startTracing(version: string, processor?: SpanProcessor): Promise<Tracing> {
  const [api, { NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/api'), import('@opentelemetry/sdk-trace-node'), import('@opentelemetry/exporter-trace-otlp-grpc'), import('@opentelemetry/resources'),
  ]);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME ?? 'agent-sandbox-router', 'service.version': version }),
    spanProcessors: [processor ?? new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  const tracer = api.trace.getTracer('agent-sandbox-router', version);
  const spans = new WeakMap<RequestRecord, Span>();
  return {
    begin(record, headers) {
      const parent = api.propagation.extract(api.ROOT_CONTEXT, headers);
      const attributes = { 'http.method': record.method, 'http.target': record.path };
      spans.set(record, tracer.startSpan(`HTTP ${record.method}`, { kind: api.SpanKind.SERVER, attributes }, parent));
    },
    headersOf(record) {
      const carrier: Record<string, string> = {};
      const span = spans.get(record);
      if (span !== undefined) {
        api.propagation.inject(api.trace.setSpan(api.ROOT_CONTEXT, span), carrier);
      }
      return Object.entries(carrier).flat();
    },
    idsOf(record) {
      const context = spans.get(record)?.spanContext();
      return context === undefined ? {} : { trace_id: context.traceId, span_id: context.spanId };
    },
    end(record) {
      const span = spans.get(record);
      span?.setAttribute('http.status_code', record.status);
      if (record.id !== undefined) {
        span?.setAttributes({ 'sandbox.id': record.id, 'sandbox.namespace': record.namespace });
      }
      if (record.status >= 500) {
        span?.setStatus({ code: api.SpanStatusCode.ERROR });
      }
      span?.end();
    },
    close: () => provider.shutdown(),
  };
}
