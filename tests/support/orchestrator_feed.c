/* The orchestrator's feed alone. */
#include "tests/support/orchestrator_feed.h"

#include "services/orchestrator/feed_tables.h"
#include "tests/support/key_officer.h"

struct kw_result orchestrator_feed_tx(struct kw_feed *feed, struct kw_tx *tx,
                                      struct kw_arena *arena, uint64_t wall_ms,
                                      struct kw_feed_tx *ret_feed_tx, struct kw_error *err)
{
    static struct kw_officers_trust officers;
    const struct kw_feed_options options = {.mesh = {{0x3e, 5}},
                                            .store = {{0x57, 1}},
                                            .trust = &officers,
                                            .tables = kw_orch_feed_tables,
                                            .table_count = kw_orch_feed_table_count};

    if (officers.trust_domain == NULL) {
        key_officer_trust(&officers);
    }
    KW_TRY(kw_feed_open(feed, &options, tx, wall_ms, err));
    *ret_feed_tx = (struct kw_feed_tx){.feed = feed, .tx = tx, .arena = arena, .wall_ms = wall_ms};
    return KW_OK;
}
