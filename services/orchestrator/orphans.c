/* ReplayOrphans: of the orchestrator's own stores. Authz looks at its. */
#include "common/base/clock.h"
#include "common/feed_service/replay_show.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/handlers.h"

static struct kw_result replay(struct kw_call *call, const struct kw_feed_tx *feed_tx,
                               struct kw_error *err)
{
    const Keyward__V1__ReplayOrphansRequest *request =
        (const Keyward__V1__ReplayOrphansRequest *)call->request;
    Keyward__V1__ReplayOrphansResponse response;
    struct kw_replay replayed;

    call->field = "bundle";
    KW_TRY(kw_feed_replay(feed_tx, kw_bytes_field(request->bundle), kw_bytes_field(request->batch),
                          call->validate_only, &replayed, err));
    KW_TRY(kw_replay_show(&replayed, "orchestrator", call->arena, &response, err));
    return kw_call_answer(call, &response.base, err);
}

struct kw_result kw_orphans_replay_read(struct kw_call *call, struct kw_tx *tx,
                                        struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = {
        .feed = &call->orch->feed, .tx = tx, .arena = call->arena, .wall_ms = kw_clock_wall_ms()};

    return call->validate_only ? replay(call, &feed_tx, err) : KW_OK; /* the writer judges, too */
}

struct kw_result kw_orphans_replay_write(struct kw_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    (void)tx;
    return replay(call, &call->feed_tx, err);
}
