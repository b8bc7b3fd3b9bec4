import { App, Chart, Duration } from 'cdk8s';
import { Isolation, KataHypervisor, Probe, Sandbox, type SandboxContainer, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool } from 'cdk8s-agent-sandbox';

// REPLACE: pin the image by its digest. This one is a moving build of the reference runtime of the API.
const IMAGE = 'us-central1-docker.pkg.dev/k8s-staging-images/agent-sandbox/python-runtime-sandbox:latest-main';

/** The reference runtime: an HTTP server on port 8888 that runs commands and moves files. */
const runtime: SandboxContainer = {
  name: 'python-runtime',
  image: IMAGE,
  port: 8888,
  cpu: '250m',
  memory: '512Mi',
  ephemeralStorage: '512Mi',
  runAsUser: 1000,
  readiness: Probe.httpGet('/', { period: Duration.seconds(1) }),
  liveness: Probe.httpGet('/', { initialDelay: Duration.seconds(2), period: Duration.seconds(10) }),
};

const app = new App();

// One sandbox that somebody works in for weeks: its volume survives restarts and suspension.
const alone = new Chart(app, 'standalone', { namespace: 'agents' });
new Sandbox(alone, 'sandbox-python-example', {
  containers: [{ ...runtime, mounts: [{ path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '1Gi' }) }] }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.publicInternet(),
});

// The same runtime for programs that claim sandboxes, once per way to isolate it. The pools are empty until scaled.
const templates = new Chart(app, 'templates', { namespace: 'agents' });
const isolations: Record<string, Isolation> = {
  'python-gvisor': Isolation.gvisor(),
  'python-kata': Isolation.kata(),
  'python-firecracker': Isolation.kata({ hypervisor: KataHypervisor.FIRECRACKER, nodeSelector: { 'kata-firecracker': 'true' } }),
};
for (const [name, isolation] of Object.entries(isolations)) {
  const template = new SandboxTemplate(templates, name, { containers: [runtime], isolation, network: SandboxNetwork.publicInternet() });
  new SandboxWarmPool(templates, `${name}-pool`, { template, replicas: 0 });
}

app.synth();
