import { App, Chart, YamlOutputType } from 'cdk8s';
import {
  Isolation, Probe, RestartPolicy, SandboxDisruptionBudget, SandboxNamespace, SandboxNetwork, SandboxRuntimeClass, SandboxTemplate, SandboxWarmPool,
} from 'cdk8s-agent-sandbox';

// REPLACE: images of yours, pinned by their digest. A new digest here is the whole of an upgrade.
const PYTHON = `registry.example/python-runtime@sha256:${'0'.repeat(64)}`;

/** What a team gets: its size is the only thing that differs. */
interface Team {
  readonly name: string;
  readonly sandboxes: number;
  readonly warm: number;
}
const TEAMS: Team[] = [
  { name: 'research', sandboxes: 40, warm: 5 },
  { name: 'support', sandboxes: 10, warm: 1 },
];

// A folder per chart, a file per object: a review shows which objects change, and each folder can be synced on its own.
const app = new App({ yamlOutputType: YamlOutputType.FOLDER_PER_CHART_FILE_PER_RESOURCE });

// Cluster-wide: for administrators.
const cluster = new Chart(app, 'cluster');
const { isolation } = new SandboxRuntimeClass(cluster, 'gvisor', {
  isolation: Isolation.gvisor({ nodeSelector: { 'sandbox-runtime': 'gvisor' } }),
  overhead: { cpu: '50m', memory: '64Mi' },
});

// Per team: the namespace with its bounds, the template that security has approved, and the pool.
for (const team of TEAMS) {
  const chart = new Chart(app, team.name, { namespace: team.name, labels: { team: team.name } });
  new SandboxNamespace(chart, team.name, {
    labels: { team: team.name },
    quota: { sandboxes: team.sandboxes, requestsCpu: `${team.sandboxes}`, requestsMemory: `${2 * team.sandboxes}Gi` },
  });
  const template = new SandboxTemplate(chart, 'python', {
    containers: [{ image: PYTHON, port: 8888, cpu: '250m', memory: '512Mi', runAsUser: 1000, readiness: Probe.httpGet('/') }],
    isolation,
    network: SandboxNetwork.dnsOnly(),
    // Claims can count from the end of the program, since it is not started again after a success.
    restartPolicy: RestartPolicy.ON_FAILURE,
  });
  new SandboxWarmPool(chart, 'python-pool', { template, replicas: team.warm });
  new SandboxDisruptionBudget(chart, 'python-budget', { template });
}

app.synth();
