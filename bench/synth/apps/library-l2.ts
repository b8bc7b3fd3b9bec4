import { Duration } from 'cdk8s';
import { Isolation, Probe, Sandbox, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';
import type { ChartFor } from '../charts';

/** Sandboxes as the L2 of this library; each writes two objects, since it brings its NetworkPolicy. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `sandbox-${index}`;
    new Sandbox(chartFor(name), name, {
      podLabels: { team: 'data' },
      containers: [{
        image: 'registry.example/python-runtime:1',
        port: 8888,
        cpu: '250m',
        memory: '512Mi',
        runAsUser: 1000,
        env: { HOME: '/workspace', LANG: 'C.UTF-8' },
        readiness: Probe.httpGet('/', { period: Duration.seconds(5) }),
        mounts: [{ path: '/workspace', volume: SandboxVolume.persistent('workspace', { size: '10Gi' }) }],
      }],
      isolation: Isolation.gvisor(),
      network: SandboxNetwork.dnsOnly(),
    });
  }
}
