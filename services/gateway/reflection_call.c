/* The standing call: questions wait in order while the client takes no answers. */
#include "common/base/container.h"
#include "common/base/limits.h"
#include "services/gateway/gateway.h"
#include "services/gateway/queue.h"
#include "services/gateway/reflection.h"

#include <stdlib.h>

struct reflection_call {
    struct kw_serving serving;
    struct kw_queue questions;
    struct kw_buf answer; /* made for the first question, waiting for room */
    bool ended;
};

static struct reflection_call *call_of(struct kw_serving *serving)
{
    return KW_CONTAINER_OF(serving, struct reflection_call, serving);
}

/* Answers the first question. False: there is none, no room, or the call is gone. */
static bool answer_one(struct reflection_call *call)
{
    struct kw_bytes question;
    struct kw_error error;

    if (!kw_queue_front(&call->questions, &question)) {
        return false;
    }
    if (call->answer.len == 0 && !kw_ok(kw_reflection_answer(call->serving.gateway->descriptors,
                                                             question, &call->answer, &error))) {
        kw_serving_fail(&call->serving, &error);
        return false;
    }
    if (!kw_edge_send(call->serving.call, kw_buf_bytes(&call->answer))) {
        return false;
    }
    kw_edge_consume(call->serving.call, question.len);
    kw_queue_pop(&call->questions);
    kw_buf_clear(&call->answer);
    return true;
}

static void go_on(struct reflection_call *call)
{
    static const struct kw_hop_status success = {.reason = KW_E_NONE};

    while (!kw_queue_is_empty(&call->questions)) {
        if (!answer_one(call)) {
            return;
        }
    }
    if (call->ended) {
        kw_serving_finish(&call->serving, &success, NULL);
    }
}

static void on_message(struct kw_serving *serving, struct kw_bytes message)
{
    struct reflection_call *call = call_of(serving);
    struct kw_error error;

    if (!kw_ok(kw_queue_push(&call->questions, message, KW_GATEWAY_QUESTIONS_LEN_MAX, &error))) {
        kw_serving_fail(serving, &error);
        return;
    }
    go_on(call);
}

static void on_end(struct kw_serving *serving)
{
    struct reflection_call *call = call_of(serving);

    call->ended = true;
    go_on(call);
}

static void on_writable(struct kw_serving *serving)
{
    go_on(call_of(serving));
}

static void on_over(struct kw_serving *serving)
{
    struct reflection_call *call = call_of(serving);

    kw_queue_done(&call->questions);
    kw_buf_done(&call->answer);
    free(call);
}

static const struct kw_serving_events events = {.message = on_message,
                                                .end = on_end,
                                                .writable = on_writable,
                                                .over = on_over,
                                                .standing = true};

static bool is_reflection(struct kw_bytes path)
{
    static const char *const paths[] = {
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    };

    return kw_bytes_equal(path, kw_bytes_str(paths[0])) ||
           kw_bytes_equal(path, kw_bytes_str(paths[1]));
}

struct kw_result kw_reflection_open(struct kw_gateway *gateway, const struct kw_edge_open *open,
                                    struct kw_serving **ret_serving, struct kw_error *err)
{
    struct reflection_call *call;

    (void)gateway;
    KW_ENSURE(is_reflection(open->path), err, METHOD_UNKNOWN, "not reflection");
    call = calloc(1, sizeof(*call));
    KW_ENSURE(call != NULL, err, MEMORY, "reflection call");
    call->serving.events = &events;
    call->serving.method = "ServerReflectionInfo";
    *ret_serving = &call->serving;
    return KW_OK;
}
