import { App, Chart, Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-33';
import { Isolation, NetworkPeer, NetworkPort, Probe, Sandbox, SandboxNamespace, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: pin public images by their digest, and name your own.
const ALPINE = 'alpine:3.22';
const BUSYBOX = 'busybox:1.37';
const ENVD = `registry.example/envd@sha256:${'0'.repeat(64)}`;
const CHROME = `registry.example/chrome-sandbox@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'sandboxes', { namespace: 'sandbox-ns' });
new SandboxNamespace(chart, 'sandbox-ns');

// The smallest one: prints a line and ends within the hour.
new Sandbox(chart, 'hello-world', {
  containers: [{ image: ALPINE, command: ['sh', '-c', 'echo hello from the sandbox && sleep 3600'], cpu: '50m', memory: '32Mi', runAsUser: 1000 }],
  restartPolicy: kplus.RestartPolicy.NEVER,
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.denyAll(),
});

// As a service account of its own, with a volume. It gets no token unless it has to call the API server.
const account = new kplus.ServiceAccount(chart, 'account', { metadata: { name: 'your-sandbox-sa' }, automountToken: false });
new Sandbox(chart, 'sandbox-example', {
  serviceAccount: account,
  containers: [{
    name: 'my-container',
    image: BUSYBOX,
    command: ['sleep', '36000'],
    cpu: '50m',
    memory: '32Mi',
    mounts: [{ path: '/my-data', volume: SandboxVolume.persistent('my-pvc', { size: '1Gi' }) }],
    runAsUser: 1000,
  }],
  isolation: Isolation.gvisor(),
});

// A server that only Pods with a given label can reach, without the router.
new Sandbox(chart, 'envd-example', {
  podLabels: { sandbox: 'envd' },
  containers: [{
    name: 'envd',
    image: ENVD,
    port: 49983,
    cpu: '250m',
    cpuLimit: '2',
    memory: '256Mi',
    memoryLimit: '2Gi',
    readiness: Probe.httpGet('/health', { initialDelay: Duration.seconds(1), period: Duration.seconds(5) }),
    liveness: Probe.httpGet('/health', { initialDelay: Duration.seconds(3), period: Duration.seconds(10) }),
  }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.pods({ access: 'envd-client' }), [NetworkPort.tcp(49983)]),
});

// A browser that is ready once it answers on its debugging port, which it opens on the loopback interface only.
new Sandbox(chart, 'chrome-sandbox', {
  containers: [{
    image: CHROME,
    cpu: '1',
    memory: '2Gi',
    readiness: Probe.exec(['/entrypoint', 'probe'], {
      initialDelay: Duration.seconds(1), period: Duration.seconds(1), timeout: Duration.seconds(2),
    }),
  }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.publicInternet(),
});

app.synth();
