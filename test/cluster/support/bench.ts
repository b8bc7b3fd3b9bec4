import { CRDS, type Json, type KindName, type VersionName } from '../../../api/test/crd-files';
import { type ApiClient, ApiError, type ApiResponse, type KubeObject, type RequestOptions } from '../../../testbed/src/index.js';
import type { Testbed } from '../../../testbed/src/jest/index.js';

/** The least that a Pod takes. */
export const POD_TEMPLATE: Json = { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } };

/** The least that a kind takes. */
export function leastSpec(kind: KindName, version: VersionName = 'v1beta1'): Json {
  switch (kind) {
    case 'Sandbox':
    case 'SandboxTemplate': return { podTemplate: POD_TEMPLATE };
    case 'SandboxClaim': return version === 'v1beta1' ? { warmPoolRef: { name: 'pool' } } : { sandboxTemplateRef: { name: 'template' } };
    case 'SandboxWarmPool': return { ...(version === 'v1alpha1' && { replicas: 1 }), sandboxTemplateRef: { name: 'template' } };
  }
}

export function apiVersion(kind: KindName, version: VersionName): string {
  return `${CRDS[kind].spec.group}/${version}`;
}

/** Short ways to do with objects of the four kinds what a client does, in the namespace of a suite. */
export class Bench {
  private objects = 0;
  /** Suites may have to share a namespace. */
  private readonly run = Math.random().toString(36).slice(2, 7);

  constructor(private readonly testbed: Testbed) {}

  public get client(): ApiClient {
    return this.testbed.cluster.admin;
  }

  /** A manifest with a name of its own. */
  public manifest(kind: KindName, version: VersionName = 'v1beta1', spec: unknown = leastSpec(kind, version)): KubeObject {
    const name = `${kind.toLowerCase()}-${this.run}-${++this.objects}`;
    return { apiVersion: apiVersion(kind, version), kind, metadata: { name, namespace: this.testbed.namespace }, spec };
  }

  /** Creates an object, and returns what the server answers. */
  public create(kind: KindName, version: VersionName = 'v1beta1', spec: unknown = leastSpec(kind, version)): Promise<KubeObject> {
    return this.client.create(this.manifest(kind, version, spec));
  }

  /** What the server would store: the request is as good as real, but for the storing. */
  public dryRun(object: KubeObject): Promise<KubeObject> {
    return this.client.create(object, { dryRun: 'All' });
  }

  /** Whether the server takes a spec, and what it makes of it. */
  public async trySpec(kind: KindName, version: VersionName, spec: unknown): Promise<any> {
    return (await this.dryRun(this.manifest(kind, version, spec))).spec;
  }

  /** The path of an object, or of a subresource of it, in its own version or another. */
  public async path(object: KubeObject, version?: VersionName, subresource?: string): Promise<string> {
    const where = { namespace: object.metadata.namespace, name: object.metadata.name };
    const path = await this.client.path(version ? apiVersion(object.kind as KindName, version) : object.apiVersion, object.kind, where);
    return subresource ? `${path}/${subresource}` : path;
  }

  public async request<T = KubeObject>(
    method: string, object: KubeObject, options: RequestOptions & { readonly version?: VersionName; readonly subresource?: string } = {},
  ): Promise<ApiResponse<T>> {
    return this.client.request<T>(method, await this.path(object, options.version, options.subresource), options);
  }

  public async get(object: KubeObject, version?: VersionName): Promise<KubeObject> {
    return (await this.request('GET', object, { version })).body;
  }

  /** A full update (PUT) through the version that the object says. */
  public async replace(object: KubeObject, subresource?: string): Promise<KubeObject> {
    return (await this.request('PUT', object, { subresource, body: object, query: { fieldValidation: 'Strict' } })).body;
  }

  /** A JSON merge patch. */
  public async merge(object: KubeObject, patch: unknown, version?: VersionName, subresource?: string): Promise<KubeObject> {
    const options = { version, subresource, body: patch, contentType: 'application/merge-patch+json', query: { fieldValidation: 'Strict' } };
    return (await this.request('PATCH', object, options)).body;
  }
}

/**
 * What the server has against a request, one line per cause, `<field>: <message>`; the message itself where it names no
 * cause. Throws if the server has nothing against it.
 */
export async function refusal(request: Promise<unknown>): Promise<string[]> {
  let accepted;
  try {
    accepted = await request;
  } catch (error) {
    if (!(error instanceof ApiError)) {
      throw error;
    }
    // Without a field, the server remarks that it did not look any further.
    const causes = ((error.details?.causes ?? []) as Json[]).filter(({ field }) => field !== '<nil>');
    return causes.length > 0 ? causes.map(({ field, message }) => `${field}: ${message}`) : [error.status.message];
  }
  throw new Error(`the server accepted it: ${JSON.stringify(accepted)}`);
}

/** The status of the two conditions that clients wait for, at a given time. */
export function condition(type: string, status: 'True' | 'False' | 'Unknown', reason: string, message = ''): Json {
  return { type, status, reason, message, lastTransitionTime: '2027-01-31T17:00:00Z' };
}
