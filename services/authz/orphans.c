/* ReplayOrphans: of authz's own stores here, of the orchestrator's there. One of both knows the store. */
#include "services/authz/operations.h"

#include "common/feed_service/replay_show.h"
#include "services/authz/forward.h"

struct kw_result kw_authz_orphans_replay(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const Keyward__V1__ReplayOrphansRequest *request =
        (const Keyward__V1__ReplayOrphansRequest *)call->request;
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_replay *replay = kw_arena_alloc(call->arena, sizeof(*replay));

    KW_ENSURE(replay != NULL, err, MEMORY, "orphans");
    call->field = "bundle";
    KW_TRY(kw_feed_replay(&feed_tx, kw_bytes_field(request->bundle), kw_bytes_field(request->batch),
                          call->validate_only, replay, err));
    call->disabled = replay->said > 0;
    call->state = replay;
    KW_TRY(call->validate_only ? KW_OK : kw_authz_call_audit(call, tx, err));
    return kw_authz_read(call, tx, err);
}

static struct kw_result respond(struct kw_authz_call *call, struct kw_error *err)
{
    const struct kw_replay *replay = call->state;
    Keyward__V1__ReplayOrphansResponse own;
    const Keyward__V1__ReplayOrphansResponse *inner;
    ProtobufCMessage *message = NULL;

    KW_ENSURE(call->inner.message_count == 1, err, INTERNAL, "%zu messages about orphans",
              call->inner.message_count);
    KW_TRY(kw_message_unpack(&keyward__v1__replay_orphans_response__descriptor,
                             call->inner.messages[0], call->arena, &message, err));
    inner = (const Keyward__V1__ReplayOrphansResponse *)message;
    KW_ENSURE(replay->known || inner->layer[0] != '\0', err, NOT_FOUND,
              "the store of the bundle is not known here");
    KW_TRY(kw_replay_show(replay, "authz", call->arena, &own, err));
    return kw_authz_call_respond(call, replay->known ? &own.base : message, err);
}

static void returned(struct kw_inner *inner)
{
    struct kw_authz_call *call = inner->user;
    struct kw_error error;

    if (inner->reason != KW_E_NONE) {
        kw_authz_call_fail_inner(call);
    } else if (!kw_ok(respond(call, &error))) {
        kw_authz_call_fail(call, &error);
    } else {
        kw_forward_returned(call, kw_authz_call_answer);
    }
}

void kw_authz_orphans_proceed(struct kw_authz_call *call)
{
    kw_forward_prepare(call, &call->inner);
    call->inner.done = returned;
    kw_inner_start(&call->inner);
}
