/* The hop to an owner, and its standing call. */
#include "services/replicator/owner_internal.h"

#include "common/base/clock.h"
#include "common/base/container.h"
#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/pki/spiffe.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

const char *kw_owner_name(enum kw_owner owner)
{
    return owner == KW_OWNER_AUTHZ ? "authz" : "orchestrator";
}

/* --- messages --- */

struct kw_result kw_owner_pack(const ProtobufCMessage *message, struct kw_arena **ret_arena,
                               struct kw_bytes *ret_bytes, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "a message");
    result = kw_arena_pack(arena, message, ret_bytes, err);
    if (!kw_ok(result)) {
        kw_arena_free(arena);
        return result;
    }
    *ret_arena = arena;
    return KW_OK;
}

struct kw_result kw_owner_unpack(const ProtobufCMessageDescriptor *type, struct kw_bytes bytes,
                                 struct kw_arena **ret_arena, ProtobufCMessage **ret_message,
                                 struct kw_error *err)
{
    *ret_arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(*ret_arena != NULL, err, MEMORY, "a message");
    return kw_message_unpack(type, bytes, *ret_arena, ret_message, err);
}

static struct kw_result read_id(ProtobufCBinaryData wire, struct kw_id *ret_id,
                                struct kw_error *err)
{
    KW_ENSURE(wire.len == KW_ID_LEN, err, ENCODING_INVALID, "feed: an id of %zu bytes", wire.len);
    return kw_id_from_bytes(kw_bytes_field(wire), ret_id, err);
}

struct kw_result kw_owner_extent(const Keyward__Internal__V1__FeedExtent *wire,
                                 struct kw_id *ret_lane, struct kw_extent *ret_extent,
                                 struct kw_error *err)
{
    KW_ENSURE(wire != NULL, err, ENCODING_INVALID, "feed: no extent");
    KW_TRY(read_id(wire->lane, ret_lane, err));
    *ret_extent = (struct kw_extent){.seq = wire->seq, .closed = wire->closed};
    return KW_OK;
}

struct kw_result kw_owner_open(struct kw_owner_client *client, uint32_t method,
                               const ProtobufCMessage *message, bool end,
                               const struct kw_hop_events *events, void *user,
                               struct kw_hop_call **ret_call, struct kw_error *err)
{
    struct kw_hop_open open = {
        .method = method,
        .deadline_ns = kw_clock_mono_ns() + KW_OWNER_CALL_MS * KW_NS_PER_MS,
        .has_item = true,
        .end = end,
        .beside = client->standing,
    };
    struct kw_arena *arena;
    struct kw_result result;

    KW_ENSURE(client->standing != NULL, err, PEER_UNAVAILABLE, "%s is away",
              kw_owner_name(client->options.owner));
    KW_TRY(kw_owner_pack(message, &arena, &open.item.data, err));
    result = kw_hop_open(client->hop, &open, events, user, ret_call, err);
    kw_arena_free(arena);
    return result;
}

/* --- what it tells --- */

static struct kw_result tell_owner(struct kw_owner_client *client,
                                   const Keyward__Internal__V1__FeedOwner *wire,
                                   struct kw_error *err)
{
    const struct kw_owner_options *options = &client->options;
    struct kw_id boot_id = kw_hop_boot_id(client->standing), mesh, store;

    KW_ENSURE((wire != NULL) != client->told, err, ENCODING_INVALID,
              "feed: an owner says who it is first, and once");
    if (wire == NULL) {
        return KW_OK;
    }
    KW_TRY(read_id(wire->mesh, &mesh, err));
    KW_TRY(read_id(wire->store, &store, err));
    client->told = true;
    if (!kw_id_equal(boot_id, client->boot_id) || !kw_id_equal(store, client->store)) {
        client->boot_id = boot_id;
        client->store = store;
        options->events.begun(options->context, options->owner, mesh, store);
    }
    kw_metric_set(KW_M_OWNER_UP, kw_owner_name(options->owner), 1);
    options->events.told(options->context, options->owner);
    kw_owner_ack_pump(client);
    return KW_OK;
}

static struct kw_result copy_name(const char *wire, char name[KW_PLACE_NAME_SIZE],
                                  struct kw_error *err)
{
    size_t len = strlen(wire);

    KW_ENSURE(len > 0 && len < KW_PLACE_NAME_SIZE, err, ENCODING_INVALID,
              "feed: the name of a place, of %zu bytes", len);
    kw_copy(name, wire, len + 1);
    return KW_OK;
}

static struct kw_result read_lane(const Keyward__Internal__V1__FeedLane *wire,
                                  struct kw_owner_lane *ret_lane, struct kw_error *err)
{
    KW_TRY(kw_owner_extent(wire->extent, &ret_lane->id, &ret_lane->extent, err));
    KW_TRY(copy_name(wire->region, ret_lane->origin.region, err));
    return copy_name(wire->cell, ret_lane->origin.cell, err);
}

static struct kw_result tell_lanes(const struct kw_owner_client *client,
                                   const Keyward__Internal__V1__FeedSubscribeResponse *wire,
                                   struct kw_error *err)
{
    const struct kw_owner_options *options = &client->options;

    for (size_t i = 0; i < wire->n_lanes; i++) {
        struct kw_owner_lane lane = {0};

        KW_TRY(read_lane(wire->lanes[i], &lane, err));
        options->events.lane(options->context, options->owner, &lane);
    }
    return KW_OK;
}

static struct kw_result tell_question(const struct kw_owner_client *client,
                                      const Keyward__Internal__V1__FeedQuestion *wire,
                                      struct kw_error *err)
{
    const struct kw_owner_options *options = &client->options;
    struct kw_owner_question question = {.number = wire->number,
                                         .record = kw_bytes_field(wire->record)};

    KW_TRY(read_id(wire->store, &question.store, err));
    KW_ENSURE(question.number > 0 && question.record.len > 0 &&
                  question.record.len <= KW_QUESTION_LEN_MAX,
              err, ENCODING_INVALID, "feed: a question of %zu bytes", question.record.len);
    options->events.question(options->context, options->owner, &question);
    return KW_OK;
}

static struct kw_result tell(struct kw_owner_client *client,
                             const Keyward__Internal__V1__FeedSubscribeResponse *wire,
                             struct kw_error *err)
{
    const struct kw_owner_options *options = &client->options;

    KW_TRY(tell_owner(client, wire->owner, err));
    if (wire->voucher.len > 0) {
        options->events.voucher(options->context, options->owner, kw_bytes_field(wire->voucher));
    }
    KW_TRY(tell_lanes(client, wire, err));
    if (wire->urgent.len > 0) {
        options->events.urgent(options->context, options->owner, kw_bytes_field(wire->urgent));
    }
    return wire->question != NULL ? tell_question(client, wire->question, err) : KW_OK;
}

/* --- the standing call --- */

static void lost(struct kw_owner_client *client)
{
    const struct kw_owner_options *options = &client->options;
    bool was_told = client->told;

    client->standing = NULL;
    client->told = false;
    kw_metric_set(KW_M_OWNER_UP, kw_owner_name(options->owner), 0);
    if (client->closing) {
        return;
    }
    if (was_told) {
        options->events.lost(options->context, options->owner);
    }
    kw_timer_start(&client->retry, KW_OWNER_RETRY_MS, 0);
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct kw_owner_client *client = user;
    ProtobufCMessage *message;
    struct kw_arena *arena;
    struct kw_error error = {0};
    struct kw_result result =
        kw_owner_unpack(&keyward__internal__v1__feed_subscribe_response__descriptor, item.data,
                        &arena, &message, &error);

    kw_hop_consume(call, item.data.len);
    if (kw_ok(result)) {
        result =
            tell(client, (const Keyward__Internal__V1__FeedSubscribeResponse *)message, &error);
    }
    kw_arena_free(arena);
    if (!kw_ok(result)) {
        KW_LOG(ERROR, "an owner is not understood",
               KW_F_STR("owner", kw_owner_name(client->options.owner)), KW_F_ERR(&error));
        kw_hop_cancel(call);
        lost(client);
    }
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    (void)call;
    (void)status; /* whatever it is: we ask again */
    (void)context;
    lost(user);
}

/* In place of the one before, if there is one: that was on a stream which is being left. */
static void subscribe(struct kw_owner_client *client)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    const struct kw_hop_open open = {.method = KW_METHOD_FEED_SUBSCRIBE,
                                     .deadline_ns = UINT64_MAX,
                                     .has_item = true,
                                     .end = true};

    if (client->closing) {
        return;
    }
    if (client->standing != NULL) {
        kw_hop_cancel(client->standing);
        client->standing = NULL;
        client->told = false;
    }
    if (!kw_ok(kw_hop_open(client->hop, &open, &events, client, &client->standing, NULL))) {
        lost(client);
    }
}

static void on_retry(struct kw_timer *timer)
{
    struct kw_owner_client *client = KW_CONTAINER_OF(timer, struct kw_owner_client, retry);

    if (client->standing == NULL) {
        subscribe(client);
    }
}

/* A stream that takes the place of the one we are on, or the first; not one to another instance. */
static void on_state(bool connected, struct kw_id peer_boot_id, void *context)
{
    struct kw_owner_client *client = context;

    if (connected &&
        (client->standing == NULL || kw_id_equal(kw_hop_boot_id(client->standing), peer_boot_id))) {
        subscribe(client);
    }
}

/* --- its life --- */

struct kw_hop_client *const *kw_owner_hop(const struct kw_owner_client *client)
{
    return &client->hop;
}

static struct kw_result hop_start(struct kw_owner_client *client, struct kw_error *err)
{
    const struct kw_owner_options *options = &client->options;
    const char *const targets[] = {options->target, NULL};
    struct kw_spiffe peer;
    char text[KW_SPIFFE_TEXT_SIZE];
    const struct kw_hop_client_options hop = {
        .targets = targets,
        .credentials_dir = options->credentials_dir,
        .trust_domain = options->trust_domain,
        .peer = text,
        .state = on_state,
        .context = client,
    };

    KW_TRY(kw_spiffe_service(options->trust_domain, options->region, options->cell,
                             kw_owner_name(options->owner), &peer, err));
    (void)kw_spiffe_text(&peer, text);
    return kw_hop_client_new(options->rpc, &hop, &client->hop, err);
}

struct kw_result kw_owner_new(const struct kw_owner_options *options,
                              struct kw_owner_client **ret_client, struct kw_error *err)
{
    struct kw_owner_client *client = calloc(1, sizeof(*client));
    struct kw_result result;

    KW_ENSURE(client != NULL, err, MEMORY, "an owner");
    client->options = *options;
    kw_metric_set(KW_M_OWNER_UP, kw_owner_name(options->owner), 0);
    result = hop_start(client, err);
    if (!kw_ok(result)) {
        free(client);
        return result;
    }
    kw_timer_init(&client->retry, options->loop, on_retry);
    *ret_client = client;
    return KW_OK;
}

static void timer_closed(struct kw_timer *timer)
{
    struct kw_owner_client *client = KW_CONTAINER_OF(timer, struct kw_owner_client, retry);

    client->closed(client->closed_context);
}

static void hop_closed(void *context)
{
    struct kw_owner_client *client = context;

    client->hop = NULL;
    kw_owner_apply_drop(client);
    kw_owner_ack_drop(client);
    kw_timer_close(&client->retry, timer_closed);
}

void kw_owner_close(struct kw_owner_client *client, void (*closed)(void *context), void *context)
{
    client->closing = true;
    client->closed = closed;
    client->closed_context = context;
    kw_hop_client_close(client->hop, hop_closed, client);
}

void kw_owner_free(struct kw_owner_client *client)
{
    free(client);
}
