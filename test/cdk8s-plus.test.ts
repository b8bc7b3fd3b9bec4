import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, Testing } from 'cdk8s';
import * as oldest from 'cdk8s-plus-28';
import * as today from 'cdk8s-plus-33';
import * as newest from 'cdk8s-plus-34';
import ts from 'typescript';
import {
  DnsPolicy, EnvSource, ImagePullPolicy, Isolation, MountPropagation, NetworkPeer, ObjectReference, PersistentVolumeAccessMode, Protocol, RestartPolicy, Sandbox, SandboxVolume,
} from '../src';
import { podSpec, sandbox, schemaProblems, testChart } from './helpers';
import { plusApp } from './support/plus-app';

/** The package has the version of Kubernetes in its name: the oldest that is supported, that of `cdk8s init`, the newest. */
const VERSIONS: Readonly<Record<string, unknown>> = { 'cdk8s-plus-28': oldest, 'cdk8s-plus-33': today, 'cdk8s-plus-34': newest };
const ROOT = join(__dirname, '..');

const ours = (app: App): any[] => app.charts.flatMap(chart => Testing.synth(chart)).filter(({ apiVersion }) => /agents\.x-k8s\.io/.test(apiVersion));

test('every version gives the same sandboxes, templates and networks', () => {
  const [first, ...others] = Object.values(VERSIONS).map(plus => ours(plusApp(plus as typeof today)));
  expect(first.map(({ kind }) => kind).sort()).toEqual(['Sandbox', 'SandboxClaim', 'SandboxTemplate', 'SandboxTemplate', 'SandboxWarmPool', 'SandboxWarmPool']);
  // A later cdk8s-plus may write more into a Pod of its own.
  const withoutPods = (objects: any[]) => objects.filter(({ metadata }) => metadata.name !== 'from-pod');
  others.forEach(other => expect(withoutPods(other)).toEqual(withoutPods(first)));
});

test.each(Object.keys(VERSIONS))('the Pod of %s becomes that of a template', version => {
  const template = ours(plusApp(VERSIONS[version] as typeof today)).find(({ metadata }) => metadata.name === 'from-pod');
  const [container] = template.spec.podTemplate.spec.containers;
  expect(container).toMatchObject({
    env: [{ name: 'MODE', value: 'fast' }],
    envFrom: [{ configMapRef: { name: 'settings' } }],
    ports: [{ containerPort: 8888, protocol: 'TCP' }],
    readinessProbe: { httpGet: { path: '/healthz', port: 8888 }, periodSeconds: 1 },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  });
  expect(template.spec.podTemplate.spec).toMatchObject({ serviceAccountName: 'builder', restartPolicy: 'Never', runtimeClassName: 'gvisor' });
});

test('an app compiles with each version, and with each refuses a Secret as template and a Namespace as pool', () => {
  const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(join(ROOT, 'tsconfig.dev.json'), ts.sys.readFile).config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const source = join(__dirname, 'support', 'plus-app.ts');
  const apps = new Map(Object.keys(VERSIONS).map(version =>
    [join(__dirname, 'support', `${version}.ts`), readFileSync(source, 'utf8').replace("'cdk8s-plus-33'", `'${version}'`)]));
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = file => apps.get(file) ?? readFile(file);
  host.fileExists = file => apps.has(file) || fileExists(file);
  host.getSourceFile = (file, language, ...more) => {
    const text = apps.get(file);
    return text === undefined ? getSourceFile(file, language, ...more) : ts.createSourceFile(file, text, language);
  };
  const program = ts.createProgram([...apps.keys()], options, host);
  for (const [file, text] of apps) {
    expect(program.getSourceFile(file)!.text).toBe(text);
    const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  }
});

test.each(Object.entries({ DnsPolicy, ImagePullPolicy, MountPropagation, PersistentVolumeAccessMode, Protocol, RestartPolicy }))(
  'our %s has every member of that of cdk8s-plus, which makes TypeScript take the one for the other', (name, values) => {
    for (const plus of Object.values(VERSIONS)) {
      expect(values).toMatchObject((plus as any)[name]);
    }
  });

test('the library imports no cdk8s-plus, so that an app may have any version or none', () => {
  const { peerDependencies, dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(Object.keys({ ...peerDependencies, ...dependencies }).sort()).toEqual(['cdk8s', 'constructs', 'yaml']);
  const files = ts.sys.readDirectory(join(ROOT, 'src'), ['.ts']).concat(ts.sys.readDirectory(join(ROOT, 'imports'), ['.ts']));
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter(file => /(from|require\(|import\() ?'cdk8s-plus/.test(readFileSync(file, 'utf8')))).toEqual([]);
});

test('references and sources of environment variables stand in for objects of cdk8s-plus', () => {
  const secret = ObjectReference.secret('credentials');
  const settings = ObjectReference.configMap('settings');
  const box = sandbox({
    containers: [{
      image: 'registry.example/python@sha256:0123',
      env: {
        TOKEN: EnvSource.secretKey(secret, 'token'),
        MODE: EnvSource.configMapKey(settings, 'mode', { optional: true }),
        POD: EnvSource.podField('metadata.name'),
      },
      envFrom: [EnvSource.allOfSecret(secret, { prefix: 'DB_' }), EnvSource.allOfConfigMap(settings, { optional: true })],
      mounts: [{ path: '/data', volume: SandboxVolume.persistentVolumeClaim('data', ObjectReference.persistentVolumeClaim('datasets')) }],
    }],
    serviceAccount: ObjectReference.serviceAccount('builder'),
  });
  const spec = podSpec(box);
  expect(spec).toMatchObject({ serviceAccountName: 'builder', volumes: [{ persistentVolumeClaim: { claimName: 'datasets' } }] });
  expect(spec.containers[0].env).toEqual([
    { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode', optional: true } } },
    { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } },
  ]);
  expect(spec.containers[0].envFrom).toEqual([{ prefix: 'DB_', secretRef: { name: 'credentials' } }, { configMapRef: { name: 'settings', optional: true } }]);
  expect(schemaProblems(box)).toEqual([]);
});

test.each([
  ['a name of a Secret', () => ObjectReference.secret('My_Secret'), "ObjectReference.secret: name is 'My_Secret': use 1 to 253 lower-case letters"],
  ['a name of an account', () => ObjectReference.serviceAccount(undefined as any), 'ObjectReference.serviceAccount: name: it is missing'],
  ['a key', () => EnvSource.secretKey(ObjectReference.secret('a'), 'my key'), "EnvSource.secretKey: key is 'my key': use 1 to 253 letters, digits"],
  ['an object of another kind', () => EnvSource.configMapKey(ObjectReference.secret('a'), 'k'), "use ObjectReference.configMap('…'), or a ConfigMap of cdk8s-plus"],
  ['a field of the Pod', () => sandbox({ containers: [{ image: 'a', env: { A: EnvSource.podField('metadata.nothing') } }] }), 'metadata.nothing'],
])('%s that is wrong is refused', (_, make, message) => {
  expect(make).toThrow(message);
});

test('without cdk8s-plus, plain objects name Secrets, ConfigMaps, accounts and claims', () => {
  const chart = testChart();
  new Sandbox(chart, 'box', {
    containers: [{
      image: 'registry.example/python@sha256:0123',
      env: { TOKEN: { valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } } },
      mounts: [
        { path: '/secret', volume: SandboxVolume.secret('secret', { kind: 'Secret', name: 'credentials' }) },
        { path: '/config', volume: SandboxVolume.configMap('config', { kind: 'ConfigMap', name: 'settings' }) },
        { path: '/data', volume: SandboxVolume.persistentVolumeClaim('data', { kind: 'PersistentVolumeClaim', name: 'datasets' }) },
      ],
    }],
    isolation: Isolation.gvisor(),
    serviceAccount: { kind: 'ServiceAccount', name: 'builder' },
    imagePullSecrets: [{ kind: 'Secret', name: 'registry' }],
    restartPolicy: RestartPolicy.NEVER,
  });
  const { spec } = Testing.synth(chart).find(({ kind }) => kind === 'Sandbox').spec.podTemplate;
  expect(spec).toMatchObject({
    serviceAccountName: 'builder', imagePullSecrets: [{ name: 'registry' }], restartPolicy: 'Never',
    volumes: [{ configMap: { name: 'settings' } }, { persistentVolumeClaim: { claimName: 'datasets' } }, { secret: { secretName: 'credentials' } }],
  });
  expect(spec.containers[0].env).toEqual([{ name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } }]);
});

test('an object of another kind is refused by its kind', () => {
  const chart = testChart();
  const config: any = newest.ConfigMap.fromConfigMapName(chart, 'config', 'settings');
  expect(() => SandboxVolume.secret('v', config)).toThrow('SandboxVolume.secret: secret is an ImportedConfigMap');
  expect(() => SandboxVolume.secret('v', { kind: 'ConfigMap', name: 'x' })).toThrow("use ObjectReference.secret('…'), or a Secret of cdk8s-plus");
});

test.each(['', 'Bad_Name', 'a b'])('the name %j is refused wherever an object is named', name => {
  const remedy = `name is '${name}': use 1 to 253 lower-case letters`;
  expect(() => SandboxVolume.secret('v', { kind: 'Secret', name })).toThrow(`SandboxVolume.secret: secret.${remedy}`);
  const box = (props: object) => () => new Sandbox(testChart(), 'box', { containers: [{ image: 'registry.example/python@sha256:0123' }], isolation: Isolation.gvisor(), ...props });
  expect(box({ imagePullSecrets: [{ kind: 'Secret', name }] })).toThrow(`imagePullSecrets[0].${remedy}`);
  expect(box({ serviceAccount: { kind: 'ServiceAccount', name } })).toThrow(`serviceAccount.${remedy}`);
});

test('a peer that selects nothing is refused', () => {
  for (const config of [undefined, {}, { podSelector: {} }]) {
    expect(() => NetworkPeer.fromPlus({ toNetworkPolicyPeerConfig: () => config as any })).toThrow('NetworkPeer.fromPlus: peer');
  }
});
