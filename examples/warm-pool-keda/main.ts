import { ApiObject, App, Chart, Duration } from 'cdk8s';
import {
  Isolation, KedaAuthentication, KedaTrigger, Probe, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxWarmPool,
} from 'cdk8s-agent-sandbox';

// REPLACE: an image of yours, pinned by its digest.
const IMAGE = `registry.example/python-runtime@sha256:${'0'.repeat(64)}`;
// REPLACE: your Prometheus. This is the hosted one of a Google Cloud project.
const PROMETHEUS = 'https://monitoring.googleapis.com/v1/projects/your-project/location/global/prometheus';

const app = new App();
const chart = new Chart(app, 'keda', { namespace: 'keda-test' });
new SandboxNamespace(chart, 'keda-test');

const template = new SandboxTemplate(chart, 'python-sandbox-template', {
  containers: [{ image: IMAGE, port: 8888, cpu: '250m', memory: '256Mi', runAsUser: 1000, readiness: Probe.httpGet('/') }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.dnsOnly(),
});

// Not needed for a Prometheus without authentication.
const credentials = 'gcp-credentials';
new ApiObject(chart, 'credentials', {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'TriggerAuthentication',
  metadata: { name: credentials },
  spec: { podIdentity: { provider: 'gcp' } },
});

const pool = new SandboxWarmPool(chart, 'python-sdk-warmpool', { template });

// Scales to zero without claims; the first claims after that start cold.
pool.autoscaleWithKeda({
  minReplicas: 0,
  maxReplicas: 100,
  pollingInterval: Duration.seconds(15),
  cooldownPeriod: Duration.minutes(5),
  triggers: [KedaTrigger.claimRate({
    serverAddress: PROMETHEUS,
    threshold: 0.05,
    activationThreshold: 0.01,
    authentication: KedaAuthentication.fromTriggerAuthentication(credentials),
  })],
});

app.synth();
