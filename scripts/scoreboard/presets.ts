import { App, Chart, Testing } from 'cdk8s';
import {
  ImagePullPolicy, Isolation, Probe, Sandbox, type SandboxContainer, SandboxNamespace, SandboxNetwork, SandboxProjection, SandboxTemplate,
  SandboxWarmPool,
} from '../../src';

const NAMESPACE = 'agents';
const IMAGE = `registry.example/python@sha256:${'0'.repeat(64)}`;
const ISOLATIONS: Readonly<Record<string, Isolation>> = { gvisor: Isolation.gvisor(), gke: Isolation.gkeSandbox(), kata: Isolation.kata() };
const NETWORKS: Readonly<Record<string, SandboxNetwork>> = {
  denied: SandboxNetwork.denyAll(), router: SandboxNetwork.routerOnly(), dns: SandboxNetwork.dnsOnly(), internet: SandboxNetwork.publicInternet(),
};

/** Two ways to write a container: the presets with what they ask for, and with everything that scanners like to see besides. */
const CONTAINERS: Readonly<Record<Variant, SandboxContainer>> = {
  presets: { image: IMAGE, port: 8888, cpu: '250m', memory: '512Mi' },
  strict: {
    image: IMAGE, port: 8888, cpu: '250m', memory: '512Mi', ephemeralStorage: '1Gi', runAsUser: 10001, securityContext: { runAsGroup: 10001 },
    readOnlyRoot: true, writablePaths: ['/tmp'], imagePullPolicy: ImagePullPolicy.ALWAYS,
    readiness: Probe.httpGet('/readyz'), liveness: Probe.httpGet('/healthz'),
  },
};

export type Variant = 'presets' | 'strict';
export const VARIANTS: readonly Variant[] = ['presets', 'strict'];

/** Every isolation with every network, as templates, pools and Sandboxes in their closed namespace: what a controller makes of them. */
export function projectionOf(variant: Variant): any[] {
  const chart = new Chart(new App({ outdir: '/nonexistent' }), 'presets', { namespace: NAMESPACE });
  new SandboxNamespace(chart, 'namespace', { name: NAMESPACE });
  for (const [isolationName, isolation] of Object.entries(ISOLATIONS)) {
    for (const [networkName, network] of Object.entries(NETWORKS)) {
      const name = `${isolationName}-${networkName}`;
      const pod = { containers: [CONTAINERS[variant]], isolation, network };
      const template = new SandboxTemplate(chart, name, pod);
      new SandboxWarmPool(chart, `${name}-pool`, { template, replicas: 1 });
      new Sandbox(chart, `${name}-box`, pod);
    }
  }
  return SandboxProjection.ofManifests(Testing.synth(chart));
}
