/** Files of the chart that people wrote: everything that is not an object. */
export const HELPERS = `{{/* Name of the controller's objects. */}}
{{- define "agent-sandbox.name" -}}
{{- default "agent-sandbox-controller" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* What Helm says about an object. */}}
{{- define "agent-sandbox.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{/* An image of its parts; called with the value, its path, and the global values, which may name a mirror. */}}
{{- define "agent-sandbox.image" -}}
{{- $image := index . 0 -}}
{{- $path := index . 1 -}}
{{- $repository := required (printf "%s.repository is required: build and push the image, there is none in a public registry" $path) $image.repository -}}
{{- with (index . 2 | default dict).imageRegistry -}}
{{- $parts := splitList "/" $repository -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}{{- $parts = rest $parts -}}{{- end -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (join "/" $parts) -}}
{{- end -}}
{{- if not (or $image.tag $image.digest) -}}
{{- fail (printf "%s.tag or %s.digest is required" $path $path) -}}
{{- end -}}
{{- $repository -}}{{- with $image.tag }}:{{ . }}{{- end -}}{{- with $image.digest }}@{{ . }}{{- end -}}
{{- end -}}

{{/* The ways to say who one is, as the router takes them. */}}
{{- define "agent-sandbox.routerAuthorization" -}}
{{- $modes := list -}}
{{- if .Values.router.allowUnauthenticated -}}{{- $modes = append $modes "allow-all" -}}
{{- else -}}
{{- if .Values.router.tokenReview -}}{{- $modes = append $modes "tokenreview" -}}{{- end -}}
{{- if .Values.router.scopedTokens.secret -}}{{- $modes = append $modes "scoped-token" -}}{{- end -}}
{{- if .Values.router.staticTokenSecret -}}{{- $modes = append $modes "static-token" -}}{{- end -}}
{{- end -}}
{{- join "," $modes -}}
{{- end -}}
`;

/** What the construct refuses, and a schema cannot say. */
export const CHECKS = `{{- if and (gt (int64 .Values.replicas) 1) (not .Values.controller.leaderElect) }}
{{- fail "controller.leaderElect is false: several replicas would all work: leave it out, or use one replica" }}
{{- end }}
{{- if gt (int64 (default 1 .Values.controller.shards)) 16 }}
{{- fail "controller.shards: use at most 16" }}
{{- end }}
{{- if and (gt (int64 (default 1 .Values.controller.shards)) 1) (not .Values.controller.leaderElect) }}
{{- fail "controller.leaderElect is false: shards are divided by leader election: leave it out, or leave out shards" }}
{{- end }}
{{- with .Values.router }}
{{- if .enabled }}
{{- if and .allowUnauthenticated (or .scopedTokens.secret .staticTokenSecret .resumeOnRequest) }}
{{- fail "router.allowUnauthenticated is true: no token is looked at, so leave out scopedTokens, staticTokenSecret and resumeOnRequest" }}
{{- end }}
{{- if and .restApi (or .allowUnauthenticated (not .tokenReview)) }}
{{- fail "router.restApi is true: it needs users of the cluster, whose rights can be asked about: leave it out, or tokenReview on" }}
{{- end }}
{{- if not (or .allowUnauthenticated .tokenReview .scopedTokens.secret .staticTokenSecret) }}
{{- fail "router.tokenReview is false: name another way to say who one is: scopedTokens.secret, staticTokenSecret, or allowUnauthenticated: true" }}
{{- end }}
{{- if and (or .browser.domain .browser.pathPrefix .browser.unstrippedPathPrefix) (not .browser.session.secret) (not .allowUnauthenticated) (or .autoscaling.maxReplicas (gt (int64 .replicas) 1)) }}
{{- fail "router.browser.session.secret: a session has to count in all Pods: name a Secret, or use replicas: 1" }}
{{- end }}
{{- if and .browser.oidc.issuerUrl (not (or .browser.domain .browser.oidc.redirectUrl)) }}
{{- fail "router.browser.oidc.redirectUrl: without router.browser.domain it has no default: name the address that the provider sends browsers back to" }}
{{- end }}
{{- if and .gateway.enabled (not .allowHttpTokens) }}
{{- fail "router.allowHttpTokens is false: the Gateway ends TLS and speaks plain HTTP to the router, which would refuse every token: set it to true" }}
{{- end }}
{{- range $ports := .additionalPorts }}
{{- $ends := splitList "-" $ports }}
{{- if and (eq (len $ends) 2) (gt (atoi (first $ends)) (atoi (last $ends))) }}
{{- fail (printf "router.additionalPorts has %q: a range begins with its lower port" $ports) }}
{{- end }}
{{- end }}
{{- if and .gateway.enabled .gateway.className .gateway.namespace }}
{{- fail "router.gateway.namespace: the Gateway is in the namespace of the release: leave it or className out" }}
{{- end }}
{{- end }}
{{- end }}
`;

export const NOTES = `The agent sandbox controller is installed in the namespace {{ .Release.Namespace }}.

  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ include "agent-sandbox.name" . }}
{{- if .Values.router.enabled }}
  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/sandbox-router
{{- if not (or .Values.router.tlsSecret .Values.router.allowHttpTokens) }}

The router takes tokens from tunnels (kubectl port-forward) only: it has no certificate (router.tlsSecret), and nothing in front
of it that ends TLS (router.allowHttpTokens).
{{- end }}
{{- if ne .Release.Namespace "agent-sandbox-system" }}

Templates let the router of the namespace agent-sandbox-system in, unless they name another: this one is in {{ .Release.Namespace }}.
{{- end }}
{{- end }}
{{- if .Values.crds.install }}

The CustomResourceDefinitions stay when the release is uninstalled. Deleting them deletes every Sandbox, and its volumes.
{{- end }}
`;

export function chartYaml(version: string): string {
  return `apiVersion: v2
name: agent-sandbox
description: The controller, router and definitions of the Agent Sandbox API
type: application
version: ${version}
appVersion: ${JSON.stringify(version)}
kubeVersion: ">=1.31.0-0"
keywords: [agent-sandbox, sandbox, ai-agents, gvisor]
annotations:
  artifacthub.io/category: ai-machine-learning
  artifacthub.io/license: Apache-2.0
  artifacthub.io/operator: "true"
home: https://github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox
`;
}

export function readme(table: string): string {
  return `<!-- Generated by scripts/helm-chart.ts; do not edit. -->
# Helm chart agent-sandbox

Installs the CustomResourceDefinitions, the controller and, where asked, the router, from the same code as the construct
\`AgentSandboxController\`. No webhook, no certificates, no hooks but those of \`helm test\`.

\`\`\`
helm install agent-sandbox ./chart --namespace agent-sandbox-system --create-namespace \\
  --set image.repository=registry.example/agent-sandbox-controller --set image.tag=1.0
\`\`\`

* **The namespace is that of the release.** The chart has no Namespace, so uninstalling deletes none.
* **CustomResourceDefinitions** are installed and upgraded with the release (\`crds.install\`), and stay when it is uninstalled. Where
  they are there already, because kubectl or another chart installed them, add \`--take-ownership\` (Helm 3.17 or later), or hand them
  over before:

\`\`\`
for kind in sandboxes.agents sandboxclaims.extensions.agents sandboxtemplates.extensions.agents sandboxwarmpools.extensions.agents; do
  kubectl label crd $kind.x-k8s.io app.kubernetes.io/managed-by=Helm --overwrite
  kubectl annotate crd $kind.x-k8s.io meta.helm.sh/release-name=agent-sandbox meta.helm.sh/release-namespace=agent-sandbox-system --overwrite
done
\`\`\`

* **One release per cluster.** The kinds are cluster-wide, and so is the controller unless \`namespaces\` names some.
* **A mirror**: \`global.imageRegistry=mirror.example/proxied\` takes all images from there, by the same names and digests.
* **\`helm test agent-sandbox --logs\`** claims a sandbox, runs a command in it and deletes the claim. It needs \`test.image\`, which the chart of a
  release has. Its Pod may create this one claim, read and delete it, and nothing else.
* Values are checked (\`values.schema.json\`): a misspelt one is an error.

## Values

${table}
`;
}
