/* Table denials: what was refused, numbered without gaps within one boot. Store's threads. */
#ifndef KW_SERVICES_AUTHZ_DENIAL_TABLE_H
#define KW_SERVICES_AUTHZ_DENIAL_TABLE_H

#include "common/crypto/digest.h"
#include "common/pki/spiffe.h"
#include "common/store/store.h"

#define KW_DENIAL_TEXT_SIZE 96

/* Plain data, owns everything: it waits for the writer after its call is gone. */
struct kw_denial {
    uint64_t seq;
    uint64_t time_ms;
    uint8_t fingerprint[KW_SHA256_LEN]; /* of the caller's certificate; zero: it had none */
    char caller[KW_SPIFFE_TEXT_SIZE];   /* "" when the certificate named nobody */
    char peer[KW_DENIAL_TEXT_SIZE];
    uint32_t method;
    char reason[KW_DENIAL_TEXT_SIZE]; /* what the caller was told */
    char detail[KW_DENIAL_TEXT_SIZE]; /* why, truly */
    uint64_t times; /* above 1: a summary of so many that were not written singly */
};

/* Fails: ALREADY_EXISTS, STORE_UNAVAILABLE. */
struct kw_result kw_denial_insert(struct kw_tx *tx, const struct kw_id *boot,
                                  const struct kw_denial *denial, struct kw_error *err);

#endif
