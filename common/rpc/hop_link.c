/* A link: dials, waits for the hello, holds the stream, replaces it when it is lost, old, or told
 * to drain. */
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/rpc/hop_client.h"

#include <stdlib.h>

/* A stream's channel lives and dies with it: the link alone decides when to connect again. */
struct kw_hop_dial {
    struct kw_hop_dial *next;
    struct kw_hop_dial **backlink;
    struct kw_hop_stream *stream;
    struct kw_hop_client *client;
    struct kw_hop_link *link; /* NULL: retired or closed, ends with its last call */
    grpc_channel *channel;
};

static void start_dialling(struct kw_hop_link *link);

static struct kw_hop_link *link_of(const struct kw_hop_stream *stream)
{
    const struct kw_hop_dial *dial = stream->owner;

    return dial->link;
}

/* --- waiting --- */

/* Between half of `ms` and one and a half of it, so that many callers do not come back at the same
 * moment. */
static uint64_t jittered(uint64_t ms)
{
    uint32_t random = UINT32_MAX / 2;

    KW_IGNORE(kw_random((uint8_t *)&random, sizeof(random), NULL)); /* without it: no jitter */
    return ms / 2 + ms * random / UINT32_MAX;
}

static void wait_and_dial(struct kw_hop_link *link)
{
    uint64_t delay_ms = KW_HOP_RECONNECT_MIN_MS;

    for (unsigned i = 0; i < link->failures && delay_ms < KW_HOP_RECONNECT_MAX_MS; i++) {
        delay_ms *= 2;
    }
    if (delay_ms > KW_HOP_RECONNECT_MAX_MS) {
        delay_ms = KW_HOP_RECONNECT_MAX_MS;
    }
    kw_timer_start(&link->timer, jittered(delay_ms), 0);
}

static void on_link_timer(struct kw_timer *timer)
{
    struct kw_hop_link *link = KW_CONTAINER(timer, struct kw_hop_link, timer);

    if (link->next != NULL) {
        kw_hop_stream_break(link->next); /* no hello in time; over follows */
    } else {
        start_dialling(link); /* the back-off is over, or the stream is old */
    }
}

/* --- the role --- */

static void retire(struct kw_hop_stream *stream)
{
    struct kw_hop_dial *dial = stream->owner;

    dial->link = NULL;
    stream->draining = true;
    if (stream->calls.count == 0) {
        kw_hop_stream_break(stream);
    }
}

static void on_ready(struct kw_hop_stream *stream)
{
    struct kw_hop_link *link = link_of(stream);

    if (link == NULL) {
        return;
    }
    if (link->stream != NULL) {
        retire(link->stream);
    }
    link->stream = stream;
    link->next = NULL;
    link->failures = 0;
    kw_timer_start(&link->timer, jittered(KW_HOP_STREAM_AGE_MS), 0);
    if (link->client->state != NULL) {
        link->client->state(true, stream->peer_boot_id, link->client->state_context);
    }
}

static bool on_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame)
{
    struct kw_hop_link *link = link_of(stream);

    if (!kw_hop_outer_frame(stream, frame)) {
        return false;
    }
    if (stream->draining && link != NULL) {
        link->stream = NULL;
        retire(stream);
        if (link->next == NULL) {
            wait_and_dial(link);
        }
    }
    return true;
}

static void on_idle(struct kw_hop_stream *stream)
{
    if (stream->draining) {
        kw_hop_stream_break(stream);
    }
}

static void on_over(struct kw_hop_stream *stream)
{
    const struct kw_hop_dial *dial = stream->owner;
    struct kw_hop_link *link = dial->link;

    stream->stats->failed_connects += stream->ready ? 0 : 1;
    if (link != NULL) {
        link->stream = link->stream == stream ? NULL : link->stream;
        link->next = link->next == stream ? NULL : link->next;
        link->failures += stream->ready ? 0 : 1;
        KW_LOG(DEBUG, "hop stream lost", KW_F_STR("target", link->target),
               KW_F_U64("status", (uint64_t)stream->status));
        if (link->next == NULL) {
            wait_and_dial(link);
        }
    }
    if (stream->ready && dial->client->state != NULL) {
        dial->client->state(false, stream->peer_boot_id, dial->client->state_context);
    }
}

static void on_gone(struct kw_hop_stream *stream)
{
    struct kw_hop_dial *dial = stream->owner;

    struct kw_hop_client *client = dial->client;

    *dial->backlink = dial->next;
    if (dial->next != NULL) {
        dial->next->backlink = dial->backlink;
    }
    grpc_channel_destroy(dial->channel);
    free(dial);
    kw_hop_client_released(client);
}

static const struct kw_hop_role outer_role = {
    .ready = on_ready,
    .frame = on_frame,
    .expired = kw_hop_outer_expired,
    .lost = kw_hop_outer_lost,
    .idle = on_idle,
    .over = on_over,
    .gone = on_gone,
};

/* --- dialling --- */

static grpc_channel *make_channel(struct kw_hop_link *link)
{
    grpc_arg args[] = {
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_RETRIES, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        KW_RPC_INTEGER_ARG(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, KW_HOP_MESSAGE_LEN_MAX),
        KW_RPC_INTEGER_ARG(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        KW_RPC_INTEGER_ARG(GRPC_ARG_KEEPALIVE_TIME_MS, KW_HOP_KEEPALIVE_MS),
        KW_RPC_INTEGER_ARG(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KW_HOP_KEEPALIVE_TIMEOUT_MS),
        KW_RPC_INTEGER_ARG(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    const grpc_channel_args channel_args = {sizeof(args) / sizeof(args[0]), args};

    return grpc_channel_create(link->target, link->client->creds, &channel_args);
}

static void dial_add(struct kw_hop_client *client, struct kw_hop_dial *dial)
{
    dial->next = client->dials;
    dial->backlink = &client->dials;
    if (dial->next != NULL) {
        dial->next->backlink = &dial->next;
    }
    client->dials = dial;
    client->alive++;
}

static struct kw_result dial(struct kw_hop_link *link, struct kw_error *err)
{
    struct kw_hop_client *client = link->client;
    struct kw_hop_dial *dialled = calloc(1, sizeof(*dialled));
    grpc_call *call;
    struct kw_result made;

    KW_ENSURE(dialled != NULL, err, MEMORY, "hop link");
    dialled->client = client;
    dialled->link = link;
    dialled->channel = make_channel(link);
    call = grpc_channel_create_call(dialled->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                    kw_rpc_queue(client->rpc),
                                    grpc_slice_from_static_string(KW_HOP_PATH), NULL,
                                    gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    made = kw_hop_stream_new(client->rpc, call, &outer_role, dialled, &client->stats, &link->next,
                             err);
    if (!kw_ok(made)) {
        grpc_call_unref(call);
        grpc_channel_destroy(dialled->channel);
        free(dialled);
        return made;
    }
    dialled->stream = link->next;
    dial_add(client, dialled);
    return KW_OK;
}

static void start_dialling(struct kw_hop_link *link)
{
    if (!kw_ok(dial(link, NULL))) {
        link->failures++;
        wait_and_dial(link);
        return;
    }
    kw_timer_start(&link->timer, KW_HOP_CONNECT_MS, 0);
    kw_hop_stream_begin(link->next, false);
}

struct kw_result kw_hop_link_new(struct kw_hop_client *client, const char *target,
                                 struct kw_hop_target *origin, struct kw_hop_link **ret_link,
                                 struct kw_error *err)
{
    size_t len = strlen(target);
    struct kw_hop_link *link;

    KW_ENSURE(client->link_count < KW_HOP_TARGETS_MAX, err, LIMIT_REACHED, "hop: %zu addresses",
              client->link_count);
    link = calloc(1, sizeof(*link) + len + 1);
    KW_ENSURE(link != NULL, err, MEMORY, "hop link");
    link->client = client;
    link->origin = origin;
    kw_copy(link->target, target, len);
    kw_timer_init(&link->timer, kw_rpc_loop(client->rpc), on_link_timer);
    client->links[client->link_count++] = link;
    client->alive++;
    start_dialling(link);
    *ret_link = link;
    return KW_OK;
}

/* --- the end --- */

void kw_hop_dials_cut(struct kw_hop_client *client)
{
    for (struct kw_hop_dial *dial = client->dials; dial != NULL; dial = dial->next) {
        kw_hop_stream_break(dial->stream);
    }
}

static void on_link_closed(struct kw_timer *timer)
{
    struct kw_hop_link *link = KW_CONTAINER(timer, struct kw_hop_link, timer);
    struct kw_hop_client *client = link->client;

    free(link);
    kw_hop_client_released(client);
}

void kw_hop_link_close(struct kw_hop_link *link)
{
    for (struct kw_hop_dial *dial = link->client->dials; dial != NULL; dial = dial->next) {
        if (dial->link == link) {
            dial->link = NULL;
            kw_hop_stream_break(dial->stream);
        }
    }
    kw_timer_close(&link->timer, on_link_closed);
}
