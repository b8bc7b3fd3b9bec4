import * as fs from 'node:fs';
import * as path from 'node:path';
import { App, Chart, Yaml } from 'cdk8s';
import { AgentSandboxVersion, Isolation, NetworkPeer, NetworkPort, ObjectReference, SandboxClaim, SandboxNetwork, SandboxTemplate } from '../../src';
import { RUNTIME_PORT } from '../../src/generated/vocabulary.gen';

/** Texts that stand for what Helm knows. */
const NAME = 'zz-test-zz';
const NAMESPACE = 'zz-namespace-zz';
const IMAGE = 'zz-image-zz';
const RUNTIME_CLASS = 'zz-runtime-class-zz';
const PULL_SECRET = 'zz-pull-secret-zz';
const LABELS = { 'app.kubernetes.io/component': 'test', 'app.kubernetes.io/name': NAME };

/** The program of the test, which Node in the image of the controller runs. */
const PROGRAM = 'files/test-claim.mjs';

/** The claim of `helm test`, and the objects that it needs, as the constructs make them. */
function objects(): { readonly claim: any; readonly others: readonly any[] } {
  const chart = new Chart(new App({ outdir: '/nonexistent' }), 'test', { namespace: NAMESPACE });
  const template = new SandboxTemplate(chart, 'template', {
    name: NAME,
    containers: [{ image: IMAGE, port: RUNTIME_PORT, cpu: '50m', memory: '128Mi' }],
    isolation: Isolation.runtimeClass(RUNTIME_CLASS),
    imagePullSecrets: [ObjectReference.secret(PULL_SECRET)],
    // The Pod of the test alone may connect to it.
    network: SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.pods(LABELS), [NetworkPort.tcp(RUNTIME_PORT)]),
  });
  new SandboxClaim(chart, 'claim', { name: NAME, template, apiVersion: AgentSandboxVersion.V1BETA1 });
  const all: any[] = chart.toJson();
  return { claim: all.find(({ kind }) => kind === 'SandboxClaim'), others: all.filter(({ kind }) => kind !== 'SandboxClaim') };
}

/** The Secrets of the registry of the controller's image, and those of all charts. */
const pullSecrets = (indent: number) => `{{- with concat $.Values.imagePullSecrets (($.Values.global).imagePullSecrets | default list) }}
${' '.repeat(indent)}imagePullSecrets:
{{- toYaml . | nindent ${indent + 2} }}
{{- end }}`;

const filled = (yaml: string) => yaml.trimEnd()
  .replace(new RegExp(`^( *)imagePullSecrets:\\n *- name: ${PULL_SECRET}$`, 'm'), (_, indent: string) => pullSecrets(indent.length))
  .replaceAll(NAME, '{{ $name }}')
  .replaceAll(NAMESPACE, '{{ $namespace }}')
  .replace(IMAGE, '{{ include "agent-sandbox.image" (list $.Values.test.image "test.image" $.Values.global) | quote }}')
  .replace(new RegExp(`^( *)runtimeClassName: ${RUNTIME_CLASS}$`, 'm'), '{{- with $.Values.test.runtimeClassName }}\n$1runtimeClassName: {{ . | quote }}\n{{- end }}');

/** Lines with the hook's annotations and the labels of Helm in the metadata. */
function hook(yaml: string, weight: number): string {
  return yaml.replace(/^metadata:\n/m, `metadata:
  annotations:
    helm.sh/hook: test
    helm.sh/hook-weight: "${weight}"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
  labels:
{{- include "agent-sandbox.labels" $ | nindent 4 }}
`);
}

const metadata = 'metadata:\n  name: {{ $name }}\n  namespace: {{ $namespace }}';

/** The template of `helm test`: a Pod that claims a sandbox and runs a command in it, and what it needs. */
export function testHook(): string {
  const { claim, others } = objects();
  const rights = claim.apiVersion.split('/')[0];
  const documents = [
    ...others.map(object => hook(filled(Yaml.stringify(object)), 0)),
    hook(`apiVersion: v1\nkind: ServiceAccount\n${metadata}\nautomountServiceAccountToken: false`, 0),
    hook(`apiVersion: rbac.authorization.k8s.io/v1
kind: Role
${metadata}
rules:
  - apiGroups: [${rights}]
    resources: [sandboxclaims]
    verbs: [create]
  - apiGroups: [${rights}]
    resources: [sandboxclaims]
    resourceNames: [{{ $name }}]
    verbs: [get, delete]`, 0),
    hook(`apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
${metadata}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $namespace }}`, 0),
    hook(`apiVersion: v1
kind: Pod
${metadata}
spec:
  containers:
    - name: test
      image: {{ include "agent-sandbox.image" (list $.Values.image "image" $.Values.global) | quote }}
      command: [/usr/local/bin/node, --input-type=module, --eval]
      args:
        - {{ $.Files.Get "${PROGRAM}" | quote }}
      env:
        - name: CLAIM
          value: ${filled(JSON.stringify(JSON.stringify(claim)))}
        - name: RUNTIME_PORT
          value: "${RUNTIME_PORT}"
        - name: TIMEOUT_SECONDS
          value: {{ int64 $.Values.test.timeoutSeconds | quote }}
      resources:
        requests: { cpu: 50m, memory: 64Mi }
        limits: { memory: 128Mi }
      securityContext:
        allowPrivilegeEscalation: false
        capabilities: { drop: [ALL] }
        readOnlyRootFilesystem: true
${pullSecrets(2)}
  restartPolicy: Never
  automountServiceAccountToken: true
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: { type: RuntimeDefault }
  serviceAccountName: {{ $name }}`, 1).replace('  labels:\n', `  labels:\n${Object.entries(LABELS).map(([key, value]) => `    ${key}: ${filled(value)}\n`).join('')}`),
  ];
  return `{{- /* Generated by scripts/helm-chart.ts; do not edit. */ -}}
{{- if and (($.Values.test).image).repository $.Values.controller.extensions }}
{{- $name := printf "%s-test" (include "agent-sandbox.name" $ | trunc 50 | trimSuffix "-") }}
{{- $namespace := $.Values.namespaces | default (list $.Release.Namespace) | first }}
${documents.join('\n---\n')}
{{- end }}
`;
}

/** The program, as a file of the chart. */
export function testProgram(): [name: string, text: string] {
  return [PROGRAM, fs.readFileSync(path.join(__dirname, 'test-claim.mjs'), 'utf8')];
}
