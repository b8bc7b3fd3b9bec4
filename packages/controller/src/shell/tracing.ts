import { ROOT_CONTEXT, SpanStatusCode, trace, type Context, type Span } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { ANNOTATION } from 'agent-sandbox-api';
import type { Logger } from 'agent-sandbox-kube';
import type { Kind } from '../reconcile/cache.js';
import { annotationOf, isDeleting, type KubeObject } from '../object/metadata.js';
import { mergePatch, type Outcome, type Request } from '../reconcile/plan.js';
import type { TracedReconcile } from '../reconcile/definition.js';

/**
 * This module loads OpenTelemetry, which costs start-up time and memory: import it dynamically when tracing is enabled.
 */
const NAME = 'agent-sandbox-controller';

/** Sends a request of a plan; never throws. */
export type Send = (request: Request) => Promise<Outcome>;

/** The trace context could not be written to the object; the reconciliation is retried. */
export class TraceContextError extends Error {
  constructor(message: string) {
    super(`cannot write the trace context: ${message}`);
    this.name = 'TraceContextError';
  }
}

/**
 * Spans of reconciliations. A trace begins with the first object that has none, or with the client that made it; it is propagated by
 * the annotation `opentelemetry.io/trace-context`, from a claim to its Sandbox too.
 */
export class Tracing {
  /** Exports over gRPC, as the variables `OTEL_EXPORTER_OTLP_*` say. */
  public static overGrpc(version: string, logger: Logger): Tracing {
    return new Tracing(version, new BatchSpanProcessor(new OTLPTraceExporter()), logger);
  }

  private readonly provider: NodeTracerProvider;
  private readonly propagator = new W3CTraceContextPropagator();

  constructor(version: string, processor: SpanProcessor, private readonly logger: Logger) {
    const resource = defaultResource()
      .merge(resourceFromAttributes({ 'service.name': NAME, 'service.version': version }))
      .merge(detectResources({ detectors: [envDetector] }));
    this.provider = new NodeTracerProvider({ resource, spanProcessors: [processor] });
  }

  /**
   * Reconciles an object in a span, with requests of some kinds in child spans. Throws what `run` throws, and
   * `TraceContextError`.
   */
  public async reconcile<T>(traced: TracedReconcile, object: KubeObject, send: Send, run: (send: Send) => Promise<T>): Promise<T> {
    const tracer = this.provider.getTracer(NAME);
    const parent = this.contextOf(object);
    const span = tracer.startSpan(traced.span, { attributes: traced.attributes?.(object) }, parent ?? ROOT_CONTEXT);
    const context = trace.setSpan(parent ?? ROOT_CONTEXT, span);
    try {
      if (traced.annotate && !annotationOf(object, ANNOTATION.traceContext) && !isDeleting(object)) {
        await this.annotate(object, context, send);
      }
      return await run(async request => {
        const kind = kindOf(request);
        const part = kind && traced.parts?.[kind];
        return part === undefined ? send(request) : inSpan(tracer.startSpan(part, {}, context), request, send);
      });
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      throw error;
    } finally {
      span.end();
    }
  }

  /** Exports the remaining spans. */
  public async shutdown(): Promise<void> {
    await this.provider.shutdown().catch((error: unknown) => this.logger.warn({ err: error }, 'the last spans were not exported'));
  }

  /** `undefined`: the object belongs to no trace yet. */
  private contextOf(object: KubeObject): Context | undefined {
    const text = annotationOf(object, ANNOTATION.traceContext);
    if (!text) {
      return undefined;
    }
    try {
      return this.propagator.extract(ROOT_CONTEXT, JSON.parse(text), {
        get: (carrier, key) => carrier?.[key],
        keys: carrier => Object.keys(carrier ?? {}),
      });
    } catch (error) {
      const { namespace, name } = object.metadata;
      this.logger.info({ err: error, kind: object.kind, namespace, name }, `the annotation ${ANNOTATION.traceContext} is no JSON and ignored`);
      return undefined;
    }
  }

  private async annotate(object: KubeObject, context: Context, send: Send): Promise<void> {
    const carrier: { [header: string]: string } = {};
    this.propagator.inject(context, carrier, { set: (headers, key, value) => (headers[key] = value) });
    const outcome = await send(mergePatch(object, { metadata: { annotations: { [ANNOTATION.traceContext]: JSON.stringify(carrier) } } }));
    if (!outcome.ok) {
      throw new TraceContextError(outcome.failure.message);
    }
  }
}

/** Sends a request and records its outcome in the span. */
async function inSpan(span: Span, request: Request, send: Send): Promise<Outcome> {
  const outcome = await send(request);
  if (!outcome.ok) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: outcome.failure.message });
  } else if (outcome.object?.kind === 'Pod') {
    const { metadata: { name }, status } = outcome.object as KubeObject & { readonly status?: { readonly phase?: string } };
    const event = request.op === 'create' ? 'NewPodStatusObserved' : 'ExistingPodStatusObserved';
    span.addEvent(event, { 'pod.Name': name, 'pod.Phase': status?.phase });
  }
  span.end();
  return outcome;
}

/** The kind that a request is about, if it is sent to the API server at once. */
function kindOf(request: Request): Kind | undefined {
  return ('object' in request ? request.object.kind : 'target' in request ? request.target.kind : undefined) as Kind | undefined;
}
