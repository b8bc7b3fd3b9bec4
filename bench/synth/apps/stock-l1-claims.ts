import { Chart } from 'cdk8s';
import { SandboxClaim } from 'stock-import/sandboxclaims';
import * as stock from 'stock-import/sandboxtemplates';
import { SandboxWarmPool } from 'stock-import/sandboxwarmpools';
import type { ChartFor } from '../charts';

const Requests = stock.SandboxTemplateSpecPodTemplateSpecContainersResourcesRequests;
const Limits = stock.SandboxTemplateSpecPodTemplateSpecContainersResourcesLimits;
const ProbePort = stock.SandboxTemplateSpecPodTemplateSpecContainersReadinessProbeHttpGetPort;
const PolicyPort = stock.SandboxTemplateSpecNetworkPolicyEgressPortsPort;
const Storage = stock.SandboxTemplateSpecVolumeClaimTemplatesSpecResourcesRequests;

/** The objects of library-l2-claims.ts, in the same order, with what the stock `cdk8s import` generates. */
export function build(chartFor: ChartFor, count: number): void {
  const platform = chartFor('platform');
  const template = new stock.SandboxTemplate(platform, 'python', {
    metadata: { name: 'python' },
    spec: {
      podTemplate: {
        spec: {
          runtimeClassName: 'gvisor',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: 'OnFailure',
          securityContext: { runAsNonRoot: true, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [{
            name: 'sandbox',
            image: 'registry.example/python-runtime:1',
            ports: [{ containerPort: 8888, protocol: 'TCP' }],
            resources: {
              requests: { cpu: Requests.fromString('250m'), memory: Requests.fromString('512Mi') },
              limits: { cpu: Limits.fromString('250m'), memory: Limits.fromString('512Mi') },
            },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            readinessProbe: { httpGet: { path: '/', port: ProbePort.fromNumber(8888) }, periodSeconds: 5 },
            volumeMounts: [{ name: 'workspace', mountPath: '/workspace' }],
          }],
        },
      },
      volumeClaimTemplates: [{
        metadata: { name: 'workspace' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: Storage.fromString('10Gi') } } },
      }],
      networkPolicy: {
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
          ports: [{ port: PolicyPort.fromNumber(53), protocol: 'UDP' }, { port: PolicyPort.fromNumber(53), protocol: 'TCP' }],
        }],
      },
    },
  });
  const pool = new SandboxWarmPool(platform, 'python-pool', {
    metadata: { name: 'python-pool' },
    spec: { replicas: 5, sandboxTemplateRef: { name: 'python' } },
  });
  pool.addDependency(template);
  for (let index = 0; index < count; index++) {
    const name = `claim-${index}`;
    const claim = new SandboxClaim(chartFor(name), name, {
      metadata: { name },
      spec: {
        warmPoolRef: { name: 'python-pool' },
        lifecycle: { ttlSecondsAfterFinished: 3600 },
      },
    });
    // As the library does: a dependency between charts would number the files of all of them.
    if (Chart.of(claim) === Chart.of(pool)) {
      claim.addDependency(pool);
    }
  }
}
