/* What names one of the wrapped keys that a version may have: a digest over all that the core is to see of it. So
 * nobody who says another blob, MAC, check value or nonce under its name is believed, and nothing of it is
 * replaced: another one is another row. */
#ifndef KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_DIGEST_H
#define KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_DIGEST_H

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/crypto/digest.h"

/* Borrowed. */
struct kw_wrapped_parts {
    struct kw_bytes wrapped;
    struct kw_bytes check_value;
    struct kw_bytes mac;
    struct kw_bytes nonce; /* of transport keys; else empty */
};

/* SHA-256 of the four, each as u16 length ‖ bytes. Fails: MEMORY, CRYPTO, ARGUMENT_INVALID (longer than that). */
struct kw_result kw_wrapped_key_digest(const struct kw_wrapped_parts *parts,
                                       uint8_t ret_digest[KW_SHA256_LEN], struct kw_error *err);

#endif
