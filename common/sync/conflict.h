/* Conflicts: what a merge decided, or found, that somebody should hear of. The merged state does
 * not depend on them; whoever applies a record counts and logs them, by digest, since the values
 * may be personal data. */
#ifndef KW_COMMON_SYNC_CONFLICT_H
#define KW_COMMON_SYNC_CONFLICT_H

#include "common/crypto/digest.h"
#include "common/sync/rule.h"

/* ONCE, ERASABLE: two values of what has one, a fault. LWW: one of two edits is lost. RIVALS: there
 * is more than one, and all are kept. */
struct kw_conflict {
    uint8_t field;
    enum kw_rule rule;
    struct kw_bytes ours; /* these borrow from what was merged */
    struct kw_bytes theirs;
};

/* Room that the caller gives. Zeroed but for `items` and `max`: none yet. */
struct kw_conflicts {
    struct kw_conflict *items;
    size_t max;
    size_t count; /* of all that were found, also those without room */
};

/* Takes note; NULL: nobody wants to know. */
void kw_conflicts_add(struct kw_conflicts *conflicts, const struct kw_conflict *conflict);

struct kw_conflict_digests {
    uint8_t ours[KW_SHA256_LEN];
    uint8_t theirs[KW_SHA256_LEN];
};

/* For the log. Fails: CRYPTO, MEMORY. */
struct kw_result kw_conflict_digests(const struct kw_conflict *conflict,
                                     struct kw_conflict_digests *ret_digests, struct kw_error *err);

#endif
