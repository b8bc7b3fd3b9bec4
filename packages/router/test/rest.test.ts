import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ANNOTATION, LABEL, REST_DOCUMENT, ROUTER_RULES, type RbacRule, type RestSandbox, type RestSandboxRequest, definedOnly, nameHash } from 'agent-sandbox-api';
import { Cluster, loadCredentials, type Logger } from 'agent-sandbox-kube';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { mintScopedToken } from '../src/auth/scoped-token.js';
import { parseFlags } from '../src/flags.js';
import { Metrics } from '../src/metrics.js';
import { Router } from '../src/router.js';
import { ask, eventually, raw, type Reply } from './support.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const RBAC = 'rbac.authorization.k8s.io';
const CLAIMS: RbacRule = { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims'], verbs: ['get', 'list', 'watch', 'create', 'delete'] };
const PATCH: RbacRule = { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes'], verbs: ['patch'] };
const KEY = 'a key of at least thirty-two bytes for scoped tokens';

const volume = (metadata: object, storage = '1Gi') => ({ metadata: { name: 'data', ...metadata }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } } });

/** Answers are held against the document. */
const ajv = new Ajv2020({ strict: false, formats: { 'date-time': text => !Number.isNaN(Date.parse(text)) } }).addSchema(REST_DOCUMENT as object, 'api', false, false);
const paths = Object.entries(REST_DOCUMENT.paths as Record<string, Record<string, any>>).map(([path, methods]) => ({ pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`), methods }));

function conforms(method: string, target: string, { status, headers, text }: Reply): void {
  const operation = paths.find(({ pattern }) => pattern.test(target.split('?')[0]!))?.methods[method.toLowerCase()];
  if (operation === undefined) {
    return;
  }
  const answer = operation.responses[status];
  expect([method, target.split('?')[0], status, answer !== undefined]).toEqual([method, target.split('?')[0], status, true]);
  const content = '$ref' in answer ? REST_DOCUMENT.components.responses.Problem.content : answer.content;
  if (content === undefined) {
    expect(text).toBe('');
    return;
  }
  expect(headers['content-type']).toBe(Object.keys(content)[0]);
  const validate = ajv.getSchema(`api${(Object.values(content)[0] as any).schema.$ref}`) as ValidateFunction;
  validate(JSON.parse(text));
  expect(validate.errors ?? []).toEqual([]);
}

test('the document is valid OpenAPI 3.1, and is the one of the reference', async () => {
  const file = join(REPOSITORY, 'docs/reference/openapi.json');
  // Exits with 1 and says what is wrong.
  await promisify(execFile)(process.execPath, [join(REPOSITORY, 'node_modules/@seriousme/openapi-schema-validator/bin/validate-api-cli.js'), file]);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(REST_DOCUMENT);
});

test('needs users whose rights can be asked about, and paths of its own', () => {
  const parse = (...args: string[]) => () => parseFlags(['--rest-api', ...args], { env: {}, write: () => undefined });
  expect(parse('--authz-mode=allow-all')).toThrow('--rest-api needs users of the cluster: add tokenreview to --authz-mode');
  expect(parse('--path-routing-prefix=/v1')).toThrow('--rest-api has the paths below /v1: choose another --path-routing-prefix');
  expect(parse('--path-routing-prefix=/v1x')).not.toThrow();
});

describeWithControlPlane('the REST surface on an API server, with the rights that the router asks for', testbed => {
  let foreign: string;
  let routerUser: string;
  let url: string;
  let other: string;
  const routers: { router: Router; cluster: Cluster }[] = [];
  const log: string[] = [];
  const accessLog: Record<string, any>[] = [];
  const tokens: Record<string, string> = {};

  const api = () => testbed.cluster.admin;
  const claimRef = (name: string, namespace = testbed.namespace) => ({ apiVersion: EXTENSIONS, kind: 'SandboxClaim', namespace, name });
  const sandboxRef = (name: string) => ({ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', namespace: testbed.namespace, name });

  const bind = async (name: string, rules: readonly RbacRule[], subject: object, isClusterWide = false) => {
    const metadata = isClusterWide ? { name: `${testbed.namespace}-${name}` } : { name, namespace: testbed.namespace };
    await api().create({ apiVersion: `${RBAC}/v1`, kind: isClusterWide ? 'ClusterRole' : 'Role', metadata, rules });
    await api().create({
      apiVersion: `${RBAC}/v1`, kind: isClusterWide ? 'ClusterRoleBinding' : 'RoleBinding', metadata, subjects: [subject],
      roleRef: { apiGroup: RBAC, kind: isClusterWide ? 'ClusterRole' : 'Role', name: metadata.name },
    });
  };
  const account = async (name: string, ...rules: RbacRule[]) => {
    await api().create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: testbed.namespace } });
    if (rules.length > 0) {
      await bind(name, rules, { kind: 'ServiceAccount', name, namespace: testbed.namespace });
    }
    const { connection } = await testbed.cluster.kubeconfig({ serviceAccount: `${testbed.namespace}/${name}`, token: true, audiences: ['agent-sandbox-router'] });
    tokens[name] = connection.token!;
  };
  const startRouter = async (...args: string[]) => {
    const { path } = await testbed.cluster.kubeconfig({ user: routerUser, groups: [] });
    const folder = mkdtempSync(join(tmpdir(), 'rest-'));
    writeFileSync(join(folder, 'key'), KEY);
    const flags = parseFlags([
      '--http-bind-address=127.0.0.1:0', '--allow-loopback-pod-ip', '--authz-mode=tokenreview,scoped-token,static-token', `--authz-scoped-token-secret-file=${join(folder, 'key')}`,
      '--cors-allowed-origins=https://app.example', ...args,
    ], { env: { ROUTER_AUTH_TOKEN: 'operator' } });
    const write = (fields: object, message: string) => void log.push(`${message} ${JSON.stringify(fields)} ${(fields as any).err?.message ?? ''}`);
    const logger: Logger = { debug: () => undefined, info: write, warn: write, error: write };
    const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig: path }), userAgent: 'router', logger });
    const router = new Router({ flags, cluster, logger, metrics: new Metrics('test'), accessLog: fields => void accessLog.push(fields as Record<string, any>) });
    routers.push({ router, cluster });
    await router.start();
    return `http://127.0.0.1:${router.ports[0]}`;
  };

  interface Options {
    readonly as?: string | undefined;
    readonly method?: string;
    readonly body?: unknown;
    readonly headers?: Record<string, string>;
    readonly at?: string;
  }
  /** Sends a request, and holds the answer against the document. `as` is an account, or a token. */
  const rest = async (target: string, { as = 'user', method = 'GET', body, headers = {}, at = url }: Options = {}): Promise<Reply & { json: any }> => {
    const text = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const reply = await ask(`${at}${target}`, {
      method, body: text,
      headers: {
        ...definedOnly({
          'authorization': as === '' ? undefined : `Bearer ${tokens[as] ?? as}`, 'content-type': text === undefined ? undefined : 'application/json',
        }),
        ...headers,
      },
    });
    if (headers['x-sandbox-id'] === undefined) {
      conforms(method, target, reply);
    }
    return { ...reply, json: reply.text === '' ? undefined : JSON.parse(reply.text) };
  };
  const inOwn = (path = '', more = '') => `/v1/sandboxes${path}?namespace=${testbed.namespace}${more}`;
  const create = (body: object = { pool: 'python' }, options: Options = {}, more = '') => rest(inOwn('', more), { method: 'POST', body, ...options });

  /** Plays the controller: says that a claim is bound to a Sandbox, and what its condition is. */
  const say = (name: string, status: 'True' | 'False', reason: string, sandbox?: string) => api().merge(claimRef(name), {
    status: {
      conditions: [{ type: 'Ready', status, reason, message: `it is ${reason}`, lastTransitionTime: '2026-01-01T00:00:00Z' }],
      sandbox: sandbox && { name: sandbox },
    },
  }, 'status');
  const makeSandbox = (name: string, spec: object = {}) => api().create({
    apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name, namespace: testbed.namespace },
    spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, ...spec },
  });

  beforeAll(async () => {
    routerUser = `router-${testbed.namespace}`;
    const subject = { kind: 'User', name: routerUser, apiGroup: RBAC };
    await bind('router', [...ROUTER_RULES.resolve, ...ROUTER_RULES.rest, ...ROUTER_RULES.authorize], subject, true);
    foreign = await testbed.cluster.createNamespace('foreign');
    await account('user', CLAIMS, PATCH);
    await account('second', CLAIMS);
    await account('creator', { ...CLAIMS, verbs: ['create'] });
    await account('reader', { ...CLAIMS, verbs: ['get', 'list'] });
    await account('one', { ...CLAIMS, verbs: ['get', 'delete'], resourceNames: ['only-this'] });
    await account('patcher', { ...CLAIMS, verbs: ['get'] }, { ...PATCH, resourceNames: ['allowed-box'] });
    await account('stranger');
    for (const [name, namespace] of [['secret-box', foreign], ['only-this', testbed.namespace]] as const) {
      await api().create({ apiVersion: EXTENSIONS, kind: 'SandboxClaim', metadata: { name, namespace, labels: { secret: 'yes' } }, spec: { warmPoolRef: { name: 'python' } } });
    }
    url = await startRouter('--rest-api');
    other = await startRouter('--rest-api');
  }, 120_000);
  afterAll(async () => {
    for (const { router, cluster } of routers) {
      await router.close(0);
      await cluster.close();
    }
  }, 60_000);

  describe('sandboxes', () => {
    test('are created, read, listed and deleted by curl-like requests', async () => {
      const made = await create({
        template: 'python', lifetime: { seconds: 600 }, env: { A: '1' }, labels: { team: 'a' }, podLabels: { 'sandbox.users.io/a': 'b' }, podAnnotations: { note: 'any text' },
      } satisfies RestSandboxRequest);
      expect([made.status, made.headers['cache-control'], made.headers['x-content-type-options']]).toEqual([201, 'no-store', 'nosniff']);
      const { name } = made.json as RestSandbox;
      expect(made.json).toMatchObject({ namespace: testbed.namespace, template: 'python', state: 'NotReady', labels: { team: 'a' } });
      expect(made.headers.location).toBe(inOwn(`/${name}`));
      const { spec, metadata } = await api().get(claimRef(name));
      expect(spec).toMatchObject({
        sandboxTemplateRef: { name: 'python' }, env: [{ name: 'A', value: '1' }], additionalPodMetadata: { labels: { 'sandbox.users.io/a': 'b' }, annotations: { note: 'any text' } },
        lifecycle: { shutdownPolicy: 'Delete' },
      });
      expect(metadata.annotations).toMatchObject({ [ANNOTATION.requestedBy]: `system:serviceaccount:${testbed.namespace}:user` });
      expect((await rest(made.headers.location as string)).json).toEqual(made.json);
      expect((await rest(inOwn('', '&labelSelector=team%3Da'))).json.items).toEqual([made.json]);
      expect(await rest(inOwn(`/${name}`), { method: 'DELETE' })).toMatchObject({ status: 204, text: '' });
      expect(await rest(inOwn(`/${name}`), { method: 'DELETE' })).toMatchObject({ status: 404, json: { reason: 'NotFound' } });
    });

    test('are created with volumes, as the claim has them', async () => {
      const volumeClaims = [{
        metadata: { name: 'data', labels: { team: 'a' }, annotations: { note: 'any text' } },
        spec: {
          accessModes: ['ReadWriteOncePod' as const], resources: { requests: { storage: '10Gi' }, limits: { storage: '20Gi' } }, storageClassName: 'fast', volumeMode: 'Filesystem' as const,
          volumeName: 'pv', volumeAttributesClassName: 'gold', dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'yesterday' },
          dataSourceRef: { kind: 'PersistentVolumeClaim', name: 'other' },
          selector: { matchLabels: { tier: 'fast' }, matchExpressions: [{ key: 'zone', operator: 'In' as const, values: ['a', 'b'] }] },
        },
      }];
      const { status, json } = await create({ template: 'python', volumeClaims } satisfies RestSandboxRequest);
      expect(status).toBe(201);
      expect((await api().get(claimRef(json.name))).spec.volumeClaimTemplates).toEqual(volumeClaims);
    });

    test('are listed page by page', async () => {
      const names = await Promise.all(['page-a', 'page-b', 'page-c'].map(async name => (await create({ pool: 'p', name, labels: { pages: 'yes' } })).json.name));
      const seen: string[] = [];
      let from = '';
      do {
        const { json } = await rest(inOwn('', `&labelSelector=pages&limit=2${from === '' ? '' : `&continue=${from}`}`));
        expect(json.items.length).toBeLessThanOrEqual(2);
        seen.push(...json.items.map(({ name }: RestSandbox) => name));
        from = json.continue ?? '';
      } while (from !== '');
      expect(seen).toEqual(names.sort());
    });

    test('are waited for: until Ready, until failed, until deleted, or until the time is up', async () => {
      expect((await create({ pool: 'p', name: 'waiting' }, {}, '&wait=1')).json).toMatchObject({ state: 'NotReady', reason: '' });
      const waiting = rest(inOwn('/waiting', '&wait=60'));
      await makeSandbox('box-waiting');
      await say('waiting', 'True', 'DependenciesReady', 'box-waiting');
      // Ready to the controller, while this router knows of no Pod that it could send requests to.
      const { uid } = (await api().get(sandboxRef('box-waiting'))).metadata;
      await makePod('box-waiting', uid);
      expect((await waiting).json).toMatchObject({ state: 'Ready', reason: 'DependenciesReady', sandboxName: 'box-waiting' });

      const failing = create({ pool: 'p', name: 'failing' }, {}, '&wait=60');
      await api().waitFor(claimRef('failing'), () => true);
      await say('failing', 'False', 'InvalidMetadata');
      expect(await failing).toMatchObject({ status: 201, json: { state: 'Failed', reason: 'InvalidMetadata', message: 'it is InvalidMetadata' } });

      const gone = create({ pool: 'p', name: 'going' }, {}, '&wait=60');
      await api().waitFor(claimRef('going'), () => true);
      await api().delete(claimRef('going'));
      expect(await gone).toMatchObject({ status: 404, json: { reason: 'NotFound' } });
    });

    test('are suspended and resumed', async () => {
      await create({ pool: 'p', name: 'pausing' });
      expect(await rest(inOwn('/pausing/suspend'), { method: 'POST' })).toMatchObject({ status: 409, json: { reason: 'NotBound' } });
      await makeSandbox('box-pausing');
      await say('pausing', 'True', 'DependenciesReady', 'box-pausing');
      expect((await rest(inOwn('/pausing/suspend'), { method: 'POST' })).json).toMatchObject({ state: 'Suspending' });
      expect((await api().get(sandboxRef('box-pausing'))).spec).toMatchObject({ operatingMode: 'Suspended', replicas: 0 });
      const ending = rest(inOwn('/pausing/suspend', '&wait=60'), { method: 'POST' });
      await api().merge(sandboxRef('box-pausing'), { status: { conditions: [{ type: 'Suspended', status: 'True', reason: 'PodTerminated', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] } }, 'status');
      expect((await ending).json).toMatchObject({ state: 'Suspended' });
      expect((await rest(inOwn('/pausing/resume', '&wait=1'), { method: 'POST' })).json.state).toBe('Ready');
      expect((await api().get(sandboxRef('box-pausing'))).spec).toMatchObject({ operatingMode: 'Running', replicas: 1 });
    });

    test('are deleted only if they are the ones that are meant', async () => {
      const { json } = await create({ pool: 'p', name: 'twice' });
      expect(await rest(inOwn('/twice', '&uid=another'), { method: 'DELETE' })).toMatchObject({ status: 409, json: { reason: 'Conflict' } });
      expect(await rest(inOwn('/twice', `&uid=${json.uid}`), { method: 'DELETE' })).toMatchObject({ status: 204 });
    });

    test('say who asks', async () => {
      const { json } = await rest('/v1/self');
      expect(json).toMatchObject({ username: `system:serviceaccount:${testbed.namespace}:user` });
      expect(Date.parse(json.expiresAt)).toBeGreaterThan(Date.now());
    });

    test('are described by the document, which needs no token', async () => {
      expect(JSON.parse((await ask(`${url}/v1/openapi.json`)).text)).toEqual(REST_DOCUMENT);
    });
  });

  describe('an Idempotency-Key', () => {
    const keyed = (key: string, body: object, options: Options = {}) => create(body, { ...options, headers: { 'idempotency-key': key } });

    test('makes one sandbox of many requests, also at the same time and of two routers', async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => keyed('race', { pool: 'p', labels: { race: 'yes' } }, { at: i % 2 ? url : other })));
      expect(answers.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 11 }, () => 200), 201]);
      expect(new Set(answers.map(({ json }) => json.uid)).size).toBe(1);
      expect((await rest(inOwn('', '&labelSelector=race'))).json.items).toHaveLength(1);
    });

    test('belongs to one body, one user and one namespace', async () => {
      const first = await keyed('k', { pool: 'p', labels: { a: '1', b: '2' } });
      expect(await keyed('k', { labels: { b: '2', a: '1' }, pool: 'p' })).toMatchObject({ status: 200, json: { uid: first.json.uid } });
      expect(await keyed('k', { pool: 'q' })).toMatchObject({ status: 422, json: { reason: 'IdempotencyKeyReused' } });
      const second = await keyed('k', { pool: 'q' }, { as: 'second' });
      expect([second.status, second.json.uid === first.json.uid]).toEqual([201, false]);
    });

    test('does not take over a claim that was there, nor one that is being deleted', async () => {
      expect(await create({ pool: 'python', name: 'only-this' })).toMatchObject({ status: 409, json: { reason: 'AlreadyExists' } });
      expect(await keyed('x', { pool: 'python', name: 'only-this' })).toMatchObject({ status: 409, json: { reason: 'AlreadyExists' } });
      const { json } = await keyed('leaving', { pool: 'p' });
      await api().merge(claimRef(json.name), { metadata: { finalizers: ['test.example/hold'] } });
      await rest(inOwn(`/${json.name}`), { method: 'DELETE' });
      expect(await keyed('leaving', { pool: 'p' })).toMatchObject({ status: 409, json: { reason: 'Deleting' } });
      await api().merge(claimRef(json.name), { metadata: { finalizers: null } });
      await api().waitGone(claimRef(json.name));
      expect((await keyed('leaving', { pool: 'p' })).status).toBe(201);
    });

    test.each([['', 'empty'], ['x'.repeat(256), 'long'], ['a b', 'blank'], ['ü', 'not ASCII']])('is refused: %j (%s)', async key => {
      const reply = await new Promise<number>((resolve, reject) => {
        const sent = httpRequest(`${url}${inOwn()}`, {
          method: 'POST', headers: { 'authorization': `Bearer ${tokens.user}`, 'content-type': 'application/json', 'idempotency-key': Buffer.from(key).toString('latin1') },
        }, response => resolve(response.resume().statusCode!)).on('error', reject);
        sent.end('{"pool":"p"}');
      });
      expect(reply).toBe(400);
    });
  });

  describe('rights', () => {
    const every = (namespace: string, name: string): [string, string, object?][] => [
      ['GET', `/v1/sandboxes?namespace=${namespace}`], ['POST', `/v1/sandboxes?namespace=${namespace}`, { pool: 'p' }],
      ['GET', `/v1/sandboxes/${name}?namespace=${namespace}`], ['DELETE', `/v1/sandboxes/${name}?namespace=${namespace}`],
      ['POST', `/v1/sandboxes/${name}/suspend?namespace=${namespace}`], ['POST', `/v1/sandboxes/${name}/resume?namespace=${namespace}`],
    ];

    test.each(['user', 'second', 'creator', 'reader', 'one', 'patcher', 'stranger'])('of %s end at the namespace, and nothing tells what exists there', async as => {
      const answers: string[] = [];
      for (const [namespace, name] of [[foreign, 'secret-box'], [foreign, 'missing'], ['no-such-namespace', 'missing']] as const) {
        for (const [method, target, body] of every(namespace, name)) {
          const { status, text } = await rest(target, { as, method, ...definedOnly({ body }) });
          answers.push(`${status} ${text}`);
        }
      }
      expect(new Set(answers).size).toBe(1);
      expect(answers[0]).toMatch(/^403 .*"detail":"forbidden"/);
      expect((await api().get(claimRef('secret-box', foreign))).metadata.deletionTimestamp).toBeUndefined();
    });

    test('are asked about before anything is read or written with those of the router', async () => {
      const since = new Date();
      await Promise.all(every(foreign, 'secret-box').map(([method, target, body]) => rest(target, { as: 'user', method, ...definedOnly({ body }) })));
      const seen = await testbed.auditLog.find({ user: routerUser, since });
      expect(seen.filter(({ namespace }) => namespace === foreign)).toEqual([]);
    });

    test('are those for the verb, the resource and the name', async () => {
      expect(await rest(inOwn('/only-this'), { as: 'one' })).toMatchObject({ status: 200 });
      expect(await rest(inOwn('/other'), { as: 'one' })).toMatchObject({ status: 403 });
      expect(await rest(inOwn(), { as: 'one' })).toMatchObject({ status: 403 });
      expect(await rest(inOwn(), { as: 'reader' })).toMatchObject({ status: 200 });
      expect(await create({ pool: 'p' }, { as: 'reader' })).toMatchObject({ status: 403 });
      expect(await rest(inOwn('/only-this'), { as: 'reader', method: 'DELETE' })).toMatchObject({ status: 403 });
      expect(await rest(inOwn('/only-this', '&wait=1'), { as: 'reader' })).toMatchObject({ status: 403 });
      expect(await rest(inOwn('/only-this/suspend'), { as: 'reader', method: 'POST' })).toMatchObject({ status: 409 });
    });

    test('to create are none to wait, nor to read by repeating', async () => {
      const headers = { 'idempotency-key': 'blind' };
      expect(await create({ pool: 'p' }, { as: 'creator' }, '&wait=1')).toMatchObject({ status: 403 });
      expect(await create({ pool: 'p' }, { as: 'creator', headers })).toMatchObject({ status: 201 });
      expect(await create({ pool: 'p' }, { as: 'creator', headers })).toMatchObject({ status: 403 });
    });

    test('count for the Sandbox that is really patched, whatever the status of a claim says', async () => {
      await makeSandbox('allowed-box');
      await makeSandbox('victim-box');
      for (const [claim, box] of [['mine', 'allowed-box'], ['crafted', 'victim-box']] as const) {
        await create({ pool: 'p', name: claim });
        await say(claim, 'True', 'DependenciesReady', box);
      }
      expect(await rest(inOwn('/mine/suspend'), { as: 'patcher', method: 'POST' })).toMatchObject({ status: 200 });
      expect(await rest(inOwn('/crafted/suspend'), { as: 'patcher', method: 'POST' })).toMatchObject({ status: 403 });
      expect((await api().get(sandboxRef('victim-box'))).spec.operatingMode).toBe('Running');
    });

    test('that were taken away are gone at once', async () => {
      await account('leaver', CLAIMS);
      expect(await rest(inOwn(), { as: 'leaver' })).toMatchObject({ status: 200 });
      await api().delete({ apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', namespace: testbed.namespace, name: 'leaver' });
      await eventually('the refusal', async () => (await rest(inOwn(), { as: 'leaver' })).status === 403);
    });
  });

  describe('attacks', () => {
    test.each<[string, Record<string, string>]>([
      ['impersonation of a user', { 'impersonate-user': 'system:admin' }],
      ['impersonation of groups', { 'impersonate-user': 'admin', 'impersonate-group': 'system:masters' }],
      ['headers of a proxy that authenticates', { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' }],
      ['extra fields of a user', { 'impersonate-extra-scopes': 'all', 'x-remote-extra-acme': '1' }],
      ['a second token in a cookie', { cookie: '__Host-sandbox-session=x; token=operator' }],
      ['another method in a header', { 'x-http-method-override': 'DELETE' }],
    ])('%s gives no right', async (_, headers) => {
      const since = new Date();
      expect(await rest(`/v1/sandboxes/secret-box?namespace=${foreign}`, { as: 'stranger', headers })).toMatchObject({ status: 403 });
      expect((await testbed.auditLog.find({ user: /admin/, since })).filter(({ userAgent }) => userAgent === 'router')).toEqual([]);
      expect((await api().get(claimRef('secret-box', foreign))).metadata.deletionTimestamp).toBeUndefined();
    });

    test('no token, a worthless one, a cookie, or a token that is no user: nothing', async () => {
      const unknown = await rest(inOwn(), { as: '' });
      expect([unknown.status, unknown.headers['www-authenticate'], unknown.json.reason]).toEqual([401, 'Bearer', 'Unauthorized']);
      expect(await rest(inOwn(), { as: 'worthless' })).toMatchObject({ status: 401 });
      expect(await rest(inOwn(), { as: '', headers: { cookie: `sandbox-session=${tokens.user}` } })).toMatchObject({ status: 401 });
      expect(await rest(inOwn('', `&sandbox_token=${tokens.user}`), { as: '' })).toMatchObject({ status: 401 });
      const scoped = mintScopedToken(Buffer.from(KEY), { namespace: testbed.namespace, name: 'box', uid: 'u', exp: Math.floor(Date.now() / 1000) + 60 });
      for (const as of [scoped, 'operator']) {
        expect(await rest(inOwn(), { as })).toMatchObject({ status: 403, json: { detail: expect.stringContaining('belongs to no user of the cluster') } });
      }
    });

    test.each<[string, (own: string, theirs: string) => string]>([
      ['a namespace twice', (own, theirs) => `?namespace=${own}&namespace=${theirs}`],
      ['a path in the namespace', (own, theirs) => `?namespace=${own}/../${theirs}`],
      ['an encoded path in the namespace', (own, theirs) => `?namespace=${own}%2F..%2F${theirs}`],
      ['a query in the namespace', own => `?namespace=${own}%3FfieldSelector%3Dx`],
      ['an empty namespace, which would be all', () => '?namespace='],
      ['no namespace', () => ''],
      ['a namespace of capitals', () => '?namespace=Kube-System'],
      ['a NUL in the namespace', own => `?namespace=${own}%00`],
      ['a parameter of the API server', own => `?namespace=${own}&fieldManager=kubectl`],
      ['a watch', own => `?namespace=${own}&watch=true`],
      ['a limit of 0, which would be all', own => `?namespace=${own}&limit=0`],
      ['a limit beyond the largest', own => `?namespace=${own}&limit=501`],
      ['a limit that is no number', own => `?namespace=${own}&limit=1e2`],
      ['a wait beyond the longest', own => `/only-this?namespace=${own}&wait=301`],
      ['a negative wait', own => `/only-this?namespace=${own}&wait=-1`],
      ['a name of capitals', own => `/ONLY?namespace=${own}`],
      ['an encoded slash in the name', own => `/only%2Fthis?namespace=${own}`],
      ['a subresource in the name', own => `/only-this%2Fstatus?namespace=${own}`],
      ['a continuation that is none', own => `?namespace=${own}&continue=../x`],
      ['a selector that is none', own => `?namespace=${own}&labelSelector=a%20in%20(`],
    ])('%s is refused', async (_, target) => {
      expect((await rest(`/v1/sandboxes${target(testbed.namespace, foreign)}`)).status).toBe(400);
    });

    test.each(['/v1/sandboxes/only-this/exec', '/v1/sandboxes/only-this/suspend/x', '/v1/sandboxes/', '/v1/sandboxes//only-this', '/v1/sandboxes/a/../secret-box/suspend/x'])('%s does not exist', async path => {
      expect(await rest(`${path}?namespace=${testbed.namespace}`)).toMatchObject({ status: 404, json: { reason: 'NotFound' } });
    });

    test.each(['PUT', 'PATCH', 'OPTIONS', 'HEAD'])('%s is no method', async method => {
      const { status, headers } = await ask(`${url}${inOwn()}`, { method, headers: { authorization: `Bearer ${tokens.user}` } });
      expect([status, headers.allow]).toEqual([405, 'POST, GET']);
    });

    test.each(['/v1/sandboxes/%2e%2e', '/v1/sandboxes/..', '/v1/sandboxes/only-this%00'])('%s, byte by byte, is refused', async path => {
      const answer = await raw(Number(new URL(url).port), `GET ${path}?namespace=${testbed.namespace} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${tokens.user}\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 .*application\/problem\+json/s);
    });

    test('a continuation that was changed to begin in another namespace shows nothing of it', async () => {
      const { json } = await rest(inOwn('', '&limit=1'));
      const token = JSON.parse(Buffer.from(json.continue, 'base64url').toString());
      for (const start of [`../${foreign}/`, `../${foreign}/secret-box\u0000`, `/../../${foreign}`, '../']) {
        const changed = Buffer.from(JSON.stringify({ ...token, start })).toString('base64url');
        const { status, text } = await rest(inOwn('', `&limit=500&continue=${changed}`));
        expect([status, text.includes('"secret"')]).toEqual([400, false]);
      }
    });

    test.each<[string, object | string, RegExp]>([
      ['a namespace in the body', { pool: 'p', namespace: 'kube-system' }, /\/namespace: There is no such field/],
      ['a whole object', { pool: 'p', metadata: { namespace: 'kube-system', ownerReferences: [] } }, /\/metadata: There is no such field/],
      ['a spec', { spec: { warmPoolRef: { name: 'p' } } }, /\/spec: There is no such field/],
      ['a template of another namespace', { template: { name: 'p', namespace: 'kube-system' } }, /\/template: It must be string/],
      ['a path as the template', { template: '../p' }, /\/template/],
      ['two origins', { pool: 'p', template: 'q' }, /exactly one of pool and template/],
      ['no origin', {}, /exactly one of pool and template/],
      ['a list', [], /must be object/],
      ['null', 'null', /must be object/],
      ['a prototype', '{"pool":"p","__proto__":{"template":"q"}}', /__proto__: There is no such field/],
      ['a prototype among the labels', '{"pool":"p","labels":{"__proto__":"x"}}', /which is not a label key/],
      ['a constructor', '{"pool":"p","constructor":{"prototype":{}}}', /There is no such field/],
      ['a name with dots, which no host has', { pool: 'p', name: 'a.b' }, /\/name/],
      ['a name of 64 characters', { pool: 'p', name: 'x'.repeat(64) }, /\/name/],
      ['33 labels', { pool: 'p', labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])) }, /\/labels/],
      ['129 variables', { pool: 'p', env: Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`l${i}`, ''])) }, /\/env/],
      ['a lifetime of two ends', { pool: 'p', lifetime: { seconds: 1, until: '2030-01-01T00:00:00Z' } }, /\/lifetime: .*give one of them/],
      ['a lifetime of none', { pool: 'p', lifetime: {} }, /\/lifetime: /],
      ['a date that is none', { pool: 'p', lifetime: { until: '2030-13-01T00:00:00Z' } }, /\/lifetime\/until/],
      ['a lifetime as text', { pool: 'p', lifetime: { seconds: '60' } }, /\/lifetime\/seconds: It must be integer/],
      ['a policy of its own', { pool: 'p', lifetime: { seconds: 60, policy: 'Orphan' } }, /must be one of Delete, DeleteForeground, Retain/],
      ['a variable that is a list', { pool: 'p', env: { A: ['x'] } }, /\/env\/A: It must be string/],
      ['100 levels', `${'{"lifetime":'.repeat(100)}{}${'}'.repeat(100)}`, /There is no such field|exactly one/],
      ['20,000 levels', `{"pool":"p","env":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /\/env: It must be object/],
      ['a label of the API', { pool: 'p', labels: { 'agents.x-k8s.io/created-by': 'controller' } }, /reserved domain/],
      ['a label of the API for the extensions', { pool: 'p', labels: { 'extensions.agents.x-k8s.io/a': '' } }, /reserved domain/],
      ['a label of Kubernetes', { pool: 'p', labels: { 'kubernetes.io/metadata.name': 'kube-system' } }, /reserved domain/],
      ['a label below Kubernetes', { pool: 'p', labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } }, /reserved domain/],
      ['a Pod label of the API', { pool: 'p', podLabels: { 'agents.x-k8s.io/sandbox-name-hash': 'x' } }, /podLabels has .* which is reserved/],
      ['the label of the router', { pool: 'p', podLabels: { app: 'sandbox-router' } }, /podLabels has "app", which is reserved/],
      ['a Pod annotation of Kubernetes', { pool: 'p', podAnnotations: { 'container.apparmor.security.beta.kubernetes.io/main': 'unconfined' } }, /not under kubernetes.io/],
      ['a Pod annotation of the API', { pool: 'p', podAnnotations: { 'agents.x-k8s.io/pod-name': 'x' } }, /not under agents.x-k8s.io/],
      ['a trace that is not its own', { pool: 'p', podAnnotations: { 'opentelemetry.io/trace-context': '{}' } }, /which is reserved/],
      ['a volume without a size', { pool: 'p', volumeClaims: [{ metadata: { name: 'a' }, spec: { accessModes: ['ReadWriteOnce'] } }] }, /\/volumeClaims\/0\/spec: .*resources/],
      ['a volume with a size that is none', { pool: 'p', volumeClaims: [volume({}, '10 GB')] }, /storage/],
      ['a field that no volume has', { pool: 'p', volumeClaims: [{ ...volume({}), status: {} }] }, /\/volumeClaims\/0\/status: There is no such field/],
      ['an owner of a volume', { pool: 'p', volumeClaims: [volume({ ownerReferences: [] })] }, /\/volumeClaims\/0\/metadata\/ownerReferences: There is no such field/],
      ['33 volumes', { pool: 'p', volumeClaims: Array.from({ length: 33 }, () => volume({})) }, /\/volumeClaims/],
      ['a label of Kubernetes on a volume', { pool: 'p', volumeClaims: [volume({ labels: { 'kubernetes.io/a': '' } })] }, /volumeClaims\/0\/metadata\/labels: .*reserved domain/],
      ['an annotation of Kubernetes on a volume', { pool: 'p', volumeClaims: [volume({}), volume({ annotations: { 'volume.kubernetes.io/selected-node': 'n' } })] }, /volumeClaims\/1\/metadata\/annotations: .*reserved domain/],
      ['an annotation key that is none', { pool: 'p', podAnnotations: { 'a b': '' } }, /not an annotation key/],
    ])('a body with %s is refused with its place', async (_, body, message) => {
      const before = (await rest(inOwn('', '&limit=500'))).json.items.length;
      const { status, json } = await create(body as object);
      expect([status, json.reason]).toEqual([422, 'Invalid']);
      expect(json.detail).toMatch(message);
      expect(json.errors.length).toBeGreaterThan(0);
      expect((await rest(inOwn('', '&limit=500'))).json.items.length).toBe(before);
    });

    test.each<[string, string | Buffer, Record<string, string>, number]>([
      ['longer than the longest', JSON.stringify({ pool: 'p', env: { A: 'x'.repeat(66_000) } }), {}, 413],
      ['no JSON', '{"pool":', {}, 400],
      ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), {}, 400],
      ['compressed', 'x', { 'content-encoding': 'gzip' }, 415],
      ['of a form, which pages of any origin can send', 'pool=p', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
      ['of text, which pages of any origin can send', '{"pool":"p"}', { 'content-type': 'text/plain' }, 415],
      ['in another encoding', '{"pool":"p"}', { 'content-type': 'application/json; charset=utf-16' }, 415],
      ['of no type', '{"pool":"p"}', { 'content-type': '' }, 415],
    ])('a body %s is refused', async (_, body, headers, status) => {
      expect((await create(body as unknown as object, { headers })).status).toBe(status);
    });

    test('a body without an end is cut off at the limit', async () => {
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1');
        let text = '';
        const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
        socket.on('data', data => (text += data.toString()));
        socket.on('error', () => undefined).on('close', () => resolve(text));
        socket.on('connect', () => {
          socket.write(`POST ${inOwn()} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${tokens.user}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`);
          const more = () => socket.writable && socket.write(chunk, error => error == null && setImmediate(more));
          more();
        });
        setTimeout(() => reject(new Error(`not ended: ${text}`)), 20_000).unref();
      });
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    });

    test('strangers cannot make the router read a body', async () => {
      const { status } = await rest(`/v1/sandboxes?namespace=${foreign}`, { method: 'POST', as: 'stranger', body: `"${'x'.repeat(200_000)}"` });
      expect(status).toBe(403);
    });

    test('headers for requests to sandboxes have no meaning, and one that names a Sandbox is for that', async () => {
      expect(await rest(inOwn(), { headers: { 'x-sandbox-namespace': foreign } })).toMatchObject({ status: 400 });
      const sandbox = await rest(inOwn(), { as: 'stranger', headers: { 'x-sandbox-id': 'box', 'x-sandbox-namespace': testbed.namespace } });
      expect([sandbox.status, sandbox.text]).toEqual([403, '{"detail":"forbidden"}\n']);
    });

    test('a page of another origin needs a token of its own, and one that is not listed may not even read', async () => {
      const ours = await rest(inOwn(), { headers: { origin: 'https://app.example' } });
      expect([ours.status, ours.headers['access-control-allow-origin'], ours.headers['access-control-allow-credentials']]).toEqual([200, 'https://app.example', undefined]);
      expect((await rest(inOwn(), { headers: { origin: 'https://evil.example' } })).headers['access-control-allow-origin']).toBeUndefined();
    });

    test('quotas and policies of the namespace hold, and their words arrive', async () => {
      const expression = '!object.metadata.name.startsWith("forbidden-")';
      const name = `${testbed.namespace}-names`;
      await api().create({
        apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name },
        spec: {
          failurePolicy: 'Fail', validations: [{ expression, message: 'names must not begin with forbidden' }],
          matchConstraints: { resourceRules: [{ apiGroups: ['extensions.agents.x-k8s.io'], apiVersions: ['*'], operations: ['CREATE'], resources: ['sandboxclaims'] }] },
        },
      });
      await api().create({
        apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding', metadata: { name },
        spec: { policyName: name, validationActions: ['Deny'], matchResources: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': testbed.namespace } } } },
      });
      try {
        let i = 0;
        const { json } = await eventually('the refusal', async () => {
          const reply = await create({ pool: 'p', name: `forbidden-${i++}` });
          return reply.status === 422 && reply;
        });
        expect(json.detail).toContain('names must not begin with forbidden');
        expect(json.detail).not.toContain(routerUser);
      } finally {
        for (const kind of ['ValidatingAdmissionPolicyBinding', 'ValidatingAdmissionPolicy']) {
          await api().delete({ apiVersion: 'admissionregistration.k8s.io/v1', kind, name });
        }
      }
    });

    test('logs and answers have no token', async () => {
      const all = JSON.stringify([accessLog, log]);
      for (const token of Object.values(tokens)) {
        expect(all).not.toContain(token.slice(-20));
      }
      expect(accessLog).toContainEqual(expect.objectContaining({ path: '/v1/sandboxes/secret-box', status: 403, user: `system:serviceaccount:${testbed.namespace}:stranger` }));
    });
  });

  test('it is off unless it is asked for', async () => {
    const at = await startRouter();
    const { status, detail } = await ask(`${at}${inOwn()}`, { headers: { authorization: `Bearer ${tokens.user}` } });
    expect([status, detail]).toEqual([400, 'X-Sandbox-ID header is required.']);
  });

  test('a router for some namespaces serves no others', async () => {
    const at = await startRouter('--rest-api', `--cache-namespace=${foreign}`);
    expect(await rest(inOwn(), { at })).toMatchObject({ status: 403, json: { detail: 'forbidden' } });
  });

  test('requests of one caller are limited in number and rate', async () => {
    const at = await startRouter('--rest-api', '--max-requests-per-caller=2');
    const abort = new AbortController();
    const wait = () => fetch(`${at}${inOwn('/only-this', '&wait=60')}`, { headers: { authorization: `Bearer ${tokens.user}` }, signal: abort.signal }).catch(() => undefined);
    const waiting = [wait(), wait()];
    await eventually('the limit', async () => (await rest(inOwn('/only-this'), { at })).status === 429);
    expect((await rest(inOwn('/only-this'), { at, as: 'reader' })).status).toBe(200);
    abort.abort();
    await Promise.all(waiting);
    await eventually('the places back', async () => (await rest(inOwn('/only-this'), { at })).status === 200);
    const slow = await startRouter('--rest-api', '--rate-limit=0.01', '--rate-limit-burst=1');
    expect((await rest(inOwn(), { at: slow })).status).toBe(200);
    expect(await rest(inOwn(), { at: slow })).toMatchObject({ status: 429, json: { reason: 'TooManyRequests' } });
  });

  test('the router was never refused, and used every right that it has', async () => {
    const requests = await testbed.auditLog.find({ user: routerUser });
    expect(requests.filter(({ code }) => code === 403 || code === 401).map(({ verb, uri }) => `${verb} ${uri}`)).toEqual([]);
    const used = new Set(requests.map(({ verb, resource }) => `${verb} ${resource}`));
    const granted = [...ROUTER_RULES.resolve, ...ROUTER_RULES.rest, ...ROUTER_RULES.authorize].flatMap(({ verbs, resources }) => resources.flatMap(resource => verbs.map(verb => `${verb} ${resource}`)));
    expect([...used].sort()).toEqual([...new Set(granted)].sort());
  });

  /** A Pod that the router can reach. */
  async function makePod(name: string, uid: string): Promise<void> {
    await api().create({
      apiVersion: 'v1', kind: 'Pod',
      metadata: {
        name, namespace: testbed.namespace, labels: { [LABEL.sandboxNameHash]: nameHash(name) },
        ownerReferences: [{ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name, uid, controller: true }],
      },
      spec: { schedulerName: 'none', containers: [{ name: 'main', image: 'image' }] },
    });
    await api().merge({ apiVersion: 'v1', kind: 'Pod', namespace: testbed.namespace, name }, {
      status: { phase: 'Running', podIP: '127.0.0.1', podIPs: [{ ip: '127.0.0.1' }], conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
    }, 'status');
  }
}, { requires: ['auditLog'] });
