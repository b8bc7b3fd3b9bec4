import { App, Chart, Duration } from 'cdk8s';
import { Isolation, Probe, Sandbox, SandboxNamespace, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: your build of images/all-in-one, pinned by its digest. Desktop, VS Code, JupyterLab, commands and files on one port.
const IMAGE = `registry.example/agent-sandbox-all-in-one@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'aio', { namespace: 'aio' });

new SandboxNamespace(chart, 'aio');

new Sandbox(chart, 'aio-sandbox-example', {
  podLabels: { sandbox: 'aio-sandbox-example' },
  containers: [{
    name: 'aio-sandbox',
    image: IMAGE,
    port: 8888,
    cpu: '500m',
    cpuLimit: '2',
    memory: '2Gi',
    memoryLimit: '4Gi',
    runAsUser: 1000,
    readOnlyRoot: true,
    writablePaths: ['/tmp'],
    mounts: [
      // Files, settings and extensions of all programs.
      { path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '10Gi' }) },
      // Browsers keep their pages in shared memory, which is 64 MiB in a container by default.
      { path: '/dev/shm', volume: SandboxVolume.emptyDir('shm', { inMemory: true, sizeLimit: '1Gi' }) },
    ],
    startup: Probe.httpGet('/healthz', { period: Duration.seconds(2), failureThreshold: 60 }),
    readiness: Probe.httpGet('/healthz'),
  }],
  isolation: Isolation.gvisor(),
  // Through the router to the programs, and out to the web, but not to the cluster or the cloud's metadata server.
  network: SandboxNetwork.publicInternet(),
});

app.synth();
