/* The gateway's settings. */
#include "services/gateway/config.h"

#include "common/base/limits.h"

#include <stddef.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_gateway_config, field)

static const struct kw_setting settings[] = {
    {FIELD(region), .type = KW_SETTING_STRING, .required = true,
     .doc = "Region this instance runs in; partners see it in keyward-region."},
    {FIELD(cell), .type = KW_SETTING_STRING, .required = true,
     .doc = "Cell (failure domain) this instance runs in."},
    {FIELD(trust_domain), .type = KW_SETTING_STRING, .required = true,
     .doc = "SPIFFE trust domain of the mesh."},
    {FIELD(listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:8443",
     .doc = "Where partners, stations and operators connect. Port 0 chooses a free one and prints "
            "it."},
    {FIELD(metrics_listen), .type = KW_SETTING_ADDRESS, .fallback = "127.0.0.1:0",
     .doc = "Plaintext /metrics, /livez and /readyz, on loopback or the pod's address."},
    {FIELD(credentials_dir), .type = KW_SETTING_PATH, .required = true,
     .doc = "Directory (a symbolic link that is swapped) with key.pem, cert.pem and ca.pem, for "
            "the hop "
            "to authz."},
    {FIELD(edge_credentials_dir), .type = KW_SETTING_PATH,
     .doc = "The same for the public listener. Not given: credentials_dir."},
    {FIELD(client_ca_file), .type = KW_SETTING_PATH, .required = true,
     .doc = "PEM bundle of the CAs of partners, stations and operators."},
    {FIELD(targets), .type = KW_SETTING_LIST, .required = true, .min = 1, .max = KW_HOP_TARGETS_MAX,
     .doc = "Where authz listens: host:port; a name stands for all its addresses."},
    {FIELD(redis), .type = KW_SETTING_STRING,
     .doc =
         "Request cache: host:port, or the path of a Unix socket (the sandbox then allows those). "
         "Not given: none; everything works, replays are slower."},
    {FIELD(redis_tls), .type = KW_SETTING_BOOL, .fallback = "false",
     .doc = "Speak TLS (1.3 or 1.2) with Redis, which must show a certificate for the host in "
            "redis. A "
            "password is sent after that, and only then. Not for a Unix socket."},
    {FIELD(redis_ca_file), .type = KW_SETTING_PATH,
     .doc = "PEM bundle of the CAs that may certify Redis; read again when it changes. Not given: "
            "/etc/ssl/certs/ca-certificates.crt. Only with redis_tls."},
    {FIELD(redis_user), .type = KW_SETTING_STRING,
     .doc = "Whom Redis knows us as. Not given: the user it calls default."},
    {FIELD(redis_password_file), .type = KW_SETTING_SECRET_FILE,
     .doc = "File, mode 0600, with the password that Redis asks for. Not given: it asks for none."},
    {FIELD(cache_key_file), .type = KW_SETTING_SECRET_FILE,
     .doc = "File, mode 0600, with the key that authenticates what the request cache holds: 64 hex "
            "digits "
            "or at least 32 bytes. The same for all gateways that share a Redis. Required with "
            "redis."},
    {FIELD(log_level), .type = KW_SETTING_STRING, .fallback = "info",
     .doc = "debug, info, warn or error. The access log is at info."},
    {FIELD(sandbox), .type = KW_SETTING_STRING, .fallback = "strict",
     .doc =
         "System calls the gateway may make once it listens: strict (those it needs; another ends "
         "it by SIGSYS, and the kernel's audit log names it) or off."},
    {FIELD(calls_max), .type = KW_SETTING_U32, .fallback = "1024", .min = 1, .max = 4096,
     .doc = "Calls in flight, of all callers. More are RATE_LIMITED; an eighth of them is kept for "
            "operators and auditors."},
    {FIELD(caller_calls_max), .type = KW_SETTING_U32, .fallback = "512", .min = 1, .max = 4096,
     .doc = "Calls in flight, of one caller (one client certificate)."},
    {FIELD(caller_rate_max), .type = KW_SETTING_U32, .fallback = "20000", .min = 1, .max = 1000000,
     .doc = "Calls one caller may begin in a second."},
    {FIELD(drain_ms), .type = KW_SETTING_U32, .fallback = "10000", .min = 100, .max = 300000,
     .doc = "How long calls in flight may finish after SIGTERM."},
};

const struct kw_settings_spec kw_gateway_settings = {
    .program = "keyward-gateway",
    .summary = "The gateway: the public gRPC endpoint. Knows bytes and limits, decides nothing.",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};
