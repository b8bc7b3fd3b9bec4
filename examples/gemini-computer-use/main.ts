import { App, Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { Isolation, PodSecurityLevel, Probe, Relaxation, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool } from 'cdk8s-agent-sandbox';

// REPLACE: your build of the computer-use runtime (browser and agent behind POST /agent), pinned by its digest.
const IMAGE = `registry.example/sandbox-gemini-runtime@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'computer-use', { namespace: 'computer-use' });

// "restricted" would refuse containers that run as root.
new SandboxNamespace(chart, 'computer-use', { enforce: PodSecurityLevel.BASELINE });

// Only referred to: the key itself is created in the cluster, and never in a repository.
//   kubectl create secret generic gemini-api-key --namespace computer-use --from-file=key=/dev/stdin
const apiKey = kplus.Secret.fromSecretName(chart, 'gemini-api-key', 'gemini-api-key');

const template = new SandboxTemplate(chart, 'sandbox-python-computeruse-template', {
  podLabels: { app: 'sandbox', sandbox: 'sandbox-python-computeruse' },
  containers: [{
    name: 'sandbox-python-computeruse',
    image: IMAGE,
    port: 8888,
    cpu: '1',
    memory: '2Gi',
    env: { GEMINI_API_KEY: kplus.EnvValue.fromSecretValue({ secret: apiKey, key: 'key' }) },
    mounts: [{ path: '/dev/shm', volume: SandboxVolume.emptyDir('shm', { inMemory: true, sizeLimit: '512Mi' }) }],
    readiness: Probe.httpGet('/'),
    // The browser of this image is installed for root.
    relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.DEFAULT_CAPABILITIES],
  }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.publicInternet(),
});
new SandboxWarmPool(chart, 'sandbox-python-computeruse-warmpool', { template, replicas: 2 });

app.synth();
