import { Duration, Size } from 'cdk8s';
import { Cpu, Deployment, EnvValue, Probe, Volume } from 'cdk8s-plus-33';
import type { ChartFor } from '../charts';

/** Deployments of cdk8s-plus with the container of the Sandboxes. */
export function build(chartFor: ChartFor, count: number): void {
  for (let index = 0; index < count; index++) {
    const name = `deployment-${index}`;
    const chart = chartFor(name);
    new Deployment(chart, name, {
      metadata: { name },
      replicas: 1,
      podMetadata: { labels: { team: 'data' } },
      automountServiceAccountToken: false,
      securityContext: { fsGroup: 1000 },
      containers: [{
        name: 'sandbox',
        image: 'registry.example/python-runtime:1',
        portNumber: 8888,
        envVariables: { HOME: EnvValue.fromValue('/workspace'), LANG: EnvValue.fromValue('C.UTF-8') },
        resources: {
          cpu: { request: Cpu.millis(250), limit: Cpu.millis(250) },
          memory: { request: Size.mebibytes(512), limit: Size.mebibytes(512) },
        },
        securityContext: { user: 1000 },
        readiness: Probe.fromHttpGet('/', { port: 8888, periodSeconds: Duration.seconds(5) }),
        volumeMounts: [{ path: '/workspace', volume: Volume.fromEmptyDir(chart, `workspace-${index}`, 'workspace') }],
      }],
    });
  }
}
