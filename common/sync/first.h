/* First-writer-wins registers: something that happens once, and when and where it was first said:
 * a revocation with its justification, an end. Two cells that say it at once agree on the earlier.
 * It has happened from the moment on that the register is there, whatever its time. */
#ifndef KW_COMMON_SYNC_FIRST_H
#define KW_COMMON_SYNC_FIRST_H

#include "common/base/codec.h"
#include "common/base/id.h"

/* Encoded: time u64 ‖ store (16) ‖ detail, which makes its order that of its bytes. */
struct kw_first {
    uint64_t time_ms;
    struct kw_id store;
    struct kw_bytes detail; /* borrowed; may be empty */
};

/* False: it is none, and `ret_first` is untouched. */
bool kw_first_read(struct kw_bytes encoded, struct kw_first *ret_first);

void kw_put_first(struct kw_writer *w, const struct kw_first *first);

#endif
