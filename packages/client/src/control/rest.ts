import { randomUUID } from 'node:crypto';
import {
  CONDITION, type ClaimOptions, EXTENSIONS_GROUP, type ObjectRef, REST_LONGEST_WAIT_S, type RestProblem, type RestSandbox, type RestSandboxList,
  type RestSandboxRequest, type RestSelf, type SandboxClaim, VERSION, definedOnly, keyOf, sandboxNameOf,
} from 'agent-sandbox-api';
import { ApiError, isNotFound, sleep, systemClock } from 'agent-sandbox-kube';
import { checkTimeout, withDeadline } from '../deadline.js';
import {
  SandboxAccessError, SandboxClaimFailedError, SandboxNotFoundError, SandboxRequestError, SandboxTimeoutError,
  SandboxUnsupportedError,
} from '../errors.js';
import { type WaitForClaimOptions, claimCheck, claimTimeout } from '../readiness.js';
import type { SandboxStatus, WaitOptions } from '../sandbox-status.js';
import type { Call, Transport, TransportTarget } from '../transport.js';
import type { ClaimRef, Control, ControlledSandbox } from './control.js';
import { WAIT_TIMEOUT_MS } from './kubernetes.js';

/** Seconds that one request waits; proxies on the way may end longer ones. */
const LONGEST_WAIT_S = Math.min(50, REST_LONGEST_WAIT_S);
/** Milliseconds beyond the wait for the answer of a request. */
const PATIENCE_MS = 15_000;
/** Milliseconds between two requests that were answered at once. */
const PAUSE_MS = 250;
const LARGEST_ANSWER = 16 * 1024 * 1024;

/** What requests of the REST surface are for: no sandbox. */
export function restTarget(namespace: string): TransportTarget {
  return {
    claim: namespace, namespace, name: '',
    uid: unknown, address: () => Promise.resolve(undefined), isAt: unknown, forgetAddress: () => undefined,
  };
}

function unknown(): never {
  throw new SandboxUnsupportedError('the REST surface of the router does not tell UIDs and addresses of Sandboxes', { remedy: 'use tokens of the cluster' });
}

/** Claims at the REST surface of the router, which needs no credentials of Kubernetes. */
export class RestControl implements Control {
  /** @param transport for a namespace */
  constructor(private readonly transport: (namespace: string) => Transport) {}

  public async create({ metadata }: SandboxClaim, { lifetime, ...options }: ClaimOptions): Promise<SandboxClaim> {
    const { pool, template, env, labels, podLabels, podAnnotations, volumeClaims } = options;
    const request: RestSandboxRequest = {
      ...definedOnly({ pool, template, env, labels, podLabels, podAnnotations, volumeClaims } as Omit<RestSandboxRequest, 'name' | 'lifetime'>),
      name: metadata.name!,
      ...definedOnly({ lifetime: lifetime && { ...lifetime, until: lifetime.until?.toISOString() } as RestSandboxRequest['lifetime'] }),
    };
    return claimOf(await this.send<RestSandbox>('create', metadata.namespace!, {
      method: 'POST', path: '', body: JSON.stringify(request), headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
    }));
  }

  public async get(ref: ObjectRef, signal?: AbortSignal): Promise<SandboxClaim> {
    return claimOf(await this.read(ref, signal));
  }

  /** A sandbox as the router describes it, after `wait` seconds at most. */
  public read({ namespace, name }: ObjectRef, signal?: AbortSignal, wait = 0): Promise<RestSandbox> {
    return this.send('get', namespace!, {
      method: 'GET', path: `/${name}`, query: { wait: wait || undefined }, timeoutMs: wait * 1000 + PATIENCE_MS, signal,
    });
  }

  public async list(namespace: string, labelSelector: string | undefined, signal?: AbortSignal): Promise<SandboxClaim[]> {
    const claims: SandboxClaim[] = [];
    let from: string | undefined;
    do {
      const page: RestSandboxList = await this.send('list', namespace, { method: 'GET', path: '', query: { limit: 500, labelSelector, continue: from }, signal });
      claims.push(...page.items.map(claimOf));
      from = page.continue;
    } while (from !== undefined);
    return claims;
  }

  public async delete({ namespace, claimName, claimUid }: ClaimRef, signal?: AbortSignal): Promise<void> {
    await this.send('delete', namespace, { method: 'DELETE', path: `/${claimName}`, query: { uid: claimUid }, signal });
  }

  public async wait(claim: SandboxClaim, options: WaitForClaimOptions): Promise<SandboxClaim> {
    const { until, timeoutMs, signal } = options;
    const check = claimCheck(options);
    let last = claim;
    return withDeadline(timeoutMs, signal, () => claimTimeout(last, options), async deadline => {
      for (;;) {
        if (check(last)) {
          return last;
        }
        // The router waits until it is ready, which can be long after it is bound.
        last = await this.next(claim, until === 'ready' ? LONGEST_WAIT_S : 1, deadline);
      }
    });
  }

  public sandbox(claim: SandboxClaim): ControlledSandbox {
    const { namespace, name, uid } = claim.metadata;
    return new RestControlled(this, keyOf(claim), { namespace: namespace!, name: name! }, uid!, sandboxNameOf(claim)!);
  }

  public async confirm(): Promise<void> {
    // The router has looked.
  }

  /** Who the token belongs to, as the router knows the user. */
  public self(signal?: AbortSignal): Promise<RestSelf> {
    return this.send('self', undefined, { method: 'GET', path: '/v1/self', signal });
  }

  public operate(ref: ObjectRef, operation: 'suspend' | 'resume', wait: number, signal?: AbortSignal): Promise<RestSandbox> {
    return this.send(operation, ref.namespace!, {
      method: 'POST', path: `/${ref.name}/${operation}`, query: { wait: wait || undefined }, timeoutMs: wait * 1000 + PATIENCE_MS, signal,
    });
  }

  /** The claim after a wait, and not at once even where the router does not wait. */
  private async next({ metadata: { namespace, name, uid } }: SandboxClaim, wait: number, signal: AbortSignal): Promise<SandboxClaim> {
    const claim = `${namespace}/${name}`;
    const begin = performance.now();
    const found = await this.read({ namespace, name: name! }, signal, wait).catch(error => {
      throw isNotFound(error) ? deleted(claim, error) : error;
    });
    if (found.uid !== uid || found.state === 'Deleting') {
      throw deleted(claim);
    }
    if (found.state !== 'Ready') {
      await sleep(systemClock, Math.max(0, begin + PAUSE_MS - performance.now()), signal);
    }
    return claimOf(found);
  }

  private async send<T>(
    verb: string, namespace: string | undefined,
    { path, query = {}, ...call }: RestCall,
  ): Promise<T> {
    const parameters = new URLSearchParams(
      Object.entries(definedOnly({ namespace, ...query })).map(([name, value]): [string, string] => [name, String(value)]),
    );
    const target = path.startsWith('/v1/') ? path : `/v1/sandboxes${path}`;
    const operation = `${verb} at the REST surface of the router`;
    try {
      // Each of these can be repeated: a create has its key.
      return await this.transport(namespace ?? '').json({
        timeoutMs: PATIENCE_MS, ...call, operation, path: `${target.slice(1)}${parameters.size > 0 ? `?${parameters}` : ''}`, reads: true, isForRouter: true,
      }, LARGEST_ANSWER);
    } catch (error) {
      throw refusalOf(operation, error);
    }
  }
}

interface RestCall extends Pick<Call, 'method' | 'path' | 'body' | 'headers' | 'timeoutMs' | 'signal'> {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
}

class RestControlled implements ControlledSandbox {
  constructor(
    private readonly control: RestControl, public readonly claim: string, private readonly ref: ObjectRef, private readonly claimUid: string,
    public readonly name: string,
  ) {}

  public get namespace(): string {
    return this.ref.namespace!;
  }

  public uid(): Promise<string> {
    return unknown();
  }

  public address(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  public isAt(): Promise<boolean> {
    return unknown();
  }

  public forgetAddress(): void {
    // There is none.
  }

  public async status(signal?: AbortSignal): Promise<SandboxStatus> {
    const { uid, state, reason, message } = await this.control.read(this.ref, signal).catch(error => {
      throw isNotFound(error) ? deleted(this.claim, error) : error;
    });
    if (uid !== this.claimUid) {
      throw deleted(this.claim);
    }
    return { state: state === 'Suspending' ? 'Suspended' : state === 'Ready' || state === 'Suspended' ? state : 'NotReady', reason, message };
  }

  public async operate(operation: 'suspend' | 'resume', { wait = true, signal, timeoutMs: given = WAIT_TIMEOUT_MS }: WaitOptions): Promise<void> {
    const timeoutMs = checkTimeout(given);
    const { claim } = this;
    const wanted: RestSandbox['state'] = operation === 'suspend' ? 'Suspended' : 'Ready';
    let last: RestSandbox | undefined;
    const onTimeout = () => {
      const said = last ? `; the controller says ${last.reason}: ${last.message}` : '';
      return new SandboxTimeoutError(`claim ${claim} was not ${wanted} within ${timeoutMs} ms${said}`, timeoutMs, { claim, reason: last?.reason });
    };
    await withDeadline(timeoutMs, signal, onTimeout, async deadline => {
      do {
        [last] = await Promise.all([
          this.control.operate(this.ref, operation, wait ? LONGEST_WAIT_S : 0, deadline).catch(error => {
            throw isNotFound(error) ? deleted(claim, error) : error;
          }),
          wait && last !== undefined ? sleep(systemClock, PAUSE_MS, deadline) : undefined,
        ]);
        if (last.state === 'Failed' || last.state === 'Deleting') {
          const { reason, message } = last;
          throw new SandboxClaimFailedError(`claim ${claim} failed (${reason}: ${message})`, { claim, reason, remedy: 'make a new claim' });
        }
      } while (wait && last.state !== wanted);
    });
  }
}

function deleted(claim: string, cause?: unknown): SandboxNotFoundError {
  return new SandboxNotFoundError(`claim ${claim} does not exist, or was deleted`, { claim, remedy: 'make a new claim', cause });
}

/** The claim that an answer of the router describes. */
function claimOf(sandbox: RestSandbox): SandboxClaim {
  const { name, namespace, uid, state, reason, message, sandboxName, pool, template, labels, createdAt, expiresAt } = sandbox;
  return {
    apiVersion: `${EXTENSIONS_GROUP}/${VERSION}`,
    kind: 'SandboxClaim',
    metadata: {
      name, namespace, uid, labels, creationTimestamp: createdAt,
      ...definedOnly({ deletionTimestamp: state === 'Deleting' ? createdAt : undefined }),
    },
    spec: definedOnly({
      warmPoolRef: pool === undefined ? undefined : { name: pool },
      sandboxTemplateRef: template === undefined ? undefined : { name: template },
      lifecycle: expiresAt === undefined ? undefined : { shutdownTime: expiresAt },
    }),
    status: {
      conditions: reason === '' ? [] : [
        { type: CONDITION.ready, status: state === 'Ready' ? 'True' : 'False', reason, message, lastTransitionTime: createdAt },
      ],
      ...definedOnly({ sandbox: sandboxName === undefined ? undefined : { name: sandboxName } }),
    },
  };
}

/** A problem document as what the API server would have said. */
function refusalOf(operation: string, error: unknown): unknown {
  if (error instanceof SandboxAccessError && error.statusCode === 403) {
    return new ApiError(operation, 403, { code: 403, reason: 'Forbidden', message: error.message });
  }
  if (!(error instanceof SandboxRequestError) || error.statusCode === undefined) {
    return error;
  }
  const problem = parse(error.body);
  if (problem?.reason === undefined) {
    return error.statusCode === 400 && error.body.includes('X-Sandbox-ID')
      ? new SandboxUnsupportedError('the router has no REST surface', { remedy: 'start it with --rest-api, or leave restApi out', cause: error }) : error;
  }
  return new ApiError(operation, error.statusCode, { code: error.statusCode, reason: problem.reason, message: problem.detail });
}

function parse(body: string): RestProblem | undefined {
  try {
    return JSON.parse(body) as RestProblem;
  } catch {
    return undefined;
  }
}
