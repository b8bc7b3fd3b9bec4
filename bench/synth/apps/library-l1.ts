import { l1 } from 'cdk8s-agent-sandbox';
import type { ChartFor } from '../charts';

/** Sandboxes as the L1 of this library. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `sandbox-${index}`;
    new l1.Sandbox(chartFor(name), name, {
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
              resources: {
                requests: { cpu: l1.Quantity.fromString('250m'), memory: l1.Quantity.fromString('512Mi') },
                limits: { cpu: l1.Quantity.fromString('250m'), memory: l1.Quantity.fromString('512Mi') },
              },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              readinessProbe: { httpGet: { path: '/', port: l1.IntOrString.fromNumber(8888) }, periodSeconds: 5 },
              volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
            }],
          },
        },
        volumeClaimTemplates: [{
          metadata: { name: 'workspace' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: l1.Quantity.fromString('10Gi') } },
          },
        }],
      },
    });
  }
}
