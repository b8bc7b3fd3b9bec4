import * as kplus from 'cdk8s-plus-28';
import { schemaOf } from '../api/test/crd-files';
import { Probe, Relaxation, type SandboxContainer, type SandboxMount, SandboxVolume, l1 } from '../src';
import { CONTAINER, container, podSpec, sandbox, schemaProblems, testChart } from './helpers';

const chart = testChart();
const quantity = (text: string) => l1.Quantity.fromString(text);
const scratch = SandboxVolume.emptyDir('scratch');
const disk = SandboxVolume.of({ name: 'disk', persistentVolumeClaim: { claimName: 'disk' } });
const config = kplus.ConfigMap.fromConfigMapName(chart, 'config', 'settings');
const secret = kplus.Secret.fromSecretName(chart, 'secret', 'credentials');

/** Fields of Container, the props that reach them and what is emitted. */
const FIELDS: readonly (readonly [field: string, props: Partial<SandboxContainer>, wire: unknown])[] = [
  ['args', { args: ['--port', '8888'] }, ['--port', '8888']],
  ['command', { command: ['python', '-m', 'server'] }, ['python', '-m', 'server']],
  ['env', { env: { MODE: kplus.EnvValue.fromValue('fast') } }, [{ name: 'MODE', value: 'fast' }]],
  ['envFrom', { envFrom: [kplus.Env.fromConfigMap(config, 'APP_'), kplus.Env.fromSecret(secret)] },
    [{ configMapRef: { name: 'settings' }, prefix: 'APP_' }, { secretRef: { name: 'credentials' } }]],
  ['image', { image: 'registry.example/tool:1' }, 'registry.example/tool:1'],
  ['imagePullPolicy', { imagePullPolicy: kplus.ImagePullPolicy.IF_NOT_PRESENT }, 'IfNotPresent'],
  ['lifecycle', { lifecycle: { preStop: { httpGet: { path: '/bye', port: l1.IntOrString.fromNumber(8888) } }, stopSignal: 'SIGTERM' } },
    { preStop: { httpGet: { path: '/bye', port: 8888 } }, stopSignal: 'SIGTERM' }],
  ['livenessProbe', { liveness: Probe.tcpSocket({ port: 1 }) }, { tcpSocket: { port: 1 } }],
  ['name', { name: 'runtime' }, 'runtime'],
  ['ports', { port: 8888 }, [{ containerPort: 8888, protocol: 'TCP' }]],
  ['readinessProbe', { readiness: Probe.tcpSocket({ port: 2 }) }, { tcpSocket: { port: 2 } }],
  ['resizePolicy', { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] }, [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }]],
  ['resources', { cpu: '1' }, { requests: { cpu: '1' }, limits: { cpu: '1' } }],
  ['restartPolicy', { restartPolicy: 'OnFailure' }, 'OnFailure'],
  ['restartPolicyRules', { restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }] },
    [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }]],
  ['securityContext', { securityContext: { runAsUser: 1001 } }, { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsUser: 1001 }],
  ['startupProbe', { startup: Probe.tcpSocket({ port: 3 }) }, { tcpSocket: { port: 3 } }],
  ['stdin', { stdin: true }, true],
  ['stdinOnce', { stdinOnce: true }, true],
  ['terminationMessagePath', { terminationMessagePath: '/workspace/last-words' }, '/workspace/last-words'],
  ['terminationMessagePolicy', { terminationMessagePolicy: 'FallbackToLogsOnError' }, 'FallbackToLogsOnError'],
  ['tty', { tty: false }, false],
  ['volumeDevices', { volumeDevices: [{ name: 'disk', devicePath: '/dev/xvda' }] }, [{ name: 'disk', devicePath: '/dev/xvda' }]],
  ['volumeMounts', { mounts: [{ path: '/scratch', volume: scratch }] }, [{ name: 'scratch', mountPath: '/scratch' }]],
  ['workingDir', { workingDir: '/workspace' }, '/workspace'],
];

test.each(FIELDS)('%s of a container is reachable', (field, props, wire) => {
  const object = sandbox({ containers: [{ ...CONTAINER, ...props }], volumes: [disk] });
  expect(podSpec(object).containers[0][field]).toEqual(wire);
  expect(schemaProblems(object)).toEqual([]);
});

const properties = (path: string) => Object.keys(schemaOf('Sandbox', 'v1beta1', `spec.podTemplate.spec.${path}`).properties).sort();

test('every field of Container in the API has a row above', () => {
  expect(properties('containers[]')).toHaveLength(25);
  expect(FIELDS.map(([field]) => field).sort()).toEqual(properties('containers[]'));
});

test('every field of a port is reachable', () => {
  const [port] = container({
    ports: [{ port: 8080, name: 'http', protocol: kplus.Protocol.TCP, hostPort: 80, hostIp: '192.0.2.1' }], relaxations: [Relaxation.HOST_PORTS],
  }).ports;
  expect(port).toEqual({ containerPort: 8080, name: 'http', protocol: 'TCP', hostPort: 80, hostIP: '192.0.2.1' });
  expect(Object.keys(port).sort()).toEqual(properties('containers[].ports[]'));
});

test('every field of a mount is reachable', () => {
  const mounts: SandboxMount[] = [
    { path: '/a', volume: scratch, readOnly: true, subPath: 'a/b', recursiveReadOnly: 'IfPossible' },
    { path: '/b', volume: scratch, subPathExpr: '$(POD)', propagation: kplus.MountPropagation.HOST_TO_CONTAINER },
  ];
  const [first, second] = container({ mounts }).volumeMounts;
  expect(first).toEqual({ name: 'scratch', mountPath: '/a', readOnly: true, subPath: 'a/b', recursiveReadOnly: 'IfPossible' });
  expect(second).toEqual({ name: 'scratch', mountPath: '/b', subPathExpr: '$(POD)', mountPropagation: 'HostToContainer' });
  expect(Object.keys({ ...first, ...second }).sort()).toEqual(properties('containers[].volumeMounts[]'));
});

test('the port of a container comes before the others', () => {
  expect(container({ port: 8888, ports: [{ port: 9090, name: 'metrics' }, { port: 8888, protocol: kplus.Protocol.UDP }] }).ports)
    .toEqual([{ containerPort: 8888, protocol: 'TCP' }, { containerPort: 9090, name: 'metrics', protocol: 'TCP' }, { containerPort: 8888, protocol: 'UDP' }]);
});

describe('resources', () => {
  const resources = (props: Partial<SandboxContainer>) => container(props).resources;

  test('are requested and limited alike', () => {
    expect(resources({ cpu: '250m', memory: '512Mi', ephemeralStorage: '2Gi' })).toEqual({
      requests: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '2Gi' },
      limits: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '2Gi' },
    });
  });

  test('have a limit of their own where one is given', () => {
    expect(resources({ cpu: '250m', cpuLimit: '2', memory: '1Gi', memoryLimit: '1024Mi', ephemeralStorage: '1G', ephemeralStorageLimit: '1e9' })).toEqual({
      requests: { cpu: '250m', memory: '1Gi', 'ephemeral-storage': '1G' },
      limits: { cpu: '2', memory: '1024Mi', 'ephemeral-storage': '1e9' },
    });
  });

  test('can be limited without being requested', () => {
    expect(resources({ memoryLimit: '1Gi' })).toEqual({ limits: { memory: '1Gi' } });
  });

  test('add up with further ones', () => {
    const further = { limits: { 'nvidia.com/gpu': quantity('1') }, requests: { memory: quantity('1Gi') }, claims: [{ name: 'gpu' }] };
    const object = sandbox({ containers: [{ ...CONTAINER, cpu: '1', resources: further }], resourceClaims: [{ name: 'gpu', resourceClaimName: 'gpu' }] });
    expect(podSpec(object).containers[0].resources)
      .toEqual({ requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', 'nvidia.com/gpu': '1' }, claims: [{ name: 'gpu' }] });
  });

  test('that are not set are not emitted', () => {
    expect(container()).not.toHaveProperty('resources');
    expect(container({ resources: {} })).not.toHaveProperty('resources');
  });
});

describe('environment variables', () => {
  const env = (values: { [name: string]: string }) =>
    container({ env: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, kplus.EnvValue.fromValue(value)])) }).env;

  test('are sorted by name', () => {
    expect(env({ b: '1', a: '2', B: '3' }).map((variable: any) => variable.name)).toEqual(['B', 'a', 'b']);
  });

  test('come from objects and fields as well', () => {
    expect(container({
      env: {
        CONFIG: kplus.EnvValue.fromConfigMap(config, 'mode'),
        NODE: kplus.EnvValue.fromFieldRef(kplus.EnvFieldPaths.NODE_NAME),
        SECRET: kplus.EnvValue.fromSecretValue({ secret, key: 'token' }),
        CPU: kplus.EnvValue.fromResource(kplus.ResourceFieldPaths.CPU_LIMIT, { divisor: '1m' }),
      },
    }).env).toEqual([
      { name: 'CONFIG', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
      { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'SECRET', valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } },
    ]);
  });

  test.each([
    ['an earlier one', { HOME: '/w', PATH_2: '$(HOME)/bin' }],
    ['one that the Pod does not set here', { PATH: '$(FROM_ELSEWHERE)/bin' }],
    ['the text itself', { A: '$$(B)', B: '1' }],
    ['a shell expression', { A: '$(( 1 + 1 ))', B: '$B' }],
  ])('can refer to %s', (_, values) => {
    expect(env(values)).toHaveLength(Object.keys(values).length);
  });
});

describe('a read-only root', () => {
  test('is said in the security context', () => {
    expect(container({ readOnlyRoot: true }).securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
  });

  test('has writable folders, each a volume that is named after container and folder', () => {
    const spec = podSpec(sandbox({ containers: [{ ...CONTAINER, readOnlyRoot: true, writablePaths: ['/tmp', '/home/user/.cache'] }] }));
    expect(spec.containers[0].volumeMounts).toEqual([
      { name: 'sandbox-tmp', mountPath: '/tmp' },
      { name: 'sandbox-home-user-cache', mountPath: '/home/user/.cache' },
    ]);
    expect(spec.volumes).toEqual([{ name: 'sandbox-home-user-cache', emptyDir: {} }, { name: 'sandbox-tmp', emptyDir: {} }]);
  });

  test('never has two folders in one volume', () => {
    const long = `/${'very-'.repeat(20)}long`;
    const spec = podSpec(sandbox({
      containers: [
        { ...CONTAINER, name: 'a', writablePaths: ['/b/c', '/b-c', '/B/c', `${long}/1`, `${long}/2`], mounts: [{ path: '/own', volume: SandboxVolume.emptyDir('other-tmp') }] },
        { ...CONTAINER, name: 'a-b', writablePaths: ['/c', '/!'] },
        { ...CONTAINER, name: 'other', writablePaths: ['/tmp'] },
      ],
      sidecars: [{ ...CONTAINER, name: 'proxy', writablePaths: ['/tmp'] }],
    }));
    const names = [...spec.initContainers, ...spec.containers].flatMap((each: any) => each.volumeMounts.map((mount: any) => mount.name));
    expect(new Set(names).size).toBe(10);
    expect(spec.volumes).toHaveLength(10);
    expect(names.every((name: string) => /^[a-z0-9][-a-z0-9]{0,61}[a-z0-9]$/.test(name))).toBe(true);
  });
});
