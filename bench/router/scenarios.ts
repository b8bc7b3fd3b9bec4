import autocannon from 'autocannon';
import { WebSocket } from 'ws';
import { paced } from './paced';
import { quantile } from '../statistics';
import { type Subject, type World, cpuMs, rssBytes } from './world';

/** What one run found out. Undefined: not measured there. */
export interface Sample {
  readonly requestsPerSecond?: number;
  readonly megabytesPerSecond?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Microseconds of the subject's processor time per request. */
  readonly cpuUs?: number;
  readonly rssBytes: number;
  /** Requests without an answer of the 200s, in all. */
  readonly failed: number;
  /** Bytes of memory per idle connection. */
  readonly bytesPerConnection?: number;
}

export interface Scenario {
  readonly name: string;
  /** Whether the bare proxy cannot do it. @default false */
  readonly isBeyondBare?: boolean;
  /** @param seconds how long each run takes, where that is free to choose */
  run(world: World, subject: Subject, seconds: number): Promise<Sample>;
}

interface Load {
  readonly connections: number;
  readonly path?: string;
  readonly body?: Buffer;
  /** Whether requests come from a browser that has signed in, rather than with a token. @default false */
  readonly inSession?: boolean;
}

/** Idle connections that are opened at the same time. */
const OPENED_AT_ONCE = 50;
/** Milliseconds for freed memory to be given back before it is counted. */
const SETTLE_MS = 2_000;

function load(name: string, { path = '/', body, inSession = false, ...more }: Load): Scenario {
  return {
    name,
    async run(world, { url, pid }, seconds) {
      const headers = inSession ? await world.session() : world.headers;
      const before = cpuMs(pid);
      const { requests, throughput, latency, errors, non2xx } = await autocannon({
        url: url + path, duration: seconds, headers, timeout: 30, ...more, ...(body && { method: 'POST', body }),
      });
      return {
        requestsPerSecond: requests.average, megabytesPerSecond: throughput.average / 1e6, p50Ms: latency.p50, p99Ms: latency.p99,
        cpuUs: (cpuMs(pid) - before) * 1000 / requests.total, rssBytes: rssBytes(pid), failed: errors + non2xx,
      };
    },
  };
}

/** Requests at fixed times, with the subject on a core of its own, so that the load does not make it wait. */
function steady(rate: number): Scenario {
  return {
    name: `GET, ${rate.toLocaleString('en')} requests/s`,
    async run(world, subject, seconds) {
      const { url, pid } = subject;
      const together = world.apart(subject);
      try {
        const before = cpuMs(pid);
        const { latenciesMs, failed } = await paced({ url, headers: world.headers, rate, seconds, connections: 50 });
        return {
          requestsPerSecond: latenciesMs.length / seconds, p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99),
          cpuUs: (cpuMs(pid) - before) * 1000 / latenciesMs.length, rssBytes: rssBytes(pid), failed,
        };
      } finally {
        together();
      }
    },
  };
}

/** @param count people, with two WebSockets each, as VS Code has */
function idleEditors(count: number): Scenario {
  return {
    name: `${count.toLocaleString('en')} idle editors`,
    isBeyondBare: true,
    async run(world, { url, pid }) {
      const headers = await world.session();
      const before = rssBytes(pid);
      const sockets: WebSocket[] = [];
      let failed = 0;
      while (sockets.length < 2 * count) {
        await Promise.all(Array.from({ length: Math.min(OPENED_AT_ONCE, 2 * count - sockets.length) }, async () => {
          const socket = new WebSocket(url.replace('http', 'ws'), { headers, perMessageDeflate: false });
          sockets.push(socket);
          await new Promise<void>(resolve => socket.once('open', resolve).on('error', () => resolve()));
          failed += socket.readyState === WebSocket.OPEN ? 0 : 1;
        }));
      }
      await new Promise(resolve => setTimeout(resolve, SETTLE_MS));
      const after = rssBytes(pid);
      await Promise.all(sockets.map(socket => new Promise<void>(resolve => {
        socket.once('close', () => resolve());
        socket.close();
        if (socket.readyState === WebSocket.CLOSED) {
          resolve();
        }
      })));
      return { rssBytes: after, failed, bytesPerConnection: (after - before) / (2 * count) };
    },
  };
}

const BODY = Buffer.alloc(4096, 'x');

/** In this order: the last one repeats the second, so that growth of memory shows. */
export const SCENARIOS: readonly Scenario[] = [
  load('GET, 10 connections', { connections: 10 }),
  load('GET, 50 connections', { connections: 50 }),
  load('GET in a session, 50 connections', { connections: 50, inSession: true }),
  load('GET, 200 connections', { connections: 200 }),
  load('POST 4 KB, 50 connections', { connections: 50, body: BODY }),
  load('download 10 MB, 10 connections', { connections: 10, path: '/download' }),
  steady(1000),
  idleEditors(1000),
  load('GET, 50 connections, at the end', { connections: 50 }),
];
