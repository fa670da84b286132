/* Handing an owner what peers brought: one after the other, so that a lane's batches are judged in their
 * order, though several are on their way; what is urgent goes ahead of those that wait. */
#include "services/replicator/owner_internal.h"

#include "common/base/log.h"
#include "common/rpc/messages.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

/* Of a record in one item; the rest of KW_BODY_LEN_MAX is for the message around it. */
#define PIECE_LEN_MAX (KW_BODY_LEN_MAX - 1024U)

struct kw_owner_apply {
    struct kw_owner_apply *next;
    struct kw_owner_client *client;
    struct kw_hop_call *call; /* NULL: not begun */
    struct kw_owner_judged judged;
    struct kw_buf record;
    size_t at; /* what of it is sent */
};

static void on_writable(struct kw_hop_call *call, void *user);

/* --- how it ends --- */

static void finish(struct kw_owner_apply *apply)
{
    const struct kw_owner_options *options = &apply->client->options;

    apply->judged.record = kw_buf_bytes(&apply->record);
    options->events.applied(options->context, &apply->judged);
    kw_buf_done(&apply->record);
    free(apply);
}

/* It was on its way, and is no more. */
static void settle(struct kw_owner_apply *apply)
{
    struct kw_owner_client *client = apply->client;

    client->applying -= apply->record.len;
    if (client->going == apply) {
        client->going = NULL;
    }
    finish(apply);
    kw_owner_apply_pump(client);
}

/* The peer is told of it then. */
static bool says_how_far(enum kw_lane_verdict verdict)
{
    return verdict == KW_LANE_NEWS || verdict == KW_LANE_KNOWN || verdict == KW_LANE_GAP;
}

static struct kw_result take(struct kw_owner_apply *apply, struct kw_bytes item,
                             struct kw_arena **arena, struct kw_error *err)
{
    struct kw_owner_judged *judged = &apply->judged;
    const Keyward__Internal__V1__FeedApplyResponse *wire;
    ProtobufCMessage *message;

    KW_TRY(kw_owner_unpack(&keyward__internal__v1__feed_apply_response__descriptor, item, arena,
                           &message, err));
    wire = (const Keyward__Internal__V1__FeedApplyResponse *)message;
    judged->verdict = (enum kw_lane_verdict)wire->verdict;
    KW_ENSURE(wire->verdict > 0 && (int)wire->verdict < (int)KW_LANE_VERDICT_END_, err,
              ENCODING_INVALID, "feed: verdict %d", (int)wire->verdict);
    if (judged->type == KW_FRAME_BATCH && says_how_far(judged->verdict)) {
        KW_TRY(kw_owner_extent(wire->extent, &judged->held.lane, &judged->held.extent, err));
    }
    judged->held.owner = judged->ticket.owner;
    judged->judged = true;
    return KW_OK;
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct kw_owner_apply *apply = user;
    struct kw_arena *arena = NULL;
    struct kw_error error = {0};

    (void)call;
    if (!kw_ok(take(apply, item.data, &arena, &error))) {
        KW_LOG(ERROR, "an owner's verdict is not understood",
               KW_F_STR("owner", kw_owner_name(apply->client->options.owner)), KW_F_ERR(&error));
    }
    kw_arena_free(arena);
}

/* What the owner can't read at all no honest cell hands on. */
static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_owner_apply *apply = user;

    (void)call;
    (void)context;
    if (status->reason == KW_E_ENCODING_INVALID) {
        apply->judged.judged = true;
        apply->judged.verdict = KW_LANE_BROKEN;
    } else if (status->reason != KW_E_NONE) {
        apply->judged.judged = false;
    }
    settle(apply);
}

/* --- how it goes --- */

static Keyward__Internal__V1__FeedRecord kind_of(enum kw_frame_type type)
{
    if (type == KW_FRAME_URGENT) {
        return KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT;
    }
    return type == KW_FRAME_VOUCHER ? KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER
                                    : KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH;
}

static struct kw_bytes next_piece(const struct kw_owner_apply *apply)
{
    size_t left = apply->record.len - apply->at;

    return KW_BYTES(apply->record.data + apply->at, left < PIECE_LEN_MAX ? left : PIECE_LEN_MAX);
}

static struct kw_result begin(struct kw_owner_apply *apply, struct kw_error *err)
{
    static const struct kw_hop_events events = {
        .data = on_data, .writable = on_writable, .status = on_status};
    Keyward__Internal__V1__FeedApplyRequest request =
        KEYWARD__INTERNAL__V1__FEED_APPLY_REQUEST__INIT;
    struct kw_bytes piece = next_piece(apply);

    request.kind = kind_of(apply->judged.type);
    request.record = kw_field_bytes(piece);
    KW_TRY(kw_owner_open(apply->client, KW_METHOD_FEED_APPLY, &request.base,
                         piece.len == apply->record.len, &events, apply, &apply->call, err));
    apply->at = piece.len;
    apply->client->applying += apply->record.len;
    return KW_OK;
}

static struct kw_result send_piece(struct kw_owner_apply *apply, bool *ret_sent,
                                   struct kw_error *err)
{
    Keyward__Internal__V1__FeedApplyRequest request =
        KEYWARD__INTERNAL__V1__FEED_APPLY_REQUEST__INIT;
    struct kw_bytes piece = next_piece(apply);
    struct kw_hop_item item = {0};
    struct kw_arena *arena;

    request.record = kw_field_bytes(piece);
    KW_TRY(kw_owner_pack(&request.base, &arena, &item.data, err));
    *ret_sent = kw_hop_send(apply->call, item);
    kw_arena_free(arena);
    if (*ret_sent) {
        apply->at += piece.len;
    }
    return KW_OK;
}

/* The rest of the one that is being sent. False: the call takes no more now. */
static bool go_on(struct kw_owner_client *client)
{
    struct kw_owner_apply *apply = client->going;
    bool sent = true;

    if (apply->at == apply->record.len) { /* all in one */
        client->going = NULL;
        return true;
    }
    while (apply->at < apply->record.len && sent) {
        if (!kw_ok(send_piece(apply, &sent, NULL))) {
            kw_hop_cancel(apply->call);
            client->applying -= apply->record.len;
            client->going = NULL;
            finish(apply);
            return true;
        }
    }
    if (!sent) {
        return false;
    }
    kw_hop_end(apply->call);
    client->going = NULL;
    return true;
}

static struct kw_owner_apply *first_of(struct kw_owner_applies *list)
{
    struct kw_owner_apply *apply = list->first;

    if (apply != NULL) {
        list->first = apply->next;
        apply->next = NULL;
    }
    return apply;
}

static void add(struct kw_owner_applies *list, struct kw_owner_apply *apply)
{
    if (list->first == NULL) {
        list->last = &list->first;
    }
    *list->last = apply;
    list->last = &apply->next;
}

static void put_back(struct kw_owner_applies *list, struct kw_owner_apply *apply)
{
    if (list->first == NULL) {
        list->last = &apply->next;
    }
    apply->next = list->first;
    list->first = apply;
}

static struct kw_owner_applies *list_of(struct kw_owner_client *client, enum kw_frame_type type)
{
    return type == KW_FRAME_URGENT ? &client->urgent : &client->waiting;
}

/* The next one that may go, or NULL. */
static struct kw_owner_apply *next(struct kw_owner_client *client)
{
    struct kw_owner_apply *apply;

    if (client->applying >= KW_OWNER_APPLIES_LEN) {
        return NULL;
    }
    apply = first_of(&client->urgent);
    return apply != NULL ? apply : first_of(&client->waiting);
}

/* False: there is no room for it, and there will be. */
static bool try_one(struct kw_owner_client *client, struct kw_owner_apply *apply)
{
    struct kw_result begun = begin(apply, NULL);

    if (kw_ok(begun)) {
        client->going = apply;
    } else if (begun.reason == KW_E_RATE_LIMITED && client->applying > 0) {
        put_back(list_of(client, apply->judged.type), apply);
        return false;
    } else {
        finish(apply);
    }
    return true;
}

void kw_owner_apply_pump(struct kw_owner_client *client)
{
    while (client->going == NULL || go_on(client)) {
        struct kw_owner_apply *apply = next(client);

        if (apply == NULL || !try_one(client, apply)) {
            break;
        }
    }
}

static void on_writable(struct kw_hop_call *call, void *user)
{
    const struct kw_owner_apply *apply = user;

    (void)call;
    kw_owner_apply_pump(apply->client);
}

static struct kw_owner_apply *make(struct kw_owner_client *client, struct kw_ticket ticket,
                                   enum kw_frame_type type, struct kw_bytes record)
{
    struct kw_owner_apply *apply = calloc(1, sizeof(*apply));

    if (apply == NULL || !kw_ok(kw_buf_append(&apply->record, record, NULL))) {
        free(apply);
        return NULL;
    }
    apply->client = client;
    apply->judged = (struct kw_owner_judged){.ticket = ticket, .type = type};
    return apply;
}

void kw_owner_apply(struct kw_owner_client *client, struct kw_ticket ticket,
                    enum kw_frame_type type, struct kw_bytes record)
{
    struct kw_owner_apply *apply = make(client, ticket, type, record);

    if (apply == NULL) {
        const struct kw_owner_judged nothing = {.ticket = ticket, .type = type, .record = record};

        client->options.events.applied(client->options.context, &nothing);
        return;
    }
    add(list_of(client, type), apply);
    kw_owner_apply_pump(client);
}

void kw_owner_apply_drop(struct kw_owner_client *client)
{
    struct kw_owner_apply *apply;

    while ((apply = first_of(&client->urgent)) != NULL ||
           (apply = first_of(&client->waiting)) != NULL) {
        finish(apply);
    }
}
