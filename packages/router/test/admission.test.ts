import type { IncomingMessage } from 'node:http';
import { BlockList } from 'node:net';
import { Admission } from '../src/admission.js';
import { Authentication } from '../src/auth/index.js';
import { StaticToken } from '../src/auth/static-token.js';
import { outsideOf } from '../src/forwarded.js';
import { RateLimits } from '../src/limits.js';
import type { RequestRecord } from '../src/record.js';
import type { Refusal } from '../src/refusal.js';
import type { Targets } from '../src/targets.js';

/** A request as if it came from an address. */
function from(remoteAddress: string, ...rawHeaders: string[]): IncomingMessage {
  return { url: '/', rawHeaders: ['X-Sandbox-ID', 'box', ...rawHeaders], headers: {}, socket: { remoteAddress } } as unknown as IncomingMessage;
}

function admission(allowHttpTokens = false, isOpen = false): Admission {
  const none = new RateLimits(0, 1);
  const targets = { sandbox: () => ({ metadata: { uid: 'u' } }), find: () => ({ podUid: 'p', address: '10.0.0.1' }) } as unknown as Targets;
  return new Admission({
    authentication: new Authentication(isOpen ? undefined : [new StaticToken(() => 'secret')], none, false),
    targets, rates: none, allowHttpTokens, allowLoopback: false, timeoutMs: 1000,
  });
}

async function outcome(subject: Admission, request: IncomingMessage, isEncrypted = false): Promise<number> {
  const outside = outsideOf(request.headers, request.socket.remoteAddress!, isEncrypted, new BlockList());
  const record: RequestRecord = { method: 'GET', path: '/', outside, startedAt: 0, userAgent: undefined, status: 0, bytesIn: 0, bytesOut: 0 };
  return subject.admit(request, isEncrypted, record).then(({ deadline }) => (deadline.clear(), 200), (error: Refusal) => error.status);
}

test.each([
  ['127.0.0.1', false, false, 200], ['::ffff:127.0.0.1', false, false, 200], ['::1', false, false, 200],
  ['10.0.0.1', false, false, 403], ['::ffff:10.0.0.1', false, false, 403], ['fd00::1', false, false, 403], ['', false, false, 403],
  ['10.0.0.1', true, false, 200], ['10.0.0.1', false, true, 200],
])('a token from %j, encrypted %j, allowed in the clear %j: %d', async (address, isEncrypted, allowHttpTokens, status) => {
  expect(await outcome(admission(allowHttpTokens), from(address, 'Authorization', 'Bearer secret'), isEncrypted)).toBe(status);
});

test('without a token the refusal is the ordinary one; where no token counts, none is refused', async () => {
  expect(await outcome(admission(), from('10.0.0.1'))).toBe(401);
  expect(await outcome(admission(false, true), from('10.0.0.1', 'Authorization', 'Bearer whatever'))).toBe(200);
});
