import type { AuditedRequest } from '../testbed/src/audit-log.js';
import { poisson } from '../bench/controller/arrivals';
import type { ClaimSample } from '../bench/controller/load';
import { attribute } from '../bench/controller/writes';
import { median, quantile } from '../bench/statistics';
import { table } from '../bench/table';

const at = (ms: number) => new Date(ms);
const sample = (name: string, sandbox: string, requested: number, ready: number): ClaimSample => (
  { name, sandbox, requested: { at: requested, date: at(requested) }, ready: { at: ready, date: at(ready) } }
);
const write = (time: number, what: string, name: string): AuditedRequest => {
  const [verb, path] = what.split(' ');
  const [resource, subresource = ''] = path.split('/');
  return { at: at(time), verb, resource, subresource, name } as AuditedRequest;
};

describe('writes of a controller', () => {
  const samples = [sample('claim-1', 'pool-a', 100, 200), sample('claim-2', 'pool-b.c', 150, 300)];
  const of = (...writes: AuditedRequest[]) => attribute(writes, samples);

  test('belong to the path of a claim between its POST and its Ready', () => {
    expect(of(
      write(110, 'patch sandboxes', 'pool-a'), write(120, 'patch sandboxclaims/status', 'claim-1'), write(200, 'patch pods', 'pool-a'),
      write(130, 'create events', 'claim-1.0123abcd'), write(160, 'create events', 'pool-b.c.0123abcd'), write(161, 'create services', 'pool-b.c'),
    )).toEqual({
      path: { 'patch sandboxes': 1, 'patch sandboxclaims/status': 1, 'patch pods': 1, 'create events': 2, 'create services': 1 }, after: {}, refill: {},
    });
  });

  test('come after it when the claim is Ready', () => {
    expect(of(write(201, 'create events', 'claim-1.0123abcd'), write(301, 'patch sandboxes/status', 'pool-b.c'))).toEqual({
      path: {}, after: { 'create events': 1, 'patch sandboxes/status': 1 }, refill: {},
    });
  });

  test('are refill before the Sandbox is claimed, and when they are about something else', () => {
    expect(of(
      write(99, 'create pods', 'pool-a'), write(150, 'create sandboxes', 'pool-d'), write(150, 'patch sandboxwarmpools/status', 'claim-1'),
      write(150, 'update networkpolicies', 'pool-a'), write(150, 'create events', 'claim-10.0123abcd'),
    )).toEqual({
      path: {}, after: {},
      refill: { 'create pods': 1, 'create sandboxes': 1, 'patch sandboxwarmpools/status': 1, 'update networkpolicies': 1, 'create events': 1 },
    });
  });
});

test('arrivals are the same for every controller, in order, and about as many as asked for', () => {
  const arrivals = poisson(10, 15);
  expect(poisson(10, 15)).toEqual(arrivals);
  expect([...arrivals].sort((a, b) => a - b)).toEqual(arrivals);
  expect(arrivals.at(-1)).toBeLessThan(15_000);
  expect(Math.abs(arrivals.length - 150)).toBeLessThan(40);
});

test('quantiles are values that were measured', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect([0.5, 0.9, 0.99, 1].map(part => quantile(values, part))).toEqual([50, 90, 99, 100]);
  expect(quantile([7], 0.5)).toBe(7);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(() => quantile([], 0.5)).toThrow('quantile of no values');
});

test('tables have their numbers below each other', () => {
  expect(table(['', 'ms', 'n'], [['ours', 1.234, 12], ['theirs', 123.4, 1]])).toBe('            ms   n\n  ours    1.23  12\n  theirs   123   1');
});
