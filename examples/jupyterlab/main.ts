import * as fs from 'node:fs';
import * as path from 'node:path';
import { App, Chart, Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-33';
import { Isolation, Probe, Sandbox, type SandboxContainer, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: pin the image by its digest.
const IMAGE = 'jupyterhub/k8s-singleuser-sample:4.2.0';

const app = new App();
const chart = new Chart(app, 'jupyterlab', { namespace: 'agents' });

// Not created here: kubectl create secret generic jupyter-hf-token --namespace agents --from-file=token=/dev/stdin
const token = kplus.Secret.fromSecretName(chart, 'token', 'jupyter-hf-token');
const files = new kplus.ConfigMap(chart, 'files', { metadata: { name: 'jupyter-init-files' } });
for (const file of ['requirements.txt', 'setup.sh']) {
  files.addData(file, fs.readFileSync(path.join(__dirname, 'files', file), 'utf8'));
}

// The image runs as jovyan (1000:100); the whole home directory is kept.
const home: Pick<SandboxContainer, 'image' | 'env' | 'mounts'> = {
  image: IMAGE,
  env: { HF_TOKEN: kplus.EnvValue.fromSecretValue({ secret: token, key: 'token' }) },
  mounts: [
    { path: '/home/jovyan', volume: SandboxVolume.persistent('workspace', { size: '20Gi' }) },
    { path: '/config', volume: SandboxVolume.configMap('config', files), readOnly: true },
  ],
};

new Sandbox(chart, 'jupyterlab-sandbox', {
  labels: { app: 'jupyterlab' },
  podLabels: { app: 'jupyterlab', sandbox: 'jupyterlab' },
  runAsUser: 1000,
  securityContext: { runAsGroup: 100, fsGroup: 100 },
  initContainers: [{
    ...home,
    name: 'setup-environment',
    command: ['sh', '/config/setup.sh'],
    cpu: '500m',
    cpuLimit: '2',
    memory: '2Gi',
    memoryLimit: '4Gi',
    ephemeralStorage: '10Gi',
  }],
  containers: [{
    ...home,
    name: 'jupyterlab',
    // No token of its own: only the router can connect, and it authorizes each request.
    command: ['jupyter', 'lab', '--ip=0.0.0.0', '--port=8888', '--no-browser', '--notebook-dir=/home/jovyan/work', '--IdentityProvider.token='],
    port: 8888,
    cpu: '1',
    cpuLimit: '4',
    memory: '2Gi',
    memoryLimit: '8Gi',
    ephemeralStorage: '1Gi',
    ephemeralStorageLimit: '2Gi',
    readiness: Probe.httpGet('/api', { period: Duration.seconds(5) }),
  }],
  isolation: Isolation.gvisor(),
  // Packages and models come from the internet.
  network: SandboxNetwork.publicInternet(),
});

app.synth();
