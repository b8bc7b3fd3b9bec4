import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS } from '../model';
import { ALL_VERSIONS, CRDS, type Json, KIND_NAMES, type KindName, VERSION_NAMES, type VersionName, schemaOf, versionOf, walk, without } from './crd-files';

const CORE = 'agents.x-k8s.io';
const EXTENSIONS = 'extensions.agents.x-k8s.io';

test.each`
  kind                 | group         | plural                | singular             | listKind                 | shortName
  ${'Sandbox'}         | ${CORE}       | ${'sandboxes'}        | ${'sandbox'}         | ${'SandboxList'}         | ${'sandbox'}
  ${'SandboxClaim'}    | ${EXTENSIONS} | ${'sandboxclaims'}    | ${'sandboxclaim'}    | ${'SandboxClaimList'}    | ${'sandboxclaim'}
  ${'SandboxTemplate'} | ${EXTENSIONS} | ${'sandboxtemplates'} | ${'sandboxtemplate'} | ${'SandboxTemplateList'} | ${'sandboxtemplate'}
  ${'SandboxWarmPool'} | ${EXTENSIONS} | ${'sandboxwarmpools'} | ${'sandboxwarmpool'} | ${'SandboxWarmPoolList'} | ${'swp'}
`('$kind has the names that clients know', ({ kind, group, plural, singular, listKind, shortName }) => {
  const crd = CRDS[kind as KindName];
  expect(crd.apiVersion).toBe('apiextensions.k8s.io/v1');
  expect(crd.kind).toBe('CustomResourceDefinition');
  expect(crd.metadata).toEqual({ name: `${plural}.${group}` });
  expect(crd.spec.group).toBe(group);
  expect(crd.spec.scope).toBe('Namespaced');
  expect(crd.spec.names).toEqual({ kind, listKind, plural, singular, shortNames: [shortName] });
});

test.each(KIND_NAMES)('%s has no conversion webhook', kind => {
  expect(CRDS[kind].spec.conversion).toEqual({ strategy: 'None' });
  expect(Object.keys(CRDS[kind].spec).sort()).toEqual(['conversion', 'group', 'names', 'scope', 'versions']);
});

test.each(KIND_NAMES)('%s stores v1beta1 and serves v1alpha1 beside it with a warning', kind => {
  const { group, versions } = CRDS[kind].spec;
  expect(versions.map((version: Json) => version.name)).toEqual(['v1beta1', 'v1alpha1']);
  expect(versions[0]).toMatchObject({ served: true, storage: true });
  expect(versions[0]).not.toHaveProperty('deprecated');
  expect(versions[0]).not.toHaveProperty('deprecationWarning');
  expect(versions[1]).toMatchObject({
    served: true,
    storage: false,
    deprecated: true,
    deprecationWarning: `${group}/v1alpha1 ${kind} is deprecated; use ${group}/v1beta1 ${kind} instead`,
  });
});

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' };

test.each<[KindName, VersionName, Json | undefined]>([
  ['Sandbox', 'v1beta1', { status: {} }],
  ['Sandbox', 'v1alpha1', { status: {}, scale: SCALE }],
  ['SandboxClaim', 'v1beta1', { status: {} }],
  ['SandboxClaim', 'v1alpha1', { status: {} }],
  ['SandboxTemplate', 'v1beta1', undefined],
  ['SandboxTemplate', 'v1alpha1', undefined],
  ['SandboxWarmPool', 'v1beta1', { status: {}, scale: SCALE }],
  ['SandboxWarmPool', 'v1alpha1', { status: {}, scale: SCALE }],
])('%s %s has the subresources %j', (kind, version, subresources) => {
  expect(versionOf(kind, version).subresources).toEqual(subresources);
});

const READY = ['Ready', 'string', ".status.conditions[?(@.type=='Ready')].status"];
const REASON = ['Reason', 'string', ".status.conditions[?(@.type=='Ready')].reason"];
const AGE = ['Age', 'date', '.metadata.creationTimestamp'];
const TIME = 'string format=date-time pattern=^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$';
const POOL_COLUMNS = [['Ready', 'integer', '.status.readyReplicas'], ['Desired', 'integer', '.spec.replicas'], ['Up-To-Date', 'integer', '.status.updatedReplicas'], AGE];

test.each<[KindName, VersionName, string[][] | undefined]>([
  ['Sandbox', 'v1beta1', [READY, REASON, AGE]],
  ['Sandbox', 'v1alpha1', undefined],
  ['SandboxClaim', 'v1beta1', [READY, ['Sandbox', 'string', '.status.sandbox.name'], REASON, AGE]],
  ['SandboxClaim', 'v1alpha1', undefined],
  ['SandboxTemplate', 'v1beta1', undefined],
  ['SandboxTemplate', 'v1alpha1', undefined],
  ['SandboxWarmPool', 'v1beta1', POOL_COLUMNS],
  ['SandboxWarmPool', 'v1alpha1', POOL_COLUMNS],
])('%s %s has its columns in "kubectl get"', (kind, version, columns) => {
  expect(versionOf(kind, version).additionalPrinterColumns).toEqual(columns?.map(([name, type, jsonPath]) => ({ name, type, jsonPath })));
});

test.each(ALL_VERSIONS)('%s %s requires its spec, and has a status only where it is a subresource', (kind, version) => {
  const schema = schemaOf(kind, version);
  expect(schema.type).toBe('object');
  expect(schema.required).toEqual(['spec']);
  expect(schema.properties.apiVersion).toEqual({ type: 'string' });
  expect(schema.properties.kind).toEqual({ type: 'string' });
  expect(schema.properties.metadata).toEqual({ type: 'object' });
  const status = kind === 'SandboxTemplate' ? [] : ['status'];
  expect(Object.keys(schema.properties).sort()).toEqual(['apiVersion', 'kind', 'metadata', 'spec', ...status]);
});

/**
 * What a field is in one line: its type, whether it is required, and all keywords but the description. Objects that
 * other tests look at are not entered: Kubernetes' own types and the conditions.
 */
function fields(schema: Json): Record<string, string> {
  const lines: Record<string, string> = {};
  const required = new Set<string>();
  const inside = /^(podTemplate\.spec|volumeClaimTemplates\[\]\.spec|networkPolicy\.(in|e)gress\[\]|conditions\[\])./;
  walk(schema, (node, path) => {
    (node.required ?? []).forEach((name: string) => required.add(path ? `${path}.${name}` : name));
    if (path === '' || inside.test(path)) {
      return;
    }
    const keywords = without(node, 'type', 'description', 'properties', 'required', 'items', 'additionalProperties');
    lines[path] = [
      node.type,
      ...(required.has(path) ? ['required'] : []),
      ...Object.entries(keywords).sort().map(([key, value]) => `${key.replace('x-kubernetes-', '')}=${[value].flat().join('|')}`),
    ].join(' ');
  });
  return lines;
}

const METADATA = (path: string) => ({
  [path]: 'object',
  [`${path}.labels`]: 'object',
  [`${path}.labels{}`]: 'string',
  [`${path}.annotations`]: 'object',
  [`${path}.annotations{}`]: 'string',
});

const VOLUME_CLAIM_TEMPLATES = {
  'volumeClaimTemplates': 'array list-type=atomic',
  'volumeClaimTemplates[]': 'object',
  ...METADATA('volumeClaimTemplates[].metadata'),
  'volumeClaimTemplates[].metadata.name': 'string',
  'volumeClaimTemplates[].spec': 'object required',
};

const BLUEPRINT = {
  'podTemplate': 'object required',
  ...METADATA('podTemplate.metadata'),
  'podTemplate.spec': 'object required',
  ...VOLUME_CLAIM_TEMPLATES,
  'service': 'boolean',
};

const SANDBOX_SPEC = {
  ...BLUEPRINT,
  shutdownTime: TIME,
  shutdownPolicy: 'string default=Retain enum=Delete|Retain',
  operatingMode: 'string default=Running enum=Running|Suspended',
  replicas: 'integer default=1 format=int32 maximum=1 minimum=0',
};

const TEMPLATE_SPEC = {
  ...BLUEPRINT,
  'networkPolicy': 'object',
  'networkPolicy.ingress': 'array',
  'networkPolicy.ingress[]': 'object',
  'networkPolicy.egress': 'array',
  'networkPolicy.egress[]': 'object',
  'networkPolicyManagement': 'string default=Managed enum=Managed|Unmanaged',
  'envVarsInjectionPolicy': 'string default=Disallowed enum=Allowed|Overrides|Disallowed',
  'volumeClaimTemplatesPolicy': 'string default=Disallowed enum=Disallowed|Allowed|Overrides',
};

const CLAIM_SPEC = {
  'warmPoolRef': 'object',
  'warmPoolRef.name': 'string required minLength=1',
  'sandboxTemplateRef': 'object',
  'sandboxTemplateRef.name': 'string required',
  'sandboxTemplateRef.namespace': 'string',
  'warmpool': 'string',
  'lifecycle': 'object',
  'lifecycle.shutdownTime': TIME,
  'lifecycle.ttlSecondsAfterFinished': 'integer format=int32 minimum=0',
  'lifecycle.shutdownPolicy': 'string default=Retain enum=Delete|DeleteForeground|Retain',
  ...METADATA('additionalPodMetadata'),
  'env': 'array list-type=atomic',
  'env[]': 'object',
  'env[].name': 'string required',
  'env[].value': 'string required',
  'env[].containerName': 'string',
  ...VOLUME_CLAIM_TEMPLATES,
};

const POOL_SPEC = {
  'replicas': 'integer default=1 format=int32 minimum=0',
  'sandboxTemplateRef': 'object required',
  'sandboxTemplateRef.name': 'string required',
  'readinessGracePeriodSeconds': 'integer format=int32 minimum=30',
  'updateStrategy': 'object',
  'updateStrategy.type': 'string default=OnReplenish enum=Recreate|OnReplenish',
};

const ANY_VALUE = ' anyOf=[object Object]|[object Object] int-or-string=true';
/** Known and ignored, as they are on branches and in proposals of the original. */
const ANY_VALUES = (path: string) => ({ [path]: 'object', [`${path}{}`]: ANY_VALUE });
const IGNORED: { readonly [K in KindName]: Record<string, string> } = {
  Sandbox: {
    'podFailurePolicy': 'string',
    'scheduledWakeupTime': 'string',
    'autoSuspendPolicy': 'object',
    'autoSuspendPolicy.idleDetectionStrategies': 'array',
    'autoSuspendPolicy.idleDetectionStrategies[]': 'object',
    'autoSuspendPolicy.idleDetectionStrategies[].type': 'string',
    ...ANY_VALUES('autoSuspendPolicy.idleDetectionStrategies[].timerConfig'),
    ...ANY_VALUES('autoSuspendPolicy.idleDetectionStrategies[].signalConfig'),
    'autoSuspendPolicy.suspendThresholdSeconds': 'integer format=int32',
    'autoSuspendPolicy.preWakeupBufferSeconds': 'integer format=int32',
  },
  SandboxTemplate: { generatedSecrets: 'array', ...ANY_VALUES('generatedSecrets[]') },
  SandboxClaim: { safeToEvict: 'boolean' },
  SandboxWarmPool: { claimDefaults: 'object', ...ANY_VALUES('claimDefaults.lifecycle') },
};

test.each<[KindName, VersionName, Record<string, string>]>([
  ['Sandbox', 'v1beta1', SANDBOX_SPEC],
  ['Sandbox', 'v1alpha1', { ...SANDBOX_SPEC, operatingMode: 'string enum=Running|Suspended' }],
  ['SandboxTemplate', 'v1beta1', TEMPLATE_SPEC],
  ['SandboxTemplate', 'v1alpha1', TEMPLATE_SPEC],
  ['SandboxClaim', 'v1beta1', CLAIM_SPEC],
  ['SandboxClaim', 'v1alpha1', CLAIM_SPEC],
  ['SandboxWarmPool', 'v1beta1', POOL_SPEC],
  ['SandboxWarmPool', 'v1alpha1', { ...POOL_SPEC, replicas: 'integer required format=int32 minimum=0' }],
])('the spec of %s %s has exactly these fields', (kind, version, expected) => {
  expect(fields(schemaOf(kind, version, 'spec'))).toEqual({ ...expected, ...IGNORED[kind] });
});

const POD_IPS = (path: string) => ({ [path]: 'array', [`${path}[]`]: 'string' });
const CONDITIONS = { 'conditions': 'array', 'conditions[]': 'object' };

test.each<[KindName, Record<string, string>]>([
  ['Sandbox', {
    ...CONDITIONS,
    ...POD_IPS('podIPs'),
    selector: 'string',
    service: 'string',
    serviceFQDN: 'string',
    nodeName: 'string',
    replicas: 'integer format=int32 minimum=0',
  }],
  ['SandboxClaim', {
    ...CONDITIONS,
    ...POD_IPS('sandbox.podIPs'),
    'sandbox.serviceFQDN': 'string',
    'sandbox': 'object',
    'sandbox.name': 'string',
    'sandboxName': 'string',
  }],
  ['SandboxWarmPool', {
    'replicas': 'integer format=int32',
    'readyReplicas': 'integer format=int32',
    'updatedReplicas': 'integer format=int32',
    'selector': 'string',
    'observedGeneration': 'integer format=int64 minimum=0',
    'conditions': 'array list-map-keys=type list-type=map',
    'conditions[]': 'object',
  }],
])('the status of %s has exactly these fields in both versions', (kind, expected) => {
  for (const version of VERSION_NAMES) {
    expect(fields(schemaOf(kind, version, 'status'))).toEqual(expected);
  }
});

test.each(KIND_NAMES)('both versions of %s hold the same data, so that neither loses what the other wrote', kind => {
  const [beta, alpha] = VERSION_NAMES.map(version => {
    const names: string[] = [];
    walk(schemaOf(kind, version), (node, path) => names.push(`${path}: ${node.type}`));
    return names;
  });
  expect(alpha).toEqual(beta);
});

const CONDITION = {
  type: {
    type: 'string',
    maxLength: 316,
    pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
  },
  status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
  reason: { type: 'string', minLength: 1, maxLength: 1024, pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$' },
  message: { type: 'string', maxLength: 32768 },
  lastTransitionTime: { type: 'string', format: 'date-time' },
  observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
};

test.each(ALL_VERSIONS.filter(([kind]) => kind !== 'SandboxTemplate'))('conditions of %s %s are bounded as in Kubernetes', (kind, version) => {
  const condition = schemaOf(kind, version, 'status.conditions[]');
  expect([...condition.required].sort()).toEqual(['lastTransitionTime', 'message', 'reason', 'status', 'type']);
  const bounds = Object.fromEntries(Object.entries<Json>(condition.properties).map(([name, property]) => [name, without(property, 'description')]));
  expect(bounds).toEqual(CONDITION);
});

test('fields that are known and ignored are listed in the guide for users of the original, and are in no type', () => {
  const guide = readFileSync(join(__dirname, '../../docs/migrate-from-upstream.md'), 'utf8');
  const types = readFileSync(join(__dirname, '../../packages/api/src/types.gen.ts'), 'utf8');
  const ignored = KINDS.flatMap(({ kind, ignoredFields = {} }) => Object.keys(ignoredFields).map(field => [kind, field] as const));
  expect(ignored.filter(([kind, field]) => !new RegExp(`\\| ${kind} \\|.*\`spec\\.${field}\``).test(guide))).toEqual([]);
  expect(ignored.filter(([, field]) => types.includes(`${field}?:`))).toEqual([]);
  expect(Object.keys(IGNORED).sort()).toEqual(KINDS.filter(({ ignoredFields }) => ignoredFields).map(({ kind }) => kind).sort());
});
