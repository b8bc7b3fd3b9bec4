import { ApiObject, App, Chart, Duration } from 'cdk8s';
import {
  Isolation, Probe, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxWarmPool, ScalingPolicy, WarmPoolMetric,
} from 'cdk8s-agent-sandbox';

// REPLACE: an image of yours, pinned by its digest.
const IMAGE = `registry.example/python-runtime@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'hpa', { namespace: 'hpa-test' });
new SandboxNamespace(chart, 'hpa-test');

const template = new SandboxTemplate(chart, 'python-sandbox-template', {
  containers: [{ image: IMAGE, port: 8888, cpu: '250m', memory: '512Mi', runAsUser: 1000, readiness: Probe.httpGet('/') }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.dnsOnly(),
});
const pool = new SandboxWarmPool(chart, 'python-sdk-warmpool', { template });

// A new sandbox takes about 20 seconds here, so each idle one covers 1/20 claim per second: 2 claims/s make a pool of 40.
pool.autoscale({
  minReplicas: 10,
  maxReplicas: 100,
  metrics: [WarmPoolMetric.gkeClaimRate({ target: '50m' })],
  behavior: {
    scaleUp: { policies: [ScalingPolicy.percent(100, Duration.seconds(15))] },
    scaleDown: { policies: [ScalingPolicy.pods(5, Duration.minutes(1))], stabilizationWindow: Duration.minutes(5) },
  },
});

// Where the metric comes from on GKE: the controller's counter, collected by Managed Service for Prometheus.
const monitoring = new Chart(app, 'monitoring', { namespace: 'agent-sandbox-system' });
new ApiObject(monitoring, 'controller', {
  apiVersion: 'monitoring.googleapis.com/v1',
  kind: 'PodMonitoring',
  metadata: { name: 'agent-sandbox-controller' },
  spec: {
    selector: { matchLabels: { app: 'agent-sandbox-controller' } },
    endpoints: [{ port: 8080, path: '/metrics', interval: '15s' }],
  },
});

app.synth();
