{{/* What a schema can't say: values that don't fit together are refused, in words. Each template asks first: which one Helm renders
first is its own business. */}}
{{- define "keyward.check" -}}
{{- $zones := dict -}}
{{- $names := dict -}}
{{- $several := gt (len .Values.cells) 1 -}}
{{- range .Values.cells -}}
{{- if hasKey $names .name }}{{ fail (printf "cells: %s is there twice" .name) }}{{ end -}}
{{- $_ := set $names .name true -}}
{{- if and $several (not $.Values.topology.shared) -}}
{{- if not .zone }}{{ fail (printf "cells: %s has no zone; cells of one region are in zones of their own, unless topology.shared" .name) }}{{ end -}}
{{- if hasKey $zones .zone }}{{ fail (printf "cells: two are in zone %s, unless topology.shared" .zone) }}{{ end -}}
{{- end -}}
{{- $_ := set $zones (.zone | default "") true -}}
{{- if eq $.Values.store.mode "postgresql" -}}
{{- $sql := .sql | default dict -}}
{{- $_ := required (printf "cells: %s has no sql.authz, which store.mode postgresql needs" .name) $sql.authz -}}
{{- $_ := required (printf "cells: %s has no sql.orchestrator, which store.mode postgresql needs" .name) $sql.orchestrator -}}
{{- end -}}
{{- if and (eq $.Values.redis.mode "external") (not .redis) }}{{ fail (printf "cells: %s has no redis, which redis.mode external needs" .name) }}{{ end -}}
{{- end -}}
{{- if eq .Values.store.mode "sqlite" -}}
{{- if or (gt (int .Values.authz.instances) 1) (gt (int .Values.orchestrator.instances) 1) }}{{ fail "instances: SQLite is for one process; several need store.mode postgresql" }}{{ end -}}
{{- end -}}
{{- if and (eq .Values.store.mode "postgresql") (not .Values.network.sql) }}{{ fail "network.sql: say where PostgreSQL is, or nothing reaches it" }}{{ end -}}
{{- if and (eq .Values.redis.mode "external") (not .Values.network.redis) }}{{ fail "network.redis: say where Redis is, or nothing reaches it" }}{{ end -}}
{{- $login := .Values.redis.external -}}
{{- if and (ne .Values.redis.mode "external") (or $login.user $login.passwordSecret.name) }}{{ fail "redis.external: a user and a password are for redis.mode external" }}{{ end -}}
{{- if and (ne .Values.redis.mode "external") (or $login.tls $login.caConfigMap) }}{{ fail "redis.external: TLS is for redis.mode external" }}{{ end -}}
{{- if and $login.caConfigMap (not $login.tls) }}{{ fail "redis.external: a caConfigMap is for tls" }}{{ end -}}
{{- if and $login.tls (not $login.caConfigMap) }}{{ fail "redis.external: tls needs a caConfigMap" }}{{ end -}}
{{- if and $login.user (not $login.passwordSecret.name) }}{{ fail "redis.external: a user needs a passwordSecret" }}{{ end -}}
{{- if not .Values.network.dns }}{{ fail "network.dns: say where the cluster's DNS is, or nobody finds anybody" }}{{ end -}}
{{- if eq .Values.hsm.mode "cloudhsm" -}}
{{- if not .Values.network.hsm }}{{ fail "network.hsm: say where the HSMs are, or nothing reaches them" }}{{ end -}}
{{- if not .Values.cryptocore.image }}{{ fail "cryptocore.image: CloudHSM needs an image with its client, see README.md" }}{{ end -}}
{{- end -}}
{{- if eq .Values.pki.edge.mode "cert-manager" -}}
{{- $_ := required "pki.edge.issuer.name: who issues the certificate that partners see" .Values.pki.edge.issuer.name -}}
{{- if not .Values.pki.edge.dnsNames }}{{ fail "pki.edge.dnsNames: by which names partners reach this region" }}{{ end -}}
{{- end -}}
{{- range .Values.peers -}}
{{- if eq .region $.Values.region }}{{ fail "peers: this region is none of its own" }}{{ end -}}
{{- end -}}
{{- end }}
