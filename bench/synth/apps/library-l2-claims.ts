import { Duration } from 'cdk8s';
import { Isolation, Lifetime, Probe, RestartPolicy, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool } from 'cdk8s-agent-sandbox';
import type { ChartFor } from '../charts';

/** One template, one pool, and claims of it. */
export function build(chartFor: ChartFor, count: number): void {
  const platform = chartFor('platform');
  const template = new SandboxTemplate(platform, 'python', {
    containers: [{
      image: 'registry.example/python-runtime:1',
      port: 8888,
      cpu: '250m',
      memory: '512Mi',
      readiness: Probe.httpGet('/', { period: Duration.seconds(5) }),
      mounts: [{ path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '10Gi' }) }],
    }],
    isolation: Isolation.gvisor(),
    restartPolicy: RestartPolicy.ON_FAILURE,
    network: SandboxNetwork.dnsOnly(),
  });
  const pool = new SandboxWarmPool(platform, 'python-pool', { template, replicas: 5 });
  for (let index = 0; index < count; index++) {
    const name = `claim-${index}`;
    new SandboxClaim(chartFor(name), name, { pool, lifetime: Lifetime.afterFinished(Duration.hours(1)) });
  }
}
