import { ApiObject } from 'cdk8s';
import type { ChartFor } from '../charts';

/** The Sandboxes of library-l1.ts as untyped objects: what cdk8s itself costs. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `sandbox-${index}`;
    new ApiObject(chartFor(name), name, {
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
            securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
            containers: [{
              name: 'sandbox',
              image: 'registry.example/python-runtime:1',
              ports: [{ containerPort: 8888 }],
              env: [{ name: 'HOME', value: '/workspace' }, { name: 'LANG', value: 'C.UTF-8' }],
              resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '250m', memory: '512Mi' } },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
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
  }
}
