import { PODS } from 'agent-sandbox-api';
import { ManualClock } from '../src/clock.js';
import type { Cluster } from '../src/cluster.js';
import type { Access, Credentials } from '../src/credentials.js';
import { ApiError, ConnectionError, RequestTimeoutError, type Situation, isSituation } from '../src/errors.js';
import type { RequestObservation } from '../src/metrics.js';
import { FakeApiServer, type Received } from './fake-api-server.js';
import { COLLECTION, CONFIG_MAPS, clusterOf, configMap, eventually } from './support.js';

const any = () => true;
const ref = { resource: CONFIG_MAPS, namespace: 'a', name: 'x' };

describe('Cluster', () => {
  let server: FakeApiServer;
  let clusters: Cluster[];
  let clock: ManualClock;
  const connect = (options: Parameters<typeof clusterOf>[1] = {}) => {
    const cluster = clusterOf(server, { clock, ...options });
    clusters.push(cluster);
    return cluster;
  };
  /** Moves time on as soon as the cluster waits for this long. */
  const pause = async (ms: number) => {
    await eventually(`a pause of ${ms} ms`, () => clock.nextTimerMs === ms);
    clock.advance(ms);
  };
  beforeEach(async () => {
    server = await FakeApiServer.start();
    clusters = [];
    clock = new ManualClock();
  });
  afterEach(async () => {
    await Promise.all(clusters.map(cluster => cluster.close()));
    await server.stop();
  });

  test('sends verb, path, query, body and user agent, and returns the JSON of the answer', async () => {
    const cluster = connect();
    const created = await cluster.request({ verb: 'create', resource: CONFIG_MAPS, namespace: 'a' }, { body: configMap('a', 'x'), query: { dryRun: undefined, fieldManager: 'me & you' } });
    expect(created.metadata.uid).toBe('uid-1');
    expect(server.requests).toMatchObject([{
      method: 'POST', path: '/api/v1/namespaces/a/configmaps', query: { fieldManager: 'me & you' }, body: { metadata: { name: 'x' } },
      headers: { 'user-agent': 'test/1.0', 'content-type': 'application/json' },
    }]);
    expect(Object.keys(server.requests[0].query)).toEqual(['fieldManager']);
  });

  test('the same connections can speak under another name', async () => {
    const cluster = connect();
    await cluster.withUserAgent('router/2.0').request({ verb: 'get', path: '/version' });
    await expect(cluster.request({ verb: 'get', path: '/version' })).resolves.toEqual({ gitVersion: 'v0.0.0-fake' });
    expect(server.requests.map(({ headers }) => headers['user-agent'])).toEqual(['router/2.0', 'test/1.0']);
  });

  test.each<[number, string | undefined, Situation]>([
    [400, 'BadRequest', 'badRequest'], [401, 'Unauthorized', 'unauthorized'], [403, 'Forbidden', 'forbidden'], [404, 'NotFound', 'notFound'],
    [409, 'AlreadyExists', 'alreadyExists'], [409, 'Conflict', 'conflict'], [410, 'Expired', 'gone'], [422, 'Invalid', 'invalid'],
    [429, 'TooManyRequests', 'tooManyRequests'], [500, 'InternalError', 'internal'], [500, 'ServerTimeout', 'timeout'],
    [503, 'ServiceUnavailable', 'unavailable'], [504, 'Timeout', 'timeout'], [415, 'UnsupportedMediaType', 'other'],
  ])('status %d %s is the situation %s', async (code, reason, situation) => {
    server.fail(any, { code, reason });
    const error: ApiError = await connect().request({ verb: 'patch', ...ref, subresource: 'status' }, { body: {} }).catch(caught => caught);
    expect(error).toBeInstanceOf(ApiError);
    expect([error.code, error.reason, error.situation]).toEqual([code, reason, situation]);
    expect(isSituation(error, situation)).toBe(true);
    expect(error.message).toBe(`patch configmaps/status "a/x": ${code} ${reason}: injected ${code}`);
  });

  test('an error page that is not JSON is in the message', async () => {
    server.fail(any, { code: 502, text: 'bad gateway\n' });
    await expect(connect({ maxRetries: 0 }).request({ verb: 'get', path: '/version' })).rejects.toThrow('get /version: 502: bad gateway');
  });

  test('a kind that the server does not know is an error that says what is missing', async () => {
    server.fail(any, { code: 404, text: '404 page not found\n' });
    const resource = { group: 'example.com', version: 'v1', kind: 'Widget', plural: 'widgets', namespaced: true };
    await expect(connect({ maxRetries: 0 }).request({ verb: 'list', resource })).rejects.toMatchObject({
      situation: 'notFound', message: 'list widgets: 404: the API server does not know widgets of example.com/v1: install the CustomResourceDefinitions',
    });
  });

  test('a read is repeated with growing pauses, and then fails', async () => {
    server.fail(any, { code: 503, reason: 'ServiceUnavailable' }, 10);
    const read = connect({ maxRetries: 3 }).request({ verb: 'get', ...ref });
    await pause(100);
    await pause(200);
    await pause(400);
    await expect(read).rejects.toThrow('503 ServiceUnavailable');
    expect(server.requests).toHaveLength(4);
  });

  test('a read whose connection breaks is repeated', async () => {
    server.put(COLLECTION, configMap('a', 'x'));
    server.fail(any, 'cut');
    const read = connect().request({ verb: 'get', ...ref });
    await pause(100);
    await expect(read).resolves.toMatchObject({ metadata: { name: 'x' } });
  });

  test('a write is not repeated, whatever happens to it', async () => {
    const cluster = connect();
    server.fail(any, 'cut');
    const cut: ConnectionError = await cluster.request({ verb: 'patch', ...ref }, { body: {} }).catch(error => error);
    expect(cut).toBeInstanceOf(ConnectionError);
    expect(cut.sent).toBe(true);
    server.fail(any, { code: 503 });
    await expect(cluster.request({ verb: 'patch', ...ref }, { body: {} })).rejects.toThrow('503');
    expect(server.requests).toHaveLength(2);
  });

  test('a write that the server refused for load is repeated after the time it asks for', async () => {
    server.fail(any, { code: 429, reason: 'TooManyRequests', retryAfter: 2 });
    const write = connect().request({ verb: 'create', resource: CONFIG_MAPS, namespace: 'a' }, { body: configMap('a', 'x') });
    await pause(2000);
    await expect(write).resolves.toMatchObject({ metadata: { name: 'x' } });
  });

  test('429 without a time, and one with a very long time, are left to the caller', async () => {
    server.fail(any, { code: 429 });
    await expect(connect().request({ verb: 'patch', ...ref }, { body: {} })).rejects.toMatchObject({ situation: 'tooManyRequests', retryAfterMs: undefined });
    server.fail(any, { code: 429, retryAfter: 31 });
    await expect(connect().request({ verb: 'get', ...ref })).rejects.toMatchObject({ retryAfterMs: 31_000 });
  });

  test('repetitions are bounded for 429, too', async () => {
    server.fail(any, { code: 429, retryAfter: 1 }, 10);
    const write = connect({ maxRetries: 2 }).request({ verb: 'patch', ...ref }, { body: {} });
    await pause(1000);
    await pause(1000);
    await expect(write).rejects.toThrow('429');
    expect(server.requests).toHaveLength(3);
  });

  test('a server that does not answer in time is an error that says so', async () => {
    const { arrived, open } = server.hold(any);
    const write = connect({ timeoutMs: 5000 }).request({ verb: 'patch', ...ref }, { body: {} });
    const outcome = write.catch(error => error);
    await arrived;
    clock.advance(5000);
    const error = await outcome;
    expect(error).toBeInstanceOf(RequestTimeoutError);
    expect(error.message).toBe('patch configmaps "a/x": no answer within 5000 ms');
    open();
  });

  test('a signal ends a request, and the pause between two', async () => {
    const { arrived } = server.hold(any);
    const first = new AbortController();
    const held = connect().request({ verb: 'get', ...ref }, { signal: first.signal }).catch(error => error);
    await arrived;
    first.abort(new Error('stop'));
    expect((await held).message).toBe('stop');

    server.fail(any, { code: 503 });
    const second = new AbortController();
    const pausing = connect().request({ verb: 'get', ...ref }, { signal: second.signal }).catch(error => error);
    await eventually('the pause', () => clock.nextTimerMs === 100);
    second.abort(new Error('stop again'));
    expect((await pausing).message).toBe('stop again');
    expect(clock.nextTimerMs).toBeUndefined();
    await expect(connect().request({ verb: 'get', ...ref }, { signal: second.signal })).rejects.toThrow('stop again');
  });

  test('no server at all is an error that says that nothing was sent', async () => {
    const cluster = connect({ maxRetries: 0 });
    await server.stop();
    const error: ConnectionError = await cluster.request({ verb: 'patch', ...ref }, { body: {} }).catch(caught => caught);
    expect(error).toBeInstanceOf(ConnectionError);
    expect([error.code, error.sent]).toEqual(['ECONNREFUSED', false]);
    server = await FakeApiServer.start();
  });

  test('requests wait for the limit of the client, watches do not', async () => {
    const waits: number[] = [];
    const cluster = connect({ qps: 10, burst: 1, metrics: { throttled: ms => waits.push(ms) } });
    await cluster.request({ verb: 'get', path: '/version' });
    const limited = cluster.request({ verb: 'get', path: '/version' });
    const stream = await cluster.stream({ verb: 'watch', resource: CONFIG_MAPS }, { query: { watch: true, resourceVersion: '100' } });
    expect(server.requests.filter(({ isWatch }) => isWatch)).toHaveLength(1);
    stream.destroy();
    await pause(100);
    await limited;
    expect(waits).toEqual([100]);
  });

  test('every exchange is measured, failed ones too', async () => {
    const seen: RequestObservation[] = [];
    const cluster = connect({ metrics: { request: exchange => seen.push(exchange) } });
    server.fail(any, { code: 503 });
    const read = cluster.request({ verb: 'list', resource: CONFIG_MAPS, namespace: 'a' });
    await pause(100);
    await read;
    server.fail(any, 'cut');
    await cluster.request({ verb: 'patch', ...ref, subresource: 'status' }, { body: {} }).catch(() => undefined);
    const common = { group: '', resource: 'configmaps', namespace: 'a', durationMs: 0 };
    expect(seen).toEqual([
      { ...common, verb: 'list', subresource: '', code: 503 },
      { ...common, verb: 'list', subresource: '', code: 200 },
      { ...common, verb: 'patch', subresource: 'status', code: 0 },
    ]);
  });

  describe('credentials', () => {
    /** Tokens that are exchanged when the server rejects them. */
    class Tokens implements Credentials {
      public rejected = 0;
      private current: Access = { headers: { authorization: 'Bearer old' }, tls: {} };

      constructor(public readonly server: string, private readonly next?: string) {}

      public access(): Access {
        return this.current;
      }

      public reject(access: Access): void {
        this.rejected++;
        if (access === this.current && this.next) {
          this.current = { headers: { authorization: `Bearer ${this.next}` }, tls: {} };
        }
      }
    }
    const isOld = ({ headers }: Received) => headers.authorization === 'Bearer old';

    test('a request that is refused for old credentials is sent once more with new ones, a write too', async () => {
      server.fail(isOld, { code: 401, reason: 'Unauthorized' }, 10);
      const cluster = connect({ credentials: new Tokens(server.url, 'new') });
      await expect(cluster.request({ verb: 'create', resource: CONFIG_MAPS, namespace: 'a' }, { body: configMap('a', 'x') })).resolves.toBeTruthy();
      expect(server.requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    });

    test('if there are no others, the refusal is the result', async () => {
      server.fail(isOld, { code: 401, reason: 'Unauthorized' }, 10);
      const tokens = new Tokens(server.url);
      await expect(connect({ credentials: tokens }).request({ verb: 'get', path: '/version' })).rejects.toThrow('get /version: 401 Unauthorized');
      expect([server.requests.length, tokens.rejected]).toEqual([1, 1]);
    });

    test('connections are kept while the certificates stay what they are, and replaced when they change', async () => {
      let ca = 'one';
      const cluster = connect({ credentials: { server: server.url, access: () => ({ headers: {}, tls: { ca: Buffer.from(ca) } }), reject: () => undefined } });
      const first = (await cluster.upgrade('/')).dispatcher;
      expect((await cluster.upgrade('/')).dispatcher).toBe(first);
      const stream = await cluster.stream({ verb: 'watch', resource: CONFIG_MAPS }, { query: { watch: true, resourceVersion: '100' } });
      ca = 'two';
      expect((await cluster.upgrade('/')).dispatcher).not.toBe(first);
      const piece = new Promise(resolve => stream.once('data', resolve));
      server.bookmark();
      expect(String(await piece)).toContain('BOOKMARK');
      stream.destroy();
    });

    test('new credentials that are refused as well are not tried again', async () => {
      server.fail(any, { code: 401 }, 10);
      await expect(connect({ credentials: new Tokens(server.url, 'new') }).request({ verb: 'get', path: '/version' })).rejects.toThrow('401');
      expect(server.requests).toHaveLength(2);
    });
  });

  test('a warning of the server is logged once', async () => {
    const warnings: string[] = [];
    const log = () => undefined;
    const cluster = connect({ logger: { debug: log, info: log, error: log, warn: (_, message) => warnings.push(message) } });
    server.warning = '299 - "agents.x-k8s.io/v1alpha1 Sandbox is deprecated; use \\"v1beta1\\""';
    await cluster.request({ verb: 'get', path: '/version' });
    await cluster.request({ verb: 'get', path: '/version' });
    expect(warnings).toEqual(['API server warns: agents.x-k8s.io/v1alpha1 Sandbox is deprecated; use "v1beta1"']);
  });

  test('a server behind a path gets the whole path', async () => {
    const cluster = connect({ credentials: { server: `${server.url}/k8s/clusters/c-1`, access: () => ({ headers: {}, tls: {} }), reject: () => undefined } });
    await cluster.request({ verb: 'get', path: '/version' });
    expect(server.requests[0].path).toBe('/k8s/clusters/c-1/version');
    await expect(cluster.upgrade('/api/v1/x')).resolves.toMatchObject({ url: `${server.url.replace('http', 'ws')}/k8s/clusters/c-1/api/v1/x`, headers: { 'user-agent': 'test/1.0' } });
  });

  test('after close there is no more talking', async () => {
    const cluster = connect();
    await cluster.close();
    await expect(cluster.request({ verb: 'list', resource: PODS }, { maxRetries: 0 })).rejects.toThrow('this connection to the API server was closed: make another Cluster');
  });

  test('a SOCKS proxy is refused with what is possible', () => {
    expect(() => connect({ credentials: { server: 'https://x', proxyUrl: 'socks5://proxy:1080', access: () => ({ headers: {}, tls: {} }), reject: () => undefined } }))
      .toThrow('proxy-url "socks5://proxy:1080" is not supported: only http:// and https:// proxies are');
  });
});
