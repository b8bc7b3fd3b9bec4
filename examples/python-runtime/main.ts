import { App, Chart, Duration } from 'cdk8s';
import { Isolation, KataHypervisor, Probe, Sandbox, type SandboxContainer, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool } from 'cdk8s-agent-sandbox';

// REPLACE: your build of images/runtime-python, pinned by its digest.
const IMAGE = `registry.example/agent-sandbox-runtime-python@sha256:${'0'.repeat(64)}`;

/** An HTTP server on port 8888 that runs commands and moves files; Python and its scientific packages are there. */
const runtime: SandboxContainer = {
  name: 'python-runtime',
  image: IMAGE,
  port: 8888,
  cpu: '250m',
  memory: '512Mi',
  ephemeralStorage: '512Mi',
  runAsUser: 1000,
  readOnlyRoot: true,
  writablePaths: ['/app', '/tmp'],
  readiness: Probe.httpGet('/healthz', { period: Duration.seconds(1) }),
  liveness: Probe.httpGet('/healthz', { initialDelay: Duration.seconds(2), period: Duration.seconds(10) }),
};

const app = new App();

// A sandbox that is used for weeks: its volume survives restarts and suspension.
const alone = new Chart(app, 'standalone', { namespace: 'agents' });
new Sandbox(alone, 'sandbox-python-example', {
  containers: [{ ...runtime, writablePaths: ['/tmp'], mounts: [{ path: '/app', volume: SandboxVolume.persistent('workspace', { size: '1Gi' }) }] }],
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
