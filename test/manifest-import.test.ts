import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { ManifestImport } from '../src';
import { main } from '../src/cli/main';
import { messageOf } from './helpers';
import { runTypeScript } from './typescript';

const ROOT = join(__dirname, '..');

/** Manifests as people write them: short, long, of both versions, with fields of each kind that the wire names otherwise. */
const MANIFESTS = `
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxTemplate
metadata: { name: tools, namespace: agents, labels: { app.kubernetes.io/name: tools } }
spec:
  envVarsInjectionPolicy: Allowed
  networkPolicyManagement: Managed
  networkPolicy:
    egress: [{ to: [{ ipBlock: { cidr: 192.0.2.0/24 } }], ports: [{ port: 443, protocol: TCP }, { port: dns }] }]
  podTemplate:
    metadata: { annotations: { example.com/note: "it's \\"quoted\\"" } }
    spec:
      hostIPC: false
      setHostnameAsFQDN: true
      runtimeClassName: gvisor
      overhead: { cpu: 250m }
      containers:
        - name: main
          image: registry.example/tools:1
          command: [sh, -c, "echo 'a'\\nsleep 1"]
          resources: { requests: { cpu: 1, memory: 512Mi }, limits: { memory: 1Gi } }
          readinessProbe: { httpGet: { path: /, port: http } }
          livenessProbe: { tcpSocket: { port: 8080 } }
          env: [{ name: LIMIT, valueFrom: { resourceFieldRef: { resource: limits.cpu, divisor: 1m } } }]
          volumeMounts: [{ name: scratch, mountPath: /scratch }, { name: info, mountPath: /info }]
      volumes:
        - { name: scratch, emptyDir: { sizeLimit: 1Gi } }
        - { name: info, projected: { sources: [{ downwardAPI: { items: [{ path: name, fieldRef: { fieldPath: metadata.name } }] } }] } }
  volumeClaimTemplates: [{ metadata: { name: data }, spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } } }]
---
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxWarmPool
metadata: { name: tools, namespace: agents, annotations: { note: pool } }
spec: { replicas: 3, sandboxTemplateRef: { name: tools }, updateStrategy: { type: Recreate }, readinessGracePeriodSeconds: 90 }
status: { replicas: 3 }
---
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxClaim
metadata: { name: work, namespace: agents }
spec:
  warmPoolRef: { name: tools }
  lifecycle: { shutdownTime: '2027-01-31T17:00:00Z', shutdownPolicy: Delete }
  additionalPodMetadata: { labels: { sandbox.users.io/team: a } }
  env: [{ name: A, value: '1' }, { name: B, value: '2' }, { name: C, value: '3', containerName: main }]
---
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxClaim
metadata: { name: unordered, namespace: agents }
spec: { warmPoolRef: { name: elsewhere }, env: [{ name: B, value: '2' }, { name: A, value: '1' }] }
---
apiVersion: agents.x-k8s.io/v1alpha1
kind: Sandbox
metadata: { name: old, namespace: agents }
spec: { replicas: 1, shutdownPolicy: Retain, podTemplate: { spec: { containers: [{ name: main, image: 'a:1' }] } } }
---
apiVersion: extensions.agents.x-k8s.io/v1alpha1
kind: SandboxWarmPool
metadata: { name: old, namespace: agents }
spec: { replicas: 0, sandboxTemplateRef: { name: old } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: old, namespace: agents }
data: { 'key.with-dots': "text\\n" }
`;

const WITHOUT_NAMESPACE = `
kind: List
apiVersion: v1
items:
  - apiVersion: v1
    kind: Namespace
    metadata: { name: agents }
  - apiVersion: agents.x-k8s.io/v1beta1
    kind: Sandbox
    metadata: { name: box }
    spec: { operatingMode: Suspended, podTemplate: { spec: { containers: [{ name: main, image: 'a:1' }] } } }
  - apiVersion: agents.x-k8s.io/v1beta1
    kind: Sandbox
    metadata: { name: typo, namespace: other }
    spec: { podTemplat: { spec: {} } }
`;

const TWICE = `
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxWarmPool
metadata: { name: twice, namespace: agents }
spec: { sandboxTemplateRef: { name: tools } }
---
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxWarmPool
metadata: { name: twice, namespace: agents }
spec: { replicas: 2, sandboxTemplateRef: { name: tools } }
`;

const parse = (text: string): any[] => parseAllDocuments(text).map(document => document.toJS()).filter(Boolean);
const sorted = (objects: any[]) => objects.map(object => JSON.stringify(object, (_, value) =>
  (typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value))).sort();

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'manifest-import-'));
  for (const [name, text] of Object.entries({ 'tools.yaml': MANIFESTS, 'plain.yaml': WITHOUT_NAMESPACE, 'twice.yaml': TWICE })) {
    writeFileSync(join(folder, name), text);
  }
  // One process for all, as its start is most of the time.
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { module: 'commonjs', esModuleInterop: true, paths: { 'cdk8s-agent-sandbox': [join(ROOT, 'src/index.ts')], '*': [join(ROOT, 'node_modules/*')] } } }));
  const programs = ['tools', 'plain', 'twice'].map(name => {
    const { output } = main(['import', join(folder, `${name}.yaml`)]);
    writeFileSync(join(folder, `${name}.ts`), output.replace('new App()', `new App({ outdir: ${JSON.stringify(join(folder, name))} })`));
    return `require('./${name}');`;
  });
  writeFileSync(join(folder, 'all.ts'), programs.join('\n'));
  const { status, stderr } = runTypeScript([join(folder, 'all.ts')], { env: { TSX_TSCONFIG_PATH: join(folder, 'tsconfig.json') } });
  if (status !== 0) {
    throw new Error(stderr);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const program = (name: string) => main(['import', join(folder, `${name}.yaml`)]).output;
const synthesized = (name: string) => readdirSync(join(folder, name)).flatMap(file => parse(readFileSync(join(folder, name, file), 'utf8')));

test('the program synthesizes to the same objects', () => {
  const [, pool] = parse(MANIFESTS);
  delete pool.status;
  expect(sorted(synthesized('tools'))).toEqual(sorted([pool, ...parse(MANIFESTS).filter(({ status }) => !status)]));
  expect(sorted(synthesized('plain'))).toEqual(sorted(parse(WITHOUT_NAMESPACE)[0].items));
  expect(sorted(synthesized('twice'))).toEqual(sorted(parse(TWICE)));
});

test('pools and claims are constructs of this library where that loses nothing', () => {
  const text = program('tools');
  expect(text).toContain("import { AgentSandboxVersion, Lifetime, SandboxClaim, SandboxTemplate, SandboxWarmPool, ShutdownPolicy, UpdateStrategy, l1 } from 'cdk8s-agent-sandbox';");
  expect(text).toContain("const tools2 = new SandboxWarmPool(tools, 'tools-sandboxwarmpool', {");
  expect(text).toContain('  readinessGracePeriod: Duration.seconds(90),');
  expect(text).toContain("  lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE }),");
  // Constructs sort variables by name.
  expect(text).toContain("new l1.SandboxClaim(tools, 'unordered', {");
  expect(text).toContain("new l1.SandboxV1Alpha1(tools, 'old', {");
  expect(text).toContain('envVarsInjectionPolicy: l1.SandboxTemplateSpecEnvVarsInjectionPolicy.ALLOWED');
  expect(text).toContain("requests: { cpu: l1.Quantity.fromNumber(1), memory: l1.Quantity.fromString('512Mi') }");
  expect(text).toContain("new ApiObject(tools, 'old-configmap', {");
});

test('what does not fit the types of its kind, or is found to contradict itself, stays as it is and is named', () => {
  expect(program('plain')).toContain('// unknown-field: Sandbox other/typo: spec.podTemplat');
  expect(program('plain')).toContain("new ApiObject(plain, 'typo', {\n  apiVersion: 'agents.x-k8s.io/v1beta1',\n  kind: 'Sandbox',");
  expect(program('twice')).toContain('// duplicate-name: SandboxWarmPool agents/twice: name is \'twice\'');
  expect(program('twice').match(/new l1\.SandboxWarmPool\(/g)).toHaveLength(2);
});

test('a function gives the same, and bad input is refused', () => {
  expect(ManifestImport.toTypeScript(parse(TWICE))).toContain("const imported = new Chart(app, 'imported', { namespace: 'agents' });");
  expect(messageOf(() => ManifestImport.toTypeScript([{ kind: 'Sandbox' }])).split('\n')).toEqual([
    '2 problems:', '  import: apiVersion of the object at imported: write a string, as each object of Kubernetes has one',
    '  import: metadata.name of the object at imported: write a string, as each object of Kubernetes has one',
  ]);
  expect(main(['import']).code).toBe(2);
  expect(main(['import', join(folder, 'nowhere')])).toEqual({ output: `${join(folder, 'nowhere')}: there is no such file or folder`, code: 2 });
});
