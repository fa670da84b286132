/* What a seal signs. Internal to common/audit: seal.c makes it, seal_verify.c checks it. */
#ifndef KW_COMMON_AUDIT_SEAL_MESSAGE_H
#define KW_COMMON_AUDIT_SEAL_MESSAGE_H

#include "common/audit/merkle.h"

/* Appends label, leaf count and root. Fails: MEMORY. */
struct kw_result kw_seal_message(uint32_t leaf_count, const struct kw_hash *root,
                                 struct kw_buf *out, struct kw_error *err);

#endif
