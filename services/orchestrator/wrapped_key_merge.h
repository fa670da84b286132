/* Wrapped keys, of devices and for transport, as cells tell one another. Key: kind u8 ‖ whose (key
 * version, or owner ‖ version u32) ‖ KEK version u32 ‖ its digest (wrapped_key_digest.h). So a blob never
 * replaces another: rewrapping adds a row, and two blobs that should be one are two rows, which is
 * for the owner to find. */
#ifndef KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_WRAPPED_KEY_MERGE_H

#include "common/sync/record.h"

enum kw_wrapped_key_field {
    KW_WRAPPED_KEY_FIELD_WRAPPED = 1,
    KW_WRAPPED_KEY_FIELD_MAC,
    KW_WRAPPED_KEY_FIELD_CHECK_VALUE,
    KW_WRAPPED_KEY_FIELD_NONCE, /* transport keys */
    KW_WRAPPED_KEY_FIELD_CREATED,
    KW_WRAPPED_KEY_FIELD_CONFIRMED, /* transport keys: its owner proved to hold it */
    KW_WRAPPED_KEY_FIELD_ORDER, /* of one that is erased: what an officer signed (destruction.h) */
    KW_WRAPPED_KEY_FIELD_END_,
};

extern const struct kw_record_kind kw_wrapped_key_record;

/* Is the wrapped key erased, for good? False too where it was never heard of. */
bool kw_wrapped_key_record_erased(const struct kw_record *record);

/* Is it there, to be unwrapped? */
bool kw_wrapped_key_record_usable(const struct kw_record *record);

#endif
