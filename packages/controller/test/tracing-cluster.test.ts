import { ANNOTATION } from 'agent-sandbox-api';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { waitFor } from '../../../testbed/src/wait.js';
import { end, startWith } from './program.js';
import { TraceReceiver } from './trace-receiver.js';

const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const POD_TEMPLATE = { spec: { containers: [{ name: 'main', image: 'image' }] } };

describeWithControlPlane('the program with --enable-tracing', testbed => {
  test('S67 C11 exports a claim, its Sandbox and its Pod as the trace of the client that made the claim', async () => {
    const receiver = await TraceReceiver.start();
    const { path } = await testbed.cluster.kubeconfig();
    const { namespace, cluster: { admin } } = testbed;
    const run = startWith({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_BSP_SCHEDULE_DELAY: '100' },
      '--kubeconfig', path, `--namespaces=${namespace}`, '--leader-elect=false', '--extensions', '--enable-tracing', '--metrics-bind-address=0', '--health-probe-bind-address=0');
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const trace = JSON.stringify({ traceparent: `00-${traceId}-b7ad6b7169203331-01` });
    const spans = (id: string) => receiver.spans.filter(span => span.traceId === id).map(({ name }) => name);
    const has = (id: string, ...wanted: string[]) => waitFor(() => wanted.every(name => spans(id).includes(name)), { what: `the spans ${wanted} of ${id}`, lastSeen: () => `${spans(id)}, ${run.output()}` });
    try {
      await admin.create({ apiVersion: EXTENSIONS, kind: 'SandboxTemplate', metadata: { name: 'python', namespace }, spec: { podTemplate: POD_TEMPLATE } } as any);
      await admin.create({
        apiVersion: EXTENSIONS, kind: 'SandboxClaim', metadata: { name: 'traced', namespace, annotations: { [ANNOTATION.traceContext]: trace } }, spec: { sandboxTemplateRef: { name: 'python' } },
      } as any);
      await has(traceId, 'ReconcileSandboxClaim', 'ReconcileSandbox', 'reconcilePod');
      expect((await admin.get({ ...SANDBOX, name: 'traced', namespace })).metadata.annotations[ANNOTATION.traceContext]).toBe(trace);

      await admin.create({ ...SANDBOX, metadata: { name: 'alone', namespace }, spec: { podTemplate: POD_TEMPLATE } } as any);
      const alone: any = await admin.waitFor({ ...SANDBOX, name: 'alone', namespace }, (object: any) => object.metadata.annotations?.[ANNOTATION.traceContext]);
      const [, own] = JSON.parse(alone.metadata.annotations[ANNOTATION.traceContext]).traceparent.split('-');
      await has(own, 'ReconcileSandbox', 'reconcilePod');
      expect(new Set(receiver.spans.filter(span => ![traceId, own].includes(span.traceId)).map(({ name }) => name))).toEqual(new Set(['ReconcileSandboxTemplate']));
    } finally {
      await end(run);
      receiver.stop();
    }
  });
}, { requires: ['fakeNodes'] });
