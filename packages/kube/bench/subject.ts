import type { Sandbox } from 'agent-sandbox-api';

export const NAMESPACE = 'bench';

export function nameOf(number: number): string {
  return `sandbox-${String(number).padStart(5, '0')}`;
}

/** About 3 kB as JSON, the size of a Sandbox made from a restricted template. */
export function sandbox(number: number): Sandbox {
  const hash = number.toString(16).padStart(8, '0');
  return {
    apiVersion: 'agents.x-k8s.io/v1beta1',
    kind: 'Sandbox',
    metadata: {
      namespace: NAMESPACE,
      name: nameOf(number),
      labels: { 'agents.x-k8s.io/warm-pool-sandbox': hash, 'agents.x-k8s.io/sandbox-template-ref-hash': hash, 'agents.x-k8s.io/launch-type': 'warm' },
      annotations: { 'agents.x-k8s.io/sandbox-template-ref': 'python', 'agents.x-k8s.io/pod-name': nameOf(number) },
      ownerReferences: [{
        apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'python', uid: '7d8f0b6e-0000-4000-8000-000000000000',
        controller: true, blockOwnerDeletion: true,
      }],
    },
    spec: {
      podTemplate: {
        metadata: { labels: { 'agents.x-k8s.io/warm-pool-sandbox': hash, 'agents.x-k8s.io/sandbox-template-ref-hash': hash } },
        spec: {
          automountServiceAccountToken: false,
          runtimeClassName: 'gvisor',
          securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [{
            name: 'main',
            image: 'registry.example/python-runtime@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
            ports: [{ containerPort: 8888, protocol: 'TCP' }],
            env: Array.from({ length: 8 }, (_, index) => ({ name: `SETTING_${index}`, value: `value of the setting number ${index}` })),
            resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '512Mi' } },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            readinessProbe: { httpGet: { path: '/', port: 8888 }, periodSeconds: 1 },
          }],
        },
      },
    },
  };
}

export const STATUS = {
  selector: 'agents.x-k8s.io/sandbox-name-hash=00000000',
  podIPs: ['10.0.0.1'],
  nodeName: 'node-1',
  conditions: ['Suspended', 'PodScheduled', 'Ready'].map(type => ({
    type, status: 'True', reason: 'DependenciesReady', message: 'Pod is Ready', lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1,
  })),
};
