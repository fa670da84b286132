/* What a replicator asks an owner, and what it is told. */
#include "tests/support/feed_service_fixture.h"

#include "common/rpc/messages.h"
#include "tests/support/must.h"

#include <stdio.h>

#define DEADLINE_NS (10ULL * 1000 * 1000 * 1000)

static struct kw_bytes packed(const ProtobufCMessage *message)
{
    struct kw_buf out = {0};

    MUST(kw_buf_reserve(&out, protobuf_c_message_get_packed_size(message) + 1, err));
    out.len = protobuf_c_message_pack(message, out.data);
    return value_keep(&out);
}

static void copy_to(struct kw_buf *to, ProtobufCBinaryData data)
{
    kw_buf_clear(to);
    MUST(kw_buf_append(to, kw_bytes_field(data), err));
}

static struct kw_id id_of(ProtobufCBinaryData data)
{
    struct kw_id id;

    MUST(kw_id_from_bytes(kw_bytes_field(data), &id, err));
    return id;
}

/* --- the standing call --- */

static void note_lane(struct listening *listening, const Keyward__Internal__V1__FeedLane *lane)
{
    struct kw_id id = id_of(lane->extent->lane);
    struct told_lane *told = listening->lanes;

    while (told < listening->lanes + listening->lane_count && !kw_id_equal(told->lane, id)) {
        told++;
    }
    listening->lane_count += told == listening->lanes + listening->lane_count;
    REQUIRE(listening->lane_count <= 64, "too many lanes");
    *told = (struct told_lane){.lane = id,
                               .seq = lane->extent->seq,
                               .closed = lane->extent->closed,
                               .floor = lane->floor,
                               .stopped = lane->stopped};
    snprintf(told->region, sizeof(told->region), "%s", lane->region);
    snprintf(told->cell, sizeof(told->cell), "%s", lane->cell);
}

static void note_message(struct listening *listening,
                         const Keyward__Internal__V1__FeedSubscribeResponse *message)
{
    listening->messages++;
    if (message->owner != NULL) {
        listening->owners++;
        listening->mesh = id_of(message->owner->mesh);
        listening->store = id_of(message->owner->store);
        REQUIRE(listening->messages == 1, "the owner comes first");
    }
    if (message->voucher.len > 0) {
        listening->vouchers++;
        copy_to(&listening->voucher, message->voucher);
    }
    if (message->urgent.len > 0) {
        listening->urgents++;
        copy_to(&listening->urgent, message->urgent);
    }
    if (message->question != NULL) {
        listening->question_number = message->question->number;
        copy_to(&listening->question, message->question->record);
    }
    for (size_t i = 0; i < message->n_lanes; i++) {
        note_lane(listening, message->lanes[i]);
    }
    if (message->n_lanes > listening->most_lanes) {
        listening->most_lanes = message->n_lanes;
    }
}

static void listening_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct listening *listening = user;
    Keyward__Internal__V1__FeedSubscribeResponse *message =
        keyward__internal__v1__feed_subscribe_response__unpack(NULL, item.data.len, item.data.data);

    REQUIRE(message != NULL, "a message that can't be read");
    note_message(listening, message);
    keyward__internal__v1__feed_subscribe_response__free_unpacked(message, NULL);
    if (!listening->deaf) {
        kw_hop_consume(call, item.data.len);
    }
}

static void listening_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                             struct kw_bytes context, void *user)
{
    struct listening *listening = user;

    (void)call;
    (void)context;
    listening->call = NULL;
    listening->reason = status->reason;
}

void house_listen(struct house_owner *owner, struct listening *listening)
{
    static const struct kw_hop_events events = {.data = listening_data, .status = listening_status};
    const struct kw_hop_open open = {.method = KW_METHOD_FEED_SUBSCRIBE, .deadline_ns = UINT64_MAX};

    listening->hop = &owner->house->hop;
    MUST(kw_hop_open(owner->client, &open, &events, listening, &listening->call, err));
}

void house_hang_up(struct listening *listening)
{
    if (listening->call != NULL) {
        kw_hop_cancel(listening->call);
        listening->call = NULL;
    }
    kw_buf_done(&listening->voucher);
    kw_buf_done(&listening->urgent);
    kw_buf_done(&listening->question);
}

const struct told_lane *house_told(const struct listening *listening, struct kw_id lane)
{
    static const struct told_lane nothing;

    for (size_t i = 0; i < listening->lane_count; i++) {
        if (kw_id_equal(listening->lanes[i].lane, lane)) {
            return &listening->lanes[i];
        }
    }
    return &nothing;
}

/* --- calls that are answered once --- */

static void note_extent(struct asking *asking, const Keyward__Internal__V1__FeedExtent *extent)
{
    if (extent != NULL) {
        asking->has_extent = true;
        asking->lane = id_of(extent->lane);
        asking->seq = extent->seq;
        asking->closed = extent->closed;
    }
}

static void note_read(struct asking *asking, struct kw_bytes data)
{
    Keyward__Internal__V1__FeedReadResponse *message =
        keyward__internal__v1__feed_read_response__unpack(NULL, data.len, data.data);

    REQUIRE(message != NULL, "an answer that can't be read");
    REQUIRE((asking->items == 1) == (message->read != 0), "what it is comes first, and once");
    asking->read = message->read != 0 ? message->read : asking->read;
    note_extent(asking, message->extent);
    MUST(kw_buf_append(&asking->record, kw_bytes_field(message->record), err));
    keyward__internal__v1__feed_read_response__free_unpacked(message, NULL);
}

static void note_verdict(struct asking *asking, struct kw_bytes data)
{
    Keyward__Internal__V1__FeedApplyResponse *message =
        keyward__internal__v1__feed_apply_response__unpack(NULL, data.len, data.data);

    REQUIRE(message != NULL, "an answer that can't be read");
    asking->verdict = message->verdict;
    note_extent(asking, message->extent);
    keyward__internal__v1__feed_apply_response__free_unpacked(message, NULL);
}

static void asking_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    struct asking *asking = user;

    asking->items++;
    asking->largest = item.data.len > asking->largest ? item.data.len : asking->largest;
    if (asking->is_apply) {
        note_verdict(asking, item.data);
    } else {
        note_read(asking, item.data);
    }
    if (!asking->deaf) {
        kw_hop_consume(call, item.data.len);
    }
}

static void asking_writable(struct kw_hop_call *call, void *user)
{
    (void)call;
    ((struct asking *)user)->writable = true;
}

static void asking_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                          struct kw_bytes context, void *user)
{
    struct asking *asking = user;

    (void)call;
    (void)context;
    asking->call = NULL;
    asking->reason = status->reason;
}

static void begin(struct house_owner *owner, struct asking *asking, const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {
        .data = asking_data, .writable = asking_writable, .status = asking_status};

    MUST(kw_hop_open(owner->client, open, &events, asking, &asking->call, err));
}

void house_raw_begin(struct house_owner *owner, struct asking *asking, uint32_t method,
                     struct kw_bytes request)
{
    const struct kw_hop_open open = {.method = method,
                                     .deadline_ns = kw_clock_mono_ns() + DEADLINE_NS,
                                     .item = {.data = request},
                                     .has_item = request.data != NULL,
                                     .end = true};

    asking->is_apply = method == KW_METHOD_FEED_APPLY;
    begin(owner, asking, &open);
}

void house_read_begin(struct house_owner *owner, struct asking *asking, struct kw_id lane,
                      uint64_t after)
{
    Keyward__Internal__V1__FeedReadRequest request = KEYWARD__INTERNAL__V1__FEED_READ_REQUEST__INIT;

    request.lane = kw_field_bytes(kw_id_bytes(&lane));
    request.after = after;
    house_raw_begin(owner, asking, KW_METHOD_FEED_READ, packed(&request.base));
}

void house_read(struct house_owner *owner, struct asking *asking, struct kw_id lane, uint64_t after)
{
    house_read_begin(owner, asking, lane, after);
    HOUSE_EVENTUALLY(owner->house, asking->call == NULL);
}

void house_apply_begin(struct house_owner *owner, struct asking *asking)
{
    const struct kw_hop_open open = {.method = KW_METHOD_FEED_APPLY,
                                     .deadline_ns = kw_clock_mono_ns() + DEADLINE_NS};

    asking->is_apply = true;
    begin(owner, asking, &open);
}

bool house_apply_piece(struct asking *asking, Keyward__Internal__V1__FeedRecord kind,
                       struct kw_bytes piece)
{
    Keyward__Internal__V1__FeedApplyRequest request =
        KEYWARD__INTERNAL__V1__FEED_APPLY_REQUEST__INIT;
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};

    request.kind = kind;
    request.record = kw_field_bytes(piece);
    MUST(kw_buf_reserve(&out, protobuf_c_message_get_packed_size(&request.base) + 1, err));
    out.len = protobuf_c_message_pack(&request.base, out.data);
    asking->writable = false;
    return kw_hop_send(asking->call, (struct kw_hop_item){.data = kw_buf_bytes(&out)});
}

void house_apply(struct house_owner *owner, struct asking *asking,
                 Keyward__Internal__V1__FeedRecord kind, struct kw_bytes record)
{
    house_apply_begin(owner, asking);
    while (record.len > 0 && asking->call != NULL) {
        size_t len = record.len < KW_FEED_PIECE_LEN_MAX ? record.len : KW_FEED_PIECE_LEN_MAX;

        if (!house_apply_piece(asking, kind, KW_BYTES(record.data, len))) {
            HOUSE_EVENTUALLY(owner->house, asking->writable || asking->call == NULL);
            continue;
        }
        kind = KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_UNSPECIFIED;
        record = KW_BYTES(record.data + len, record.len - len);
    }
    if (asking->call != NULL) {
        kw_hop_end(asking->call);
    }
    HOUSE_EVENTUALLY(owner->house, asking->call == NULL);
}

Keyward__Internal__V1__FeedVerdict house_verdict(struct house_owner *owner,
                                                 Keyward__Internal__V1__FeedRecord kind,
                                                 struct kw_bytes record)
{
    struct asking asking = {0};

    house_apply(owner, &asking, kind, record);
    REQUIRE(asking.reason == KW_E_NONE, "not judged: %s", kw_reason_row(asking.reason)->name);
    asking_done(&asking);
    return asking.verdict;
}

enum kw_reason house_raw(struct house_owner *owner, uint32_t method, struct kw_bytes request)
{
    struct asking asking = {0};

    house_raw_begin(owner, &asking, method, request);
    HOUSE_EVENTUALLY(owner->house, asking.call == NULL);
    asking_done(&asking);
    return asking.reason;
}

enum kw_reason house_ack(struct house_owner *owner, struct house_owner *from, struct kw_id store,
                         struct kw_id lane, uint64_t seq)
{
    Keyward__Internal__V1__FeedAckRequest request = KEYWARD__INTERNAL__V1__FEED_ACK_REQUEST__INIT;

    request.store = kw_field_bytes(kw_id_bytes(&store));
    request.lane = kw_field_bytes(kw_id_bytes(&lane));
    request.seq = seq;
    request.region = from->self.region;
    request.cell = from->self.cell;
    return house_raw(owner, KW_METHOD_FEED_ACK, packed(&request.base));
}

void asking_done(struct asking *asking)
{
    kw_buf_done(&asking->record);
}
