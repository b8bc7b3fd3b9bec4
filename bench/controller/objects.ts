import type { KubeObject, Resource } from '../../packages/api/src/index.js';

/** An object of the Agent Sandbox API, as far as the driver looks at it. */
export interface ApiObject extends KubeObject {
  spec?: any;
  status?: any;
}

export const SANDBOXES: Resource<ApiObject> = { group: 'agents.x-k8s.io', version: 'v1beta1', kind: 'Sandbox', plural: 'sandboxes', namespaced: true };
export const CLAIMS: Resource<ApiObject> = { group: 'extensions.agents.x-k8s.io', version: 'v1beta1', kind: 'SandboxClaim', plural: 'sandboxclaims', namespaced: true };
export const POOLS: Resource<ApiObject> = { group: 'extensions.agents.x-k8s.io', version: 'v1beta1', kind: 'SandboxWarmPool', plural: 'sandboxwarmpools', namespaced: true };
export const TEMPLATES: Resource<ApiObject> = { group: 'extensions.agents.x-k8s.io', version: 'v1beta1', kind: 'SandboxTemplate', plural: 'sandboxtemplates', namespaced: true };

/** Name of the template that all pools use. */
const TEMPLATE = 'python';

/** What a team would write: restricted, one container, one port. It asks for little, so that the fake nodes hold thousands. */
const POD_TEMPLATE = {
  metadata: { labels: { app: 'python' } },
  spec: {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [{
      name: 'main',
      image: 'registry.example/python-runtime@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
      ports: [{ containerPort: 8888 }],
      resources: { requests: { cpu: '1m', memory: '1Mi' } },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      readinessProbe: { httpGet: { path: '/', port: 8888 }, periodSeconds: 1 },
    }],
  },
};

export function template(namespace: string): ApiObject {
  return { metadata: { namespace, name: TEMPLATE }, spec: { podTemplate: POD_TEMPLATE } };
}

export function pool(namespace: string, name: string, replicas: number): ApiObject {
  return { metadata: { namespace, name }, spec: { replicas, sandboxTemplateRef: { name: TEMPLATE } } };
}

export function claim(namespace: string, name: string, poolName: string): ApiObject {
  return { metadata: { namespace, name }, spec: { warmPoolRef: { name: poolName } } };
}

export function sandbox(namespace: string, name: string): ApiObject {
  return { metadata: { namespace, name }, spec: { podTemplate: POD_TEMPLATE } };
}

export function isReady({ status }: ApiObject): boolean {
  return status?.conditions?.some((condition: any) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}
