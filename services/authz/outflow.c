/* A queue of copies. */
#include "services/authz/outflow.h"

#include <stdlib.h>

struct kw_outflow_message {
    struct kw_outflow_message *next;
    struct kw_buf data;
    struct kw_buf context;
};

static void message_free(struct kw_outflow_message *message)
{
    kw_buf_done(&message->data);
    kw_buf_done(&message->context);
    free(message);
}

static struct kw_result keep(struct kw_outflow *flow, struct kw_hop_item item, struct kw_error *err)
{
    struct kw_outflow_message *message = calloc(1, sizeof(*message));
    struct kw_result result;

    KW_ENSURE(message != NULL, err, MEMORY, "a message");
    result = kw_buf_append(&message->data, item.data, err);
    if (kw_ok(result)) {
        result = kw_buf_append(&message->context, item.context, err);
    }
    if (!kw_ok(result)) {
        message_free(message);
        return result;
    }
    if (flow->first == NULL) {
        flow->last = &flow->first;
    }
    *flow->last = message;
    flow->last = &message->next;
    return KW_OK;
}

struct kw_result kw_outflow_send(struct kw_outflow *flow, struct kw_hop_call *hop,
                                 struct kw_hop_item item, struct kw_error *err)
{
    if (hop == NULL) {
        return KW_OK;
    }
    if (flow->first == NULL && kw_hop_send(hop, item)) {
        return KW_OK;
    }
    return keep(flow, item, err);
}

void kw_outflow_writable(struct kw_outflow *flow, struct kw_hop_call *hop)
{
    while (flow->first != NULL) {
        struct kw_outflow_message *message = flow->first;
        const struct kw_hop_item item = {.data = kw_buf_bytes(&message->data),
                                         .context = kw_buf_bytes(&message->context)};

        if (!kw_hop_send(hop, item)) {
            return;
        }
        flow->first = message->next;
        message_free(message);
    }
}

void kw_outflow_done(struct kw_outflow *flow)
{
    while (flow->first != NULL) {
        struct kw_outflow_message *message = flow->first;

        flow->first = message->next;
        message_free(message);
    }
}
