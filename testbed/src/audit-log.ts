import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ApiClient } from './api-client.js';
import { waitFor } from './wait.js';

/** One request as the API server noted it. */
export interface AuditedRequest {
  readonly id: string;
  /** When the request arrived. */
  readonly at: Date;
  /** Milliseconds until it was answered. */
  readonly durationMs: number;
  /** Whose rights counted: the impersonated user, if there was one. */
  readonly user: string;
  readonly userAgent: string;
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for paths without objects the HTTP method. */
  readonly verb: string;
  /** API group, empty for the core group. */
  readonly group: string;
  /** Plural name; empty for requests to paths such as `/readyz`. */
  readonly resource: string;
  /** For example `status`; empty if there is none. */
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** HTTP status. */
  readonly code: number;
  readonly dryRun: boolean;
  readonly uri: string;
  /** Bodies, if the level of the log includes them. */
  readonly requestObject?: any;
  readonly responseObject?: any;
}

/** Which requests; what is left out does not matter. A string is equal to the field, a RegExp matches it. */
export interface AuditFilter {
  /** Arrived at or after this time. */
  readonly since?: Date;
  /** Arrived before this time. */
  readonly until?: Date;
  readonly user?: string | RegExp;
  readonly userAgent?: string | RegExp;
  /** Any of these. */
  readonly verbs?: readonly string[];
  readonly group?: string;
  readonly resource?: string | RegExp;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string | RegExp;
  readonly code?: number;
  /** Requests that change what is stored, see `isWrite`. */
  readonly writes?: boolean;
}

/** Fields by which requests can be counted. */
export type AuditField = 'user' | 'userAgent' | 'verb' | 'group' | 'resource' | 'subresource' | 'namespace' | 'name' | 'code';

/** Number of requests that are equal in the counted fields. */
export type AuditCount<F extends AuditField> = { readonly count: number } & { readonly [field in F]: string | number };

const WRITE_VERBS = ['create', 'update', 'patch', 'delete', 'deletecollection'];

/** Resources whose `create` is a question and stores nothing. */
const QUESTIONS = /^(tokenreviews|(self|local)?subject(access|rules)reviews|selfsubjectreviews)$/;

/**
 * Whether a request asks for a change of what is stored: Events count, Leases (heartbeats of leader election), questions such
 * as TokenReview, tokens and dry runs do not. A refused request counts, since it is work as well.
 */
export function isWrite(request: AuditedRequest): boolean {
  return WRITE_VERBS.includes(request.verb) && request.resource !== '' && request.resource !== 'leases'
    && !QUESTIONS.test(request.resource) && request.subresource !== 'token' && !request.dryRun;
}

/** Reads the audit log of a control plane while it is written. */
export class AuditLog {
  private readonly requests = new Map<string, AuditedRequest>();
  private position = 0;
  private rest = '';
  private reading: Promise<void> = Promise.resolve();

  /**
   * @param path the log of an API server, undefined if it has none
   * @param client asks for what marks the end, see `sync`
   */
  constructor(private readonly path: string | undefined, private readonly client: ApiClient) {}

  /** Requests that were answered so far and match, in the order of their arrival. Watches count from their start. */
  public async find(filter: AuditFilter = {}): Promise<AuditedRequest[]> {
    await this.sync();
    return [...this.requests.values()].filter(request => matches(request, filter)).sort((a, b) => a.at.getTime() - b.at.getTime());
  }

  public async count(filter: AuditFilter = {}): Promise<number> {
    return (await this.find(filter)).length;
  }

  /** Counts per combination of fields, the most frequent first. */
  public async countBy<F extends AuditField>(fields: readonly F[], filter: AuditFilter = {}): Promise<AuditCount<F>[]> {
    const counts = new Map<string, { [field: string]: string | number } & { count: number }>();
    for (const request of await this.find(filter)) {
      const values = Object.fromEntries(fields.map(field => [field, request[field]]));
      const key = JSON.stringify(values);
      const entry = counts.get(key) ?? { ...values, count: 0 };
      entry.count++;
      counts.set(key, entry);
    }
    return [...counts.values()].sort((a, b) => b.count - a.count) as unknown as AuditCount<F>[];
  }

  /**
   * Reads up to this moment: a request that was answered before the call is in the log after it. The server writes each line
   * before it sends the end of the answer; a marker request of our own shows when the file has all of them.
   */
  private async sync(): Promise<void> {
    const { path } = this;
    if (!path) {
      throw new Error('this control plane has no audit log: start it with auditLog: true');
    }
    const marker = `/version?audit-marker=${randomUUID()}`;
    await this.client.request('GET', marker);
    await waitFor(async () => {
      await this.read(path);
      const found = [...this.requests.values()].find(request => request.uri === marker);
      if (found) {
        this.requests.delete(found.id);
      }
      return found;
    }, { what: 'the audit log to hold a request that was answered', intervalMs: 10 });
  }

  private read(path: string): Promise<void> {
    this.reading = this.reading.then(() => this.readOn(path), () => this.readOn(path));
    return this.reading;
  }

  private async readOn(path: string): Promise<void> {
    const file = await open(path);
    try {
      for (const buffer = Buffer.alloc(1 << 20); ;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.position);
        if (bytesRead === 0) {
          return;
        }
        // A line, and even a character, may be cut here: `latin1` keeps bytes apart until the line is whole.
        const lines = (this.rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        this.position += bytesRead;
        this.rest = lines.pop()!;
        lines.filter(Boolean).forEach(line => this.add(JSON.parse(Buffer.from(line, 'latin1').toString('utf8'))));
      }
    } finally {
      await file.close();
    }
  }

  private add(event: any): void {
    const reference = event.objectRef ?? {};
    // A watch appears twice, when it starts and when it ends: the second replaces the first.
    this.requests.set(event.auditID, {
      id: event.auditID,
      at: new Date(event.requestReceivedTimestamp),
      durationMs: Date.parse(event.stageTimestamp) - Date.parse(event.requestReceivedTimestamp),
      user: (event.impersonatedUser ?? event.user)?.username ?? '',
      userAgent: event.userAgent ?? '',
      verb: event.verb,
      group: reference.apiGroup ?? '',
      resource: reference.resource ?? '',
      subresource: reference.subresource ?? '',
      namespace: reference.namespace ?? '',
      name: reference.name ?? '',
      code: event.responseStatus?.code ?? 0,
      dryRun: /[?&]dryRun=/.test(event.requestURI),
      uri: event.requestURI,
      requestObject: event.requestObject,
      responseObject: event.responseObject,
    });
  }
}

function matches(request: AuditedRequest, filter: AuditFilter): boolean {
  const like = (value: string, wanted: string | RegExp | undefined) => wanted === undefined || (typeof wanted === 'string' ? value === wanted : value.search(wanted) >= 0);
  return (!filter.since || request.at >= filter.since)
    && (!filter.until || request.at < filter.until)
    && like(request.user, filter.user)
    && like(request.userAgent, filter.userAgent)
    && (!filter.verbs || filter.verbs.includes(request.verb))
    && like(request.group, filter.group)
    && like(request.resource, filter.resource)
    && like(request.subresource, filter.subresource)
    && like(request.namespace, filter.namespace)
    && like(request.name, filter.name)
    && (filter.code === undefined || request.code === filter.code)
    && (filter.writes === undefined || isWrite(request) === filter.writes);
}
