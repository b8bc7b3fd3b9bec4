import { Duration } from 'cdk8s';
import { schemaOf } from '../api/test/crd-files';
import { Probe } from '../src';
import { CONTAINER, container, podSpec, sandbox } from './helpers';

const readiness = (probe: Probe, port?: number) => container({ readiness: probe, port }).readinessProbe;

test.each<[string, Probe, object]>([
  ['HTTP', Probe.httpGet('/healthz', { port: 8080 }), { httpGet: { path: '/healthz', port: 8080 } }],
  ['HTTPS with headers, sorted', Probe.httpGet('/', { port: 443, https: true, headers: { 'X-B': '2', 'X-A': '1' } }),
    { httpGet: { path: '/', port: 443, scheme: 'HTTPS', httpHeaders: [{ name: 'X-A', value: '1' }, { name: 'X-B', value: '2' }] } }],
  ['TCP', Probe.tcpSocket({ port: 22 }), { tcpSocket: { port: 22 } }],
  ['gRPC', Probe.grpc({ port: 50051, service: 'workspace' }), { grpc: { port: 50051, service: 'workspace' } }],
  ['a command', Probe.exec(['test', '-e', '/ready']), { exec: { command: ['test', '-e', '/ready'] } }],
])('%s can be probed', (_, probe, wire) => {
  expect(readiness(probe)).toEqual(wire);
});

test.each<[string, Probe, object]>([
  ['HTTP', Probe.httpGet('/healthz'), { httpGet: { path: '/healthz', port: 8888 } }],
  ['TCP', Probe.tcpSocket(), { tcpSocket: { port: 8888 } }],
  ['gRPC', Probe.grpc(), { grpc: { port: 8888, service: '' } }],
])('%s goes to the first port of the container by default', (_, probe, wire) => {
  expect(readiness(probe, 8888)).toEqual(wire);
});

test('a port of the probe goes before those of the container', () => {
  expect(readiness(Probe.tcpSocket({ port: 9090 }), 8888)).toEqual({ tcpSocket: { port: 9090 } });
});

test('one probe serves containers of different ports', () => {
  const probe = Probe.tcpSocket();
  const { containers } = podSpec(sandbox({ containers: [{ ...CONTAINER, port: 1, liveness: probe }, { ...CONTAINER, name: 'b', port: 2, liveness: probe }] }));
  expect(containers.map((each: any) => each.livenessProbe.tcpSocket.port)).toEqual([1, 2]);
});

test('every time and count is reachable', () => {
  const times = {
    initialDelay: Duration.seconds(0), period: Duration.minutes(1), timeout: Duration.seconds(5), failureThreshold: 30,
  };
  const { readinessProbe, livenessProbe } = container({
    readiness: Probe.exec(['true'], { ...times, successThreshold: 2 }),
    liveness: Probe.exec(['true'], { ...times, successThreshold: 1, terminationGracePeriod: Duration.seconds(1) }),
  });
  const wire = { exec: { command: ['true'] }, initialDelaySeconds: 0, periodSeconds: 60, timeoutSeconds: 5, failureThreshold: 30 };
  expect(readinessProbe).toEqual({ ...wire, successThreshold: 2 });
  expect(livenessProbe).toEqual({ ...wire, successThreshold: 1, terminationGracePeriodSeconds: 1 });
  const handlers = ['exec', 'grpc', 'httpGet', 'tcpSocket'];
  expect(Object.keys({ ...readinessProbe, ...livenessProbe, ...Object.fromEntries(handlers.map(handler => [handler, {}])) }).sort())
    .toEqual(Object.keys(schemaOf('Sandbox', 'v1beta1', 'spec.podTemplate.spec.containers[].livenessProbe').properties).sort());
});

test('sidecars have probes too, also those that are written as init containers', () => {
  const sidecar = { ...CONTAINER, name: 'proxy', startup: Probe.tcpSocket({ port: 1 }), lifecycle: { preStop: { sleep: { seconds: 5 } } } };
  expect(podSpec(sandbox({ initContainers: [{ ...sidecar, restartPolicy: 'Always' }] }))).toEqual(podSpec(sandbox({ sidecars: [sidecar] })));
  expect(podSpec(sandbox({ sidecars: [{ ...CONTAINER, name: 'proxy', startup: Probe.tcpSocket({ port: 1 }) }] })).initContainers[0].startupProbe)
    .toEqual({ tcpSocket: { port: 1 } });
});
