/* The owner that a test plays. */
#include "tests/support/replicator_owner.h"

#include "common/rpc/messages.h"
#include "common/rpc/methods.h"
#include "tests/support/must.h"

#include <keyward/internal/v1/feed.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    HEAD_LEN = 1 + KW_ID_LEN + 3 * 8, /* 'B', lane, from, to, closed */
    PIECE_LEN = 100 * 1024,
};

#define FOUND(what) KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_##what

/* --- batches --- */

static void put(uint8_t *at, uint64_t number)
{
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

static uint64_t get(const uint8_t *at)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++) {
        number = number << 8 | at[i];
    }
    return number;
}

static void write_batch(const struct owner_lane *lane, uint64_t from, uint64_t to, uint8_t *bytes,
                        size_t len)
{
    memset(bytes, 'x', len);
    bytes[0] = 'B';
    memcpy(bytes + 1, lane->id.bytes, KW_ID_LEN);
    put(bytes + 1 + KW_ID_LEN, from);
    put(bytes + 9 + KW_ID_LEN, to);
    put(bytes + 17 + KW_ID_LEN, to == lane->extent.seq ? lane->extent.closed : 0);
}

struct kw_bytes owner_batch(struct kw_id lane, uint64_t from, uint64_t to, size_t len,
                            uint8_t *room)
{
    const struct owner_lane made = {.id = lane, .extent = {.seq = to}};

    write_batch(&made, from, to, room, len);
    return KW_BYTES(room, len);
}

/* --- lanes --- */

static struct owner_lane *find(const struct test_owner *owner, struct kw_id id)
{
    for (size_t i = 0; i < owner->lane_count; i++) {
        if (kw_id_equal(owner->lanes[i].id, id)) {
            return (struct owner_lane *)(uintptr_t)&owner->lanes[i];
        }
    }
    return NULL;
}

struct kw_id owner_lane_id(const struct test_owner *owner)
{
    struct kw_id id = owner->store;

    id.bytes[KW_ID_LEN - 1] = 'L';
    return id;
}

uint64_t owner_held(const struct test_owner *owner, struct kw_id lane)
{
    const struct owner_lane *found = find(owner, lane);

    return found != NULL ? found->extent.seq : 0;
}

/* --- telling --- */

static bool say(struct kw_hop_call *call, const ProtobufCMessage *message)
{
    uint8_t *bytes = malloc(KW_BODY_LEN_MAX);
    bool said = kw_hop_send(
        call,
        (struct kw_hop_item){.data = KW_BYTES(bytes, protobuf_c_message_pack(message, bytes))});

    free(bytes);
    return said;
}

static void tell(struct test_owner *owner,
                 const Keyward__Internal__V1__FeedSubscribeResponse *response)
{
    if (owner->standing != NULL) {
        REQUIRE(say(owner->standing, &response->base), "more than the call takes");
    }
}

static void tell_name(struct test_owner *owner)
{
    Keyward__Internal__V1__FeedSubscribeResponse response =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;
    Keyward__Internal__V1__FeedOwner name = KEYWARD__INTERNAL__V1__FEED_OWNER__INIT;

    name.mesh = kw_field_bytes(kw_id_bytes(&owner->mesh));
    name.store = kw_field_bytes(kw_id_bytes(&owner->store));
    name.store.len -= owner->wrong == OWNER_BAD_STORE;
    response.owner = &name;
    tell(owner, &response);
}

static void tell_lane(struct test_owner *owner, const struct owner_lane *lane)
{
    Keyward__Internal__V1__FeedSubscribeResponse response =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;
    Keyward__Internal__V1__FeedLane wire = KEYWARD__INTERNAL__V1__FEED_LANE__INIT;
    Keyward__Internal__V1__FeedExtent extent = KEYWARD__INTERNAL__V1__FEED_EXTENT__INIT;
    Keyward__Internal__V1__FeedLane *list[] = {&wire};

    extent.lane = kw_field_bytes(kw_id_bytes(&lane->id));
    extent.seq = lane->extent.seq;
    extent.closed = lane->extent.closed;
    wire.extent = &extent;
    wire.region = kw_field_text(lane->origin.region);
    wire.cell = kw_field_text(owner->wrong == OWNER_BAD_PLACE ? "" : lane->origin.cell);
    response.n_lanes = 1;
    response.lanes = list;
    tell(owner, &response);
}

static void tell_voucher(struct test_owner *owner)
{
    Keyward__Internal__V1__FeedSubscribeResponse response =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;

    if (owner->voucher != NULL) {
        response.voucher = kw_field_bytes(kw_bytes_str(owner->voucher));
        tell(owner, &response);
    }
}

static void tell_all(struct test_owner *owner)
{
    if (owner->wrong == OWNER_GARBAGE) {
        REQUIRE(kw_hop_send(owner->standing, (struct kw_hop_item){.data = kw_bytes_str("\377")}),
                "garbage");
        return;
    }
    if (owner->wrong != OWNER_NO_NAME) {
        tell_name(owner);
    }
    if (owner->wrong == OWNER_TWO_NAMES) {
        tell_name(owner);
    }
    tell_voucher(owner);
    for (size_t i = 0; i < owner->lane_count; i++) {
        tell_lane(owner, &owner->lanes[i]);
    }
}

struct owner_lane *owner_hold(struct test_owner *owner, struct kw_id lane,
                              const struct kw_place *origin, uint64_t seq)
{
    struct owner_lane *held = find(owner, lane);

    if (held == NULL) {
        REQUIRE(owner->lane_count < OWNER_LANES_MAX, "lanes");
        held = &owner->lanes[owner->lane_count++];
        *held = (struct owner_lane){.id = lane, .origin = *origin};
    }
    held->extent.seq = seq;
    tell_lane(owner, held);
    return held;
}

void owner_write(struct test_owner *owner, uint64_t changes)
{
    owner->lanes[0].extent.seq += changes;
    tell_lane(owner, &owner->lanes[0]);
}

void owner_promise(struct test_owner *owner, uint64_t closed)
{
    owner->lanes[0].extent.closed = closed;
    tell_lane(owner, &owner->lanes[0]);
}

bool owner_urgent(struct test_owner *owner, const char *text)
{
    Keyward__Internal__V1__FeedSubscribeResponse response =
        KEYWARD__INTERNAL__V1__FEED_SUBSCRIBE_RESPONSE__INIT;

    response.urgent = kw_field_bytes(kw_bytes_str(text));
    return say(owner->standing, &response.base);
}

void owner_vouch(struct test_owner *owner, const char *text)
{
    owner->voucher = text;
    tell_voucher(owner);
}

/* --- being asked for a batch --- */

static void finish(struct kw_hop_call *call, enum kw_reason reason)
{
    const struct kw_hop_status status = {.reason = reason};

    kw_hop_finish(call, &status, KW_BYTES_NONE);
}

/* An answer on its way. */
struct saying {
    struct kw_hop_call *call;
    Keyward__Internal__V1__FeedReadResponse first;
    Keyward__Internal__V1__FeedExtent extent;
    struct kw_id lane;
    struct kw_buf batch;
    size_t at;
    bool begun;
};

static void saying_free(struct saying *saying)
{
    kw_buf_done(&saying->batch);
    free(saying);
}

static void saying_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    saying_free(user);
}

static bool say_piece(struct saying *saying)
{
    Keyward__Internal__V1__FeedReadResponse rest = KEYWARD__INTERNAL__V1__FEED_READ_RESPONSE__INIT;
    Keyward__Internal__V1__FeedReadResponse *message = saying->begun ? &rest : &saying->first;
    size_t left = saying->batch.len - saying->at;
    size_t len = left < PIECE_LEN ? left : PIECE_LEN;
    uint8_t *bytes = malloc(PIECE_LEN + 256);
    bool said;

    message->record = kw_field_bytes(KW_BYTES(saying->batch.data + saying->at, len));
    said = kw_hop_send(
        saying->call, (struct kw_hop_item){
                          .data = KW_BYTES(bytes, protobuf_c_message_pack(&message->base, bytes))});
    saying->at += said ? len : 0;
    saying->begun = saying->begun || said;
    free(bytes);
    return said;
}

static void say_more(struct kw_hop_call *call, void *user)
{
    struct saying *saying = user;

    while (!saying->begun || saying->at < saying->batch.len) {
        if (!say_piece(saying)) {
            return;
        }
    }
    finish(call, KW_E_NONE);
    saying_free(saying);
}

static struct saying *say_begin(struct kw_hop_call *call, Keyward__Internal__V1__FeedRead found)
{
    static const struct kw_hop_events events = {.writable = say_more, .cancel = saying_cancel};
    struct saying *saying = calloc(1, sizeof(*saying));

    REQUIRE(saying != NULL, "memory");
    saying->call = call;
    keyward__internal__v1__feed_read_response__init(&saying->first);
    keyward__internal__v1__feed_extent__init(&saying->extent);
    saying->first.read = found;
    kw_hop_serve(call, &events, saying);
    return saying;
}

static void answer_read(struct test_owner *owner, struct kw_hop_call *call,
                        const struct owner_lane *lane, uint64_t after)
{
    uint64_t to = lane->extent.seq - after > owner->batch ? after + owner->batch : lane->extent.seq;
    size_t len =
        HEAD_LEN + owner->padding + (owner->wrong == OWNER_LONG_BATCH ? KW_BATCH_LEN_MAX : 0);
    struct saying *saying = say_begin(call, owner->wrong == OWNER_NO_FINDING ? FOUND(UNSPECIFIED)
                                            : to > after                     ? FOUND(BATCH)
                                                                             : FOUND(HEARTBEAT));

    MUST(kw_buf_reserve(&saying->batch, len, err));
    saying->batch.len = len;
    write_batch(lane, after, to, saying->batch.data, len);
    saying->lane = lane->id;
    saying->lane.bytes[0] ^= owner->wrong == OWNER_OTHER_LANE;
    saying->extent.lane = kw_field_bytes(kw_id_bytes(&saying->lane));
    saying->extent.seq = to;
    saying->extent.closed = to == lane->extent.seq ? lane->extent.closed : 0;
    saying->first.extent = &saying->extent;
    say_more(call, saying);
}

static void open_read(struct test_owner *owner, struct kw_hop_call *call,
                      const struct kw_hop_open *open)
{
    Keyward__Internal__V1__FeedReadRequest *request =
        keyward__internal__v1__feed_read_request__unpack(NULL, open->item.data.len,
                                                         open->item.data.data);
    struct kw_id id;
    struct owner_lane *lane;

    REQUIRE(request != NULL, "a read that is none");
    MUST(kw_id_from_bytes(kw_bytes_field(request->lane), &id, err));
    lane = find(owner, id);
    owner->reads++;
    if (lane != NULL && owner->wrong != OWNER_TRIMMED) {
        answer_read(owner, call, lane, request->after);
    } else {
        say_more(call,
                 say_begin(call, owner->wrong == OWNER_TRIMMED ? FOUND(TRIMMED) : FOUND(NOTHING)));
    }
    keyward__internal__v1__feed_read_request__free_unpacked(request, NULL);
}

/* --- being handed a record --- */

struct handed {
    struct test_owner *owner;
    struct kw_hop_call *call;
    Keyward__Internal__V1__FeedRecord kind;
    struct kw_buf record;
};

static enum kw_lane_verdict judge_batch(struct test_owner *owner, struct kw_bytes record,
                                        struct kw_id *ret_lane)
{
    uint64_t from, to, closed;
    struct owner_lane *lane;

    REQUIRE(record.len >= HEAD_LEN && record.data[0] == 'B', "a batch that is none");
    MUST(kw_id_from_bytes(KW_BYTES(record.data + 1, KW_ID_LEN), ret_lane, err));
    from = get(record.data + 1 + KW_ID_LEN);
    to = get(record.data + 9 + KW_ID_LEN);
    closed = get(record.data + 17 + KW_ID_LEN);
    lane = find(owner, *ret_lane);
    if (from > (lane != NULL ? lane->extent.seq : 0)) {
        owner->gaps++;
        return KW_LANE_GAP;
    }
    if (lane == NULL) {
        lane = &owner->lanes[owner->lane_count++];
        *lane = (struct owner_lane){.id = *ret_lane, .origin = {"eu", "z"}};
    }
    if (to <= lane->extent.seq && closed <= lane->extent.closed) {
        return KW_LANE_KNOWN;
    }
    lane->extent.seq = to > lane->extent.seq ? to : lane->extent.seq;
    lane->extent.closed = closed > lane->extent.closed ? closed : lane->extent.closed;
    return KW_LANE_NEWS;
}

static enum kw_lane_verdict hear(char heard[][32], size_t *count, struct kw_bytes record)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%.*s", (int)record.len, (const char *)record.data);
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(heard[i], text) == 0) {
            return KW_LANE_KNOWN;
        }
    }
    if (*count < OWNER_HEARD_MAX) {
        memcpy(heard[(*count)++], text, sizeof(text));
    }
    return KW_LANE_NEWS;
}

static enum kw_lane_verdict judge(struct handed *handed, struct kw_id *ret_lane)
{
    struct test_owner *owner = handed->owner;
    struct kw_bytes record = kw_buf_bytes(&handed->record);
    enum kw_lane_verdict verdict;

    if (handed->kind == KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH) {
        return judge_batch(owner, record, ret_lane);
    }
    if (handed->kind == KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER) {
        return hear(owner->vouchers, &owner->voucher_count, record);
    }
    owner->urgent_at = owner->applies;
    verdict = hear(owner->urgents, &owner->urgent_count, record);
    owner->urgents_known += verdict == KW_LANE_KNOWN;
    return verdict;
}

static void reply(struct handed *handed, enum kw_lane_verdict verdict, const struct kw_id *lane)
{
    struct test_owner *owner = handed->owner;
    Keyward__Internal__V1__FeedApplyResponse response =
        KEYWARD__INTERNAL__V1__FEED_APPLY_RESPONSE__INIT;
    Keyward__Internal__V1__FeedExtent extent = KEYWARD__INTERNAL__V1__FEED_EXTENT__INIT;
    const struct owner_lane *held = find(owner, *lane);
    uint8_t bytes[128];

    extent.lane = kw_field_bytes(kw_id_bytes(lane));
    extent.seq = held != NULL ? held->extent.seq : 0;
    extent.closed = held != NULL ? held->extent.closed : 0;
    response.verdict =
        (Keyward__Internal__V1__FeedVerdict)(owner->wrong == OWNER_NO_VERDICT ? 0 : (int)verdict);
    response.extent = kw_id_is_none(*lane) || owner->wrong == OWNER_NO_EXTENT ? NULL : &extent;
    kw_hop_reply(handed->call,
                 (struct kw_hop_item){
                     .data = KW_BYTES(bytes, protobuf_c_message_pack(&response.base, bytes))});
    if (held != NULL && verdict == KW_LANE_NEWS) {
        tell_lane(owner, held);
    }
}

static void whole(struct handed *handed)
{
    struct test_owner *owner = handed->owner;
    struct kw_id lane = KW_ID_NONE;
    enum kw_lane_verdict verdict;

    owner->applies++;
    owner->longest = handed->record.len > owner->longest ? handed->record.len : owner->longest;
    if (owner->wrong == OWNER_UNREADABLE || owner->wrong == OWNER_BUSY) {
        finish(handed->call,
               owner->wrong == OWNER_BUSY ? KW_E_RATE_LIMITED : KW_E_ENCODING_INVALID);
    } else if (owner->parks) {
        REQUIRE(owner->parked_count < OWNER_PARKED_MAX, "parked");
        owner->parked[owner->parked_count++] = handed;
        return;
    } else {
        verdict = owner->verdict != 0 ? owner->verdict : judge(handed, &lane);
        reply(handed, verdict, &lane);
    }
    kw_buf_done(&handed->record);
    free(handed);
}

static void add_piece(struct handed *handed, struct kw_bytes item)
{
    Keyward__Internal__V1__FeedApplyRequest *request =
        keyward__internal__v1__feed_apply_request__unpack(NULL, item.len, item.data);

    REQUIRE(request != NULL, "a piece that is none");
    REQUIRE((request->kind == 0) == (handed->record.len > 0), "what it is is said first, and once");
    if (request->kind != 0) {
        handed->kind = request->kind;
    }
    MUST(kw_buf_append(&handed->record, kw_bytes_field(request->record), err));
    keyward__internal__v1__feed_apply_request__free_unpacked(request, NULL);
}

static void apply_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    add_piece(user, item.data);
    kw_hop_consume(call, item.data.len);
}

static void apply_end(struct kw_hop_call *call, void *user)
{
    (void)call;
    whole(user);
}

static void apply_cancel(struct kw_hop_call *call, void *user)
{
    struct handed *handed = user;
    struct test_owner *owner = handed->owner;

    (void)call;
    for (size_t i = 0; i < owner->parked_count; i++) {
        if (owner->parked[i] == handed) {
            owner->parked[i] = owner->parked[--owner->parked_count];
        }
    }
    kw_buf_done(&handed->record);
    free(handed);
}

static void open_apply(struct test_owner *owner, struct kw_hop_call *call,
                       const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {
        .data = apply_data, .end = apply_end, .cancel = apply_cancel};
    struct handed *handed = calloc(1, sizeof(*handed));

    REQUIRE(handed != NULL, "memory");
    handed->owner = owner;
    handed->call = call;
    kw_hop_serve(call, &events, handed);
    add_piece(handed, open->item.data);
    if (open->end) {
        whole(handed);
    }
}

/* --- acknowledgements --- */

static void note_ack(struct test_owner *owner, const struct owner_ack *ack)
{
    for (size_t i = 0; i < owner->ack_count; i++) {
        if (kw_id_equal(owner->acks[i].store, ack->store) &&
            kw_id_equal(owner->acks[i].lane, ack->lane)) {
            owner->acks[i].seq = ack->seq;
            return;
        }
    }
    REQUIRE(owner->ack_count < OWNER_HEARD_MAX, "acknowledgements");
    owner->acks[owner->ack_count++] = *ack;
}

static void open_ack(struct test_owner *owner, struct kw_hop_call *call,
                     const struct kw_hop_open *open)
{
    static const struct kw_hop_events events = {.data = NULL};
    Keyward__Internal__V1__FeedAckRequest *request =
        keyward__internal__v1__feed_ack_request__unpack(NULL, open->item.data.len,
                                                        open->item.data.data);
    struct owner_ack ack;

    REQUIRE(request != NULL, "an acknowledgement that is none");
    MUST(kw_id_from_bytes(kw_bytes_field(request->store), &ack.store, err));
    MUST(kw_id_from_bytes(kw_bytes_field(request->lane), &ack.lane, err));
    ack.seq = request->seq;
    keyward__internal__v1__feed_ack_request__free_unpacked(request, NULL);
    owner->acks_told++;
    note_ack(owner, &ack);
    if (owner->parks) {
        REQUIRE(owner->parked_ack_count < OWNER_PARKED_MAX, "parked");
        owner->parked_acks[owner->parked_ack_count++] = call;
        kw_hop_serve(call, &events, owner);
    } else if (owner->acks_end != KW_E_NONE) {
        finish(call, owner->acks_end);
    } else {
        kw_hop_reply(call, (struct kw_hop_item){0});
    }
}

uint64_t owner_acked(const struct test_owner *owner, struct kw_id store, struct kw_id lane)
{
    for (size_t i = 0; i < owner->ack_count; i++) {
        if (kw_id_equal(owner->acks[i].store, store) && kw_id_equal(owner->acks[i].lane, lane)) {
            return owner->acks[i].seq;
        }
    }
    return 0;
}

void owner_unpark(struct test_owner *owner)
{
    size_t count = owner->parked_count;

    owner->parks = false;
    owner->parked_count = 0;
    for (size_t i = 0; i < count; i++) {
        owner->applies--; /* it was counted */
        whole(owner->parked[i]);
    }
    for (size_t i = 0; i < owner->parked_ack_count; i++) {
        kw_hop_reply(owner->parked_acks[i], (struct kw_hop_item){0});
    }
    owner->parked_ack_count = 0;
}

/* --- its life --- */

static void standing_cancel(struct kw_hop_call *call, void *user)
{
    struct test_owner *owner = user;

    owner->standing = owner->standing == call ? NULL : owner->standing;
}

static void open_standing(struct test_owner *owner, struct kw_hop_call *call)
{
    static const struct kw_hop_events events = {.cancel = standing_cancel};

    owner->subscribed++;
    if (owner->standing != NULL) {
        finish(owner->standing, KW_E_STATE_CONFLICT);
    }
    owner->standing = call;
    kw_hop_serve(call, &events, owner);
    tell_all(owner);
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    struct test_owner *owner = context;

    REQUIRE(strcmp(peer->spiffe_id, owner->replicator) == 0, "a stranger");
    if (open->method == KW_METHOD_FEED_SUBSCRIBE) {
        open_standing(owner, call);
    } else if (open->method == KW_METHOD_FEED_READ) {
        open_read(owner, call, open);
    } else if (open->method == KW_METHOD_FEED_APPLY) {
        open_apply(owner, call, open);
    } else if (open->method == KW_METHOD_FEED_ACK) {
        open_ack(owner, call, open);
    } else {
        finish(call, KW_E_PERMISSION_DENIED);
    }
}

void owner_start(struct test_owner *owner)
{
    const char *const peers[] = {owner->replicator, NULL};
    char listen[32];
    const struct kw_hop_server_options options = {
        .listen = listen,
        .credentials_dir = owner->credentials_dir,
        .trust_domain = "test",
        .peers = peers,
        .handler = {.open = on_open, .context = owner},
    };
    struct kw_id boot_id;

    MUST(kw_id_random(&boot_id, err));
    owner->rpc_closed = false;
    MUST(kw_rpc_new(owner->loop, boot_id, &owner->rpc, err));
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%d", owner->port);
    MUST(kw_hop_server_new(owner->rpc, &options, &owner->server, &owner->port, err));
    owner->batch = owner->batch == 0 ? 500 : owner->batch;
    if (owner->lane_count == 0) {
        owner->lanes[0] = (struct owner_lane){.id = owner_lane_id(owner), .origin = owner->place};
        owner->lane_count = 1;
    }
}

static void server_closed(void *context)
{
    struct test_owner *owner = context;

    owner->server = NULL;
}

static void rpc_closed(void *context)
{
    struct test_owner *owner = context;

    owner->rpc_closed = true;
}

void owner_stop(struct test_owner *owner, void (*turn)(void *context), void *context)
{
    kw_hop_server_close(owner->server, server_closed, owner);
    while (owner->server != NULL) {
        turn(context);
    }
    kw_rpc_close(owner->rpc, rpc_closed, owner);
    while (!owner->rpc_closed) {
        turn(context);
    }
    kw_rpc_free(owner->rpc);
    owner->rpc = NULL;
    owner->parked_count = owner->parked_ack_count = 0;
}
