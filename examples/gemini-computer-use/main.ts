import { App, Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-33';
import { Isolation, Probe, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool } from 'cdk8s-agent-sandbox';

// REPLACE: your build of images/computer-use (browser and agent behind POST /agent), pinned by its digest.
const IMAGE = `registry.example/agent-sandbox-computer-use@sha256:${'0'.repeat(64)}`;
// REPLACE: what the browser may open.
const ALLOWED_DOMAINS = 'example.com,*.example.com';

const app = new App();
const chart = new Chart(app, 'computer-use', { namespace: 'computer-use' });

new SandboxNamespace(chart, 'computer-use');

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
    runAsUser: 1000,
    readOnlyRoot: true,
    writablePaths: ['/app', '/tmp'],
    env: {
      GEMINI_API_KEY: kplus.EnvValue.fromSecretValue({ secret: apiKey, key: 'key' }),
      AGENT_ALLOWED_DOMAINS: kplus.EnvValue.fromValue(ALLOWED_DOMAINS),
    },
    mounts: [{ path: '/dev/shm', volume: SandboxVolume.emptyDir('shm', { inMemory: true, sizeLimit: '512Mi' }) }],
    readiness: Probe.httpGet('/healthz'),
  }],
  // Chromium's own sandbox needs user namespaces: gVisor has them, a restricted container under runc has not.
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.publicInternet(),
});
new SandboxWarmPool(chart, 'sandbox-python-computeruse-warmpool', { template, replicas: 2 });

app.synth();
