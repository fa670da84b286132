{{/* The settings file of each service: what `keyward up` writes, with names for addresses. docs/settings-*.md explain them. */}}

{{- define "keyward.settings.common" -}}
region: {{ .root.Values.region | quote }}
cell: {{ .cell.name | quote }}
trust_domain: {{ .root.Values.trustDomain | quote }}
metrics_listen: {{ printf "%s:9464" .root.Values.network.bind | quote }}
credentials_dir: /var/lib/keyward/credentials/{{ .service }}
{{- end }}

{{/* Settings of the values, last. Numbers are whole. */}}
{{- define "keyward.settings.further" -}}
{{- $values := index .root.Values .service -}}
{{- range $name, $value := $values.settings }}
{{ $name }}: {{ if kindIs "string" $value }}{{ $value | quote }}{{ else }}{{ $value | int64 }}{{ end }}
{{- end }}
{{- end }}

{{/* Where an owner keeps what it owns. */}}
{{- define "keyward.settings.store" -}}
{{- $store := .root.Values.store -}}
mesh: {{ .root.Values.mesh | quote }}
feed_listen: {{ printf "%s:8445" .root.Values.network.bind | quote }}
pki_dir: /etc/keyward/pki
{{- if eq $store.mode "sqlite" }}
database: /var/lib/keyward/{{ .service }}.db
lane_key_file: /var/lib/keyward/lane.pem
{{- else }}
store_url: {{ printf "%s?sslmode=verify-full&sslrootcert=/etc/keyward/sql/ca.pem&passfile=/run/keyward/private/passfile" (index .cell.sql .service) | quote }}
lane_key_file: /run/keyward/private/lane.pem
{{- end }}
{{- end }}

{{- define "keyward.settings.gateway" -}}
{{- $inner := dict "root" .root "cell" .cell "service" "authz" -}}
{{ include "keyward.settings.common" . }}
listen: {{ printf "%s:8443" .root.Values.network.bind | quote }}
targets: [ {{ printf "%s:8444" (include "keyward.host" $inner) | quote }} ]
client_ca_file: /etc/keyward/pki/client-ca.pem
{{- if eq .root.Values.pki.edge.mode "cert-manager" }}
edge_credentials_dir: /etc/keyward/edge
{{- end }}
{{- if eq .root.Values.redis.mode "sidecar" }}
redis: /run/redis/redis.sock
cache_key_file: /run/keyward/private/cache.key
{{- else if eq .root.Values.redis.mode "external" }}
redis: {{ .cell.redis | quote }}
cache_key_file: /run/keyward/private/cache.key
{{- if .root.Values.redis.external.tls }}
redis_tls: true
redis_ca_file: /etc/keyward/redis/ca.pem
{{- end }}
{{- with .root.Values.redis.external.user }}
redis_user: {{ . | quote }}
{{- end }}
{{- if .root.Values.redis.external.passwordSecret.name }}
redis_password_file: /run/keyward/private/redis.password
{{- end }}
{{- end }}
{{- include "keyward.settings.further" . }}
{{- end }}

{{- define "keyward.settings.authz" -}}
{{- $inner := dict "root" .root "cell" .cell "service" "orchestrator" -}}
{{ include "keyward.settings.common" . }}
listen: {{ printf "%s:8444" .root.Values.network.bind | quote }}
targets: [ {{ printf "%s:8444" (include "keyward.host" $inner) | quote }} ]
{{ include "keyward.settings.store" . }}
officers_dir: /etc/keyward/officers
{{- if .root.Values.pki.auditorsConfigMap }}
auditors_dir: /etc/keyward/auditors
{{- end }}
{{- include "keyward.settings.further" . }}
{{- end }}

{{- define "keyward.settings.orchestrator" -}}
{{- $inner := dict "root" .root "cell" .cell "service" "cryptocore" -}}
{{ include "keyward.settings.common" . }}
listen: {{ printf "%s:8444" .root.Values.network.bind | quote }}
targets: [ {{ printf "%s:8444" (include "keyward.host" $inner) | quote }} ]
{{ include "keyward.settings.store" . }}
page_key_file: /run/keyward/private/page-token.key
{{- include "keyward.settings.further" . }}
{{- end }}

{{- define "keyward.settings.cryptocore" -}}
{{- $hsm := .root.Values.hsm -}}
{{ include "keyward.settings.common" . }}
listen: {{ printf "%s:8444" .root.Values.network.bind | quote }}
pki_dir: /etc/keyward/pki
hsm_provider: {{ $hsm.mode }}
hsm_token: {{ $hsm.token | quote }}
hsm_pin_file: /run/keyward/private/pin
hsm_lock_file: /run/keyward/hsm-login.lock
hsm_worker: /usr/local/bin/keyward-hsm-worker
{{- if eq $hsm.mode "cloudhsm" }}
hsm_module: {{ $hsm.cloudhsm.module | quote }}
hsm_sandbox: vendor
{{- end }}
{{- include "keyward.settings.further" . }}
{{- end }}

{{- define "keyward.settings.replicator" -}}
{{- $root := .root -}}
{{ include "keyward.settings.common" . }}
mesh: {{ .root.Values.mesh | quote }}
listen: {{ printf "%s:8446" .root.Values.network.bind | quote }}
authz: {{ printf "%s:8445" (include "keyward.host" (dict "root" .root "cell" .cell "service" "authz")) | quote }}
orchestrator: {{ printf "%s:8445" (include "keyward.host" (dict "root" .root "cell" .cell "service" "orchestrator")) | quote }}
cells:
{{- range .root.Values.cells }}
  - {{ printf "%s/%s=%s:8446" $root.Values.region .name (include "keyward.host" (dict "root" $root "cell" . "service" "replicator")) | quote }}
{{- end }}
{{- range $peer := .root.Values.peers }}
{{- range $peer.cells }}
  - {{ printf "%s/%s=%s" $peer.region .name .address | quote }}
{{- end }}
{{- end }}
{{- include "keyward.settings.further" . }}
{{- end }}

{{- define "keyward.settings" -}}
{{- if eq .service "gateway" }}{{ include "keyward.settings.gateway" . }}
{{- else if eq .service "authz" }}{{ include "keyward.settings.authz" . }}
{{- else if eq .service "orchestrator" }}{{ include "keyward.settings.orchestrator" . }}
{{- else if eq .service "cryptocore" }}{{ include "keyward.settings.cryptocore" . }}
{{- else }}{{ include "keyward.settings.replicator" . }}
{{- end }}
{{- end }}
