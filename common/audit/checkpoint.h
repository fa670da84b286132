/* Checkpoints: a chain's head signed by the checkpoint key in the HSM. Record `KWK1`
 * (docs/formats.md). */
#ifndef KW_COMMON_AUDIT_CHECKPOINT_H
#define KW_COMMON_AUDIT_CHECKPOINT_H

#include "common/audit/merkle.h"
#include "common/base/id.h"
#include "common/crypto/sign.h"

/* Plain data; `signature` is borrowed from the decoded record. */
struct kw_checkpoint {
    struct kw_id core;
    struct kw_id stream;
    uint64_t seq;
    struct kw_hash head;
    uint64_t time_ms; /* wall time, since 1970 */
    bool closed;      /* the chain ends here in good order */
    struct kw_bytes signature;
};

/* Appends the record up to its signature: what the HSM worker is given, which puts the label
 * `KEYWARD-CKPT-v1` before it itself, so that its key signs nothing else. Fails: MEMORY. */
struct kw_result kw_checkpoint_content(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                       struct kw_error *err);

/* Appends the record with `checkpoint->signature`. Fails: ARGUMENT_INVALID (no signature, or too
 * long), MEMORY. */
struct kw_result kw_checkpoint_encode(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                      struct kw_error *err);

/* Reads a record strictly; verifies nothing. `ret_checkpoint` borrows from `record`. Fails:
 * ENCODING_INVALID. */
struct kw_result kw_checkpoint_decode(struct kw_bytes record, struct kw_checkpoint *ret_checkpoint,
                                      struct kw_error *err);

/* Is the signature the checkpoint key's (P-384)? Fails: SIGNATURE_INVALID (also a key on another
 * curve), CRYPTO, MEMORY. */
struct kw_result kw_checkpoint_verify(const struct kw_checkpoint *checkpoint,
                                      const struct kw_public_key *key, struct kw_error *err);

#endif
