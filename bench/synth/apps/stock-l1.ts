import * as stock from 'stock-import/sandboxes';
import type { ChartFor } from '../charts';

const Requests = stock.SandboxSpecPodTemplateSpecContainersResourcesRequests;
const Limits = stock.SandboxSpecPodTemplateSpecContainersResourcesLimits;
const Port = stock.SandboxSpecPodTemplateSpecContainersReadinessProbeHttpGetPort;
const Storage = stock.SandboxSpecVolumeClaimTemplatesSpecResourcesRequests;

/** The Sandboxes of library-l1.ts with what the stock `cdk8s import` generates. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `sandbox-${index}`;
    new stock.Sandbox(chartFor(name), name, {
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
                requests: { cpu: Requests.fromString('250m'), memory: Requests.fromString('512Mi') },
                limits: { cpu: Limits.fromString('250m'), memory: Limits.fromString('512Mi') },
              },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
              readinessProbe: { httpGet: { path: '/', port: Port.fromNumber(8888) }, periodSeconds: 5 },
              volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
            }],
          },
        },
        volumeClaimTemplates: [{
          metadata: { name: 'workspace' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: Storage.fromString('10Gi') } },
          },
        }],
      },
    });
  }
}
