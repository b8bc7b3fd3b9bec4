import { ANNOTATION } from 'agent-sandbox-api';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { waitFor } from '../../../testbed/src/wait.js';
import { end, startWith } from './program.js';
import { TraceReceiver } from './trace-receiver.js';

const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };

describeWithControlPlane('the program with --enable-tracing', (testbed) => {
  test('exports the passes over a Sandbox as one trace, which is noted on it', async () => {
    const receiver = await TraceReceiver.start();
    const { path } = await testbed.cluster.kubeconfig();
    const { namespace, cluster: { admin } } = testbed;
    const run = startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' },
      '--kubeconfig', path, `--namespaces=${namespace}`, '--leader-elect=false', '--enable-tracing', '--metrics-bind-address=0', '--health-probe-bind-address=0');
    try {
      await admin.create({ ...SANDBOX, metadata: { name: 'box', namespace }, spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } } } as any);
      const traced = await admin.waitFor({ ...SANDBOX, name: 'box', namespace }, (object: any) => object.metadata.annotations?.[ANNOTATION.traceContext]);
      const [, traceId] = JSON.parse((traced as any).metadata.annotations[ANNOTATION.traceContext]).traceparent.split('-');
      const names = () => receiver.spans.filter((span) => span.traceId === traceId).map(({ name }) => name);
      await waitFor(() => names().includes('reconcilePod') && names().includes('ReconcileSandbox'), { what: 'the spans', lastSeen: () => `${names()}, ${run.output()}` });
      expect(receiver.spans.filter((span) => span.traceId !== traceId)).toEqual([]);
    } finally {
      await end(run);
      receiver.stop();
    }
  });
}, { requires: ['fakeNodes'] });
