import type { Logger } from 'agent-sandbox-kube';
import type { Testbed } from '../../../testbed/src/jest/index.js';
import { waitFor } from '../../../testbed/src/index.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';

const CORE = 'agents.x-k8s.io/v1beta1';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const API_VERSIONS: { readonly [kind: string]: string } = {
  Sandbox: CORE, SandboxTemplate: EXTENSIONS, SandboxClaim: EXTENSIONS, SandboxWarmPool: EXTENSIONS, Pod: 'v1', Service: 'v1', ResourceQuota: 'v1',
  NetworkPolicy: 'networking.k8s.io/v1',
};

/** Controllers on the API server of a testbed, and the objects of a namespace as their users see them. */
export class ClusterBench {
  /** Warnings and errors in the log. */
  public readonly problems: { readonly fields: object; readonly message: string }[] = [];
  private stop?: () => Promise<void>;

  constructor(private readonly testbed: Testbed, private readonly user: string, private readonly namespaceName?: string) {}

  public get namespace(): string {
    return this.namespaceName ?? this.testbed.namespace;
  }

  public get admin() {
    return this.testbed.cluster.admin;
  }

  /** Starts the controllers of all kinds, for this namespace. */
  public async start(...args: string[]): Promise<void> {
    const { path } = await this.testbed.cluster.kubeconfig({ user: this.user, groups: ['system:masters'] });
    const flags = parseFlags([
      `--kubeconfig=${path}`, `--namespaces=${this.namespace}`, '--leader-elect=false', '--extensions', '--metrics-bind-address=0', '--health-probe-bind-address=0', ...args,
    ]);
    const note = (fields: object, message: string) => {
      this.problems.push({ fields, message });
    };
    const logger: Logger = { debug: () => undefined, info: () => undefined, warn: note, error: note };
    const abort = new AbortController();
    const running = runManager({ flags, definitions: controllersOf(flags), logger, version: 'test' }, abort.signal);
    running.catch((error: Error) => note(error, error.message));
    this.stop = async () => {
      abort.abort();
      await running;
    };
  }

  public async end(): Promise<void> {
    await this.stop?.();
  }

  public ref(kind: string, name: string) {
    return { apiVersion: API_VERSIONS[kind]!, kind, namespace: this.namespace, name };
  }

  public async create(kind: string, name: string, spec: object, metadata: object = {}): Promise<any> {
    return this.admin.create({ apiVersion: API_VERSIONS[kind]!, kind, metadata: { name, namespace: this.namespace, ...metadata }, spec } as any);
  }

  public async get(kind: string, name: string): Promise<any> {
    return this.admin.get(this.ref(kind, name));
  }

  public async merge(kind: string, name: string, patch: object): Promise<any> {
    return this.admin.merge(this.ref(kind, name), patch);
  }

  public async list(kind: string): Promise<any[]> {
    return this.admin.list(API_VERSIONS[kind]!, kind, this.namespace);
  }

  /** Waits until an object is as it should be. */
  public async until(kind: string, name: string, is: (object: any) => boolean, timeoutMs = 60_000): Promise<any> {
    return this.admin.waitFor(this.ref(kind, name), is as never, { timeoutMs });
  }

  /** Waits until a condition of an object has a text that matches. */
  public async condition(kind: string, name: string, type: string, pattern: RegExp, timeoutMs?: number): Promise<any> {
    return this.until(kind, name, object => pattern.test(textOf(object, type)), timeoutMs);
  }

  public async ready(kind: string, name: string): Promise<any> {
    return this.condition(kind, name, 'Ready', /^True/);
  }

  /** Waits until there is an object of a kind as it should be. */
  public async some(kind: string, is: (object: any) => boolean, timeoutMs = 60_000): Promise<any> {
    return waitFor(async () => (await this.list(kind)).find(is), { what: `a ${kind}`, timeoutMs });
  }

  /** Successful writes of the controllers to objects of a name, such as `create pods`. */
  public async writesOf(name: RegExp): Promise<string[]> {
    const requests = await this.testbed.auditLog.find({ user: this.user, namespace: this.namespace, writes: true });
    return requests.filter(request => name.test(request.name ?? '') && request.code < 300 && request.resource !== 'events')
      .map(describeWrite);
  }

  /** All successful writes of the controllers in the order in which they ended. */
  public async allWrites(): Promise<string[]> {
    const requests = await this.testbed.auditLog.find({ user: this.user, namespace: this.namespace, writes: true });
    return requests.filter(({ code }) => code < 300).map(describeWrite);
  }

  /** All requests of the controllers that match, with those that were refused. */
  public async requests(verb: string, resource: string, name: RegExp = /./): Promise<{ code: number }[]> {
    const requests = await this.testbed.auditLog.find({ user: this.user, namespace: this.namespace, writes: true });
    return requests.filter(request => request.verb === verb && request.resource === resource && !request.subresource && name.test(request.name ?? ''));
  }
}

function describeWrite({ verb, resource, subresource }: { readonly verb: string; readonly resource: string; readonly subresource?: string }): string {
  return `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
}

/** `Status/Reason: message` of a condition; empty where there is none. */
export function textOf(object: any, type: string): string {
  const found = object.status?.conditions?.find((condition: any) => condition.type === type);
  return found === undefined ? '' : `${found.status}/${found.reason}: ${found.message}`;
}
