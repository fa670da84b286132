/* Replays: a mutation that was answered before may have its answer in the cache. The copy is only
 * offered to authz, by digest; authz decides, records, and says whether it is right. Without the
 * cache, or with a wrong one, authz sends the answer itself: slower, never wrong. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "common/rpc/messages.h"
#include "services/gateway/call_internal.h"

static void arena_done(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

static bool may_replay(const struct kw_call *call)
{
    return call->serving.gateway->cache != NULL && kw_method_has(call->row, KW_METHOD_MUTATES) &&
           !kw_call_streams_in(call) && !kw_call_streams_out(call);
}

/* The key of this request. A request_id that is not well-formed is authz's to refuse; one with
 * validate_only stays unused: both have no key. */
static struct kw_result make_key(struct kw_call *call, struct kw_error *err)
{
    KW_SCOPED(arena_done) struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_request_name name = {.fingerprint = call->serving.caller->fingerprint,
                                   .method = call->row->id};
    ProtobufCMessage *message;

    KW_ENSURE(arena != NULL, err, MEMORY, "request");
    KW_TRY(kw_message_unpack(call->request, kw_buf_bytes(&call->body), arena, &message, err));
    if (kw_message_validate_only(message) ||
        !kw_ok(kw_request_id_parse(kw_message_request_id(message), &name.request_id, NULL))) {
        return KW_OK;
    }
    KW_TRY(kw_request_cache_key(call->serving.gateway->cache, &name, &call->replay.key, err));
    call->replay.usable = true;
    return KW_OK;
}

static void on_found(void *user, bool found, struct kw_bytes outcome)
{
    struct kw_call *call = user;

    call->replay.looking = NULL;
    call->replay.found = found && kw_ok(kw_buf_append(&call->replay.outcome, outcome, NULL));
    (void)kw_call_forward(call, kw_buf_bytes(&call->body));
}

void kw_call_replay_begin(struct kw_call *call)
{
    struct kw_error error;

    if (may_replay(call)) {
        if (!kw_ok(make_key(call, &error))) {
            kw_serving_fail(&call->serving, &error);
            return;
        }
        if (call->replay.usable) {
            call->replay.looking = kw_request_cache_get(call->serving.gateway->cache,
                                                        &call->replay.key, on_found, call);
        }
    }
    if (call->replay.looking == NULL) {
        (void)kw_call_forward(call, kw_buf_bytes(&call->body));
    }
}

void kw_call_replay_keep(struct kw_call *call)
{
    if (!call->replay.usable) {
        return;
    }
    if (call->replay.found) {
        kw_metric_add(KW_M_REQUEST_CACHE, "stale", 1); /* authz knew another outcome */
    }
    kw_request_cache_put(call->serving.gateway->cache, &call->replay.key,
                         kw_buf_bytes(&call->answer));
}

void kw_call_replay_done(struct kw_call *call)
{
    kw_request_cache_forget(call->replay.looking);
    kw_buf_done(&call->replay.outcome);
}
