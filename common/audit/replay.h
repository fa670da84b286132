/* The replay window: ids of capsules this process has taken, kept for as long as they could be
 * taken again. */
#ifndef KW_COMMON_AUDIT_REPLAY_H
#define KW_COMMON_AUDIT_REPLAY_H

#include "common/base/id.h"

struct kw_replay;

/* Room for `capacity` ids (1 … KW_REPLAY_IDS_MAX). One thread at a time. Caller frees.
 * Fails: ARGUMENT_INVALID, MEMORY, SYSTEM (no randomness for the table's seed). */
struct kw_result kw_replay_new(size_t capacity, struct kw_replay **ret_replay,
                               struct kw_error *err);

/* Accepts NULL. */
void kw_replay_free(struct kw_replay *replay);

/* Takes `id`, which may be used until `expires_ms`, when it is `now_ms` (same clock). An id is
 * forgotten only when its time is over, and from then on everything that ends no later is refused
 * as expired, also if the clock is set back. Fails: CAPSULE_REPLAYED, CAPSULE_EXPIRED,
 * LIMIT_REACHED (full of ids that could still be replayed: fail closed). */
struct kw_result kw_replay_take(struct kw_replay *replay, struct kw_id id, uint64_t expires_ms,
                                uint64_t now_ms, struct kw_error *err);

/* Ids held now: for the metric beside the limit. */
size_t kw_replay_count(const struct kw_replay *replay);

#endif
