import { Duration } from 'cdk8s';
import { Isolation, Lifetime, Probe, RestartPolicy, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxVolume } from 'cdk8s-agent-sandbox';
import type { ChartFor } from '../charts';

/** Templates with one claim each, which stands on a pool of its own: three objects each time. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const chart = chartFor(`template-${index}`);
    const template = new SandboxTemplate(chart, `template-${index}`, {
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
    new SandboxClaim(chart, `claim-${index}`, { template, lifetime: Lifetime.afterFinished(Duration.hours(1)) });
  }
}
