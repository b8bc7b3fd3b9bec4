import { App, Chart, Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import { Isolation, Probe, Sandbox, SandboxNamespace, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: your build of images/vscode, pinned by its digest.
const IMAGE = `registry.example/agent-sandbox-vscode@sha256:${'0'.repeat(64)}`;

/** A development environment: VS Code in a browser, and a volume that keeps files, settings and extensions. */
function workspace(scope: Construct, name: string, isolation: Isolation, memory: string): Sandbox {
  return new Sandbox(scope, name, {
    podLabels: { sandbox: name },
    containers: [{
      name: 'vscode',
      image: IMAGE,
      port: 8080,
      cpu: '1',
      cpuLimit: '4',
      memory,
      memoryLimit: '8Gi',
      runAsUser: 1000,
      readOnlyRoot: true,
      writablePaths: ['/tmp'],
      mounts: [{ path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '10Gi' }) }],
      startup: Probe.httpGet('/healthz', { period: Duration.seconds(2), failureThreshold: 60 }),
      readiness: Probe.httpGet('/healthz'),
    }],
    isolation,
    network: SandboxNetwork.publicInternet(),
  });
}

const app = new App();
const chart = new Chart(app, 'workspaces', { namespace: 'workspaces' });

new SandboxNamespace(chart, 'workspaces');

workspace(chart, 'vscode-gvisor', Isolation.gvisor(), '2Gi');
workspace(chart, 'vscode-kata', Isolation.kata(), '2Gi');
workspace(chart, 'vscode-aks', Isolation.kataMshv(), '4Gi');

app.synth();
