import { App, Chart } from 'cdk8s';
import { Isolation, SandboxNamespace, SandboxNetwork, SandboxTemplate } from 'cdk8s-agent-sandbox';

/** Two tenants. The sandboxes of one of them have a network that a pull request changes. */
export function agents(network: SandboxNetwork = SandboxNetwork.dnsOnly()): App {
  const app = new App();
  for (const name of ['research', 'support']) {
    const chart = new Chart(app, name, { namespace: name });
    new SandboxNamespace(chart, name, { quota: { sandboxes: 20 } });
    const template = new SandboxTemplate(chart, 'python', {
      containers: [{ image: 'registry.example/python:1.0', port: 8888, cpu: '250m', memory: '512Mi', memoryLimit: '1Gi', runAsUser: 1000 }],
      isolation: Isolation.gvisor(),
      network: name === 'research' ? network : SandboxNetwork.routerOnly(),
    });
    template.addWarmPool('python-pool', { replicas: 2 }).claim('first');
  }
  return app;
}
