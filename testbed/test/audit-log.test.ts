import { Agent } from 'undici';
import { ApiClient } from '../src/api-client.js';
import { type AuditedRequest, isWrite } from '../src/audit-log.js';
import { ControlPlane } from '../src/control-plane.js';
import { describeWithControlPlane, describeWithPrograms } from '../src/jest/index.js';
import { waitFor } from '../src/wait.js';

describe('isWrite', () => {
  const request = (fields: Partial<AuditedRequest>): AuditedRequest => ({
    id: '', at: new Date(0), durationMs: 0, user: '', userAgent: '', verb: 'create', group: '', resource: 'pods', subresource: '', namespace: '', name: '',
    code: 200, dryRun: false, uri: '', ...fields,
  });

  test.each([
    ['a create', {}, true],
    ['a status patch', { verb: 'patch', subresource: 'status' }, true],
    ['an Event', { resource: 'events' }, true],
    ['a refused write', { verb: 'update', code: 409 }, true],
    ['a binding of the scheduler', { subresource: 'binding' }, true],
    ['a list', { verb: 'list' }, false],
    ['a watch', { verb: 'watch' }, false],
    ['a Lease', { verb: 'update', resource: 'leases' }, false],
    ['a TokenReview', { resource: 'tokenreviews' }, false],
    ['a SubjectAccessReview', { resource: 'subjectaccessreviews' }, false],
    ['a SelfSubjectReview', { resource: 'selfsubjectreviews' }, false],
    ['a token', { resource: 'serviceaccounts', subresource: 'token' }, false],
    ['a dry run', { dryRun: true }, false],
  ])('%s', (_, fields, expected) => expect(isWrite(request(fields))).toBe(expected));
});

describeWithControlPlane('audit log', testbed => {
  test('counts what a client did, at once and exactly', async () => {
    const client = new ApiClient(testbed.cluster.connection, 'counted/1.0');
    const since = new Date();
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: testbed.namespace, name: 'counted' };
    await client.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'counted', namespace: testbed.namespace } });
    await client.merge(ref, { data: { a: '1' } });
    await client.merge(ref, { data: { a: '2' } });
    await expect(client.get({ ...ref, name: 'missing' })).rejects.toThrow('404');
    await client.close();

    const mine = { userAgent: 'counted/1.0', namespace: testbed.namespace, since };
    expect(await testbed.auditLog.countBy(['verb', 'resource', 'subresource', 'code'], mine)).toEqual([
      { verb: 'patch', resource: 'configmaps', subresource: '', code: 200, count: 2 },
      { verb: 'create', resource: 'configmaps', subresource: '', code: 201, count: 1 },
      { verb: 'get', resource: 'configmaps', subresource: '', code: 404, count: 1 },
    ]);
    expect(await testbed.auditLog.count({ ...mine, writes: true })).toBe(3);
    expect(await testbed.auditLog.count({ ...mine, until: since })).toBe(0);
    expect(await testbed.auditLog.count({ ...mine, verbs: ['get', 'list'] })).toBe(1);
    expect(await testbed.auditLog.count({ ...mine, userAgent: /^counted\// })).toBe(4);
  });

  test('tells users apart, also impersonated ones', async () => {
    const jane = await testbed.cluster.client({ user: 'jane' });
    await expect(jane.list('v1', 'Secret', testbed.namespace)).rejects.toThrow('403');
    const impersonating = new ApiClient({ ...testbed.cluster.connection, impersonate: { user: 'john', groups: [] } });
    await expect(impersonating.list('v1', 'Secret', testbed.namespace)).rejects.toThrow('403');
    await impersonating.close();
    expect(await testbed.auditLog.countBy(['user', 'code'], { namespace: testbed.namespace, resource: 'secrets', user: /^j/ })).toEqual([
      { user: 'jane', code: 403, count: 1 },
      { user: 'john', code: 403, count: 1 },
    ]);
  });

  test('counts a watch once, from its start', async () => {
    const { server, ca, cert, key } = testbed.cluster.connection;
    const agent = new Agent({ connect: { ca, cert, key } });
    const watch = await agent.request({
      origin: server, method: 'GET', path: `/api/v1/namespaces/${testbed.namespace}/pods?watch=true`, headers: { 'user-agent': 'watcher/1.0' },
    });
    const counts = () => testbed.auditLog.countBy(['verb', 'resource'], { userAgent: 'watcher/1.0' });
    const once = [{ verb: 'watch', resource: 'pods', count: 1 }];
    expect(await counts()).toEqual(once);
    watch.body.on('error', () => undefined).destroy();
    await agent.destroy();
    await waitFor(async () => (await testbed.auditLog.find({ userAgent: 'watcher/1.0' }))[0].durationMs > 0, { what: 'the end of the watch' });
    expect(await counts()).toEqual(once);
  });
}, { requires: ['auditLog'] });

describeWithPrograms('an own control plane', () => {
  test('can note bodies, whatever their alphabet', async () => {
    await using controlPlane = await ControlPlane.start({ auditLog: 'RequestResponse' });
    await controlPlane.admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'seen', namespace: 'default' }, data: { text: 'Grüße, 世界' } });
    const [request] = await controlPlane.auditLog.find({ resource: 'configmaps', verbs: ['create'], name: 'seen' });
    expect(request.requestObject.data).toEqual({ text: 'Grüße, 世界' });
  }, 60_000);
});
