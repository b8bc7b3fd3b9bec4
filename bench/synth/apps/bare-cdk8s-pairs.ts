import { ApiObject } from 'cdk8s';
import type { ChartFor } from '../charts';

/** The objects of library-l2.ts as untyped ones, in the same order: what cdk8s itself costs. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `sandbox-${index}`;
    const chart = chartFor(name);
    const sandbox = new ApiObject(chart, name, {
      apiVersion: 'agents.x-k8s.io/v1beta1',
      kind: 'Sandbox',
      metadata: { name },
      spec: {
        podTemplate: {
          metadata: { labels: { team: 'data' } },
          spec: {
            runtimeClassName: 'gvisor',
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            securityContext: { runAsNonRoot: true, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [{
              name: 'sandbox',
              image: 'registry.example/python-runtime:1',
              ports: [{ containerPort: 8888, protocol: 'TCP' }],
              env: [{ name: 'HOME', value: '/workspace' }, { name: 'LANG', value: 'C.UTF-8' }],
              resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '250m', memory: '512Mi' } },
              securityContext: { runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              readinessProbe: { httpGet: { path: '/', port: 8888 }, periodSeconds: 5 },
              volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
            }],
          },
        },
        volumeClaimTemplates: [{
          metadata: { name: 'workspace' },
          spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
        }],
      },
    });
    const policy = new ApiObject(chart, `policy-${index}`, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `sandbox-${name}` },
      spec: {
        // any label will do: what is compared is the time
        podSelector: { matchLabels: { 'agents.x-k8s.io/sandbox-name-hash': '00000000' } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{
          from: [{
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agent-sandbox-system' } },
            podSelector: { matchLabels: { app: 'sandbox-router' } },
          }],
        }],
        egress: [{
          to: [{
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
            podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
          }],
          ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }],
        }],
      },
    });
    sandbox.addDependency(policy);
  }
}
