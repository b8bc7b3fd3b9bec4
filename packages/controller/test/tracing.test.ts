import { ANNOTATION, LABEL } from 'agent-sandbox-api';
import { silentLogger } from 'agent-sandbox-kube';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import type { KubeObject } from '../src/object/metadata.js';
import { create, failed, mergePatch, ok, type Outcome, type Request } from '../src/reconcile/plan.js';
import { sandboxController } from '../src/sandbox/controller.js';
import { TraceContextError, Tracing } from '../src/shell/tracing.js';
import { OPTIONS, pod, sandbox } from './fixtures.js';

const PARENT = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
const { traced } = sandboxController(1, OPTIONS);
const withTrace = (text: string) => sandbox({}, { annotations: { [ANNOTATION.traceContext]: text } });

describe('a traced pass', () => {
  const exporter = new InMemorySpanExporter();
  const notes: string[] = [];
  const logger = { ...silentLogger, info: (_: object, message: string) => void notes.push(message) };
  const tracing = new Tracing('1.2.3', new SimpleSpanProcessor(exporter), logger);
  const sent: Request[] = [];
  const send = async (request: Request): Promise<Outcome> => {
    sent.push(request);
    return ok('object' in request ? request.object as KubeObject : undefined);
  };
  const pass = (object: KubeObject, requests: Request[] = [], how = send) => tracing.reconcile(traced!, object, how, async within => {
    for (const request of requests) {
      await within(request);
    }
  });
  const spans = () => exporter.getFinishedSpans();
  beforeEach(() => {
    exporter.reset();
    [sent, notes].forEach(list => list.splice(0));
  });

  test('S67 notes the trace on an object that has none, once, and normalises who made it', async () => {
    await pass(sandbox({}, { labels: { [LABEL.createdBy]: 'another-program' } }));
    const [span] = spans();
    const { traceId, spanId } = span!.spanContext();
    const text = JSON.stringify({ traceparent: `00-${traceId}-${spanId}-01` });
    expect(sent).toEqual([mergePatch(sandbox(), { metadata: { annotations: { [ANNOTATION.traceContext]: text } } })]);
    expect(span).toMatchObject({ name: 'ReconcileSandbox', attributes: { 'sandbox.name': 'box', 'sandbox.namespace': 'agents', [LABEL.createdBy]: 'unknown' } });
    expect(span!.resource.attributes).toMatchObject({ 'service.name': 'agent-sandbox-controller', 'service.version': '1.2.3' });

    await pass(withTrace(text));
    expect(sent).toHaveLength(1);
    expect(spans()[1]!.spanContext().traceId).toBe(traceId);
    expect(spans()[1]!.attributes).not.toHaveProperty(LABEL.createdBy);
  });

  test('continues the trace of the object\'s creator', async () => {
    await pass(withTrace(JSON.stringify(PARENT)));
    expect([spans()[0]!.spanContext().traceId, spans()[0]!.parentSpanContext?.spanId, sent]).toEqual(['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', []]);
  });

  test.each([['no JSON', 'x', 1], ['of another shape', '{"a":1}', 0], ['null', 'null', 0], ['empty', '', 0]])('begins a trace where the annotation is %s', async (_, text, complaints) => {
    await pass(withTrace(text));
    expect(spans()[0]!.parentSpanContext).toBeUndefined();
    expect(notes).toHaveLength(complaints);
  });

  test('has spans of its requests about Pods and volumes, with the phase of the Pod', async () => {
    const made = pod({}, { phase: 'Running' });
    await pass(withTrace(JSON.stringify(PARENT)), [create(made), create({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' } }), create(sandbox())]);
    const root = spans().at(-1)!.spanContext();
    expect(spans().map(({ name, events }) => [name, events.map(event => [event.name, event.attributes])])).toEqual([
      ['reconcilePod', [['NewPodStatusObserved', { 'pod.Name': 'box', 'pod.Phase': 'Running' }]]],
      ['reconcilePVCs', []],
      ['ReconcileSandbox', []],
    ]);
    expect(spans().slice(0, 2).map(({ parentSpanContext }) => parentSpanContext!.spanId)).toEqual([root.spanId, root.spanId]);
  });

  test('fails when the trace cannot be noted, before anything else is done', async () => {
    const refused = async () => failed('Forbidden', 'no');
    await expect(pass(sandbox(), [create(pod())], refused)).rejects.toThrow(TraceContextError);
    expect(spans().map(({ name, status }) => [name, status.message])).toEqual([['ReconcileSandbox', 'cannot write the trace context: no']]);
  });

  test('says nothing to an object that is on its way out', async () => {
    await pass(sandbox({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect(sent).toEqual([]);
  });
});
