import { App, Chart, Duration } from 'cdk8s';
import { Isolation, PodSecurityLevel, Probe, Relaxation, Sandbox, SandboxNamespace, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: pin the image by its digest. Browser, VNC, VS Code, Jupyter, shell and files on one port.
const IMAGE = 'ghcr.io/agent-infra/sandbox:1.0.0.152';

const app = new App();
const chart = new Chart(app, 'aio', { namespace: 'aio' });

// "restricted" would refuse containers that run as root.
new SandboxNamespace(chart, 'aio', { enforce: PodSecurityLevel.BASELINE });

new Sandbox(chart, 'aio-sandbox-example', {
  podLabels: { sandbox: 'aio-sandbox-example' },
  containers: [{
    name: 'aio-sandbox',
    image: IMAGE,
    port: 8080,
    cpu: '500m',
    cpuLimit: '2',
    memory: '2Gi',
    memoryLimit: '4Gi',
    // The image starts its services as root and hands them to other users. It still cannot gain privileges on the way.
    relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.DEFAULT_CAPABILITIES],
    // Browsers keep their pages in shared memory, of which containers have 64 MiB unless told otherwise.
    mounts: [{ path: '/dev/shm', volume: SandboxVolume.emptyDir('shm', { inMemory: true, sizeLimit: '1Gi' }) }],
    startup: Probe.tcpSocket({ period: Duration.seconds(2), failureThreshold: 60 }),
    readiness: Probe.tcpSocket(),
  }],
  isolation: Isolation.gvisor(),
  // Through the router to the desktop, and out to the web, but not to the cluster or the cloud's metadata server.
  network: SandboxNetwork.publicInternet(),
});

app.synth();
