{{/* Names, labels and addresses. "at" is (dict "root" $ "cell" $cell "service" "authz") throughout; cell may be missing. */}}

{{- define "keyward.name" -}}
{{- if eq .Release.Name .Chart.Name }}{{ .Chart.Name }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 30 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* keyward-a-authz */}}
{{- define "keyward.at" -}}
{{ include "keyward.name" .root }}-{{ .cell.name }}-{{ .service }}
{{- end }}

{{/* What it is reached by: keyward-a-authz.NAMESPACE.svc.cluster.local */}}
{{- define "keyward.host" -}}
{{ include "keyward.at" . }}.{{ .root.Release.Namespace }}.svc.{{ .root.Values.network.clusterDomain }}
{{- end }}

{{/* Which pods: of all cells, when there is no cell. */}}
{{- define "keyward.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- if .cell }}
keyward-cell: {{ .cell.name | quote }}
{{- end }}
{{- end }}

{{- define "keyward.labels" -}}
{{ include "keyward.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: keyward
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
keyward-region: {{ .root.Values.region | quote }}
{{- end }}

{{/* registry/keyward/authz:tag, or what the service's values say in full. */}}
{{- define "keyward.image" -}}
{{- $values := index .root.Values .service -}}
{{- if $values.image }}{{ $values.image }}{{ else -}}
{{ .root.Values.image.registry }}keyward/{{ .service }}:{{ .cell.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The name of a Secret for one service of one cell, from a pattern with {cell} and {service}. */}}
{{- define "keyward.secret" -}}
{{ .pattern | replace "{cell}" .cell.name | replace "{service}" .service }}
{{- end }}

{{/* How many of it may run in a cell. */}}
{{- define "keyward.several" -}}
{{- if eq .service "gateway" -}}
{{- if or .root.Values.gateway.autoscaling.enabled (gt (int .root.Values.gateway.replicas) 1) }}yes{{ end -}}
{{- else if or (eq .service "authz") (eq .service "orchestrator") -}}
{{- $values := index .root.Values .service -}}
{{- if gt (int $values.instances) 1 }}yes{{ end -}}
{{- end -}}
{{- end }}

{{/* The port of a PostgreSQL URL. */}}
{{- define "keyward.sqlPort" -}}
{{- $port := regexFind ":[0-9]+/" (regexFind "@.*" .) -}}
{{- if $port }}{{ $port | trimPrefix ":" | trimSuffix "/" }}{{ else }}5432{{ end -}}
{{- end }}

{{/* Pods of a service, as one end of an arrow. */}}
{{- define "keyward.from" -}}
- podSelector:
    matchLabels:
      {{- include "keyward.selector" . | nindent 6 }}
{{- end }}

{{/* Whose replicators may call the one of this cell: those of its region, and of its namesakes' regions. */}}
{{- define "keyward.linked" -}}
{{- $at := . -}}
{{- range $other := $at.root.Values.cells }}
{{- if ne $other.name $at.cell.name }}
{{ include "keyward.from" (dict "root" $at.root "cell" $other "service" "replicator") }}
{{- end }}
{{- end }}
{{- range $peer := $at.root.Values.peers }}
{{- range $peer.cells }}
{{- if eq .name $at.cell.name }}
{{- range $peer.cidrs }}
- ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
