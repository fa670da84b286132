/* Asking an owner for a batch, which comes in pieces. */
#include "services/replicator/owner_internal.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

struct reading {
    struct kw_owner_client *client;
    struct kw_ticket ticket;
    Keyward__Internal__V1__FeedRead found; /* UNSPECIFIED: nothing has come yet */
    struct kw_extent extent;
    struct kw_buf batch;
};

static void reading_free(struct reading *reading)
{
    kw_buf_done(&reading->batch);
    free(reading);
}

static bool has_batch(const struct reading *reading)
{
    return reading->found == KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_BATCH ||
           reading->found == KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_HEARTBEAT;
}

static void answer(struct kw_owner_client *client, struct reading *reading, bool whole)
{
    const struct kw_owner_options *options = &client->options;
    struct kw_bytes batch =
        whole && has_batch(reading) ? kw_buf_bytes(&reading->batch) : KW_BYTES_NONE;

    if (whole && reading->found == KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_TRIMMED) {
        kw_metric_add(KW_M_REPLICATION_TRIMMED, kw_owner_name(options->owner), 1);
    }
    options->events.read(options->context, reading->ticket, batch, reading->extent);
    reading_free(reading);
}

static struct kw_result take_first(struct reading *reading,
                                   const Keyward__Internal__V1__FeedReadResponse *wire,
                                   struct kw_error *err)
{
    struct kw_id lane;

    reading->found = wire->read;
    if (!has_batch(reading)) {
        return KW_OK;
    }
    KW_TRY(kw_owner_extent(wire->extent, &lane, &reading->extent, err));
    KW_ENSURE(kw_id_equal(lane, reading->ticket.lane), err, ENCODING_INVALID,
              "feed: a batch of another lane");
    return KW_OK;
}

static struct kw_result take(struct reading *reading, struct kw_bytes item, struct kw_arena **arena,
                             struct kw_error *err)
{
    const Keyward__Internal__V1__FeedReadResponse *wire;
    ProtobufCMessage *message;

    KW_TRY(kw_owner_unpack(&keyward__internal__v1__feed_read_response__descriptor, item, arena,
                           &message, err));
    wire = (const Keyward__Internal__V1__FeedReadResponse *)message;
    KW_ENSURE((wire->read == KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_UNSPECIFIED) ==
                  (reading->found != KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_UNSPECIFIED),
              err, ENCODING_INVALID, "feed: what was found is said first, and once");
    if (wire->read != KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_UNSPECIFIED) {
        KW_TRY(take_first(reading, wire, err));
    }
    KW_ENSURE(wire->record.len <= KW_BATCH_LEN_MAX - reading->batch.len, err, BODY_TOO_LARGE,
              "feed: a batch of more than %u bytes", KW_BATCH_LEN_MAX);
    return kw_buf_append(&reading->batch, kw_bytes_field(wire->record), err);
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct reading *reading = user;
    struct kw_owner_client *client = reading->client;
    struct kw_arena *arena = NULL;
    struct kw_error error = {0};

    kw_hop_consume(call, item.data.len);
    if (!kw_ok(take(reading, item.data, &arena, &error))) {
        KW_LOG(ERROR, "an owner's batch is not understood",
               KW_F_STR("owner", kw_owner_name(client->options.owner)), KW_F_ERR(&error));
        kw_hop_cancel(call);
        answer(client, reading, false);
    }
    kw_arena_free(arena);
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct reading *reading = user;

    (void)call;
    (void)context;
    answer(reading->client, reading, status->reason == KW_E_NONE);
}

void kw_owner_read(struct kw_owner_client *client, struct kw_ticket ticket, uint64_t after)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    Keyward__Internal__V1__FeedReadRequest request = KEYWARD__INTERNAL__V1__FEED_READ_REQUEST__INIT;
    const struct kw_owner_options *options = &client->options;
    struct reading *reading = calloc(1, sizeof(*reading));
    struct kw_hop_call *call;

    if (reading == NULL) {
        options->events.read(options->context, ticket, KW_BYTES_NONE, (struct kw_extent){0});
        return;
    }
    reading->client = client;
    reading->ticket = ticket;
    request.lane = kw_field_bytes(kw_id_bytes(&reading->ticket.lane));
    request.after = after;
    if (!kw_ok(kw_owner_open(client, KW_METHOD_FEED_READ, &request.base, true, &events, reading,
                             &call, NULL))) {
        answer(client, reading, false);
    }
}
