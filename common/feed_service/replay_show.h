/* Orphans that were said again, as the public API shows them. */
#ifndef KW_COMMON_FEED_SERVICE_REPLAY_SHOW_H
#define KW_COMMON_FEED_SERVICE_REPLAY_SHOW_H

#include "common/feed/feed_replay.h"
#include "keyward/v1/status_service.pb-c.h"

/* `layer`: whose stores these are; stays. Where the store is none of them, it says nothing. `ret_response` borrows from the
 * arena and from `replay`. Fails: MEMORY. */
struct kw_result kw_replay_show(const struct kw_replay *replay, const char *layer,
                                struct kw_arena *arena,
                                Keyward__V1__ReplayOrphansResponse *ret_response,
                                struct kw_error *err);

#endif
