{{/* The pod of a service of a cell. */}}

{{/* What Pod Security "restricted" asks of a container, and a root file system that can't be written. */}}
{{- define "keyward.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* fsGroup only when the volume is new: its mode would open key files to the group, and such files are refused. */}}
{{- define "keyward.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Copies secrets to where only the service reads them: files/settle.sh. */}}
{{- define "keyward.settle" -}}
- name: settle
  image: {{ .root.Values.image.settle }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [/bin/bash, /settle/settle.sh, {{ .service }}]
  securityContext:
    {{- include "keyward.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi, ephemeral-storage: 16Mi}
    limits: {memory: 64Mi, ephemeral-storage: 64Mi}
  volumeMounts:
    - {name: settle, mountPath: /settle, readOnly: true}
    - {name: seed-credentials, mountPath: /seed/credentials, readOnly: true}
    {{- if include "keyward.private" . }}
    - {name: seed-private, mountPath: /seed/private, readOnly: true}
    {{- end }}
    {{- if and (eq .service "cryptocore") (eq .root.Values.hsm.mode "softhsm") }}
    - {name: seed-token, mountPath: /seed/token, readOnly: true}
    {{- end }}
    - {name: state, mountPath: /var/lib/keyward}
    - {name: run, mountPath: /run/keyward}
{{- end }}

{{/* Secrets that a service reads as files of mode 0600, as sources of a projected volume. */}}
{{- define "keyward.private" -}}
{{- $values := .root.Values -}}
{{- $sql := and (eq $values.store.mode "postgresql") (or (eq .service "authz") (eq .service "orchestrator")) -}}
{{- if and (eq .service "gateway") (ne $values.redis.mode "none") }}
- secret: {name: {{ $values.redis.cacheKeySecret }}, items: [{key: cache.key, path: cache.key}]}
{{- $login := $values.redis.external.passwordSecret }}
{{- if and (eq $values.redis.mode "external") $login.name }}
- secret: {name: {{ include "keyward.secret" (dict "pattern" $login.name "cell" .cell "service" .service) }}, items: [{key: {{ $login.key }}, path: redis.password}]}
{{- end }}
{{- end }}
{{- if eq .service "orchestrator" }}
- secret: {name: {{ $values.pageKeySecret }}, items: [{key: page-token.key, path: page-token.key}]}
{{- end }}
{{- if $sql }}
- secret: {name: {{ $values.store.postgresql.passfileSecret }}, items: [{key: passfile, path: passfile}]}
- secret: {name: {{ include "keyward.secret" (dict "pattern" $values.store.postgresql.laneKeySecret "cell" .cell "service" .service) }}, items: [{key: lane.pem, path: lane.pem}]}
{{- end }}
{{- if eq .service "cryptocore" }}
- secret: {name: {{ $values.hsm.pinSecret.name }}, items: [{key: {{ $values.hsm.pinSecret.key }}, path: pin}]}
{{- end }}
{{- end }}

{{/* Ports of a service, by the names of deploy/arrows.yaml. */}}
{{- define "keyward.ports" -}}
{{- if eq .service "gateway" }}
- {name: edge, containerPort: 8443}
{{- else if eq .service "replicator" }}
- {name: link, containerPort: 8446}
{{- else }}
- {name: hop, containerPort: 8444}
{{- if ne .service "cryptocore" }}
- {name: feed, containerPort: 8445}
{{- end }}
{{- end }}
- {name: metrics, containerPort: 9464}
{{- end }}

{{/* Started and alive: its loop turns. Ready: it may be sent partners' calls (docs/metrics.md names what each one's /readyz wants).
Between services readiness decides nothing: their Services publish pods that are not ready, too. */}}
{{- define "keyward.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end }}

{{- define "keyward.mounts" -}}
- {name: settings, mountPath: /etc/keyward/settings, readOnly: true}
{{- if ne .service "replicator" }}
- {name: pki, mountPath: /etc/keyward/pki, readOnly: true}
{{- end }}
- {name: state, mountPath: /var/lib/keyward}
- {name: run, mountPath: /run/keyward}
- {name: tmp, mountPath: /tmp}
{{- if eq .service "authz" }}
- {name: officers, mountPath: /etc/keyward/officers, readOnly: true}
{{- if .root.Values.pki.auditorsConfigMap }}
- {name: auditors, mountPath: /etc/keyward/auditors, readOnly: true}
{{- end }}
{{- end }}
{{- if and (eq .root.Values.store.mode "postgresql") (or (eq .service "authz") (eq .service "orchestrator")) }}
- {name: sql-ca, mountPath: /etc/keyward/sql, readOnly: true}
{{- end }}
{{- if and (eq .service "gateway") (eq .root.Values.pki.edge.mode "cert-manager") }}
- {name: edge, mountPath: /etc/keyward/edge, readOnly: true}
{{- end }}
{{- if and (eq .service "gateway") (eq .root.Values.redis.mode "sidecar") }}
- {name: redis, mountPath: /run/redis}
{{- end }}
{{- if and (eq .service "gateway") .root.Values.redis.external.caConfigMap }}
- {name: redis-ca, mountPath: /etc/keyward/redis, readOnly: true}
{{- end }}
{{- if and (eq .service "cryptocore") (eq .root.Values.hsm.mode "cloudhsm") }}
- {name: cloudhsm, mountPath: /opt/cloudhsm/etc, readOnly: true}
{{- end }}
{{- end }}

{{- define "keyward.volumes" -}}
{{- $values := .root.Values -}}
- name: settle
  configMap: {name: {{ include "keyward.name" .root }}-scripts}
- name: settings
  configMap: {name: {{ include "keyward.at" . }}}
- name: seed-credentials
  secret: {secretName: {{ include "keyward.secret" (dict "pattern" $values.pki.credentialsSecret "cell" .cell "service" .service) }}}
{{- with include "keyward.private" . }}
- name: seed-private
  projected:
    sources:
      {{- . | nindent 6 }}
{{- end }}
- name: state
  persistentVolumeClaim: {claimName: {{ include "keyward.at" . }}}
- name: run
  emptyDir: {medium: Memory, sizeLimit: 16Mi}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- if ne .service "replicator" }}
- name: pki
  configMap: {name: {{ $values.pki.configMap }}}
{{- end }}
{{- if eq .service "authz" }}
- name: officers
  configMap: {name: {{ $values.pki.officersConfigMap }}}
{{- if $values.pki.auditorsConfigMap }}
- name: auditors
  configMap: {name: {{ $values.pki.auditorsConfigMap }}}
{{- end }}
{{- end }}
{{- if and (eq $values.store.mode "postgresql") (or (eq .service "authz") (eq .service "orchestrator")) }}
- name: sql-ca
  configMap: {name: {{ $values.store.postgresql.caConfigMap }}}
{{- end }}
{{- if and (eq .service "gateway") (eq $values.pki.edge.mode "cert-manager") }}
- name: edge
  secret:
    secretName: {{ include "keyward.at" . }}-edge
    items: [{key: tls.key, path: key.pem}, {key: tls.crt, path: cert.pem}]
{{- end }}
{{- if and (eq .service "gateway") $values.redis.external.caConfigMap }}
- name: redis-ca
  configMap: {name: {{ $values.redis.external.caConfigMap }}}
{{- end }}
{{- if and (eq .service "gateway") (eq $values.redis.mode "sidecar") }}
- name: redis
  emptyDir: {medium: Memory, sizeLimit: 128Mi}
{{- end }}
{{- if eq .service "cryptocore" }}
{{- if eq $values.hsm.mode "softhsm" }}
- name: seed-token
  secret: {secretName: {{ $values.hsm.softhsm.tokenSecret }}}
{{- else }}
- name: cloudhsm
  configMap: {name: {{ $values.hsm.cloudhsm.configMap }}}
{{- end }}
{{- end }}
{{- end }}

{{/* The service itself. */}}
{{- define "keyward.container" -}}
{{- $values := index .root.Values .service -}}
- name: {{ .service }}
  image: {{ include "keyward.image" . }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: ["--config=/etc/keyward/settings/{{ .service }}.yaml"]
  {{- if and (eq .service "cryptocore") (eq .root.Values.hsm.mode "softhsm") }}
  env:
    - {name: SOFTHSM2_CONF, value: /etc/keyward/settings/softhsm2.conf}
  {{- else if and (ne .service "gateway") (include "keyward.several" .) }}
  env:
    - name: KEYWARD_WRITER
      valueFrom: {fieldRef: {fieldPath: "metadata.labels['apps.kubernetes.io/pod-index']"}}
  {{- end }}
  securityContext:
    {{- include "keyward.containerSecurity" . | nindent 4 }}
    {{- if eq .service "cryptocore" }}{{ with .root.Values.cryptocore.seccompProfile }}
    seccompProfile: {type: Localhost, localhostProfile: {{ . }}}
    {{- end }}{{ end }}
  resources:
    {{- toYaml $values.resources | nindent 4 }}
  ports:
    {{- include "keyward.ports" . | trim | nindent 4 }}
  {{- include "keyward.probes" . | nindent 2 }}
  volumeMounts:
    {{- include "keyward.mounts" . | nindent 4 }}
{{- end }}

{{/* `keyward up` gives each cell such a Redis: no port, no disk. */}}
{{- define "keyward.redis" -}}
- name: redis
  image: {{ .root.Values.redis.sidecar.image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [redis-server, --port, "0", --unixsocket, /run/redis/redis.sock, --unixsocketperm, "700", --save, "", --appendonly, "no",
            --maxmemory, {{ .root.Values.redis.sidecar.maxMemory }}, --maxmemory-policy, allkeys-lru, --dir, /run/redis]
  securityContext:
    {{- include "keyward.containerSecurity" . | nindent 4 }}
  resources:
    requests: {cpu: 50m, memory: 96Mi, ephemeral-storage: 64Mi}
    limits: {memory: 256Mi, ephemeral-storage: 256Mi}
  volumeMounts:
    - {name: redis, mountPath: /run/redis}
{{- end }}

{{/* In its zone; several instances of a cell on different nodes, where there are some. */}}
{{- define "keyward.placement" -}}
{{- if .cell.zone }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - {key: {{ .root.Values.topology.key }}, operator: In, values: [{{ .cell.zone | quote }}]}
{{- end }}
{{- if include "keyward.several" . }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "keyward.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{/* Service links would be taken for settings: a Service keyward has KEYWARD_PORT=tcp://…, and libpq reads PG… */}}
{{- define "keyward.pod" -}}
metadata:
  labels:
    {{- include "keyward.labels" . | nindent 4 }}
  annotations:
    keyward-settings: {{ include "keyward.settings" . | sha256sum }}
spec:
  serviceAccountName: {{ include "keyward.name" .root }}-{{ .service }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 45
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "keyward.podSecurity" . | nindent 4 }}
  {{- include "keyward.placement" . | trim | nindent 2 }}
  initContainers:
    {{- include "keyward.settle" . | nindent 4 }}
  containers:
    {{- include "keyward.container" . | nindent 4 }}
    {{- if and (eq .service "gateway") (eq .root.Values.redis.mode "sidecar") }}
    {{- include "keyward.redis" . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "keyward.volumes" . | nindent 4 }}
{{- end }}
