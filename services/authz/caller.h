/* Who calls: from the certificate the gateway verified in the handshake to a party we know.
 *
 *     kw_caller_read     loop thread: the certificate itself (parsed once, then remembered)
 *     kw_caller_admit    store's thread: known, not revoked, in validity, its owner not suspended
 *     kw_caller_signed   any thread: the caller's own signature on a mutation
 */
#ifndef KW_SERVICES_AUTHZ_CALLER_H
#define KW_SERVICES_AUTHZ_CALLER_H

#include "common/feed/copies.h"
#include "common/pki/certificate.h"
#include "common/rpc/methods.h"
#include "services/authz/member_table.h"

struct kw_caller_cache;

/* One call's caller. Bytes and texts are in the call's arena. Release with kw_caller_done. */
struct kw_caller {
    struct kw_spiffe id;
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    uint8_t fingerprint[KW_SHA256_LEN];
    struct kw_validity validity;
    struct kw_public_key key;
    struct kw_bytes certificate;   /* DER */
    struct kw_bytes signature;     /* value of keyward-signature-bin; empty: none */
    enum kw_copy_level wait;       /* beyond what every change waits for; KW_COPY_LOCAL: not */
    struct kw_bytes cached_digest; /* of an outcome the gateway holds; empty: none */
    const char *peer;              /* address */
    enum kw_caller_role role;      /* set by kw_caller_admit, as these: */
    struct kw_member_row member;   /* partners and stations */
};

struct kw_result kw_caller_cache_new(struct kw_caller_cache **ret_cache, struct kw_error *err);
void kw_caller_cache_free(struct kw_caller_cache *cache);

/* Reads the gateway's Caller message. On failure what is known of the caller is in `ret_caller` all
 * the same, for the denial record. Fails: IDENTITY_INVALID, ENCODING_INVALID, MEMORY, CRYPTO. */
struct kw_result kw_caller_read(struct kw_caller_cache *cache, struct kw_bytes context,
                                const char *trust_domain, struct kw_arena *arena,
                                struct kw_caller *ret_caller, struct kw_error *err);

/* Accepts zeroed. */
void kw_caller_done(struct kw_caller *caller);

/* Sets role and member. Fails: IDENTITY_INVALID, and as the tables. */
struct kw_result kw_caller_admit(struct kw_caller *caller, struct kw_tx *tx, uint64_t now_ms,
                                 struct kw_arena *arena, struct kw_error *err);

/* Must this caller sign this method? The row says so; stations sign every mutation. */
bool kw_caller_must_sign(const struct kw_caller *caller, const struct kw_method *method);

/* Is the signature the caller's, of this request, and fresh? Fails: SIGNATURE_INVALID, MEMORY,
 * CRYPTO. */
struct kw_result kw_caller_signed(const struct kw_caller *caller, const struct kw_method *method,
                                  const struct kw_id *request_id, const uint8_t *body_hash,
                                  uint64_t now_ms, struct kw_error *err);

#endif
