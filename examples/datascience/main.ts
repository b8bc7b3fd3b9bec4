import { App, Chart } from 'cdk8s';
import {
  ClaimOverrides, Isolation, Lifetime, NetworkPeer, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool, ShutdownPolicy,
  UpdateStrategy,
} from 'cdk8s-agent-sandbox';

// REPLACE: an image of yours, pinned by its digest.
const IMAGE = `registry.example/datascience@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'datascience', { namespace: 'agents' });

const template = new SandboxTemplate(chart, 'secure-datascience-template', {
  runAsUser: 1000,
  securityContext: { runAsGroup: 3000, fsGroup: 2000 },
  containers: [{
    image: IMAGE,
    port: 8888,
    cpu: '1',
    memory: '2Gi',
    mounts: [{ path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '1Gi' }) }],
  }],
  isolation: Isolation.gvisor(),
  // People come through the ingress gateway of the mesh, programs through the router.
  network: SandboxNetwork.dnsOnly()
    .allowIngressFrom(NetworkPeer.pods({ app: 'istio-ingressgateway' }, { namespaceLabels: { 'istio-injection': 'enabled' } })),
  claimVolumes: ClaimOverrides.OVERRIDES,
});
const pool = new SandboxWarmPool(chart, 'datascience-pool', { template, replicas: 1, updateStrategy: UpdateStrategy.RECREATE });

// A sandbox as the pool has it: served at once.
new SandboxClaim(chart, 'small-experiment', { pool, lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE }) });

// One with a larger volume than the pool's: made for this claim, so it starts cold.
new SandboxClaim(chart, 'large-experiment', {
  pool,
  volumes: [SandboxVolume.persistent('workspace', { size: '6Gi', storageClass: 'dynamic-rwo' })],
  lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE }),
});

app.synth();
