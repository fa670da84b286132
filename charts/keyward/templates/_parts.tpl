{{/* The objects that every service of a cell has, each ended by a line of its own. */}}

{{- define "keyward.part.settings" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "keyward.at" . }}
  labels:
    {{- include "keyward.labels" . | nindent 4 }}
data:
  {{ .service }}.yaml: |
    {{- include "keyward.settings" . | nindent 4 }}
  {{- if and (eq .service "cryptocore") (eq .root.Values.hsm.mode "softhsm") }}
  softhsm2.conf: |
    directories.tokendir = /run/keyward/tokens
    objectstore.backend = file
    log.level = ERROR
    slots.removable = false
  {{- end }}
{{- end }}

{{/* Kept when the release goes: databases, keys and certificates are on it. */}}
{{- define "keyward.part.claim" -}}
{{- $values := .root.Values -}}
{{- $data := and (eq $values.store.mode "sqlite") (or (eq .service "authz") (eq .service "orchestrator")) -}}
{{- $several := include "keyward.several" . -}}
{{- $class := $values.credentials.storageClass -}}
{{- if $data }}{{ $class = $values.store.storageClass }}{{ end -}}
{{- if $several }}{{ $class = required "credentials.sharedStorageClass: several instances of a service in a cell share their certificates" $values.credentials.sharedStorageClass }}{{ end -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "keyward.at" . }}
  labels:
    {{- include "keyward.labels" . | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [{{ if $several }}ReadWriteMany{{ else }}ReadWriteOnce{{ end }}]
  {{- with $class }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ if $data }}{{ $values.store.size }}{{ else }}{{ $values.credentials.size }}{{ end }}
{{- end }}

{{/* How the others of the cell find it. A layer that is not ready is called all the same: revocation works without an HSM, and
a store that joins does so through its feed. */}}
{{- define "keyward.part.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "keyward.at" . }}
  labels:
    {{- include "keyward.labels" . | nindent 4 }}
    keyward-scrape: "true"
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "keyward.selector" . | nindent 4 }}
  ports:
    {{- if eq .service "gateway" }}
    - {name: edge, port: 8443, targetPort: edge}
    {{- else if eq .service "replicator" }}
    - {name: link, port: 8446, targetPort: link}
    {{- else }}
    - {name: hop, port: 8444, targetPort: hop}
    {{- if ne .service "cryptocore" }}
    - {name: feed, port: 8445, targetPort: feed}
    {{- end }}
    {{- end }}
    - {name: metrics, port: 9464, targetPort: metrics}
{{- end }}

{{/* At most one pod under a name: a database has one process, a writer one number. */}}
{{- define "keyward.part.set" -}}
{{- $values := index .root.Values .service -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "keyward.at" . }}
  labels:
    {{- include "keyward.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "keyward.at" . }}
  replicas: {{ if or (eq .service "authz") (eq .service "orchestrator") }}{{ int $values.instances }}{{ else }}1{{ end }}
  podManagementPolicy: Parallel
  updateStrategy: {type: {{ .root.Values.updateStrategy }}}
  selector:
    matchLabels:
      {{- include "keyward.selector" . | nindent 6 }}
  template:
    {{- include "keyward.pod" . | nindent 4 }}
{{- end }}
