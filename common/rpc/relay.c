/* Two calls that know each other. */
#include "common/rpc/relay.h"

#include <stdlib.h>

struct relay {
    struct kw_hop_call *outer;
    struct kw_hop_call *inner;
    struct kw_buf answer;
    bool answered;
};

static void relay_free(struct relay *relay)
{
    kw_buf_done(&relay->answer);
    free(relay);
}

static void refuse(struct kw_hop_call *outer, enum kw_reason reason)
{
    const struct kw_hop_status status = {.reason = reason, .field = "", .description = ""};

    kw_hop_finish(outer, &status, KW_BYTES_NONE);
}

static void on_cancel(struct kw_hop_call *outer, void *user)
{
    struct relay *relay = user;

    (void)outer;
    kw_hop_cancel(relay->inner);
    relay_free(relay);
}

static void on_data(struct kw_hop_call *inner, struct kw_hop_item item, void *user)
{
    struct relay *relay = user;

    (void)inner;
    kw_buf_clear(&relay->answer);
    relay->answered = kw_ok(kw_buf_append(&relay->answer, item.data, NULL));
}

static void on_status(struct kw_hop_call *inner, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct relay *relay = user;

    (void)inner;
    (void)context;
    if (status->reason != KW_E_NONE) {
        kw_hop_finish(relay->outer, status, KW_BYTES_NONE);
    } else if (!relay->answered) {
        refuse(relay->outer, KW_E_INTERNAL);
    } else {
        kw_hop_reply(relay->outer, (struct kw_hop_item){.data = kw_buf_bytes(&relay->answer)});
    }
    relay_free(relay);
}

static struct kw_result inner_open(struct relay *relay, const struct kw_hop_open *open,
                                   struct kw_hop_client *inner, struct kw_error *err)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    const struct kw_hop_open further = {
        .method = open->method,
        .deadline_ns = open->deadline_ns,
        .trace = open->trace,
        .item = {.data = open->item.data},
        .has_item = true,
        .end = true,
    };

    KW_ENSURE(open->has_item, err, ENCODING_INVALID, "a call without request");
    KW_ENSURE(inner != NULL, err, PEER_UNAVAILABLE, "the inner hop is closed");
    return kw_hop_open(inner, &further, &events, relay, &relay->inner, err);
}

void kw_relay_open(struct kw_hop_call *outer, const struct kw_hop_open *open,
                   struct kw_hop_client *inner)
{
    static const struct kw_hop_events events = {.cancel = on_cancel};
    struct relay *relay = calloc(1, sizeof(*relay));
    struct kw_error error;

    if (relay == NULL) {
        refuse(outer, KW_E_MEMORY);
        return;
    }
    relay->outer = outer;
    if (!kw_ok(inner_open(relay, open, inner, &error))) {
        refuse(outer, error.reason);
        relay_free(relay);
        return;
    }
    kw_hop_serve(outer, &events, relay);
}
