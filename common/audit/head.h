/* Heads: what authz last saw of a chain, as evidence for the verifier. Record `KWH1`: a capsule's
 * witness standing alone. It is as good as the way it came: nobody signed it. */
#ifndef KW_COMMON_AUDIT_HEAD_H
#define KW_COMMON_AUDIT_HEAD_H

#include "common/audit/capsule.h"

/* Appends the record. Fails: ARGUMENT_INVALID (seq 0: nothing was seen), MEMORY. */
struct kw_result kw_head_encode(const struct kw_witness *witness, struct kw_buf *out,
                                struct kw_error *err);

/* Reads a record strictly. Fails: ENCODING_INVALID. */
struct kw_result kw_head_decode(struct kw_bytes record, struct kw_witness *ret_witness,
                                struct kw_error *err);

#endif
