/* TLS 1.3, and 1.2 with forward secrecy and AEAD for servers that have no other. */
#include "services/gateway/cache/trust.h"

#include "common/base/log.h"
#include "common/crypto/openssl.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define CIPHERS_OF_1_2 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define SECURITY_LEVEL 2 /* 112 bits */

/* A CA of the file may be one that another CA certifies. */
static bool set_up(SSL_CTX *context)
{
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(context,
                              SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS_OF_1_2) == 1 &&
           X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

static void context_free(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

/* The file is looked at before it is read: a swap in between is seen as a change the next time. */
static struct kw_result load(struct kw_redis_trust *trust, struct kw_error *err)
{
    KW_SCOPED(context_free) SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    KW_ENSURE(context != NULL, err, MEMORY, "TLS context for Redis");
    KW_ENSURE(set_up(context), err, CRYPTO, "TLS settings for Redis: %s", kw_openssl_reason());
    (void)kw_file_stamp_take(trust->ca_file, &trust->read);
    KW_ENSURE(SSL_CTX_load_verify_file(context, trust->ca_file) == 1, err, CONFIG_INVALID,
              "redis_ca_file %s: %s", trust->ca_file, kw_openssl_reason());
    SSL_CTX_free(trust->context);
    trust->context = context;
    context = NULL;
    return KW_OK;
}

struct kw_result kw_redis_trust_init(struct kw_redis_trust *trust, const char *ca_file,
                                     struct kw_error *err)
{
    trust->ca_file = strdup(ca_file != NULL ? ca_file : SYSTEM_CA_FILE);
    KW_ENSURE(trust->ca_file != NULL, err, MEMORY, "redis_ca_file");
    return load(trust, err);
}

void kw_redis_trust_done(struct kw_redis_trust *trust)
{
    SSL_CTX_free(trust->context);
    free(trust->ca_file);
    *trust = (struct kw_redis_trust){0};
}

void kw_redis_trust_refresh(struct kw_redis_trust *trust)
{
    struct kw_file_stamp now;
    struct kw_error error;

    if (!kw_file_stamp_take(trust->ca_file, &now) || kw_file_stamp_equal(&now, &trust->read)) {
        return;
    }
    if (kw_ok(load(trust, &error))) {
        KW_LOG(INFO, "CAs of Redis read again", KW_F_STR("file", trust->ca_file));
    } else {
        KW_LOG(ERROR, "CAs of Redis not read again", KW_F_ERR(&error));
    }
}

static bool is_address(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool expect(SSL *ssl, const char *host)
{
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(host)) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    }
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct kw_result kw_redis_trust_expect(SSL *ssl, const char *host, struct kw_error *err)
{
    KW_ENSURE(expect(ssl, host), err, CRYPTO, "TLS with Redis at %s: %s", host,
              kw_openssl_reason());
    SSL_set_connect_state(ssl);
    return KW_OK;
}
