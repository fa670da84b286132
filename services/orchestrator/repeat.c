/* Exactly once: a request id's outcome is kept in the transaction of its effect, and answered again
 * from there. */
#include "services/orchestrator/call_internal.h"

#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "services/orchestrator/request_feed.h"

/* Reads have no request id, and what was only validated leaves it unused. */
static bool is_kept(const struct kw_call *call)
{
    return kw_method_has(call->method, KW_METHOD_MUTATES) && !call->validate_only &&
           !call->handler->keeps_itself;
}

static struct kw_result content_of(const struct kw_call *call, struct kw_request_key *ret_key,
                                   uint8_t ret_content[KW_SHA256_LEN], struct kw_error *err)
{
    *ret_key = (struct kw_request_key){.caller = call->caller_id,
                                       .method = (uint32_t)call->method->id,
                                       .request = call->request_id,
                                       .first = call->capsule.first};
    if (call->handler->content != NULL) {
        return call->handler->content(call, ret_key, ret_content, err);
    }
    kw_copy(ret_content, call->capsule.body_hash, KW_SHA256_LEN);
    return KW_OK;
}

/* The stored Outcome, marked as a replay. */
static struct kw_result replay(struct kw_call *call, const struct kw_request_row *row,
                               struct kw_error *err)
{
    Keyward__Internal__V1__Outcome *outcome;

    KW_TRY(kw_message_unpack(&keyward__internal__v1__outcome__descriptor, row->outcome, call->arena,
                             (ProtobufCMessage **)&outcome, err));
    outcome->replayed = true;
    KW_TRY(kw_arena_pack(call->arena, &outcome->base, &call->stored_outcome, err));
    call->messages[0] = row->response;
    call->message_count = 1;
    call->answered = true;
    return KW_OK;
}

struct kw_result kw_call_find_repeat(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_request_key key;
    struct kw_request_row row;
    uint8_t content[KW_SHA256_LEN];
    bool found;

    if (!is_kept(call)) {
        return KW_OK;
    }
    KW_TRY(content_of(call, &key, content, err));
    KW_TRY(kw_request_find(tx, &key, call->arena, &row, &found, err));
    if (!found) {
        return KW_OK;
    }
    if (kw_bytes_equal(KW_BYTES_OF(row.content), KW_BYTES_OF(content))) {
        return replay(call, &row, err);
    }
    KW_ENSURE(!call->handler->holds, err, ENROLLMENT_HELD,
              "another enrolment under the same invitation");
    KW_FAIL(err, REQUEST_ID_REUSED, "the request id was used with another content");
}

struct kw_result kw_call_keep(struct kw_call *call, struct kw_error *err)
{
    struct kw_request_key key;
    struct kw_request_row row = {.created_ms = call->now_ms};

    if (!is_kept(call)) {
        return KW_OK;
    }
    KW_ENSURE(call->message_count == 1, err, INTERNAL, "a kept answer has %zu messages",
              call->message_count);
    KW_TRY(content_of(call, &key, row.content, err));
    KW_TRY(kw_call_outcome(call, call->arena, &row.outcome, err));
    row.response = call->messages[0];
    return kw_request_add(&call->feed_tx, &key, &row, err);
}
