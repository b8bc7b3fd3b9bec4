import { Duration } from 'cdk8s';
import { Lifetime, SandboxClaim, SandboxTemplate, ShutdownPolicy } from '../src';
import { manifest, messageOf, sandbox, testChart } from './helpers';

function lifecycle(lifetime: Lifetime): unknown {
  const chart = testChart();
  new SandboxClaim(chart, 'claim', { template: SandboxTemplate.fromName('python'), lifetime });
  return manifest(chart, 'SandboxClaim').spec.lifecycle;
}

const TIME = '2027-01-31T17:00:00Z';

test.each<[string, Lifetime, object]>([
  ['at a point in time', Lifetime.until(TIME), { shutdownTime: TIME }],
  ['at a point in time of a zone, as written', Lifetime.until('2027-01-31T17:00:00.250+05:30'), { shutdownTime: '2027-01-31T17:00:00.250+05:30' }],
  ['after the work', Lifetime.afterFinished(Duration.hours(1)), { ttlSecondsAfterFinished: 3600 }],
  ['right after the work', Lifetime.afterFinished(Duration.seconds(0)), { ttlSecondsAfterFinished: 0 }],
  ['after the work, as late as the API can say', Lifetime.afterFinished(Duration.seconds(2147483647)), { ttlSecondsAfterFinished: 2147483647 }],
  ['after the work, or at a point in time', Lifetime.afterFinished(Duration.minutes(5), { onExpiry: ShutdownPolicy.DELETE }).orUntil(TIME),
    { shutdownTime: TIME, ttlSecondsAfterFinished: 300, shutdownPolicy: 'Delete' }],
  ['with everything deleted first', Lifetime.until(TIME, { onExpiry: ShutdownPolicy.DELETE_FOREGROUND }), { shutdownTime: TIME, shutdownPolicy: 'DeleteForeground' }],
  ['and stays as an object', Lifetime.until(TIME, { onExpiry: ShutdownPolicy.RETAIN }), { shutdownTime: TIME, shutdownPolicy: 'Retain' }],
])('a claim ends %s', (_, lifetime, wire) => {
  expect(lifecycle(lifetime)).toEqual(wire);
});

test('a claim without lifetime has no lifecycle, so that the API server adds no policy', () => {
  const chart = testChart();
  new SandboxClaim(chart, 'claim', { template: SandboxTemplate.fromName('python') });
  expect(manifest(chart, 'SandboxClaim').spec).not.toHaveProperty('lifecycle');
});

test('a Sandbox has the same times in its own fields', () => {
  expect(sandbox({ lifetime: Lifetime.until(TIME, { onExpiry: ShutdownPolicy.RETAIN }) }).spec).toMatchObject({ shutdownTime: TIME, shutdownPolicy: 'Retain' });
});

test('orUntil makes another lifetime', () => {
  const first = Lifetime.afterFinished(Duration.hours(1));
  expect(first.orUntil(TIME).shutdownTime).toBe(TIME);
  expect(first.shutdownTime).toBeUndefined();
});

test.each<[() => Lifetime, string]>([
  [() => Lifetime.until('tomorrow'), "Lifetime.until: shutdownTime is 'tomorrow': write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'"],
  [() => Lifetime.until('2027-01-31T17:00:00'),
    "Lifetime.until: shutdownTime is '2027-01-31T17:00:00': add a zone, or it would mean another time on every machine: '2027-01-31T17:00:00Z'"],
  [() => Lifetime.until('2027-02-29T17:00:00Z'),
    "Lifetime.until: shutdownTime is '2027-02-29T17:00:00Z': there is no such time: check day, hour and zone, for example '2027-01-31T17:00:00Z'"],
  [() => Lifetime.afterFinished(Duration.hours(1)).orUntil('soon'),
    "Lifetime.orUntil: shutdownTime is 'soon': write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'"],
  [() => Lifetime.afterFinished(Duration.millis(1500)), "Lifetime.afterFinished: ttl is '1.5s': use whole seconds from 0 to 2147483647"],
  [() => Lifetime.afterFinished(Duration.days(25000)), "Lifetime.afterFinished: ttl is '2160000000s': use whole seconds from 0 to 2147483647"],
])('%# is refused where it is made', (action, message) => {
  expect(messageOf(action)).toBe(message);
});
