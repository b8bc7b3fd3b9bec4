import { BlockList } from 'node:net';
import * as fc from 'fast-check';
import { canonicalAddress, clientChain, isLoopback, isReachable } from '../src/addresses.js';
import { bearerToken, namedByConnection, readContract, sortHeaders } from '../src/contract.js';
import { Refusal } from '../src/refusal.js';

const read = (headers: Record<string, string>, allowLoopback = false) => readContract(new Map(Object.entries({ 'x-sandbox-id': 'box', ...headers })), allowLoopback);
const detail = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(Refusal);
    expect((error as Refusal).status).toBe(400);
    return (error as Refusal).message;
  }
  return 'accepted';
};

test('has the defaults of the header contract', () => {
  expect(read({})).toEqual({ id: 'box', namespace: 'default', port: 8888 });
  expect(read({ 'x-sandbox-namespace': '', 'x-sandbox-port': '', 'x-sandbox-pod-ip': '', 'x-sandbox-uid': '' })).toEqual({ id: 'box', namespace: 'default', port: 8888 });
});

test.each(['Foo', 'foo.bar', 'foo/bar', '-a', 'a-', 'a'.repeat(64), '..', 'a b', 'ä', 'a\tb'])('refuses the name %j', name => {
  expect(detail(() => read({ 'x-sandbox-id': name }))).toBe('Invalid sandbox ID format.');
  expect(detail(() => read({ 'x-sandbox-namespace': name }))).toBe('Invalid namespace format.');
});

test.each(['abc', '0', '-1', '65536', '70000', '1e3', '0x50', '80.0', '9'.repeat(30)])('refuses the port %j', port => {
  expect(detail(() => read({ 'x-sandbox-port': port }))).toBe('Invalid port format.');
});

test.each([
  ['not-an-ip', ' format'], ['127.0.0.1', ''], ['::1', ''], ['169.254.169.254', ''], ['fe80::1', ''], ['224.0.0.1', ''], ['ff02::1', ''], ['0.0.0.0', ''], ['::', ''],
  ['::ffff:127.0.0.1', ''], ['::ffff:10.0.0.5', ''], ['::ffff:7f00:1', ''], ['::127.0.0.1', ''], ['64:ff9b::7f00:1', ''], ['2002:7f00:1::', ''], ['168.63.129.16', ''],
  ['100.100.100.200', ''], ['fd00:ec2::254', ''], ['fe80::1%eth0', ' format'], ['10.0.0.5:80', ' format'], ['0x7f.1', ' format'], ['127.1', ' format'], ['[::1]', ' format'], ['010.0.0.1', ' format'],
])('refuses the address %j', (address, format) => {
  expect(detail(() => read({ 'x-sandbox-pod-ip': address }))).toBe(`Invalid target IP address${format}.`);
});

test('takes private and public addresses, in one way of writing', () => {
  expect(read({ 'x-sandbox-pod-ip': '10.0.0.5' }).podIp).toBe('10.0.0.5');
  expect(read({ 'x-sandbox-pod-ip': '2001:0DB8:0:0:0:0:0:1' }).podIp).toBe('2001:db8::1');
  expect(read({ 'x-sandbox-pod-ip': '127.0.0.9' }, true).podIp).toBe('127.0.0.9');
  expect(detail(() => read({ 'x-sandbox-pod-ip': '169.254.169.254' }, true))).toBe('Invalid target IP address.');
});

test.each([['5', 5000], ['0.25', 250], ['1e2', 100_000], ['abc', undefined], ['nan', undefined], ['inf', undefined], ['Infinity', undefined], ['0', undefined], ['-5', undefined], ['', undefined]])('reads the timeout %j as %j ms', (text, ms) => {
  expect(read({ 'x-sandbox-timeout': text }).timeoutMs).toBe(ms);
});

test.each([['Bearer abc', 'abc'], ['bearer   abc ', 'abc'], ['BEARER\tabc', 'abc'], ['Bearer a b', undefined], ['Bearer ', undefined], ['Bearer', undefined], ['Basic abc', undefined], ['abc', undefined], [undefined, undefined]])('finds in %j the token %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});

test('a header for the router that is there twice is refused, whatever the case', () => {
  const twice = (name: string) => detail(() => sortHeaders([name, 'a', 'Accept', '*/*', name.toUpperCase(), 'a'], undefined));
  for (const name of ['X-Sandbox-ID', 'X-Sandbox-Port', 'X-Sandbox-Pod-IP', 'Authorization', 'Host']) {
    expect(twice(name)).toContain('occurs twice');
  }
});

test('what goes to the sandbox is what is neither the router\'s nor the hop\'s, in order and with its case and repetitions', () => {
  const { own, forwarded } = sortHeaders([
    'Host', 'router', 'X-SANDBOX-ID', 'box', 'x-sandbox-anything', '1', 'Authorization', 'Bearer x', 'Connection', 'close, X-Foo', 'X-Foo', 'dropped', 'Keep-Alive', '5',
    'TE', 'trailers', 'Transfer-Encoding', 'chunked', 'Upgrade', 'x', 'Proxy-Connection', 'a', 'X-Forwarded-For', '1.2.3.4', 'X-Forwarded-User', 'root', 'Forwarded', 'for=1', 'Expect', '100-continue',
    'Content-Length', '3', 'Cookie', 'a=1', 'X-Two', '1', 'x-two', '2', 'Origin', 'http://o',
  ], 'close, X-Foo');
  expect(forwarded).toEqual(['Cookie', 'a=1', 'X-Two', '1', 'x-two', '2', 'Origin', 'http://o']);
  expect(own.get('x-sandbox-id')).toBe('box');
});

test('no header of the router or of the hop gets through, however it is written', () => {
  const bad = fc.constantFrom('authorization', 'x-sandbox-id', 'x-sandbox-x', 'connection', 'upgrade', 'te', 'trailer', 'transfer-encoding', 'keep-alive', 'proxy-authorization', 'x-forwarded-for', 'x-forwarded-host', 'forwarded', 'host', 'content-length');
  const cased = bad.chain(name => fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }).map(upper => [...name].map((letter, i) => (upper[i] ? letter.toUpperCase() : letter)).join('')));
  const good = fc.constantFrom('accept', 'x-a', 'cookie');
  fc.assert(fc.property(fc.array(fc.oneof(good, cased), { maxLength: 12 }), names => {
    let forwarded: string[] = [];
    try {
      ({ forwarded } = sortHeaders(names.flatMap(name => [name, 'v']), 'x-b'));
    } catch (error) {
      expect(error).toBeInstanceOf(Refusal);
      return;
    }
    expect(forwarded.filter((_, i) => i % 2 === 0).every(name => ['accept', 'x-a', 'cookie'].includes(name))).toBe(true);
  }));
});

test('every way to write an address becomes one, and stays it', () => {
  fc.assert(fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), text => {
    const address = canonicalAddress(text)!;
    expect(canonicalAddress(address)).toBe(address);
    expect(canonicalAddress(text.toUpperCase())).toBe(address);
  }));
});

test('an address of this machine or its link is never reached', () => {
  const byte = fc.integer({ min: 0, max: 255 });
  const v4 = (first: string) => fc.tuple(byte, byte, byte).map(([a, b, c]) => first.split('.').concat([a, b, c].map(String)).slice(0, 4).join('.'));
  fc.assert(fc.property(fc.oneof(v4('127'), v4('0'), v4('169.254'), v4('224'), v4('239')), address => {
    expect(isReachable(address, false)).toBe(false);
    expect(isReachable(canonicalAddress(`::ffff:${address}`)!, true)).toBe(false);
    expect(isReachable(address, true)).toBe(address.startsWith('127.'));
  }));
  expect(['10.1.2.3', '8.8.8.8', '2001:db8::1', 'fd00::1'].every(address => isReachable(address, false))).toBe(true);
});

test('a connection is on loopback or not, whichever family wrote its address', () => {
  expect(['127.0.0.1', '::1', '::ffff:127.0.0.1'].map(isLoopback)).toEqual([true, true, true]);
  expect(['10.0.0.1', '::ffff:10.0.0.1', '', 'localhost'].map(isLoopback)).toEqual([false, false, false, false]);
});

test('the client is the peer, unless that is a trusted proxy', () => {
  const trusted = new BlockList();
  trusted.addSubnet('10.0.0.0', 8);
  expect(clientChain('::ffff:192.0.2.1', '1.1.1.1', trusted)).toEqual(['192.0.2.1']);
  expect(clientChain('10.0.0.1', '1.1.1.1, 2.2.2.2, 10.9.9.9', trusted)).toEqual(['2.2.2.2', '10.9.9.9', '10.0.0.1']);
  expect(clientChain('10.0.0.1', '10.1.1.1, 10.2.2.2', trusted)).toEqual(['10.1.1.1', '10.2.2.2', '10.0.0.1']);
  expect(clientChain('10.0.0.1', 'evil, 10.2.2.2', trusted)).toEqual(['10.2.2.2', '10.0.0.1']);
  expect(clientChain('10.0.0.1', undefined, trusted)).toEqual(['10.0.0.1']);
});

test('names in a Connection header', () => {
  expect(namedByConnection('keep-alive')).toBeUndefined();
  expect([...namedByConnection('Keep-Alive, X-Foo ,close')!]).toEqual(['keep-alive', 'x-foo', 'close']);
});
