import { App, Chart, Duration } from 'cdk8s';
import {
  Isolation, Lifetime, Probe, RestartPolicy, SandboxClaim, SandboxDisruptionBudget, SandboxNamespace, SandboxNetwork,
  SandboxTemplate, SandboxWarmPool,
} from 'cdk8s-agent-sandbox';

// REPLACE: an image of yours that serves on port 8888, pinned by its digest.
const IMAGE = `registry.example/python-runtime@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'agents', { namespace: 'agents' });

// Pod Security "restricted", no traffic in either direction, and bounds for what the team can use.
new SandboxNamespace(chart, 'agents', {
  quota: { sandboxes: 20, requestsCpu: '10', requestsMemory: '20Gi' },
});

// What a sandbox is: unprivileged, behind gVisor, reached through the router, able to resolve names and nothing else.
const python = new SandboxTemplate(chart, 'python', {
  containers: [{
    image: IMAGE,
    port: 8888,
    cpu: '250m',
    memory: '512Mi',
    runAsUser: 1000,
    readiness: Probe.httpGet('/', { period: Duration.seconds(1) }),
  }],
  isolation: Isolation.gvisor(),
  network: SandboxNetwork.dnsOnly(),
  restartPolicy: RestartPolicy.ON_FAILURE,
});

// Five of them wait, so that a claim is served at once.
const pool = new SandboxWarmPool(chart, 'python-pool', { template: python, replicas: 5 });

// One of them for a piece of work. It ends an hour after its program has.
new SandboxClaim(chart, 'ticket-42', { pool, lifetime: Lifetime.afterFinished(Duration.hours(1)) });

// Draining a node waits for sandboxes that are in use.
new SandboxDisruptionBudget(chart, 'python-budget', { template: python });

app.synth();
