import type { Schema } from './schema';

/* The REST surface of the router: what requests and answers look like. The router routes and validates by this definition, serves it as OpenAPI 3.1, and the client has its types from it. */

/** A JSON schema (2020-12). `$ref` names a schema of `REST_SCHEMAS`. */
export interface RestSchema extends Omit<Schema, 'additionalProperties' | 'properties' | 'items' | 'anyOf'> {
  readonly properties?: Readonly<Record<string, RestSchema>>;
  readonly items?: RestSchema;
  readonly additionalProperties?: RestSchema | false;
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
  readonly maxProperties?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly propertyNames?: RestSchema;
  readonly examples?: readonly unknown[];
}

/** A parameter of the query or the header. */
export interface RestParameter {
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly required?: boolean;
  readonly description: string;
  readonly schema: RestSchema;
}

/** One method of one path. */
export interface RestOperation {
  readonly id: string;
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  /** Names of `REST_PARAMETERS`. */
  readonly parameters: readonly string[];
  /** Name of the schema of the body. */
  readonly body?: string;
  /** Answers besides problems, by status: a description, and the name of the schema of the content. */
  readonly answers: Readonly<Record<number, { readonly description: string; readonly schema?: string }>>;
  /** Statuses of problems. */
  readonly problems: readonly number[];
  /** What the caller must be allowed to do in Kubernetes, for people. Absent: nothing beyond a valid token. */
  readonly needs?: string;
}

const SUBDOMAIN = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$';
const DNS_LABEL = '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$';

/** A positive quantity of Kubernetes. */
const QUANTITY = '^[0-9]+(\\.[0-9]+)?([kMGTPE]|[KMGTPE]i|[eE][0-9]+)?$';

/** Most seconds that a request can wait. */
export const REST_LONGEST_WAIT_S = 300;
/** Most bytes of a body. */
export const REST_LONGEST_BODY_BYTES = 65_536;

const stringMap = (description: string, most: number, longestValue: number): RestSchema => ({
  type: 'object',
  description,
  maxProperties: most,
  propertyNames: { type: 'string', minLength: 1, maxLength: 317 },
  additionalProperties: { type: 'string', maxLength: longestValue },
});

/** A text of the volume API; the API server knows the rest of its rules. */
const text = (description: string, maxLength = 253): RestSchema => ({ type: 'string', minLength: 1, maxLength, description });

export const REST_SCHEMAS: Readonly<Record<string, RestSchema>> = {
  RestLifetime: {
    type: 'object',
    description: 'When a sandbox ends by itself: `seconds`, `until` or neither, and `afterFinishedSeconds`.',
    additionalProperties: false,
    properties: {
      seconds: { type: 'integer', minimum: 1, maximum: 3_153_600_000, description: 'Seconds from now.' },
      until: { type: 'string', format: 'date-time', description: 'Moment of the end.' },
      afterFinishedSeconds: { type: 'integer', minimum: 0, maximum: 2_147_483_647, description: "Seconds from the end of the Pod's work; 0 is at once." },
      policy: {
        type: 'string', enum: ['Delete', 'DeleteForeground', 'Retain'], default: 'Delete',
        description: 'What then happens to the claim. The Sandbox is removed in every case.',
      },
    },
  },
  RestVolumeClaim: {
    type: 'object',
    description: 'A persistent volume of a sandbox, as `volumeClaimTemplates` of a claim has it. The API server checks its values.',
    required: ['metadata', 'spec'],
    additionalProperties: false,
    properties: {
      metadata: { $ref: 'RestVolumeMetadata', description: 'Its name, labels and annotations.' },
      spec: { $ref: 'RestVolumeSpec', description: 'What is claimed: the PersistentVolumeClaimSpec of Kubernetes.' },
    },
  },
  RestVolumeMetadata: {
    type: 'object',
    description: 'Name, labels and annotations of a volume.',
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 63, pattern: DNS_LABEL, description: 'Name of the volume in the Pod.' },
      labels: stringMap('Labels of the PersistentVolumeClaim. Domains of Kubernetes and of this API are refused.', 32, 63),
      annotations: stringMap('Annotations of the PersistentVolumeClaim. Domains of Kubernetes and of this API are refused.', 32, 32_768),
    },
  },
  RestVolumeSpec: {
    type: 'object',
    description: 'The PersistentVolumeClaimSpec of Kubernetes.',
    required: ['accessModes', 'resources'],
    additionalProperties: false,
    properties: {
      accessModes: {
        type: 'array', minItems: 1, maxItems: 4, description: 'How the volume can be mounted.',
        items: { type: 'string', enum: ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'] },
      },
      resources: { $ref: 'RestVolumeResources', description: 'How large the volume is.' },
      storageClassName: { type: 'string', maxLength: 253, description: 'Absent: the default StorageClass of the cluster. Empty: none.' },
      volumeAttributesClassName: text('The VolumeAttributesClass.'),
      volumeMode: { type: 'string', enum: ['Filesystem', 'Block'], description: 'Absent: `Filesystem`.' },
      volumeName: text('The PersistentVolume to bind.'),
      dataSource: { $ref: 'RestVolumeSource', description: 'A snapshot or a claim of the namespace whose content the volume begins with.' },
      dataSourceRef: { $ref: 'RestVolumeSource', description: 'The same, for other kinds too.' },
      selector: { $ref: 'RestVolumeSelector', description: 'Labels that the PersistentVolume must have.' },
    },
  },
  RestVolumeResources: {
    type: 'object',
    description: 'Size of a volume.',
    required: ['requests'],
    additionalProperties: false,
    properties: {
      requests: { $ref: 'RestVolumeQuantities', description: 'What the volume has at least.' },
      limits: { $ref: 'RestVolumeQuantities', description: 'What the volume has at most.' },
    },
  },
  RestVolumeQuantities: {
    type: 'object',
    description: 'Quantities of Kubernetes.',
    required: ['storage'],
    additionalProperties: false,
    properties: { storage: { ...text('Bytes, such as `10Gi`.', 32), pattern: QUANTITY, examples: ['10Gi'] } },
  },
  RestVolumeSource: {
    type: 'object',
    description: 'An object whose content a volume begins with.',
    required: ['kind', 'name'],
    additionalProperties: false,
    properties: {
      apiGroup: text('API group of the object; absent for the core group.'),
      kind: text('Kind of the object.', 63),
      name: text('Name of the object.'),
      namespace: text('Namespace of the object, for `dataSourceRef` where the cluster allows it.', 63),
    },
  },
  RestVolumeSelector: {
    type: 'object',
    description: 'A label selector.',
    additionalProperties: false,
    properties: {
      matchLabels: stringMap('Labels with their values.', 32, 63),
      matchExpressions: { type: 'array', maxItems: 32, items: { $ref: 'RestVolumeSelectorTerm' }, description: 'Further conditions; all must hold.' },
    },
  },
  RestVolumeSelectorTerm: {
    type: 'object',
    description: 'A condition on one label.',
    required: ['key', 'operator'],
    additionalProperties: false,
    properties: {
      key: text('Key of the label.', 317),
      operator: { type: 'string', enum: ['In', 'NotIn', 'Exists', 'DoesNotExist'], description: 'How it is compared.' },
      values: { type: 'array', maxItems: 64, items: { type: 'string', maxLength: 63 }, description: 'What it is compared with, for `In` and `NotIn`.' },
    },
  },
  RestSandboxRequest: {
    type: 'object',
    description: 'A new sandbox: from a pool, or from a template.',
    additionalProperties: false,
    oneOf: [{ required: ['pool'] }, { required: ['template'] }],
    properties: {
      name: {
        type: 'string', minLength: 1, maxLength: 63, pattern: DNS_LABEL,
        description: 'Name of the claim. Absent: derived from the Idempotency-Key, or random.',
      },
      pool: { type: 'string', minLength: 1, maxLength: 253, pattern: SUBDOMAIN, description: 'The SandboxWarmPool to take a Sandbox from.', examples: ['python'] },
      template: { type: 'string', minLength: 1, maxLength: 253, pattern: SUBDOMAIN, description: 'The SandboxTemplate to make a Sandbox from.' },
      lifetime: { $ref: 'RestLifetime', description: 'Absent: the sandbox lives until it is deleted.' },
      env: stringMap('Environment variables, where the template allows them; they force a cold start. Stored in plain text: no secrets.', 128, 32_768),
      labels: stringMap('Labels of the claim. Domains of Kubernetes and of this API are refused.', 32, 63),
      podLabels: stringMap('Labels of the Pod, under the domains that the controller allows.', 32, 63),
      podAnnotations: stringMap('Annotations of the Pod. Domains of Kubernetes and of this API are refused.', 32, 32_768),
      volumeClaims: {
        type: 'array', maxItems: 32, items: { $ref: 'RestVolumeClaim' },
        description: 'Persistent volumes to add or replace, where the template allows it; they force a cold start.',
      },
    },
  },
  RestSandbox: {
    type: 'object',
    description: 'A claim and the state of its Sandbox.',
    required: ['name', 'namespace', 'uid', 'state', 'reason', 'message', 'labels', 'createdAt'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', description: 'Name of the claim.' },
      namespace: { type: 'string', description: 'Namespace of the claim and of its Sandbox.' },
      uid: { type: 'string', description: 'UID of the claim.' },
      state: {
        type: 'string', enum: ['NotReady', 'Ready', 'Suspending', 'Suspended', 'Failed', 'Deleting'],
        description: '`Ready`: requests can be sent. `Suspending`: it is to be suspended, and its Pod has not ended. `Failed`: the controller will do no more; `reason` says why. New values may be added.',
      },
      reason: { type: 'string', description: 'Reason of the condition Ready, machine-readable; empty while there is none.' },
      message: { type: 'string', description: 'The same for people.' },
      sandboxName: { type: 'string', description: 'Name of the Sandbox: the value of `X-Sandbox-ID`. Absent while there is none.' },
      pool: { type: 'string', description: 'The pool that the claim names.' },
      template: { type: 'string', description: 'The template that the claim names.' },
      labels: { type: 'object', description: 'Labels of the claim.', additionalProperties: { type: 'string' } },
      createdAt: { type: 'string', format: 'date-time', description: 'When the claim was made.' },
      expiresAt: { type: 'string', format: 'date-time', description: 'When it ends. Absent: no fixed moment.' },
    },
  },
  RestSandboxList: {
    type: 'object',
    description: 'A page of sandboxes, in the order of their names.',
    required: ['items'],
    additionalProperties: false,
    properties: {
      items: { type: 'array', items: { $ref: 'RestSandbox' }, description: 'The sandboxes of this page.' },
      continue: { type: 'string', description: 'Goes into the parameter `continue` of the next request. Absent on the last page.' },
    },
  },
  RestSelf: {
    type: 'object',
    description: 'Who a token belongs to.',
    required: ['username'],
    additionalProperties: false,
    properties: {
      username: { type: 'string', description: 'Name of the user, as the API server knows it.' },
      uid: { type: 'string', description: 'UID of the user, where there is one.' },
      expiresAt: { type: 'string', format: 'date-time', description: 'When the token ends, where it says so.' },
    },
  },
  RestProblemError: {
    type: 'object',
    description: 'One thing that is wrong with a request.',
    required: ['pointer', 'detail'],
    properties: {
      pointer: { type: 'string', description: 'JSON pointer into the body, or the name of the parameter.' },
      detail: { type: 'string', description: 'What is wrong, and what is accepted.' },
    },
  },
  RestProblem: {
    type: 'object',
    description: 'A problem (RFC 9457).',
    required: ['type', 'title', 'status', 'detail'],
    properties: {
      type: { type: 'string', description: '`about:blank`: `title` and `status` are those of HTTP, and `reason` tells problems apart.' },
      title: { type: 'string', description: 'Name of the status.' },
      status: { type: 'integer', description: 'Status of the answer.' },
      detail: { type: 'string', description: 'What is wrong, for people.' },
      reason: { type: 'string', description: 'What is wrong, machine-readable: `NotFound`, `AlreadyExists`, `IdempotencyKeyReused`, `Invalid`, and others.' },
      errors: { type: 'array', items: { $ref: 'RestProblemError' }, description: 'Each thing that is wrong, where there can be several.' },
    },
  },
};

const WAIT = 'the answer then has the state at the end of the wait';

export const REST_PARAMETERS: Readonly<Record<string, RestParameter>> = {
  name: { name: 'name', in: 'path', required: true, description: 'Name of the claim.', schema: { type: 'string', minLength: 1, maxLength: 253, pattern: SUBDOMAIN } },
  namespace: {
    name: 'namespace', in: 'query', required: true, description: 'Namespace of the sandboxes.',
    schema: { type: 'string', minLength: 1, maxLength: 63, pattern: DNS_LABEL },
  },
  waitReady: {
    name: 'wait', in: 'query', description: `Seconds to wait until the sandbox is Ready or has failed, at most the proxy timeout of the router; ${WAIT}.`,
    schema: { type: 'integer', minimum: 0, maximum: REST_LONGEST_WAIT_S, default: 0 },
  },
  waitSuspended: {
    name: 'wait', in: 'query', description: `Seconds to wait until the Pod has ended, at most the proxy timeout of the router; ${WAIT}.`,
    schema: { type: 'integer', minimum: 0, maximum: REST_LONGEST_WAIT_S, default: 0 },
  },
  idempotencyKey: {
    name: 'Idempotency-Key', in: 'header',
    description: 'Repetitions with the same key and body return the sandbox that the first request made, as long as it exists. Keys of different users and namespaces have nothing to do with each other.',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[\\x21-\\x7e]+$' },
  },
  limit: { name: 'limit', in: 'query', description: 'Most sandboxes in a page.', schema: { type: 'integer', minimum: 1, maximum: 500, default: 100 } },
  continue: {
    name: 'continue', in: 'query', description: 'Where the page begins: `continue` of the page before, with the same other parameters. Ends after some minutes with 410: begin anew then.',
    schema: { type: 'string', minLength: 1, maxLength: 2048, pattern: '^[A-Za-z0-9_=-]+$' },
  },
  labelSelector: {
    name: 'labelSelector', in: 'query', description: 'Labels that the claims must have, as in Kubernetes.', schema: { type: 'string', minLength: 1, maxLength: 1024 },
  },
  uid: {
    name: 'uid', in: 'query', description: 'UID that the claim must have. A later claim of the same name is left alone: 409.',
    schema: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9._-]+$' },
  },
};

const COMMON = [400, 401, 403, 429, 500, 503];
const SANDBOX = { description: 'The sandbox.', schema: 'RestSandbox' };

export const REST_OPERATIONS: readonly RestOperation[] = [
  {
    id: 'createSandbox', method: 'post', path: '/v1/sandboxes', summary: 'Create a sandbox', parameters: ['namespace', 'waitReady', 'idempotencyKey'], body: 'RestSandboxRequest',
    description: 'Claims a sandbox.',
    answers: { 200: { description: 'The sandbox that an earlier request with this Idempotency-Key made.', schema: 'RestSandbox' }, 201: { description: 'The new sandbox.', schema: 'RestSandbox' } },
    problems: [...COMMON, 404, 408, 409, 413, 415, 422], needs: '`create` on `sandboxclaims`; with `wait` also `watch`; `get` for a repetition',
  },
  {
    id: 'listSandboxes', method: 'get', path: '/v1/sandboxes', summary: 'List the sandboxes of a namespace', parameters: ['namespace', 'limit', 'continue', 'labelSelector'],
    description: 'The claims of the namespace, those of other callers too.',
    answers: { 200: { description: 'A page.', schema: 'RestSandboxList' } }, problems: [...COMMON, 404, 410], needs: '`list` on `sandboxclaims`',
  },
  {
    id: 'getSandbox', method: 'get', path: '/v1/sandboxes/{name}', summary: 'Read a sandbox', parameters: ['name', 'namespace', 'waitReady'],
    description: 'The state of a sandbox, at once or when it is Ready.',
    answers: { 200: SANDBOX }, problems: [...COMMON, 404], needs: '`get` on the claim; with `wait` also `watch`',
  },
  {
    id: 'deleteSandbox', method: 'delete', path: '/v1/sandboxes/{name}', summary: 'Delete a sandbox', parameters: ['name', 'namespace', 'uid'],
    description: 'Deletes the claim and with it the Sandbox.',
    answers: { 204: { description: 'It is being deleted.' } }, problems: [...COMMON, 404, 409], needs: '`delete` on the claim',
  },
  {
    id: 'suspendSandbox', method: 'post', path: '/v1/sandboxes/{name}/suspend', summary: 'Suspend a sandbox', parameters: ['name', 'namespace', 'waitSuspended'],
    description: 'Ends the Pod and keeps the volumes. No effect on a suspended sandbox.',
    answers: { 200: SANDBOX }, problems: [...COMMON, 404, 409], needs: '`get` on the claim, `patch` on its Sandbox; with `wait` also `watch` on the claim',
  },
  {
    id: 'resumeSandbox', method: 'post', path: '/v1/sandboxes/{name}/resume', summary: 'Resume a sandbox', parameters: ['name', 'namespace', 'waitReady'],
    description: 'Starts a Pod again. No effect on a running sandbox.',
    answers: { 200: SANDBOX }, problems: [...COMMON, 404, 409], needs: '`get` on the claim, `patch` on its Sandbox; with `wait` also `watch` on the claim',
  },
  {
    id: 'getSelf', method: 'get', path: '/v1/self', summary: 'Read who the token belongs to', parameters: [],
    description: 'The user as the API server knows it.', answers: { 200: { description: 'The user.', schema: 'RestSelf' } }, problems: COMMON,
  },
];
