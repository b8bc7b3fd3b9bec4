import { EVENTS, LEASES, NAMESPACES, PODS, SANDBOXES, apiVersionOf } from 'agent-sandbox-api';
import { describeLocation, locate, pathOf } from '../src/resource.js';

test.each([
  [pathOf(PODS), '/api/v1/pods'],
  [pathOf(PODS, { namespace: 'team' }), '/api/v1/namespaces/team/pods'],
  [pathOf(PODS, { namespace: 'team', name: 'a', subresource: 'status' }), '/api/v1/namespaces/team/pods/a/status'],
  [pathOf(SANDBOXES, { namespace: 'team', name: 'a' }), '/apis/agents.x-k8s.io/v1beta1/namespaces/team/sandboxes/a'],
  [pathOf(NAMESPACES, { name: 'team' }), '/api/v1/namespaces/team'],
  [pathOf(NAMESPACES, { namespace: 'ignored', name: 'team' }), '/api/v1/namespaces/team'],
  [pathOf(LEASES, { namespace: 'a/../b', name: '?' }), '/apis/coordination.k8s.io/v1/namespaces/a%2F..%2Fb/leases/%3F'],
])('%s', (path, expected) => expect(path).toBe(expected));

test('a namespaced object without namespace is refused before the server is asked', () => {
  expect(() => pathOf(PODS, { name: 'a' })).toThrow('pods "a" needs a namespace: Pod is a namespaced kind');
});

test('an object without name cannot be located', () => {
  expect(() => locate({ kind: 'Pod', metadata: { generateName: 'a-' } })).toThrow('Pod has no metadata.name: create it first');
});

test('messages name subresource, namespace and name', () => {
  expect(describeLocation(SANDBOXES, { namespace: 'team', name: 'a', subresource: 'status' })).toBe('sandboxes/status "team/a"');
  expect(describeLocation(SANDBOXES, { namespace: 'team' })).toBe('sandboxes in "team"');
});

test('apiVersion has no group in the core group', () => {
  expect([apiVersionOf(PODS), apiVersionOf(EVENTS)]).toEqual(['v1', 'events.k8s.io/v1']);
});
