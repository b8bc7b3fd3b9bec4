import type { IncomingMessage } from 'node:http';
import type { BlockList } from 'node:net';
import { clientAddress, isLoopback } from './addresses.js';
import type { Authentication, Caller, SandboxRef } from './auth/index.js';
import { bearerToken, readContract, sortHeaders, type Contract } from './contract.js';
import type { RateLimits } from './limits.js';
import { badRequest, cannotConnect, forbidden, tooManyRequests, Refusal } from './refusal.js';
import type { RequestRecord } from './record.js';
import type { Resume } from './resume.js';
import type { KnownSandbox, Obstacle, Question, Target, Targets } from './targets.js';

/** Most headers in a request. */
const MAX_HEADERS = 128;

export interface AdmissionOptions {
  readonly authentication: Authentication;
  readonly targets: Targets;
  readonly rates: RateLimits;
  readonly trustedProxies: BlockList;
  readonly allowHttpTokens: boolean;
  readonly allowLoopback: boolean;
  /** Longest wait for an answer, in milliseconds; what the caller wants can only be shorter. */
  readonly timeoutMs: number;
  /** Headers that tell the sandbox about the trace, as names and values in turn. @default - those of the caller */
  readonly traceHeaders?: (record: RequestRecord) => readonly string[];
  /** Absent: suspended Sandboxes stay so, and nobody waits for one that is starting. */
  readonly resume?: Resume;
}

/** A request that may go to a sandbox. */
export interface Admitted {
  readonly caller: Caller;
  readonly contract: Contract;
  /** What was asked for, with the UID of the Sandbox that the caller may use. */
  readonly question: Question;
  /** Headers for the sandbox, as names and values in turn, `Host` and length not among them. */
  readonly headers: string[];
  /** Longest wait for the answer, and between two pieces of it, in milliseconds. */
  readonly timeoutMs: number;
}

/** Decides which requests may go to which sandbox. */
export class Admission {
  constructor(private readonly options: AdmissionOptions) {}

  /** Address of the client, as far as trusted proxies tell it. */
  public clientOf(request: IncomingMessage): string {
    const { headers, socket } = request;
    return clientAddress(socket.remoteAddress ?? '', headers['x-forwarded-for'] as string | undefined, this.options.trustedProxies);
  }

  /** Admits a request, or throws a `Refusal`. What becomes known on the way goes into the record. */
  public async admit(request: IncomingMessage, isEncrypted: boolean, record: RequestRecord): Promise<Admitted> {
    const { targets, rates, resume, traceHeaders } = this.options;
    if (!request.url?.startsWith('/')) {
      throw badRequest('The request target is not a path.');
    }
    if (request.rawHeaders.length > 2 * MAX_HEADERS) {
      throw new Refusal(431, `The request has more than ${MAX_HEADERS} headers.`);
    }
    const { own, forwarded } = sortHeaders(request.rawHeaders, request.headers.connection);
    const contract = readContract(own, this.options.allowLoopback);
    const { id, namespace, port, podIp, uid } = contract;
    record.id = id;
    record.namespace = namespace;

    const token = bearerToken(own.get('authorization'));
    if (token !== undefined && this.options.authentication.isRequired && !isEncrypted && !this.mayBeInTheClear(request)) {
      throw forbidden('A token over plain HTTP is refused, because it can be read on its way: use HTTPS, or start the router with --allow-http-tokens.');
    }
    const found = this.options.authentication.authenticate(token, record.client);
    const caller = found instanceof Promise ? await found : found;
    record.caller = caller.name;
    if (!rates.take(caller.key)) {
      throw tooManyRequests('Too many requests.');
    }

    const wanted: Question = { namespace, id, port, ...(podIp === undefined ? {} : { podIp }), ...(uid === undefined ? {} : { uid }) };
    const sandbox = targets.sandbox(wanted);
    const ref = { namespace, name: id, ...(sandbox === undefined ? {} : { uid: sandbox.metadata.uid! }) };
    const allowed = caller.may('connect', ref);
    const isAllowed = typeof allowed === 'boolean' ? allowed : await allowed;
    record.decision = isAllowed ? 'allow' : 'deny';
    if (!isAllowed) {
      throw forbidden();
    }
    if (sandbox === undefined) {
      throw cannotConnect(id);
    }
    // From here on it is this Sandbox: a later one of the same name is not what was allowed.
    const question: Question = { ...wanted, uid: wanted.uid ?? sandbox.metadata.uid! };
    if (resume !== undefined) {
      await this.wake(resume, caller, ref, question, sandbox);
    }
    forwarded.push('X-Forwarded-For', record.client, 'X-Forwarded-Proto', isEncrypted ? 'https' : 'http');
    const host = own.get('host');
    if (host !== undefined) {
      forwarded.push('X-Forwarded-Host', host);
    }
    const headers = traceHeaders === undefined ? forwarded : withTrace(forwarded, traceHeaders(record));
    return { caller, contract, question, headers, timeoutMs: Math.min(contract.timeoutMs ?? Infinity, this.options.timeoutMs) };
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

  /** Whether nobody on the network can read along: a tunnel through the API server, for example, ends on loopback. */
  private mayBeInTheClear({ socket }: IncomingMessage): boolean {
    return this.options.allowHttpTokens || isLoopback(socket.remoteAddress ?? '');
  }
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
