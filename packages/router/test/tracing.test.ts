import { jest } from '@jest/globals';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { startTracing, type Tracing } from '../src/tracing.js';
import { FakeCluster, ask, eventually, startBackend, startRouter, type Backend, type Running } from './support.js';

jest.setTimeout(60_000);

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, tracestate: 'vendor=1' };

let cluster: FakeCluster;
let backend: Backend;
let running: Running;
let tracing: Tracing;
const exporter = new InMemorySpanExporter();

beforeAll(async () => {
  backend = await startBackend();
  cluster = await FakeCluster.start();
  cluster.sandbox('box', { ports: [backend.port] });
  tracing = await startTracing('1.2.3', new SimpleSpanProcessor(exporter));
  running = await startRouter(cluster, [], { tracing });
});
afterAll(async () => {
  await running.close(0);
  await tracing.close();
  await backend.close();
  await cluster.api.stop();
});

test('a request is a span below that of the caller, and above that of the sandbox; the log names it', async () => {
  const headers = { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), ...CALLER };
  expect((await ask(`${running.url}/path?secret=1`, { headers, method: 'POST', body: 'x' })).status).toBe(200);
  const span = await eventually('the span', () => exporter.getFinishedSpans()[0]);
  const { traceId, spanId } = span.spanContext();
  expect(span).toMatchObject({
    name: 'HTTP POST', parentSpanContext: { traceId: TRACE, spanId: 'b7ad6b7169203331' },
    attributes: { 'http.method': 'POST', 'http.target': '/path', 'http.status_code': 200, 'sandbox.id': 'box', 'sandbox.namespace': 'default' },
  });
  expect(traceId).toBe(TRACE);
  expect(backend.got[0]!.headers).toMatchObject({ traceparent: `00-${TRACE}-${spanId}-01`, tracestate: 'vendor=1' });
  expect(backend.got[0]!.rawHeaders.filter(name => name.toLowerCase() === 'traceparent')).toHaveLength(1);
  expect(running.accessLog[0]).toMatchObject({ trace_id: TRACE, span_id: spanId });
});

test('a refusal is a span, too', async () => {
  await ask(running.url, { headers: { 'x-sandbox-id': 'missing' } });
  const span = await eventually('the span', () => exporter.getFinishedSpans()[1]);
  expect(span).toMatchObject({ name: 'HTTP GET', attributes: { 'http.status_code': 502 }, status: { code: 2 } });
  expect(span.parentSpanContext).toBeUndefined();
});
