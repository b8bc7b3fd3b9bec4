import { ManualClock } from '../src/clock.js';
import type { Cluster } from '../src/cluster.js';
import { type EventNote, EventRecorder, type EventRecorderOptions } from '../src/events.js';
import { FakeApiServer, type Received } from './fake-api-server.js';
import { clusterOf, eventually } from './support.js';

const COLLECTION = '/apis/events.k8s.io/v1/events';
const any = () => true;
const sandbox = (name = 'x', namespace: string | undefined = 'team') => ({
  apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name, namespace, uid: `uid-${name}`, resourceVersion: '7' },
});
const adopted: EventNote = { type: 'Normal', reason: 'SandboxAdopted', action: 'Adoption', note: 'Adopted warm pool Sandbox "s"' };

describe('EventRecorder', () => {
  let server: FakeApiServer;
  let cluster: Cluster;
  let clock: ManualClock;
  let dropped: string[];
  let recorder: EventRecorder;
  const start = (options: Partial<EventRecorderOptions> = {}) => recorder = new EventRecorder({
    cluster, controller: 'sandbox-controller', instance: 'pod-1', onDropped: why => dropped.push(why), ...options,
  });
  const events = () => [...server.all(COLLECTION).values()];
  // Until the recorder has its answers: their deadlines are timers, too.
  const quiet = () => clock.nextTimerMs === undefined;
  const stored = (count: number) => eventually(`${count} Events`, () => events().length === count && quiet());
  beforeEach(async () => {
    server = await FakeApiServer.start();
    clock = new ManualClock();
    cluster = clusterOf(server, { clock });
    dropped = [];
    start();
  });
  afterEach(async () => {
    await cluster.close();
    await server.stop();
  });

  test('sends an Event of events.k8s.io/v1 about the object', async () => {
    recorder.record(sandbox(), { ...adopted, related: { kind: 'SandboxClaim', metadata: { name: 'c', namespace: 'team', uid: 'uid-c' } } });
    await stored(1);
    const [event] = events();
    expect(event.metadata).toMatchObject({ namespace: 'team', name: expect.stringMatching(/^x\.[0-9a-f]{16}$/) });
    expect({ ...event, metadata: undefined }).toEqual({
      apiVersion: 'events.k8s.io/v1', kind: 'Event', metadata: undefined, eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'sandbox-controller', reportingInstance: 'pod-1',
      type: 'Normal', reason: 'SandboxAdopted', action: 'Adoption', note: 'Adopted warm pool Sandbox "s"',
      regarding: { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name: 'x', namespace: 'team', uid: 'uid-x', resourceVersion: '7' },
      related: { kind: 'SandboxClaim', name: 'c', namespace: 'team', uid: 'uid-c' },
    });
  });

  test('Events about cluster-scoped objects go to the namespace default; names and notes that are too long are cut', async () => {
    recorder.record({ kind: 'Node', metadata: { name: 'n'.repeat(253) } }, { ...adopted, note: 'o'.repeat(2000) });
    await stored(1);
    const [{ metadata, note }] = events();
    expect([metadata.namespace, metadata.name.length, note.length, note.at(-1)]).toEqual(['default', 253, 1024, '…']);
  });

  test('the same again is one Event with a count, written at most every 30 s', async () => {
    recorder.record(sandbox(), adopted);
    await stored(1);
    clock.advance(1000);
    recorder.record(sandbox(), adopted);
    recorder.record(sandbox(), adopted);
    expect(server.requests).toHaveLength(1);
    clock.advance(30_000);
    await eventually('the count', () => events()[0].series?.count === 3 && quiet());
    expect(events()[0].series.lastObservedTime).toBe('2026-01-01T00:00:31.000000Z');
    clock.advance(60_000);
    expect(server.requests).toHaveLength(2);
    recorder.record(sandbox(), adopted);
    clock.advance(30_000);
    await eventually('the count', () => events()[0].series?.count === 4 && quiet());
    expect(events()).toHaveLength(1);
  });

  test('a new Event may wait, and what happens again meanwhile is counted in it', async () => {
    start({ delayMs: 1000 });
    recorder.record(sandbox(), adopted);
    clock.advance(999);
    recorder.record(sandbox(), adopted);
    expect(server.requests).toEqual([]);
    clock.advance(1);
    await stored(1);
    expect(events()[0]).toMatchObject({ eventTime: '2026-01-01T00:00:00.000000Z', series: { count: 2 } });
    recorder.record(sandbox('y'), adopted);
    await recorder.close();
    expect(events()).toHaveLength(2);
  });

  test('what happens again while the Event is on its way is counted later', async () => {
    start({ seriesFlushMs: 1000 });
    const { arrived, open } = server.hold(any);
    recorder.record(sandbox(), adopted);
    await arrived;
    recorder.record(sandbox(), adopted);
    clock.advance(1000);
    expect(server.requests).toHaveLength(1);
    open();
    await eventually('the plan of an update', () => clock.nextTimerMs === 1000);
    clock.advance(1000);
    await eventually('the count', () => events()[0].series?.count === 2);
    expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
  });

  test('after 6 minutes without it, it is a new Event', async () => {
    recorder.record(sandbox(), adopted);
    await stored(1);
    clock.advance(360_000);
    recorder.record(sandbox(), adopted);
    await stored(2);
  });

  test('another note, reason, type or object is another Event', async () => {
    recorder.record(sandbox(), adopted);
    recorder.record(sandbox(), { ...adopted, note: 'other' });
    recorder.record(sandbox(), { ...adopted, reason: 'Other' });
    recorder.record(sandbox(), { ...adopted, type: 'Warning' });
    recorder.record(sandbox('y'), adopted);
    await stored(5);
  });

  test('a series whose Event the server has dropped begins anew', async () => {
    recorder.record(sandbox(), adopted);
    await stored(1);
    server.all(COLLECTION).clear();
    recorder.record(sandbox(), adopted);
    clock.advance(30_000);
    await stored(1);
    expect(events()[0].series.count).toBe(2);
  });

  test('one object may have 25 different Events at once and then one every 5 minutes; other objects are not concerned', async () => {
    for (let number = 0; number < 30; number++) {
      recorder.record(sandbox(), { ...adopted, note: `note ${number}` });
    }
    await stored(25);
    expect(dropped).toEqual(Array(5).fill('rate'));
    recorder.record(sandbox('y'), adopted);
    await stored(26);
    clock.advance(300_000);
    recorder.record(sandbox(), { ...adopted, note: 'one more' });
    recorder.record(sandbox(), { ...adopted, note: 'too many' });
    await stored(27);
    expect(dropped).toHaveLength(6);
  });

  test('recording waits for nothing, and drops what is more than the buffer holds', async () => {
    start({ bufferSize: 3 });
    const gates = [server.hold(any), server.hold(any)];
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
      recorder.record(sandbox(name), adopted);
    }
    expect(dropped).toEqual(['buffer']);
    await Promise.all(gates.map(({ arrived }) => arrived));
    expect(server.requests).toHaveLength(2);
    gates.forEach(({ open }) => open());
    await stored(5);
  });

  test('an Event that cannot be sent is repeated with pauses, under the same name', async () => {
    server.fail(any, { code: 503 });
    server.fail(any, 'cut');
    recorder.record(sandbox(), adopted);
    for (const ms of [500, 1000]) {
      await eventually('the pause', () => clock.nextTimerMs === ms);
      clock.advance(ms);
    }
    await stored(1);
    const names = new Set(server.requests.map(({ body }: Received) => body.metadata.name));
    expect([names.size, server.requests.length, dropped]).toEqual([1, 3, []]);
  });

  test('an Event that the server had taken, although its answer was lost, is not an error', async () => {
    server.fail(any, { code: 409, reason: 'AlreadyExists' });
    recorder.record(sandbox(), adopted);
    recorder.record(sandbox(), adopted);
    await eventually('the request', () => server.requests.length === 1);
    await recorder.close();
    expect(dropped).toEqual([]);
    expect(events().map(({ series }) => series?.count)).toEqual([2]);
  });

  test('an Event that is refused, as in a namespace on its end, is dropped at once', async () => {
    server.fail(any, { code: 403, reason: 'Forbidden' });
    recorder.record(sandbox(), adopted);
    await eventually('the refusal', () => dropped.length === 1);
    expect([dropped, server.requests.length]).toEqual([['refused'], 1]);
  });

  test('close sends what waits, counts included, takes no more, and leaves no timer behind', async () => {
    recorder.record(sandbox(), adopted);
    await stored(1);
    recorder.record(sandbox(), adopted);
    recorder.record(sandbox('y'), adopted);
    await recorder.close();
    recorder.record(sandbox('z'), adopted);
    expect(events().map(({ regarding, series }) => [regarding.name, series?.count])).toEqual([['x', 2], ['y', undefined]]);
    expect(clock.nextTimerMs).toBeUndefined();
  });

  test('close gives up after its time', async () => {
    server.hold(any);
    recorder.record(sandbox(), adopted);
    const closed = recorder.close(5000);
    await eventually('the request', () => server.requests.length === 1);
    clock.advance(5000);
    await closed;
    expect(dropped).toEqual(['refused']);
  });
});
