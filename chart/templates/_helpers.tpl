{{/* Name of the controller's objects. */}}
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
