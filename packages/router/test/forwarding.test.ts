import { BlockList } from 'node:net';
import { outsideOf } from '../src/forwarded.js';

const trusted = new BlockList();
trusted.addSubnet('10.0.0.0', 8);
const seen = (headers: Record<string, string>, peer = '10.0.0.1', isEncrypted = false) => outsideOf({ host: 'inside:8080', ...headers }, peer, isEncrypted, trusted);

test('a trusted proxy says who the client is and what it asked for', () => {
  expect(seen({
    'x-forwarded-for': '6.6.6.6, 192.0.2.7, 10.1.1.1', 'x-forwarded-host': 'box.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-prefix': '/team',
  })).toEqual({
    client: '192.0.2.7', chain: '192.0.2.7, 10.1.1.1, 10.0.0.1', proto: 'https', isProtoKnown: true, host: 'box.example.com', port: 443, prefix: '/team',
  });
  expect(seen({ 'x-forwarded-proto': 'https', 'x-forwarded-port': '8443' })).toMatchObject({ port: 8443, host: 'inside:8080' });
});

test('another peer says nothing', () => {
  expect(seen({
    'x-forwarded-for': '1.1.1.1', 'x-forwarded-host': 'evil', 'x-forwarded-proto': 'https', 'x-forwarded-port': '1', 'x-forwarded-prefix': '/x',
  }, '::ffff:192.0.2.1')).toEqual({ client: '192.0.2.1', chain: '192.0.2.1', proto: 'http', isProtoKnown: false, host: 'inside:8080', port: 8080, prefix: '' });
  expect(seen({ host: 'box' }, '192.0.2.1', true)).toMatchObject({ proto: 'https', isProtoKnown: true, port: 443 });
});

test.each([
  ['x-forwarded-proto', 'gopher'], ['x-forwarded-host', 'a b'], ['x-forwarded-host', 'evil"><script>'], ['x-forwarded-host', 'a@b'], ['x-forwarded-host', 'a/b'], ['x-forwarded-host', 'a:99999'],
  ['x-forwarded-host', '[::1'], ['x-forwarded-host', '[zz]'], ['x-forwarded-port', '0'], ['x-forwarded-port', '70000'], ['x-forwarded-port', 'x'], ['x-forwarded-prefix', 'team'],
  ['x-forwarded-prefix', '/a b'], ['x-forwarded-prefix', '//evil.example'], ['x-forwarded-prefix', '/'],
])('%s: %s is ignored', (name, value) => {
  expect(seen({ [name]: value })).toEqual(seen({}));
});

test('of several values, that of the nearest proxy counts: the client may have sent the others', () => {
  expect(seen({ 'x-forwarded-host': 'evil.example, box.example.com', 'x-forwarded-proto': 'http, https' })).toMatchObject({ host: 'box.example.com', proto: 'https' });
});
