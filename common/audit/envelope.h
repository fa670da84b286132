/* Envelopes: what a partner is given. Record `KWE1` (docs/formats.md).
 *
 * The MAC is by the delivered key itself, so the record is made in three steps: the part before the
 * wrapped key, the wrapped key, the MAC. The last two come from the HSM worker, which is the only
 * one to see the key.
 */
#ifndef KW_COMMON_AUDIT_ENVELOPE_H
#define KW_COMMON_AUDIT_ENVELOPE_H

#include "common/base/id.h"
#include "common/crypto/cmac.h"

#define KW_SUITE_AES256                 1  /* AES-256, CMAC KDF, CCM */
#define KW_ENVELOPE_KEY_WRAPPED_LEN     40 /* K_pd under RFC 5649 */
#define KW_ENVELOPE_SESSION_WRAPPED_LEN 80 /* k_enc ‖ k_auth ‖ nonce_salt under RFC 5649 */

enum kw_envelope_kind {
    KW_ENVELOPE_KEY = 1,
    KW_ENVELOPE_SESSION = 2,
};

/* Plain data; every kw_bytes is borrowed: from the decoded record, or from whoever filled the
 * struct. */
struct kw_envelope {
    uint16_t suite;
    enum kw_envelope_kind kind;
    struct kw_id device;
    struct kw_id key;
    struct kw_id partner;
    uint32_t epoch;
    uint32_t ptk_version;
    struct kw_id receipt;
    uint64_t issued_ms; /* wall time, since 1970 */
    uint64_t expires_ms;
    struct kw_bytes region;
    struct kw_id nonce_app; /* these three are zero when a key is released */
    struct kw_id nonce_pen;
    uint32_t counter;
    struct kw_bytes wrapped; /* decoded only: 40 or 80 bytes by kind */
    struct kw_bytes mac;     /* decoded only: 16 bytes */
};

/* Bytes of the wrapped key of this kind. */
size_t kw_envelope_wrapped_len(enum kw_envelope_kind kind);

/* Appends everything up to and with the length of `wrapped`. `wrapped` and `mac` are not looked at.
 * Fails: ARGUMENT_INVALID (see kw_envelope_decode), MEMORY. */
struct kw_result kw_envelope_encode_prefix(const struct kw_envelope *envelope, struct kw_buf *out,
                                           struct kw_error *err);

/* Completes a record: `out` holds the prefix alone. The MAC covers prefix and wrapped key.
 * Fails: ARGUMENT_INVALID (`out` is no prefix for a wrapped key of this length), MEMORY. */
struct kw_result kw_envelope_finish(struct kw_buf *out, struct kw_bytes wrapped,
                                    const uint8_t mac[KW_CMAC_LEN], struct kw_error *err);

/* Reads a record strictly; verifies nothing. `ret_envelope` borrows from `record`.
 * Fails: ENCODING_INVALID (truncated, too long, unknown suite or kind, a wrapped key of another
 * length, session fields in the envelope of a key, expires before issued). */
struct kw_result kw_envelope_decode(struct kw_bytes record, struct kw_envelope *ret_envelope,
                                    struct kw_error *err);

/* Is the record's MAC by this key: K_pd, or k_auth of the session? Fails: BINDING_INVALID,
 * ENCODING_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_envelope_verify(struct kw_bytes record, const struct kw_secret *mac_key,
                                    struct kw_error *err);

#endif
