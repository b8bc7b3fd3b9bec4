import { definedOnly } from 'agent-sandbox-api';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseLabelSelector } from '../src/selector.js';

/** An object of the fake. */
export interface Stored {
  apiVersion?: string;
  kind?: string;
  metadata: { name: string; namespace?: string; uid: string; resourceVersion: string; [field: string]: any };
  [field: string]: any;
}

/** What identifies a request, for injected failures and assertions. */
export interface Received {
  readonly method: string;
  /** Without query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingMessage['headers'];
  readonly body?: any;
  readonly isWatch: boolean;
}

export type Matcher = (request: Received) => boolean;

export interface Failure {
  readonly code: number;
  readonly reason?: string;
  readonly retryAfter?: number;
  /** Answers this text instead of a Status. */
  readonly text?: string;
}

interface Change {
  readonly version: number;
  readonly collection: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored;
  readonly before?: Stored;
}

interface Watcher {
  readonly collection: string;
  readonly namespace?: string;
  readonly matches: (labels?: Record<string, string>) => boolean;
  readonly response: ServerResponse;
}

interface Location {
  readonly collection: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/**
 * An API server for one thing only: to fail in ways that a real one cannot be made to. It knows lists with pages, watches with
 * bookmarks, optimistic locks and finalizers, and no schema at all.
 */
export class FakeApiServer {
  public static async start(): Promise<FakeApiServer> {
    const server = new FakeApiServer();
    await new Promise<void>(resolve => server.http.listen(0, '127.0.0.1', resolve));
    return server;
  }

  public readonly requests: Received[] = [];
  /** The version of the newest change. */
  public version = 100;
  /** Whether a watch that is too old is refused by an event in its stream instead of by a status. */
  public goneAsEvent = false;
  /** Answers a request in the place of the store, which knows no reviews of tokens or access; undefined leaves it to the store. May throw a `Failure`. */
  public respond?: (request: Received) => unknown;
  /** `Warning` header of all answers. */
  public warning?: string;
  private readonly http: Server;
  private readonly objects = new Map<string, Map<string, Stored>>();
  private readonly watchers = new Set<Watcher>();
  private readonly pages = new Map<string, { items: Stored[]; version: number }>();
  private readonly failures: { matches: Matcher; failure: Failure | 'cut'; times: number }[] = [];
  private readonly gates: { matches: Matcher; arrive: () => void; opened: Promise<void> }[] = [];
  private changes: Change[] = [];
  private compacted = 0;
  private tokens = 0;
  private uids = 0;

  private constructor() {
    this.http = createServer((request, response) => void this.handle(request, response));
  }

  public get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  public async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise(resolve => this.http.close(resolve));
  }

  /** Objects of a collection such as `/api/v1/configmaps`, by key. */
  public all(collection: string): Map<string, Stored> {
    let found = this.objects.get(collection);
    if (!found) {
      this.objects.set(collection, found = new Map());
    }
    return found;
  }

  /** Stores a new object, or a new version of one, as another client would. */
  public put(collection: string, object: { metadata: { name: string; namespace?: string; [field: string]: any }; [field: string]: any }): Stored {
    const key = keyOf(object.metadata);
    const before = this.all(collection).get(key);
    const stored = structuredClone(object) as Stored;
    stored.metadata.uid = before?.metadata.uid ?? `uid-${++this.uids}`;
    stored.metadata.resourceVersion = String(++this.version);
    this.all(collection).set(key, stored);
    this.publish({ version: this.version, collection, type: before ? 'MODIFIED' : 'ADDED', object: stored, before });
    return stored;
  }

  /** Removes an object at once. */
  public remove(collection: string, key: string): void {
    const before = this.all(collection).get(key);
    if (before) {
      this.all(collection).delete(key);
      this.publish({
        version: ++this.version, collection, type: 'DELETED', before,
        object: { ...before, metadata: { ...before.metadata, resourceVersion: String(this.version) } },
      });
    }
  }

  /** Lets the next requests that match fail; `cut` closes their connection. */
  public fail(matches: Matcher, failure: Failure | 'cut', times = 1): void {
    this.failures.push({ matches, failure, times });
  }

  /** Holds the next request that matches: `arrived` resolves when it is there, `open` lets it go on. */
  public hold(matches: Matcher): { arrived: Promise<void>; open: () => void } {
    let open!: () => void;
    let arrive!: () => void;
    const opened = new Promise<void>(resolve => open = resolve);
    const arrived = new Promise<void>(resolve => arrive = resolve);
    this.gates.push({ matches, arrive, opened });
    return { arrived, open };
  }

  public get watchCount(): number {
    return this.watchers.size;
  }

  /** Breaks all watches, as a failing network does. */
  public cutWatches(): void {
    this.watchers.forEach(({ response }) => response.destroy());
    this.watchers.clear();
  }

  /** Ends all watches in good order, as a server does after `timeoutSeconds`. */
  public endWatches(): void {
    this.watchers.forEach(({ response }) => response.end());
    this.watchers.clear();
  }

  /** Tells all watches the newest version. */
  public bookmark(): void {
    for (const { response } of this.watchers) {
      write(response, { type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.version) } } });
    }
  }

  /** Sends all watches something else. */
  public sendRaw(text: string | Uint8Array): void {
    this.watchers.forEach(({ response }) => response.write(text));
  }

  /** Forgets all changes so far: older watches and open pages are gone. */
  public compact(): void {
    this.changes = [];
    this.compacted = this.version;
    this.pages.clear();
  }

  private publish(change: Change): void {
    this.changes.push(change);
    this.watchers.forEach(watcher => tell(watcher, change));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    const query = Object.fromEntries(url.searchParams);
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const received: Received = {
      method: request.method!, path: url.pathname, query, headers: request.headers, isWatch: query.watch === 'true',
      body: chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined,
    };
    this.requests.push(received);
    const gate = this.gates.findIndex(({ matches }) => matches(received));
    if (gate >= 0) {
      const [{ arrive, opened }] = this.gates.splice(gate, 1);
      arrive();
      await opened;
      if (response.destroyed) {
        return;
      }
    }
    if (this.warning) {
      response.setHeader('warning', this.warning);
    }
    const injected = this.failures.find(({ matches, times }) => times > 0 && matches(received));
    if (injected) {
      injected.times--;
      if (injected.failure === 'cut') {
        request.socket.destroy();
      } else {
        refuse(response, injected.failure);
      }
      return;
    }
    try {
      const responded = this.respond?.(received);
      if (responded === undefined) {
        this.answer(received, response);
      } else {
        send(response, 201, responded);
      }
    } catch (error) {
      refuse(response, error as Failure);
    }
  }

  private answer(request: Received, response: ServerResponse): void {
    const location = parse(request.path);
    if (!location) {
      send(response, 200, { gitVersion: 'v0.0.0-fake' });
    } else if (request.isWatch) {
      this.watch(request, location, response);
    } else if (request.method === 'GET' && !location.name) {
      send(response, 200, this.list(request, location));
    } else {
      const [code, body] = this.change(request, location);
      send(response, code, body);
    }
  }

  private list({ query }: Received, { collection, namespace }: Location): unknown {
    let page = query.continue ? this.pages.get(query.continue) : undefined;
    if (query.continue && !page) {
      throw { code: 410, reason: 'Expired' } satisfies Failure;
    }
    const matches = parseLabelSelector(query.labelSelector ?? '');
    page ??= {
      items: [...this.all(collection).values()].filter(({ metadata }) => (!namespace || metadata.namespace === namespace) && matches(metadata.labels)),
      version: this.version,
    };
    const limit = Number(query.limit ?? 0) || Infinity;
    const rest = page.items.slice(limit);
    let next: string | undefined;
    if (rest.length > 0) {
      next = `page-${++this.tokens}`;
      this.pages.set(next, { items: rest, version: page.version });
    }
    return { kind: 'List', metadata: { resourceVersion: String(page.version), continue: next }, items: page.items.slice(0, limit) };
  }

  private watch({ query }: Received, { collection, namespace }: Location, response: ServerResponse): void {
    const from = Number(query.resourceVersion);
    if (from < this.compacted && !this.goneAsEvent) {
      throw { code: 410, reason: 'Expired' } satisfies Failure;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.compacted) {
      write(response, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' } });
      response.end();
      return;
    }
    const watcher: Watcher = { collection, namespace, response, matches: parseLabelSelector(query.labelSelector ?? '') };
    this.changes.filter(({ version }) => version > from).forEach(change => tell(watcher, change));
    this.watchers.add(watcher);
    response.on('close', () => this.watchers.delete(watcher));
  }

  private change({ method, body, headers }: Received, { collection, namespace, name, subresource }: Location): [number, unknown] {
    const key = keyOf({ namespace, name: name ?? body?.metadata?.name ?? '' });
    const current = this.all(collection).get(key);
    if (method === 'POST') {
      const created = { ...body, metadata: { ...body.metadata, name: body.metadata.name ?? `${body.metadata.generateName}${++this.uids}`, namespace } };
      if (this.all(collection).has(keyOf(created.metadata))) {
        throw { code: 409, reason: 'AlreadyExists' } satisfies Failure;
      }
      return [201, this.put(collection, created)];
    }
    if (!current) {
      throw { code: 404, reason: 'NotFound' } satisfies Failure;
    }
    const expected = method === 'DELETE' ? body?.preconditions?.resourceVersion : body?.metadata?.resourceVersion;
    const uid = method === 'DELETE' ? body?.preconditions?.uid : body?.metadata?.uid;
    if ((expected && expected !== current.metadata.resourceVersion) || (method === 'DELETE' && uid && uid !== current.metadata.uid)) {
      throw { code: 409, reason: 'Conflict' } satisfies Failure;
    }
    if (uid && uid !== current.metadata.uid) {
      throw { code: 422, reason: 'Invalid' } satisfies Failure;
    }
    switch (method) {
      case 'GET':
        return [200, current];
      case 'PUT':
        return [200, this.put(collection, body)];
      case 'PATCH': {
        if (headers['content-type'] !== 'application/merge-patch+json') {
          throw { code: 415, reason: 'UnsupportedMediaType' } satisfies Failure;
        }
        const patched = merge(current, subresource === 'status' ? { status: body.status } : body) as Stored;
        if (patched.metadata.deletionTimestamp && !patched.metadata.finalizers?.length) {
          this.remove(collection, key);
          return [200, patched];
        }
        return [200, this.put(collection, patched)];
      }
      default:
        if (current.metadata.finalizers?.length) {
          const metadata = { ...current.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 };
          return [200, this.put(collection, { ...current, metadata })];
        }
        this.remove(collection, key);
        return [200, { kind: 'Status', status: 'Success', details: { name, uid: current.metadata.uid } }];
    }
  }
}

/** Sends a change to a watcher; an object that enters or leaves a selector is added or deleted for it. */
function tell({ collection, namespace, matches, response }: Watcher, change: Change): void {
  if (change.collection !== collection || (namespace && change.object.metadata.namespace !== namespace)) {
    return;
  }
  const was = change.before !== undefined && matches(change.before.metadata.labels);
  const is = change.type !== 'DELETED' && matches(change.object.metadata.labels);
  if (was || is) {
    write(response, { type: !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED', object: change.object });
  }
}

function parse(path: string): Location | undefined {
  const match = /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+))?\/([^/]+)(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(path);
  return match ? { collection: `${match[1]}/${match[3]}`, namespace: match[2], name: match[4], subresource: match[5] } : undefined;
}

function keyOf({ namespace, name }: { namespace?: string; name: string }): string {
  return namespace ? `${namespace}/${name}` : name;
}

function merge(target: any, patch: any): any {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const result: any = typeof target === 'object' && target !== null && !Array.isArray(target) ? structuredClone(target) : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      delete result[name];
    } else if (value !== undefined) {
      result[name] = merge(result[name], value);
    }
  }
  return result;
}

function write(response: ServerResponse, event: unknown): void {
  response.write(`${JSON.stringify(event)}\n`);
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, { code, reason, retryAfter, text }: Failure): void {
  const headers = definedOnly({ 'retry-after': retryAfter === undefined ? undefined : String(retryAfter) });
  if (text !== undefined) {
    response.writeHead(code, { ...headers, 'content-type': 'text/plain' }).end(text);
  } else {
    response.writeHead(code, { ...headers, 'content-type': 'application/json' })
      .end(JSON.stringify({ kind: 'Status', status: 'Failure', code, reason, message: `injected ${code}` }));
  }
}
