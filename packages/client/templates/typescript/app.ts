import { App, Chart, Duration } from 'cdk8s';
import {
  Isolation, Lifetime, RestartPolicy, SandboxClaim, SandboxNamespace, SandboxNetwork, SandboxTemplate, SandboxWarmPool,
} from 'cdk8s-agent-sandbox';

/** The objects of this repository. Tests look at them before they are written. */
export function agents(): App {
  const app = new App();
  const chart = new Chart(app, 'agents', { namespace: 'agents' });
  new SandboxNamespace(chart, 'namespace', { name: 'agents', quota: { sandboxes: 20 } });
  const template = new SandboxTemplate(chart, 'python', {
    containers: [{ image: 'registry.example/python-runtime:1.0', port: 8888, cpu: '250m', memory: '512Mi', runAsUser: 1000 }],
    isolation: Isolation.gvisor(),
    // A program that ends well is finished, and its claim ends an hour later.
    restartPolicy: RestartPolicy.ON_FAILURE,
    // Name servers only; add peers with allowEgressTo.
    network: SandboxNetwork.dnsOnly(),
  });
  const pool = new SandboxWarmPool(chart, 'python-pool', { template, replicas: 2 });
  new SandboxClaim(chart, 'first', { pool, lifetime: Lifetime.afterFinished(Duration.hours(1)) });
  return app;
}
