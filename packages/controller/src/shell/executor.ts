import { type Resource, definedOnly } from 'agent-sandbox-api';
import { ApiError, RequestTimeoutError, type Reader, type EventRecorder, type JsonPatchOperation, type Situation, type Writer } from 'agent-sandbox-kube';
import type { Kind } from '../reconcile/cache.js';
import type { KubeObject } from '../object/metadata.js';
import { failed, ok, type FailureReason, type ListRequest, type MeasureRequest, type Outcome, type Ref, type Request } from '../reconcile/plan.js';
import { RESOURCES } from './caches.js';
import type { NamespaceGate } from './namespace-gate.js';

const REASONS: { readonly [S in Situation]?: FailureReason } = {
  notFound: 'NotFound',
  alreadyExists: 'AlreadyExists',
  conflict: 'Conflict',
  invalid: 'Invalid',
  badRequest: 'Invalid',
  forbidden: 'Forbidden',
  unauthorized: 'Forbidden',
  tooManyRequests: 'TooManyRequests',
  timeout: 'Timeout',
};

export interface ExecutorOptions {
  readonly reader: Reader;
  readonly writer: Writer;
  /** Absent: Events are not sent. */
  readonly events?: EventRecorder;
  /** Holds back creates in namespaces that are ending; shared by all controllers. Absent: each create is sent at once. */
  readonly gate?: NamespaceGate;
  /** Absent: nothing is measured. */
  readonly measure?: (request: MeasureRequest) => void;
}

/** Sends the requests of plans to the API server. */
export class Executor {
  constructor(private readonly options: ExecutorOptions) {}

  /** Never throws: errors are in the outcome. */
  public async send(request: Request, signal: AbortSignal): Promise<Outcome> {
    const { gate } = this.options;
    return gate !== undefined && request.op === 'create'
      ? gate.create(request.object.metadata.namespace ?? '', () => this.sendNow(request, signal))
      : this.sendNow(request, signal);
  }

  private async sendNow(request: Request, signal: AbortSignal): Promise<Outcome> {
    try {
      return request.op === 'list' ? { ok: true, items: await this.list(request, signal) } : ok(await this.answer(request, signal));
    } catch (error) {
      return failed(signal.aborted ? 'Cancelled' : reasonOf(error), error instanceof Error ? error.message : String(error));
    }
  }

  private async list({ target: { kind, namespace }, labels }: ListRequest, signal: AbortSignal): Promise<KubeObject[]> {
    const labelSelector = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join();
    return await this.options.reader.list(resourceOf(kind), { namespace, labelSelector, signal }) as KubeObject[];
  }

  private async answer(request: Exclude<Request, ListRequest>, signal: AbortSignal): Promise<KubeObject | undefined> {
    const { reader, writer, events, measure } = this.options;
    switch (request.op) {
      case 'create':
        return await writer.create(resourceOf(request.object.kind), request.object, { signal }) as KubeObject;
      case 'update':
        return await writer.update(resourceOf(request.object.kind), request.object, { signal, ...subresourceOf(request) }) as KubeObject;
      case 'patch': {
        const { target, type, body } = request;
        const options = { signal, ...subresourceOf(request) };
        return await (type === 'merge'
          ? writer.mergePatch(resourceOf(target.kind), target, body as object, options)
          : writer.jsonPatch(resourceOf(target.kind), target, body as JsonPatchOperation[], options)) as KubeObject;
      }
      case 'delete': {
        const { target: { uid, ...target }, resourceVersion, propagation } = request;
        return await writer.delete(resourceOf(target.kind), target, {
          signal,
          ...definedOnly({ uid, resourceVersion, propagationPolicy: propagation }),
        }) as KubeObject | undefined;
      }
      case 'event': {
        const { regarding, type, reason, action, note } = request;
        events?.record(asObject(regarding), { type, reason, action, note });
        return undefined;
      }
      case 'measure':
        measure?.(request);
        return undefined;
      case 'get':
        return await reader.get(resourceOf(request.target.kind), request.target, { signal }) as KubeObject;
    }
  }
}

function subresourceOf({ subresource }: { readonly subresource?: string }): { subresource?: string } {
  return definedOnly({ subresource });
}

function resourceOf(kind: string): Resource<any> {
  return RESOURCES[kind as Kind];
}

function asObject({ apiVersion, kind, namespace, name, uid }: Ref) {
  return { apiVersion, kind, metadata: { namespace, name, ...definedOnly({ uid }) } };
}

function isNamespaceTerminating(error: unknown): boolean {
  return error instanceof ApiError && (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');
}

function reasonOf(error: unknown): FailureReason {
  if (isNamespaceTerminating(error)) {
    return 'NamespaceTerminating';
  }
  if (error instanceof ApiError) {
    return REASONS[error.situation] ?? 'Unknown';
  }
  return error instanceof RequestTimeoutError ? 'Timeout' : 'Unknown';
}
