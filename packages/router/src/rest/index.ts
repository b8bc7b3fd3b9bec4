import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  ANNOTATION, ClaimInputError, type ClaimOptions, EXTENSIONS_GROUP, GROUP, REST_DOCUMENT, RESERVED_ANNOTATION_DOMAINS, RUNNING,
  type RestSandboxRequest, SANDBOXES, SANDBOX_CLAIMS,
  SUSPENDED, type SandboxClaim, VERSION, buildClaim, definedOnly, domainOf, isUnder, sandboxNameOf,
} from 'agent-sandbox-api';
import { Reader, Writer, isAlreadyExists, type Cluster, type InformerMetrics, type Logger } from 'agent-sandbox-kube';
import type { Admission } from '../admission.js';
import { send } from '../respond.js';
import type { AccessReviews } from '../auth/access.js';
import type { User } from '../auth/caller.js';
import { sortHeaders } from '../contract.js';
import { Counts } from '../limits.js';
import { pathOf, type RequestRecord } from '../record.js';
import { badRequest, forbidden, tooManyRequests } from '../refusal.js';
import type { Targets } from '../targets.js';
import { readJson } from './body.js';
import { Claims } from './claims.js';
import { repeatable } from './idempotency.js';
import { Operations, checkBody, invalid, type Operation, type Parameters } from './operations.js';
import { Problem, problemOf } from './problem.js';

/** Milliseconds for the requests to the API server that one request causes, waiting apart. */
const API_TIMEOUT_MS = 20_000;
const OPENAPI_PATH = '/v1/openapi.json';

export interface RestOptions {
  readonly cluster: Cluster;
  readonly admission: Admission;
  readonly access: AccessReviews;
  readonly targets: Targets;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly maxRequestsPerCaller: number;
  /** Longest wait of a request, in milliseconds. */
  readonly timeoutMs: number;
  readonly metrics: InformerMetrics;
  readonly logger: Logger;
}

/** Response of an operation that succeeds. */
interface RestResponse {
  readonly status: number;
  readonly body?: object;
  readonly location?: string;
}

/** What is known of a request once its caller is. */
interface Call {
  readonly user: User;
  readonly expiresAt: number | undefined;
  readonly namespace: string;
  readonly parameters: Parameters;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly operation: Operation;
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal;
  readonly record: RequestRecord;
}

/**
 * Claims sandboxes for callers. The router does it with rights of its own, so it first asks the API server whether the caller has the
 * right for exactly the same verb, resource, namespace and name (SubjectAccessReview, never remembered). Nothing is read before that.
 */
export class RestApi {
  private readonly operations = new Operations();
  private readonly claims: Claims;
  private readonly reader: Reader;
  private readonly writer: Writer;
  private readonly requests: Counts;
  private readonly roots = new Set([OPENAPI_PATH, ...Object.keys(REST_DOCUMENT.paths)].map(rootOf));

  constructor(private readonly options: RestOptions) {
    const { cluster, namespaces, targets, metrics, maxRequestsPerCaller } = options;
    this.claims = new Claims({ cluster, namespaces, targets, metrics });
    this.reader = new Reader(cluster);
    this.writer = targets.connect(this.claims.connect(new Writer(cluster, { fieldManager: 'agent-sandbox-router' })));
    this.requests = new Counts(maxRequestsPerCaller);
  }

  /** Lists and watches claims until the signal is aborted. */
  public run(signal: AbortSignal): Promise<void> {
    return this.claims.run(signal);
  }

  public waitForSync(signal: AbortSignal, timeoutMs: number): Promise<void> {
    return this.claims.waitForSync(signal, timeoutMs);
  }

  /** Whether a request is for this surface. One that names a Sandbox is for that, whatever its path. */
  public isFor({ headers, url }: IncomingMessage): boolean {
    return headers['x-sandbox-id'] === undefined && this.roots.has(rootOf(pathOf(url!)));
  }

  /** Answers a request, in any case. */
  public async handle(request: IncomingMessage, response: ServerResponse, isEncrypted: boolean, record: RequestRecord): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    try {
      const { status, body, location } = await this.answer(request, response, isEncrypted, record, gone.signal);
      record.status = status;
      const headers = { ...HEADERS, ...definedOnly({ location }) };
      if (response.closed) {
        return;
      }
      if (body === undefined) {
        response.writeHead(status, headers).end();
      } else {
        send(request, response, status, `${JSON.stringify(body)}\n`, headers);
      }
    } catch (error) {
      const { problem, isOurs } = problemOf(error);
      if (isOurs) {
        this.options.logger.error({ err: error, path: record.path }, 'a request of the REST surface failed');
      }
      record.status = problem.status;
      if (!response.closed) {
        send(request, response, problem.status, problem.body, { ...HEADERS, ...problem.headers });
      }
    }
  }

  private async answer(
    request: IncomingMessage, response: ServerResponse, isEncrypted: boolean, record: RequestRecord, gone: AbortSignal,
  ): Promise<RestResponse> {
    if (pathOf(request.url!) === OPENAPI_PATH && request.method === 'GET') {
      return { status: 200, body: REST_DOCUMENT };
    }
    const { admission, namespaces } = this.options;
    const { own } = sortHeaders(request.rawHeaders, request.headers.connection);
    const misplaced = [...own.keys()].find(name => name.startsWith('x-sandbox-'));
    if (misplaced !== undefined) {
      throw badRequest(`The header ${misplaced} has no meaning here: give the namespace as a parameter, or X-Sandbox-ID for a request to the sandbox.`);
    }
    const caller = await admission.caller(request, own.get('authorization'), isEncrypted, record);
    const { user, expiresAt } = caller;
    if (user === undefined) {
      throw forbidden('This token opens sandboxes and belongs to no user of the cluster, so it cannot claim any: use a token of the cluster.');
    }
    const { operation, parameters } = this.operations.find(request.method!, request.url!, request.rawHeaders);
    if (!this.requests.enter(caller.key)) {
      throw tooManyRequests('Too many requests at the same time.');
    }
    try {
      const namespace = parameters.namespace as string | undefined;
      if (namespace !== undefined) {
        record.namespace = namespace;
        if (namespaces.length > 0 && !namespaces.includes(namespace)) {
          throw forbidden();
        }
      }
      return await this.act({ user, expiresAt, namespace: namespace!, parameters, request, response, operation, gone, record });
    } finally {
      this.requests.leave(caller.key);
    }
  }

  private act(call: Call): Promise<RestResponse> {
    switch (call.operation.id) {
      case 'createSandbox': return this.create(call);
      case 'listSandboxes': return this.list(call);
      case 'getSandbox': return this.get(call);
      case 'deleteSandbox': return this.delete(call);
      case 'suspendSandbox': return this.operate(call, SUSPENDED, claim => this.claims.hasEnded(claim));
      case 'resumeSandbox': return this.operate(call, RUNNING, claim => this.claims.isSettled(claim));
      default: return Promise.resolve(self(call));
    }
  }

  private async create(call: Call): Promise<RestResponse> {
    const { namespace, parameters, user, request, response, operation } = call;
    await this.require(call, 'create');
    if (parameters.wait !== 0) {
      await this.require(call, 'watch');
    }
    const body = await readJson(request, response);
    checkBody(operation.validateBody!, body);
    const wanted = body as RestSandboxRequest;
    const key = parameters['Idempotency-Key'] as string | undefined;
    const once = key === undefined ? undefined : repeatable(user, namespace, key, wanted);
    const claim = claimOf(namespace, wanted, user, once?.name ?? `sandbox-claim-${randomBytes(4).toString('hex')}`, once?.mark);
    call.record.id = claim.metadata.name!;
    let made: SandboxClaim;
    let status = 201;
    try {
      made = await this.writer.create(SANDBOX_CLAIMS, claim, { signal: AbortSignal.timeout(API_TIMEOUT_MS) });
    } catch (error) {
      if (!isAlreadyExists(error) || once === undefined) {
        throw isAlreadyExists(error) ? new Problem(409, 'AlreadyExists', `The claim "${claim.metadata.name}" exists.`) : error;
      }
      made = await this.earlier(call, claim.metadata.name!, once.mark);
      status = 200;
    }
    const location = `/v1/sandboxes/${made.metadata.name}?namespace=${namespace}`;
    return { ...await this.settled(call, made, each => this.claims.isSettled(each)), status, location };
  }

  /** The claim that an earlier request with the same key made. */
  private async earlier(call: Call, name: string, mark: string): Promise<SandboxClaim> {
    await this.require(call, 'get', name);
    const found = await this.read(call.namespace, name);
    const known = found.metadata.annotations?.[ANNOTATION.idempotency];
    if (known?.split('.')[0] !== mark.split('.')[0]) {
      throw new Problem(409, 'AlreadyExists', `The claim "${name}" exists.`);
    }
    if (known !== mark) {
      throw new Problem(422, 'IdempotencyKeyReused', 'The Idempotency-Key belongs to a request with another body: use a new key.');
    }
    if (found.metadata.deletionTimestamp !== undefined) {
      throw new Problem(409, 'Deleting', 'The sandbox of this Idempotency-Key is being deleted: use a new key, or wait until it is gone.', { 'retry-after': '1' });
    }
    return found;
  }

  private async list(call: Call): Promise<RestResponse> {
    const { namespace, parameters: { limit, continue: from, labelSelector }, gone } = call;
    await this.require(call, 'list');
    const { items, metadata } = await this.options.cluster.request<{ items: SandboxClaim[]; metadata: { continue?: string } }>(
      { verb: 'list', resource: SANDBOX_CLAIMS, namespace }, { query: { limit, continue: from, labelSelector }, signal: gone, timeoutMs: API_TIMEOUT_MS, maxRetries: 1 },
    );
    return { status: 200, body: { items: items.map(claim => this.claims.describe(claim)), continue: metadata.continue || undefined } };
  }

  private async get(call: Call): Promise<RestResponse> {
    const { namespace, name } = this.named(call);
    await this.require(call, 'get', name);
    if (call.parameters.wait !== 0) {
      await this.require(call, 'watch', name);
    }
    return this.settled(call, await this.read(namespace, name), claim => this.claims.isSettled(claim));
  }

  private async delete(call: Call): Promise<RestResponse> {
    const { namespace, name } = this.named(call);
    const { uid } = call.parameters as { uid?: string };
    await this.require(call, 'delete', name);
    await this.writer.delete(SANDBOX_CLAIMS, { namespace, name }, { ...definedOnly({ uid }), signal: AbortSignal.timeout(API_TIMEOUT_MS) });
    return { status: 204 };
  }

  private async operate(call: Call, spec: object, isDone: (claim: SandboxClaim) => boolean): Promise<RestResponse> {
    const { namespace, name } = this.named(call);
    await this.require(call, 'get', name);
    if (call.parameters.wait !== 0) {
      await this.require(call, 'watch', name);
    }
    const claim = await this.read(namespace, name);
    const sandbox = sandboxNameOf(claim);
    if (sandbox === undefined) {
      throw new Problem(409, 'NotBound', `The claim "${name}" has no Sandbox yet.`, { 'retry-after': '1' });
    }
    await this.require(call, 'patch', sandbox, { group: GROUP, resource: 'sandboxes' });
    await this.writer.mergePatch(SANDBOXES, { namespace, name: sandbox }, { spec }, {
      ...definedOnly({ uid: this.claims.sandboxOf(claim)?.metadata.uid }), signal: AbortSignal.timeout(API_TIMEOUT_MS),
    });
    return this.settled(call, claim, isDone);
  }

  private named({ namespace, parameters, record }: Call): { readonly namespace: string; readonly name: string } {
    const name = parameters.name as string;
    record.id = name;
    return { namespace, name };
  }

  private read(namespace: string, name: string): Promise<SandboxClaim> {
    return this.reader.get(SANDBOX_CLAIMS, { namespace, name }, { timeoutMs: API_TIMEOUT_MS, maxRetries: 1 });
  }

  /** The claim after the wait that the caller wants. */
  private async settled({ parameters, gone }: Call, claim: SandboxClaim, isDone: (claim: SandboxClaim) => boolean): Promise<RestResponse> {
    const waitMs = Math.min(Number(parameters.wait ?? 0) * 1000, this.options.timeoutMs);
    const last = waitMs > 0 ? await this.claims.wait(claim, isDone, waitMs, gone) : claim;
    if (last === undefined) {
      throw new Problem(404, 'NotFound', `The claim "${claim.metadata.name}" was deleted.`);
    }
    return { status: 200, body: this.claims.describe(last) };
  }

  /** Throws a 403, always the same, unless the caller may do what the router is about to do. */
  private async require(
    { user, namespace, record }: Call, verb: string, name?: string, of = { group: EXTENSIONS_GROUP, resource: 'sandboxclaims' },
  ): Promise<void> {
    const isAllowed = await this.options.access.allows(user, { ...of, version: VERSION, namespace, verb, ...definedOnly({ name }) });
    record.decision = isAllowed ? 'allow' : 'deny';
    if (!isAllowed) {
      throw forbidden();
    }
  }
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

/** The first two segments of a path. */
function rootOf(path: string): string {
  return path.split('/', 3).join('/');
}

function self({ user: { username, uid }, expiresAt }: Call): RestResponse {
  return { status: 200, body: { username, uid, expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString() } };
}

/** Throws a 422 for keys that controllers and admission act on: they would take them for the router's word. */
function checkDomains(pointer: string, what: string, map: Readonly<Record<string, string>> = {}): void {
  for (const key of Object.keys(map)) {
    const domain = domainOf(key);
    if (domain !== undefined && RESERVED_ANNOTATION_DOMAINS.some(reserved => isUnder(domain, reserved))) {
      throw invalid([{ pointer, detail: `The ${what} "${key}" is in a reserved domain: choose another prefix.` }]);
    }
  }
}

/** The claim that a caller asks for. Throws a 422. */
function claimOf(namespace: string, request: RestSandboxRequest, { username }: User, name: string, mark: string | undefined): SandboxClaim {
  const { lifetime, ...wanted } = request;
  checkDomains('/labels', 'label', wanted.labels);
  wanted.volumeClaims?.forEach(({ metadata: { labels, annotations } }, i) => {
    checkDomains(`/volumeClaims/${i}/metadata/labels`, 'label', labels);
    checkDomains(`/volumeClaims/${i}/metadata/annotations`, 'annotation', annotations);
  });
  try {
    const until = lifetime?.until === undefined ? undefined : new Date(lifetime.until);
    const options = { ...wanted, ...definedOnly({ lifetime: lifetime && { ...lifetime, ...definedOnly({ until }) } }) } as ClaimOptions;
    return buildClaim(namespace, options, {
      now: Date.now(), name, annotations: { [ANNOTATION.requestedBy]: username, ...definedOnly({ [ANNOTATION.idempotency]: mark }) },
    });
  } catch (error) {
    throw error instanceof ClaimInputError
      ? invalid([{ pointer: error.field === '' ? '' : `/${error.field.replaceAll('.', '/')}`, detail: `${error.problem}: ${error.remedy}.` }]) : error;
  }
}
