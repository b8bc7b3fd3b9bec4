import type { IncomingMessage } from 'node:http';
import { isLoopback } from './addresses.js';
import type { Authentication, Caller, SandboxRef } from './auth/index.js';
import type { Browser, Identified } from './browser/index.js';
import type { Route } from './browser/route.js';
import { bearerToken, readContract, readTimeout, sortHeaders, type Contract } from './contract.js';
import { Deadline } from './deadline.js';
import { forwardedHeaders, isHost } from './forwarded.js';
import type { RateLimits } from './limits.js';
import { badRequest, cannotConnect, forbidden, tooManyRequests, unauthenticated, Refusal } from './refusal.js';
import { pathOf, type RequestRecord } from './record.js';
import type { Resume } from './resume.js';
import { after } from './soon.js';
import type { KnownSandbox, Obstacle, Question, Target, Targets } from './targets.js';

/** Most headers in a request. */
const MAX_HEADERS = 128;

export interface AdmissionOptions {
  readonly authentication: Authentication;
  readonly targets: Targets;
  readonly rates: RateLimits;
  readonly allowHttpTokens: boolean;
  readonly allowLoopback: boolean;
  /** Longest wait for an answer, in milliseconds; callers can only shorten it. */
  readonly timeoutMs: number;
  /** Trace headers for the sandbox, as names and values in turn. @default - those of the caller */
  readonly traceHeaders?: (record: RequestRecord) => readonly string[];
  /** Absent: only headers name a Sandbox. */
  readonly browser?: Browser;
  /** Absent: suspended Sandboxes are not resumed, and requests do not wait for a Sandbox that is starting. */
  readonly resume?: Resume;
}

/** A request that may go to a sandbox. */
export interface Admitted {
  readonly caller: Caller;
  readonly contract: Contract;
  /** The requested target, with the UID of the Sandbox that the caller may use. */
  readonly question: Question;
  /** Headers for the sandbox, as names and values in turn: without those of the hop and the length; `Host` first, if there is one. */
  readonly headers: string[];
  /** Running since the request arrived. The receiver of the admitted request must clear it. */
  readonly deadline: Deadline;
  /** Key of the limit on concurrent requests and connections: the caller and the Sandbox, since one caller may act for many people. */
  readonly limitKey: string;
  /** Path and query for the sandbox, byte by byte. */
  readonly target: string;
  /** The headers of the sandbox's answer as the client gets them. */
  readonly answered: (headers: string[]) => string[];
  /** When the token or the session ends, in milliseconds since 1970; infinite if that is not known. */
  readonly expiresAt: number;
  /** Resolves with false once the permission is gone: the token has expired or is not good any more, or its owner may not do this any more. */
  readonly isStillAllowed: () => Promise<boolean>;
}

/** Who may have what. */
interface Permission {
  readonly caller: Caller;
  readonly question: Question;
  readonly identified: Identified;
}

/** Decides which requests may go to which sandbox. */
export class Admission {
  constructor(private readonly options: AdmissionOptions) {}

  /** Admits a request, or throws a `Refusal`. What becomes known on the way goes into the record. */
  public async admit(request: IncomingMessage, isEncrypted: boolean, record: RequestRecord): Promise<Admitted> {
    if (!request.url?.startsWith('/')) {
      throw badRequest('The request target is not a path.');
    }
    if (request.rawHeaders.length > 2 * MAX_HEADERS) {
      throw new Refusal(431, `The request has more than ${MAX_HEADERS} headers.`);
    }
    const { own, forwarded, hasTraces } = sortHeaders(request.rawHeaders, request.headers.connection);
    const host = own.get('host');
    if (host !== undefined && !isHost(host)) {
      throw badRequest('The Host header is not a name or an address with an optional port.');
    }
    const { browser } = this.options;
    const route = browser?.route(record.outside, request.url);
    const contract = route === undefined ? readContract(own, this.options.allowLoopback) : contractOf(route, own);
    record.id = contract.id;
    record.namespace = contract.namespace;
    if (route !== undefined) {
      record.path = pathOf(route.target);
    }
    const deadline = new Deadline(Math.min(contract.timeoutMs ?? Infinity, this.options.timeoutMs), contract.id);
    try {
      const permission = this.permit(request, contract, route, own.get('authorization'), isEncrypted, record);
      // Nearly always all is known already, and nothing has to be waited for.
      const { caller, question, identified } = permission instanceof Promise ? await deadline.bound(permission) : permission;
      const headers = this.forwarded(host, hasTraces ? browser?.cleaned(forwarded) ?? forwarded : forwarded, own, route, identified, record);
      const { traceHeaders } = this.options;
      return {
        caller, contract, question, deadline,
        target: identified.target,
        headers: traceHeaders === undefined ? headers : withTrace(headers, traceHeaders(record)),
        answered: browser === undefined ? given => given : given => browser.answer(given, route, record.outside),
        limitKey: `${caller.key} ${question.uid}`,
        expiresAt: Math.min(caller.expiresAt ?? Infinity, identified.expiresAt ?? Infinity),
        isStillAllowed: stillAllowed(identified.caller, question),
      };
    } catch (error) {
      deadline.clear();
      throw error;
    }
  }

  /** Who sends a request with a token in its header. Throws a `Refusal`. */
  public async caller(request: IncomingMessage, authorization: string | undefined, isEncrypted: boolean, record: RequestRecord): Promise<Caller> {
    const { authentication, rates } = this.options;
    const token = bearerToken(authorization);
    this.refuseClear(token !== undefined, request, isEncrypted, record);
    const caller = await authentication.authenticate(token, record.outside.client);
    record.caller = caller.name;
    if (!rates.take(caller.key)) {
      throw tooManyRequests('Too many requests.');
    }
    return caller;
  }

  /** Headers for the sandbox: `Host` first, if there is one. */
  private forwarded(
    host: string | undefined, headers: string[], own: ReadonlyMap<string, string>, route: Route | undefined, { handsOnAuthorization }: Identified,
    { outside }: RequestRecord,
  ): string[] {
    const all = host === undefined ? [] : ['Host', host];
    all.push(...headers);
    const authorization = handsOnAuthorization ? own.get('authorization') : undefined;
    if (authorization !== undefined) {
      all.push('Authorization', authorization);
    }
    all.push(...forwardedHeaders(outside, route?.isStripped ? route.base : outside.prefix));
    return all;
  }

  /** The authorized caller and its target; throws a refusal otherwise. */
  private permit(
    request: IncomingMessage, contract: Contract, route: Route | undefined, authorization: string | undefined, isEncrypted: boolean,
    record: RequestRecord,
  ): Permission | Promise<Permission> {
    this.refuseClear(bearerToken(authorization) !== undefined || route !== undefined, request, isEncrypted, record);
    return after(this.identify(request, record, route, authorization), identified => after(callerOf(identified), caller => {
      record.caller = caller.name;
      return this.allow(caller, identified, contract, record);
    }));
  }

  /** What a caller may ask for, if it may. */
  private allow(caller: Caller, identified: Identified, contract: Contract, record: RequestRecord): Permission | Promise<Permission> {
    const { targets, rates, resume } = this.options;
    const { namespace, id, port, podIp, uid: claimed } = contract;
    if (!rates.take(caller.key)) {
      throw tooManyRequests('Too many requests.');
    }
    const sandbox = targets.sandbox({ namespace, id, uid: claimed });
    const ref = { namespace, name: id, uid: sandbox?.metadata.uid };
    if (identified.uid !== undefined && sandbox !== undefined && identified.uid !== sandbox.metadata.uid) {
      // A later Sandbox of the same name is not the one that the session is for.
      throw identified.challenge();
    }
    return after(caller.may('connect', ref), isAllowed => {
      record.decision = isAllowed ? 'allow' : 'deny';
      if (!isAllowed) {
        throw forbidden();
      }
      if (sandbox === undefined) {
        throw cannotConnect(id);
      }
      if (identified.login !== undefined) {
        return identified.login(sandbox.metadata.uid!, caller).then(answer => {
          throw answer;
        });
      }
      // From here on the UID is fixed: a later Sandbox of the same name was not authorized.
      const uid = claimed ?? sandbox.metadata.uid!;
      const question: Question = { namespace, id, port, uid, podIp };
      const permission = { caller, question, identified };
      return resume === undefined ? permission : this.wake(resume, caller, ref, question, sandbox).then(() => permission);
    });
  }

  private identify(
    request: IncomingMessage, { outside }: RequestRecord, route: Route | undefined, authorization: string | undefined,
  ): Identified | Promise<Identified> {
    const { authentication, browser } = this.options;
    if (route !== undefined) {
      return browser!.identify(request, outside, route, authorization);
    }
    const token = bearerToken(authorization);
    return {
      target: request.url!, handsOnAuthorization: false, challenge: () => unauthenticated(),
      caller: authentication.callerOf(token, outside.client),
    };
  }

  /** Where the request goes now. Throws a `Refusal` if it cannot go anywhere. */
  public target(question: Question): Target {
    const found = this.options.targets.find(question);
    if (typeof found === 'string') {
      throw refusalOf(found, question);
    }
    return found;
  }

  /** Resumes a Sandbox that is suspended, and waits for one that is starting: perhaps it is another request that has resumed it. */
  private async wake(resume: Resume, caller: Caller, ref: SandboxRef, question: Question, sandbox: KnownSandbox): Promise<void> {
    const found = this.options.targets.find(question);
    if (found === 'suspended') {
      if (!await caller.may('resume', ref)) {
        throw forbidden('The sandbox is suspended, and the caller may not resume it.');
      }
      await resume.resume(question, sandbox);
    } else if (found === 'notReady') {
      await resume.untilReady(question, sandbox);
    }
  }

  private refuseClear(hasCredential: boolean, request: IncomingMessage, isEncrypted: boolean, record: RequestRecord): void {
    if (hasCredential && this.options.authentication.isRequired && !isEncrypted && !this.mayBeInTheClear(request, record)) {
      throw forbidden('A token over plain HTTP is refused, because it can be read on its way: use HTTPS, or start the router with --allow-http-tokens.');
    }
  }

  /** Whether the token cannot be read on the network: a tunnel through the API server, for example, ends on loopback. */
  private mayBeInTheClear({ socket }: IncomingMessage, { outside }: RequestRecord): boolean {
    return this.options.allowHttpTokens || (outside.isProtoKnown && outside.proto === 'https') || isLoopback(socket.remoteAddress ?? '');
  }
}

/** The contract of a request by address; of its headers, only the wait counts here. */
function contractOf({ id, namespace, port }: Route, own: ReadonlyMap<string, string>): Contract {
  const timeoutMs = readTimeout(own.get('x-sandbox-timeout'));
  return { id, namespace, port, podIp: undefined, uid: undefined, timeoutMs };
}

/** The caller; a session whose caller is unknown by now is signed in anew. */
function callerOf(identified: Identified): Caller | Promise<Caller> {
  const fail = (error: unknown): never => {
    throw error instanceof Refusal && error.status === 401 && identified.expiresAt !== undefined ? identified.challenge() : error;
  };
  try {
    const caller = identified.caller();
    return caller instanceof Promise ? caller.catch(fail) : caller;
  } catch (error) {
    return fail(error);
  }
}

/** A function of its own, since open connections keep it, and must not keep the request with it. */
function stillAllowed(caller: Identified['caller'], { namespace, id, uid }: Question): () => Promise<boolean> {
  return async () => {
    try {
      return await (await caller()).may('connect', { namespace, name: id, uid: uid! });
    } catch (error) {
      // Only an explicit denial ends a connection; an API server that does not answer does not.
      return !(error instanceof Refusal && (error.status === 401 || error.status === 403));
    }
  };
}

/** Headers in which the router's span stands in the place of the caller's. */
function withTrace(headers: readonly string[], own: readonly string[]): string[] {
  const isOther = (name: string) => !['traceparent', 'tracestate'].includes(name.toLowerCase());
  return [...headers.filter((_, i) => isOther(headers[i - i % 2]!)), ...own];
}

function refusalOf(obstacle: Obstacle, { id, port }: Question): Refusal {
  switch (obstacle) {
    case 'otherUid':
    case 'otherAddress':
      return forbidden();
    case 'portNotDeclared':
      return forbidden(`The sandbox does not declare port ${port}.`);
    case 'hostNetwork':
      return forbidden('The sandbox is in the network of its node, where its ports are not its own.');
    case 'unknown':
    case 'suspended':
    case 'notReady':
      return cannotConnect(id);
  }
}
