import { Agent } from 'undici';
import type { Connection } from './kubeconfig.js';
import { type WaitOptions, waitFor } from './wait.js';

/** Name under which the requests of tests show up in the audit log. */
const USER_AGENT = 'agent-sandbox-testbed';

/** Any Kubernetes object. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; generateName?: string; namespace?: string; [field: string]: any };
  [field: string]: any;
}

/** Which object. */
export interface ObjectRef {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** @default - none, for cluster-scoped kinds */
  readonly namespace?: string;
}

/** The server refused: `code` is the HTTP status, `reason` and `details` come from its Status object. */
export class ApiError extends Error {
  public readonly reason: string;
  public readonly details: any;

  constructor(public readonly code: number, public readonly status: any, request: string) {
    super(`${request}: ${code} ${status?.message ?? JSON.stringify(status)}`);
    this.name = 'ApiError';
    this.reason = status?.reason ?? '';
    this.details = status?.details;
  }
}

export interface RequestOptions {
  /** Query parameters; undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON, or as it is if it is a string. */
  readonly body?: unknown;
  /** @default application/json */
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ApiResponse<T> {
  readonly code: number;
  readonly body: T;
  /** Texts of the `Warning` headers: deprecations, unknown fields. */
  readonly warnings: readonly string[];
}

export interface ApplyOptions {
  /** @default agent-sandbox-testbed */
  readonly fieldManager?: string;
  /** Takes over fields that another manager applied. @default false */
  readonly force?: boolean;
  /** The server does everything but store it. @default false */
  readonly dryRun?: boolean;
  /** What happens to unknown and double fields. @default Strict */
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

/** A small client of the Kubernetes API for tests: JSON in, JSON out, every refusal an `ApiError`. */
export class ApiClient {
  private readonly agent: Agent;
  private readonly headers: Record<string, string | string[]>;
  private readonly resources = new Map<string, Promise<{ name: string; kind: string; namespaced: boolean }[]>>();

  constructor(public readonly connection: Connection, userAgent: string = USER_AGENT) {
    const { ca, cert, key, token, impersonate } = connection;
    this.agent = new Agent({ connect: { ca, cert, key } });
    this.headers = { 'user-agent': userAgent, 'accept': 'application/json' };
    if (token) {
      this.headers.authorization = `Bearer ${token}`;
    }
    if (impersonate) {
      this.headers['impersonate-user'] = impersonate.user;
      this.headers['impersonate-group'] = [...impersonate.groups];
    }
  }

  /** One request; `path` begins with a slash. Throws `ApiError` on a status of 400 and above. */
  public async request<T = any>(method: string, path: string, options: RequestOptions = {}): Promise<ApiResponse<T>> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) {
        query.set(name, String(value));
      }
    }
    const { statusCode, headers, body } = await this.agent.request({
      origin: this.connection.server,
      method: method as any,
      path: query.size > 0 ? `${path}?${query}` : path,
      headers: { ...this.headers, 'content-type': options.body === undefined ? undefined : options.contentType ?? 'application/json', ...options.headers },
      body: options.body === undefined || typeof options.body === 'string' ? options.body as string | undefined : JSON.stringify(options.body),
    });
    const text = await body.text();
    const isJson = String(headers['content-type']).startsWith('application/json');
    const parsed = isJson ? JSON.parse(text) : text;
    if (statusCode >= 400) {
      throw new ApiError(statusCode, isJson ? parsed : { message: text }, `${method} ${path}`);
    }
    const warnings = [headers.warning ?? []].flat().flatMap(header => [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(match => match[1].replace(/\\(.)/g, '$1')));
    return { code: statusCode, body: parsed, warnings };
  }

  /** Path of a kind's collection, or of one object. The server's discovery says how the kind is called in paths. */
  public async path(apiVersion: string, kind: string, where: { namespace?: string; name?: string } = {}): Promise<string> {
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const find = async () => (await this.discover(group)).find(entry => entry.kind === kind && !entry.name.includes('/'));
    let resource = await find();
    if (!resource) {
      // A CRD may have been installed since the last look.
      this.resources.delete(group);
      resource = await find();
    }
    if (!resource) {
      throw new Error(`the server has no kind ${kind} in ${apiVersion}: install its CustomResourceDefinition first`);
    }
    const namespace = resource.namespaced && where.namespace ? `/namespaces/${where.namespace}` : '';
    return `${group}${namespace}/${resource.name}${where.name ? `/${where.name}` : ''}`;
  }

  private discover(group: string): Promise<{ name: string; kind: string; namespaced: boolean }[]> {
    let found = this.resources.get(group);
    if (!found) {
      found = this.request('GET', group).then(response => response.body.resources, noneIfMissing);
      this.resources.set(group, found);
      found.catch(() => this.resources.delete(group));
    }
    return found;
  }

  /** Creates an object and returns what the server stored. */
  public async create(object: KubeObject, query: RequestOptions['query'] = {}): Promise<KubeObject> {
    const path = await this.path(object.apiVersion, object.kind, { namespace: object.metadata.namespace });
    return (await this.request('POST', path, { body: object, query: { fieldValidation: 'Strict', ...query } })).body;
  }

  public async get(ref: ObjectRef): Promise<KubeObject> {
    return (await this.request('GET', await this.path(ref.apiVersion, ref.kind, ref))).body;
  }

  /** Like `get`, but undefined for an object that does not exist. */
  public async find(ref: ObjectRef): Promise<KubeObject | undefined> {
    return this.get(ref).catch(error => void noneIfMissing(error));
  }

  /** Objects of a kind, of one namespace or of all. */
  public async list(apiVersion: string, kind: string, namespace?: string, query: RequestOptions['query'] = {}): Promise<KubeObject[]> {
    const { body } = await this.request('GET', await this.path(apiVersion, kind, { namespace }), { query });
    return body.items.map((item: KubeObject) => ({ ...item, apiVersion, kind }));
  }

  /** Server-side apply. */
  public async apply(object: KubeObject, options: ApplyOptions = {}): Promise<KubeObject> {
    const path = await this.path(object.apiVersion, object.kind, object.metadata);
    return (await this.request('PATCH', path, {
      body: object,
      contentType: 'application/apply-patch+yaml',
      query: {
        fieldManager: options.fieldManager ?? USER_AGENT,
        force: options.force,
        dryRun: options.dryRun ? 'All' : undefined,
        fieldValidation: options.fieldValidation ?? 'Strict',
      },
    })).body;
  }

  /** JSON merge patch, of the object or of a subresource such as `status`. */
  public async merge(ref: ObjectRef, patch: unknown, subresource?: string): Promise<KubeObject> {
    const path = await this.path(ref.apiVersion, ref.kind, ref);
    return (await this.request('PATCH', subresource ? `${path}/${subresource}` : path, { body: patch, contentType: 'application/merge-patch+json' })).body;
  }

  /** Deletes an object; one that does not exist is fine. */
  public async delete(ref: ObjectRef, query: RequestOptions['query'] = {}): Promise<void> {
    await this.request('DELETE', await this.path(ref.apiVersion, ref.kind, ref), { query }).catch(noneIfMissing);
  }

  /** Waits until an object exists and satisfies the condition. The error shows its last status. */
  public async waitFor(ref: ObjectRef, condition: (object: KubeObject) => boolean, options: Partial<WaitOptions> = {}): Promise<KubeObject> {
    let last: KubeObject | undefined;
    return waitFor(async () => {
      last = await this.get(ref);
      return condition(last) ? last : undefined;
    }, {
      what: `${ref.kind} ${ref.namespace ? `${ref.namespace}/` : ''}${ref.name}`,
      lastSeen: () => (last ? JSON.stringify(last.status ?? last) : ''),
      ...options,
    });
  }

  /** Waits until an object is gone. */
  public async waitGone(ref: ObjectRef, options: Partial<WaitOptions> = {}): Promise<void> {
    await waitFor(async () => !(await this.find(ref)), { what: `the end of ${ref.kind} ${ref.name}`, ...options });
  }

  /** Closes its connections; a request under way fails. */
  public async close(): Promise<void> {
    await this.agent.destroy();
  }
}

/** Turns "there is no such object" into an empty list, and throws any other error. */
function noneIfMissing(error: unknown): [] {
  if (error instanceof ApiError && error.code === 404) {
    return [];
  }
  throw error;
}
