import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { gateway, isGatewayHost } from '../src/connection/gateway.js';
import { direct } from '../src/connection/direct.js';
import { isPrivateOrigin } from '../src/connection/connection.js';
import { SandboxGatewayError, SandboxInputError } from '../src/errors.js';
import { selectPodAddress } from '../src/pod-address.js';
import { Bench, rejection } from './support.js';

const GATEWAYS = '/apis/gateway.networking.k8s.io/v1/gateways';
const signal = new AbortController().signal;

describe('gateway', () => {
  const routeOf = (bench: Bench, options: Partial<Parameters<typeof gateway>[0]> = {}) =>
    gateway({ name: 'router', namespace: 'infra', ...options }).open(() => bench.client.cluster).route({} as any, signal);

  test.each([
    [['10.0.0.7'], {}, 'http://10.0.0.7'],
    [['not/a host', 'router.example'], { scheme: 'https' as const, port: 8443 }, 'https://router.example:8443'],
    [['2001:db8::1'], {}, 'http://[2001:db8::1]'],
  ])('takes the first address of %j that can be used', async (addresses, options, origin) => {
    await using bench = await Bench.start();
    bench.api.put(GATEWAYS, { metadata: { namespace: 'infra', name: 'router' }, status: { addresses: addresses.map(value => ({ value })) } });
    expect(await routeOf(bench, options)).toMatchObject({ origin, viaRouter: true, isPrivate: origin.startsWith('https') });
  });

  test('waits for an address, and asks only once', async () => {
    await using bench = await Bench.start();
    bench.api.put(GATEWAYS, { metadata: { namespace: 'infra', name: 'router' } });
    const connection = gateway({ name: 'router', namespace: 'infra' }).open(() => bench.client.cluster);
    const waiting = connection.route({} as any, signal);
    while (bench.api.requests.length === 0) {
      await new Promise(resolve => setImmediate(resolve));
    }
    bench.api.put(GATEWAYS, { metadata: { namespace: 'infra', name: 'router' }, status: { addresses: [{ value: '10.0.0.7' }] } });
    await waiting;
    const count = bench.api.requests.length;
    await connection.route({} as any, signal);
    expect(bench.api.requests).toHaveLength(count);
    connection.forget();
    await connection.route({} as any, signal);
    expect(bench.api.requests).toHaveLength(count + 1);
    await connection.close();
  });

  test('says when the Gateway is missing, or has only addresses that are none', async () => {
    await using bench = await Bench.start();
    expect((await rejection(routeOf(bench))).message).toMatch(/^Gateway infra\/router does not exist: create it/);
    bench.api.put(GATEWAYS, { metadata: { namespace: 'infra', name: 'router' }, status: { addresses: [{ value: 'a@b' }] } });
    const error = await rejection(routeOf(bench, { readyTimeoutMs: 50 }));
    expect(error).toBeInstanceOf(SandboxGatewayError);
    expect(error.message).toMatch(/none of its addresses can be used \(a@b\), after 50 ms/);
  });

  test.each([
    ['10.0.0.7', true], ['::1', true], ['router.example', true], ['a-b.c1', true],
    ['', false], ['0x7f.1', false], ['127.1', false], ['a.0x', false], ['a.1', false], ['1.a', true], ['a/b', false], ['a?b', false], ['a#b', false], ['a@b', false], ['a:80', false],
    ['-a', false], ['a-', false], ['a..b', false], ['a.', false], ['fe80::1%eth0', false], [`${'a'.repeat(64)}.b`, false], [`${'a.'.repeat(127)}a`, false],
  ])('host %j: %s', (host, wanted) => {
    expect(isGatewayHost(host)).toBe(wanted);
  });

  test('a host that is taken names exactly itself in a URL', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', '1', '.', '-', ':', '/', '@', '%', '0x') }), host => {
      if (isGatewayHost(host) && !host.includes(':')) {
        expect(new URL(`http://${host}`).hostname).toBe(host);
      }
    }));
  });
});

describe('direct', () => {
  test('keeps the path of the address', async () => {
    const connection = direct({ url: 'https://sandboxes.example/router/' }).open(() => undefined as never);
    expect(await connection.route({} as any, signal)).toMatchObject({ origin: 'https://sandboxes.example', prefix: '/router', isPrivate: true });
    await connection.close();
  });

  test.each(['', 'router', 'ftp://a', 'http://user:secret@a', 'http://a/?b', 'http://a/#b'])('refuses %j', url => {
    expect(() => direct({ url })).toThrow(SandboxInputError);
    expect(() => direct({ url })).not.toThrow(/secret/);
  });

  test('refuses TLS options that would have no effect', () => {
    expect(() => direct({ url: 'http://a', tls: {} })).toThrow(/tls has no effect/);
    expect(() => gateway({ name: 'a', tls: {} })).toThrow(/tls has no effect/);
  });
});

test.each([
  ['https://a', true], ['http://localhost:1', true], ['http://127.0.0.9', true], ['http://[::1]:8080', true],
  ['http://a', false], ['http://127.0.0.1.a', false], ['http://10.0.0.1', false],
])('what goes to %s stays private: %s', (origin, wanted) => {
  expect(isPrivateOrigin(origin)).toBe(wanted);
});

describe('selectPodAddress', () => {
  test.each<[readonly unknown[] | undefined, string | undefined]>([
    [undefined, undefined],
    [[], undefined],
    [['10.0.0.1'], '10.0.0.1'],
    [[' 10.0.0.1 '], '10.0.0.1'],
    [['2001:DB8:0::1', '10.0.0.1'], '10.0.0.1'],
    [['2001:DB8:0::1', '2001:db8::2'], '2001:db8::1'],
    [[{ ip: '2001:db8::1' }, { ip: '::ffff:10.0.0.1' }], '10.0.0.1'],
    [[null, 7, {}, '', 'nonsense', '10.0.0', '10.0.0.256', 'fe80::1%eth0'], undefined],
  ])('of %j is %s', (addresses, wanted) => {
    expect(selectPodAddress(addresses)).toBe(wanted);
  });

  test('is any IPv4 address before all others', () => {
    fc.assert(fc.property(fc.array(fc.ipV6()), fc.ipV4(), fc.array(fc.ipV6()), (before, address, after) => {
      const mapped = before.some(each => selectPodAddress([each])?.includes('.'));
      expect(selectPodAddress([...before, address, ...after])).toBe(mapped ? selectPodAddress(before) : address);
    }));
  });
});
