import { once } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jest } from '@jest/globals';
import * as fc from 'fast-check';
import { WebSocket, WebSocketServer } from 'ws';
import { FrameFollower, closeFrame } from '../src/websocket.js';
import { FakeCluster, ask, eventually, raw, startBackend, startRouter } from './support.js';

jest.setTimeout(60_000);

const cleanUp: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanUp) {
    await clean();
  }
});

/** A sandbox with a WebSocket server that echoes, and a router. */
async function scene(args: readonly string[] = [], onSocket: (socket: WebSocket, request: IncomingMessage) => void = echo) {
  const backend = await startBackend((_, response) => response.writeHead(426).end('only WebSockets here'));
  const sockets = new WebSocketServer({ server: backend.server, maxPayload: 0, handleProtocols: protocols => [...protocols].at(-1)! });
  sockets.on('connection', onSocket);
  const cluster = await FakeCluster.start();
  cluster.sandbox('box', { ports: [backend.port] });
  const router = await startRouter(cluster, args);
  cleanUp.push(() => router.close(0), () => backend.close(), () => cluster.api.stop());
  const headers = { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) };
  const url = router.url.replace('http', 'ws');
  const head = (more: readonly string[] = [], method = 'GET') => [
    `${method} /ws HTTP/1.1`, 'Host: x', 'X-Sandbox-ID: box', `X-Sandbox-Port: ${backend.port}`, 'Connection: Upgrade', ...more, '', '',
  ].join('\r\n');
  return { backend, cluster, router, headers, url, head, open: (options: object = {}, protocols: string[] = []) => new WebSocket(`${url}/ws`, protocols, { headers: { ...headers, ...options } }) };
}

/** Collects garbage. */
function gc(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

function echo(socket: WebSocket): void {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', () => undefined);
}

/** The status and the JSON of a refused handshake. */
async function refusal(socket: WebSocket): Promise<{ status: number; text: string }> {
  const [, response] = await once(socket, 'unexpected-response') as [unknown, IncomingMessage];
  let text = '';
  response.on('data', chunk => (text += chunk));
  await once(response, 'end');
  socket.on('error', () => undefined).terminate();
  return { status: response.statusCode!, text };
}

const closed = async (socket: WebSocket) => {
  const [code, reason] = await once(socket, 'close') as [number, Buffer];
  return { code, reason: reason.toString() };
};

describe('WebSockets', () => {
  test('messages both ways, the sub-protocol that the sandbox chose, and Host and Origin of the client, without the token', async () => {
    let seen: IncomingMessage | undefined;
    const { open, router } = await scene([], (socket, request) => {
      seen = request;
      echo(socket);
    });
    const socket = open({ origin: 'http://evil', authorization: 'Bearer secret', cookie: 'a=1' }, ['one', 'two']);
    await once(socket, 'open');
    expect(socket.protocol).toBe('two');
    for (const message of ['hello', 'x'.repeat(200), 'y'.repeat(70_000), '']) {
      socket.send(message);
      expect(String((await once(socket, 'message'))[0])).toBe(message);
    }
    expect(seen!.headers).toMatchObject({ 'host': `127.0.0.1:${router.port}`, 'origin': 'http://evil', 'x-forwarded-for': '127.0.0.1', 'cookie': 'a=1' });
    expect(Object.keys(seen!.headers).filter(name => name === 'authorization' || name.startsWith('x-sandbox'))).toEqual([]);
    socket.close();
    await once(socket, 'close');
    expect(await eventually('the log', () => router.accessLog[0])).toMatchObject({ status: 101, path: '/ws', sandbox_id: 'box' });
    expect(router.accessLog[0]!.bytes_in).toBeGreaterThan(70_000);
  });

  test('compression is between the two ends', async () => {
    const { url, headers } = await scene();
    const socket = new WebSocket(`${url}/ws`, { headers, perMessageDeflate: true });
    await once(socket, 'open');
    socket.send('a'.repeat(10_000));
    expect(String((await once(socket, 'message'))[0])).toBe('a'.repeat(10_000));
    socket.terminate();
  });

  test('close codes both ways', async () => {
    const codes: number[] = [];
    const { open } = await scene([], socket => {
      socket.on('close', code => codes.push(code));
      socket.on('message', () => socket.close(4321, 'enough'));
    });
    const first = open();
    await once(first, 'open');
    first.send('x');
    expect(await closed(first)).toEqual({ code: 4321, reason: 'enough' });
    const second = open();
    await once(second, 'open');
    second.close(4000, 'bye');
    await once(second, 'close');
    await eventually('the code', () => codes.includes(4000));
  });

  test('it outlives the deadline of ordinary requests', async () => {
    const { open } = await scene(['--proxy-timeout=50ms']);
    const socket = open();
    await once(socket, 'open');
    await new Promise(resolve => setTimeout(resolve, 300));
    socket.send('still here');
    expect(String((await once(socket, 'message'))[0])).toBe('still here');
    socket.terminate();
  });

  test('silence ends it with 1001, on both sides', async () => {
    const codes: number[] = [];
    const { open } = await scene(['--websocket-idle-timeout=100ms'], socket => socket.on('close', code => codes.push(code)));
    const socket = open();
    expect(await closed(socket)).toEqual({ code: 1001, reason: 'idle timeout exceeded' });
    expect(await eventually('the code', () => codes[0])).toBe(1001);
  });

  test('so does the end of its lifetime, however much it talks', async () => {
    const { open } = await scene(['--websocket-max-lifetime=200ms']);
    const socket = open();
    await once(socket, 'open');
    const talk = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send('x'), 5);
    expect(await closed(socket)).toEqual({ code: 1001, reason: 'max lifetime exceeded' });
    clearInterval(talk);
  });

  test('a message that is too long ends it with 1009, on both sides, from either side', async () => {
    const codes: number[] = [];
    const { open } = await scene(['--websocket-max-message-bytes=1000'], socket => {
      socket.on('close', code => codes.push(code));
      socket.on('message', data => (String(data) === 'big' ? socket.send('x'.repeat(1001)) : socket.send('ok')));
    });
    const first = open();
    await once(first, 'open');
    first.send('x'.repeat(1000));
    expect(String((await once(first, 'message'))[0])).toBe('ok');
    first.send('x'.repeat(1001));
    expect(await closed(first)).toEqual({ code: 1009, reason: 'message too big' });
    expect(await eventually('the code', () => codes[0])).toBe(1009);
    const second = open();
    await once(second, 'open');
    second.send('big');
    expect((await closed(second)).code).toBe(1009);
    const third = open();
    await once(third, 'open');
    third.send('x'.repeat(600), { fin: false });
    third.send('x'.repeat(600), { fin: true });
    expect((await closed(third)).code).toBe(1009);
  });

  test('their number per caller is limited; when one ends, another may begin', async () => {
    const { open } = await scene(['--websocket-max-connections-per-client=2']);
    const [first, second] = [open(), open()];
    await Promise.all([once(first, 'open'), once(second, 'open')]);
    expect(await refusal(open())).toEqual({ status: 429, text: '{"detail":"Too many upgraded connections."}\n' });
    first.close();
    await once(first, 'close');
    await eventually('a free place', async () => {
      const socket = open();
      const is = await Promise.race([once(socket, 'open').then(() => true), refusal(socket).then(() => false)]).catch(() => false);
      socket.on('error', () => undefined).terminate();
      return is;
    });
    second.terminate();
  });

  test('when one side vanishes, so does the other', async () => {
    const sockets: WebSocket[] = [];
    const { open } = await scene([], socket => void sockets.push(socket));
    const first = open();
    await once(first, 'open');
    (await eventually('the socket', () => sockets[0])).terminate();
    expect((await closed(first)).code).toBe(1006);
    const second = open();
    await once(second, 'open');
    second.terminate();
    await eventually('the end', () => sockets[1]?.readyState === WebSocket.CLOSED);
  });

  test('while it is open, the request that opened it is not kept in memory', async () => {
    const count = 20;
    const { open, router } = await scene();
    const requests: WeakRef<IncomingMessage>[] = [];
    const { server } = router.router['listeners']['servers'][0] as { server: Server };
    server.prependListener('upgrade', (request: IncomingMessage) => requests.push(new WeakRef(request)));
    const sockets = Array.from({ length: count }, () => open());
    await Promise.all(sockets.map(socket => once(socket, 'open')));
    // The parser of a connection keeps its last one for a while.
    await eventually('requests to be freed', () => {
      gc();
      return requests.length === count && requests.filter(request => request.deref() !== undefined).length <= 2;
    });
    expect(sockets.map(({ readyState }) => readyState)).toEqual(sockets.map(() => WebSocket.OPEN));
    sockets.forEach(socket => socket.terminate());
  });

  test('the end of the router ends it with 1001', async () => {
    const { open, router } = await scene();
    const socket = open();
    await once(socket, 'open');
    const end = closed(socket);
    await router.close(500);
    expect(await end).toEqual({ code: 1001, reason: 'the router shuts down' });
  });
});

describe('refusals before the upgrade are ordinary answers', () => {
  test.each([
    [{ 'x-sandbox-id': 'Foo' }, 400, 'Invalid sandbox ID format.'], [{ 'x-sandbox-port': '22' }, 403, 'The sandbox does not declare port 22.'], [{ 'x-sandbox-id': 'missing' }, 502, 'Could not connect to the backend sandbox: missing'],
  ])('%j: %d', async (headers, status, detail) => {
    const { open } = await scene();
    expect(await refusal(open(headers))).toEqual({ status, text: `${JSON.stringify({ detail })}\n` });
  });

  test('without a token', async () => {
    const { open } = await scene(['--authz-mode=tokenreview']);
    expect((await refusal(open())).status).toBe(401);
  });

  test('an answer of the sandbox other than 101 is handed on', async () => {
    const { head, router } = await scene();
    expect(await raw(router.port, head(['Upgrade: something']))).toMatch(/^HTTP\/1.1 400 Bad Request\r\n[^]*Invalid Upgrade header/);
  });

  test('a sandbox that does not answer in time', async () => {
    const { router, cluster } = await scene(['--proxy-timeout=100ms']);
    const mute = await startBackend();
    mute.server.removeAllListeners('request').on('upgrade', () => undefined);
    cleanUp.push(() => mute.close());
    cluster.sandbox('mute', { ports: [mute.port] });
    const head = `GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: mute\r\nX-Sandbox-Port: ${mute.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    await eventually('the refusal', async () => (await raw(router.port, head)).startsWith('HTTP/1.1 504'));
  });
});

describe('other protocols', () => {
  test('any protocol is carried byte by byte, half-closed ends too', async () => {
    const { router, head, backend } = await scene();
    backend.server.removeAllListeners('upgrade').on('upgrade', (_, socket, first) => {
      socket.write('HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: raw\r\nX-Mine: 1\r\n\r\nearly');
      socket.write(first);
      socket.on('data', (chunk: Buffer) => socket.write(chunk));
      socket.on('end', () => socket.end('last words'));
    });
    const socket = connect({ port: router.port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(`${head(['Upgrade: raw'])}first`));
    let text = '';
    socket.on('data', chunk => (text += chunk));
    await eventually('the echo', () => text.includes('first'));
    socket.end('second');
    await once(socket, 'close');
    expect(text).toBe('HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: raw\r\nX-Mine: 1\r\n\r\nearlyfirstsecondlast words');
  });

  test('a large transfer arrives whole, at the pace of the slower side', async () => {
    const size = 20 * 1024 * 1024;
    const { router, head, backend } = await scene();
    backend.server.removeAllListeners('upgrade').on('upgrade', (_, socket: Socket) => {
      socket.write('HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\n');
      socket.end(Buffer.alloc(size, 'x'));
    });
    const socket = connect(router.port, '127.0.0.1', () => socket.write(head(['Upgrade: raw'])));
    let length = 0;
    for await (const chunk of socket) {
      length += (chunk as Buffer).length;
    }
    expect(length).toBeGreaterThan(size);
    expect(length).toBeLessThan(size + 200);
  });
});

describe('no byte is lost, whenever it is sent', () => {
  /** When a side begins to send: with the head of its request or answer, in the next turns, or later; and whether it reads late. */
  type Moment = 'with the head' | 'next tick' | 'next turn' | 'later';
  interface Side {
    readonly moment: Moment;
    readonly bytes: number;
    readonly readsLate: boolean;
  }
  interface Case {
    readonly client: Side;
    readonly sandbox: Side & { /** Whether it answers the handshake late, so that the client may send before. */ readonly answersLate: boolean };
    readonly isWebSocket: boolean;
    /** Whether the client sends before it has the answer. */
    readonly isEager: boolean;
    /** The side that ends first, while the other may still send. */
    readonly endsFirst: 'client' | 'sandbox';
  }
  const side = { moment: fc.constantFrom<Moment>('with the head', 'next tick', 'next turn', 'later'), bytes: fc.constantFrom(1, 100, 65_536, 400_000), readsLate: fc.boolean() };
  const cases = fc.record({
    client: fc.record(side), sandbox: fc.record({ ...side, answersLate: fc.boolean() }), isWebSocket: fc.boolean(), isEager: fc.boolean(),
    endsFirst: fc.constantFrom<'client' | 'sandbox'>('client', 'sandbox'),
  });
  const LATE_MS = 20;
  const AT_ONCE = 60;

  /** Bytes that show where one is missing: one frame of 64 bits of length, if it is a WebSocket. */
  const content = (count: number, isWebSocket: boolean) => {
    const bytes = Buffer.alloc(count);
    bytes.forEach((_, i) => (bytes[i] = (i * 31 + (i >> 8)) & 0xff));
    const head = Buffer.alloc(10);
    head.writeUInt16BE(0x827f);
    head.writeUInt32BE(count, 6);
    return isWebSocket ? Buffer.concat([head, bytes]) : bytes;
  };
  const at = (moment: Moment, act: () => void) => {
    switch (moment) {
      case 'with the head': return act();
      case 'next tick': return process.nextTick(act);
      case 'next turn': return void setImmediate(act);
      case 'later': return void setTimeout(act, LATE_MS);
    }
  };
  /** Writes the head, and the content at its moment; in one piece with the head if that is the moment. */
  const send = (socket: Socket, head: string, body: Buffer, moment: Moment, finish: () => void) => {
    if (moment === 'with the head') {
      socket.write(Buffer.concat([Buffer.from(head), body]));
      finish();
    } else {
      socket.write(head);
      at(moment, () => {
        socket.write(body);
        finish();
      });
    }
  };
  /** All that a socket gets after a head, once there are as many bytes as there should be. */
  const received = (socket: Socket, count: number, isLate: boolean, onHead?: (head: string) => void) => new Promise<Buffer>((resolve, reject) => {
    const chunks: Buffer[] = [];
    let headEnd = onHead === undefined ? 0 : -1;
    const look = () => {
      const all = Buffer.concat(chunks);
      if (headEnd < 0 && all.includes('\r\n\r\n')) {
        headEnd = all.indexOf('\r\n\r\n') + 4;
        onHead!(all.subarray(0, headEnd).toString());
      }
      if (headEnd >= 0 && all.length >= headEnd + count) {
        resolve(all.subarray(headEnd));
      }
    };
    const begin = () => socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      look();
    }).resume();
    if (isLate) {
      setTimeout(begin, 2 * LATE_MS);
    } else {
      begin();
    }
    socket.on('close', () => reject(new Error(`ended after ${Buffer.concat(chunks).length - Math.max(0, headEnd)} of ${count} bytes`)));
  });

  test('by either side, at either end, before and after the answer to the handshake', async () => {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const cluster = await FakeCluster.start();
    cluster.sandbox('box', { ports: [port] });
    cluster.users.set('token', { username: 'ann' });
    cluster.grants.add('ann create proxy default/box');
    const router = await startRouter(cluster, ['--authz-mode=tokenreview', '--websocket-max-connections-per-client=0', '--authz-tokenreview-ttl=0', '--authz-access-ttl=0']);
    cleanUp.push(() => router.close(0), () => new Promise(resolve => server.close(resolve)), () => cluster.api.stop());
    const inSandbox = new Map<string, (socket: Socket, early: Buffer) => void>();
    server.on('connection', socket => {
      socket.on('error', () => undefined);
      let head = Buffer.alloc(0);
      const read = (chunk: Buffer) => {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf('\r\n\r\n');
        if (end >= 0) {
          socket.off('data', read).pause();
          inSandbox.get(/^GET \/(\d+) /.exec(head.toString('latin1'))![1]!)!(socket, head.subarray(end + 4));
        }
      };
      socket.on('data', read);
    });
    let number = 0;

    const run = async ({ client, sandbox, isWebSocket, isEager, endsFirst }: Case): Promise<void> => {
      const id = String(number++);
      const [fromClient, fromSandbox] = [content(client.bytes, isWebSocket), content(sandbox.bytes, isWebSocket)];
      const protocol = isWebSocket ? 'websocket' : 'raw';
      const atSandbox = new Promise<Buffer>((resolve, reject) => inSandbox.set(id, (socket, early) => {
        socket.unshift(early);
        const all = received(socket, fromClient.length, sandbox.readsLate);
        all.then(resolve, reject);
        const head = `HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
        const sent = () => (endsFirst === 'sandbox' ? void socket.end() : void all.finally(() => socket.end()).catch(() => undefined));
        at(sandbox.answersLate ? 'later' : 'with the head', () => send(socket, head, fromSandbox, sandbox.moment, sent));
      }));
      const socket = connect({ port: router.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => undefined);
      const head = [
        `GET /${id} HTTP/1.1`, 'Host: x', 'X-Sandbox-ID: box', `X-Sandbox-Port: ${port}`, 'Authorization: Bearer token', 'Connection: Upgrade', `Upgrade: ${protocol}`, '', '',
      ].join('\r\n');
      let sent!: () => void;
      const isSent = new Promise<void>(resolve => (sent = resolve));
      const atClient = received(socket, fromSandbox.length, client.readsLate, answer => {
        expect(answer).toMatch(/^HTTP\/1.1 101 /);
        if (!isEager) {
          send(socket, '', fromClient, client.moment, sent);
        }
        // Not before the answer: a client that ends while it waits is gone.
        void isSent.then(() => endsFirst === 'client' && socket.end());
      });
      if (isEager) {
        send(socket, head, fromClient, client.moment, sent);
      } else {
        socket.write(head);
      }
      const [got, gotInSandbox] = await Promise.all([atClient, atSandbox]);
      socket.destroy();
      expect(got.equals(fromSandbox)).toBe(true);
      expect(gotInSandbox.equals(fromClient)).toBe(true);
    };

    const all = fc.sample(cases, { numRuns: 300, seed: 7 });
    const failures: unknown[] = [];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let next = all.pop(); next !== undefined; next = all.pop()) {
        const mine = next;
        await run(mine).catch((error: Error) => failures.push({ ...mine, error: error.message }));
      }
    }));
    expect(failures).toEqual([]);
  });
});

describe('following frames', () => {
  const frame = fc.record({ opcode: fc.constantFrom(1, 2, 9, 10), masked: fc.boolean(), payload: fc.oneof(fc.uint8Array({ maxLength: 130 }), fc.constant(new Uint8Array(70_000))) });
  const bytesOf = ({ opcode, masked, payload }: { opcode: number; masked: boolean; payload: Uint8Array }) => {
    const { length } = payload;
    const long = length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
    return Buffer.concat([Buffer.from([0x80 | opcode, (masked ? 0x80 : 0) | long[0]!, ...long.slice(1), ...(masked ? [1, 2, 3, 4] : [])]), payload]);
  };

  test('wherever the bytes are cut, it knows where a frame ends', () => {
    fc.assert(fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.array(fc.nat(150_000), { maxLength: 6 }), (frames, cuts) => {
      const parts = frames.map(bytesOf);
      const ends = new Set(parts.reduce<number[]>((sums, part) => [...sums, (sums.at(-1) ?? 0) + part.length], [0]));
      const all = Buffer.concat(parts);
      const follower = new FrameFollower(0);
      let at = 0;
      for (const cut of [...cuts.map(value => value % (all.length + 1)), all.length].sort((a, b) => a - b)) {
        expect(follower.follow(all.subarray(at, cut))).toBe(true);
        at = cut;
        expect(follower.isBetweenFrames).toBe(ends.has(at));
      }
    }), { numRuns: 50 });
  });

  test('a close frame of ours is one', () => {
    const follower = new FrameFollower(10);
    follower.follow(closeFrame(1001, 'why', true));
    expect([follower.isBetweenFrames, follower.isClosed]).toEqual([true, true]);
    expect(closeFrame(1001, 'why', false)).toEqual(Buffer.from([0x88, 5, 0x03, 0xe9, 0x77, 0x68, 0x79]));
  });
});

test('an ordinary request that offers HTTP/2 gets an ordinary answer', async () => {
  const { router, head } = await scene();
  expect(await raw(router.port, head(['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']))).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n[^]*Connection: close/);
  expect((await ask(`${router.url}/healthz`)).status).toBe(200);
});
