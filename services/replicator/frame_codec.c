/* Frames as bytes. Reading: the raw check, protobuf-c, the same bytes again?, our own structs, limits. */
#include "services/replicator/frame_codec.h"

#include "common/rpc/arena_proto.h"
#include "common/rpc/protocheck.h"
#include "keyward/internal/v1/replication.pb-c.h"

#define SAYS(what) KEYWARD__INTERNAL__V1__LINK_FRAME__SAYS_##what

/* A lane in a REACH: owner, id, two numbers, each with its key, and what is before it. */
#define LANE_LEN_MAX (2U + (1U + 10U) + (2U + KW_ID_LEN) + 2U * (1U + 9U))

_Static_assert(KW_LANES_MAX *LANE_LEN_MAX <= KW_LINK_FRAME_LEN_MAX, "a frame holds all lanes");

uint32_t kw_link_version(const struct kw_link_hello *ours, const struct kw_link_hello *theirs)
{
    uint32_t newest = ours->version < theirs->version ? ours->version : theirs->version;
    bool known = newest >= ours->version_lowest && newest >= theirs->version_lowest;

    return known ? newest : 0;
}

/* --- what every frame must be, read or written: the first thing that is wrong, or NULL --- */

static const char *wrong_name(const char name[KW_PLACE_NAME_SIZE])
{
    size_t len = strnlen(name, KW_PLACE_NAME_SIZE);

    if (len == 0 || len == KW_PLACE_NAME_SIZE || !kw_utf8_is_text(KW_BYTES(name, len))) {
        return "a place without a name";
    }
    return NULL;
}

static const char *wrong_hello(const struct kw_frame *frame, const struct kw_link_hello *hello)
{
    const char *wrong = wrong_name(hello->place.region);

    if (wrong == NULL) {
        wrong = wrong_name(hello->place.cell);
    }
    if (wrong == NULL && (hello->version_lowest == 0 || hello->version < hello->version_lowest)) {
        wrong = "no version";
    }
    if (wrong == NULL && kw_id_is_none(frame->mesh)) {
        wrong = "no mesh";
    }
    if (wrong == NULL && kw_id_is_none(frame->stores[KW_OWNER_AUTHZ]) &&
        kw_id_is_none(frame->stores[KW_OWNER_ORCHESTRATOR])) {
        wrong = "a hello of nobody";
    }
    return wrong;
}

static const char *wrong_reaches(const struct kw_frame *frame)
{
    if (frame->reach_count > KW_LANES_MAX) {
        return "more lanes than there are";
    }
    for (size_t i = 0; i < frame->reach_count; i++) {
        const struct kw_reach *reach = &frame->reaches[i];

        if (reach->owner >= KW_OWNER_COUNT_) {
            return "an owner that is none";
        }
        if (kw_id_is_none(reach->lane)) {
            return "a lane without an id";
        }
        if (reach->extent.seq > INT64_MAX || reach->extent.closed > INT64_MAX) {
            return "a number that no database holds";
        }
    }
    return NULL;
}

static const char *wrong_record(const struct kw_frame *frame)
{
    size_t len_max = frame->type == KW_FRAME_VOUCHER ? KW_VOUCHER_LEN_MAX : KW_BATCH_LEN_MAX;

    if (frame->owner >= KW_OWNER_COUNT_) {
        return "an owner that is none";
    }
    if (frame->record.len == 0 || frame->record.len > len_max) {
        return "a record that is empty or too long";
    }
    return NULL;
}

static const char *wrong_question(const struct kw_frame *frame)
{
    bool asks = frame->type == KW_FRAME_QUESTION;

    if (frame->owner >= KW_OWNER_COUNT_) {
        return "an owner that is none";
    }
    if (frame->number == 0) {
        return "a question without a number";
    }
    if (frame->record.len > (asks ? KW_QUESTION_LEN_MAX : KW_FEED_PIECE_LEN_MAX) ||
        (frame->record.len == 0 && (asks || frame->more))) {
        return "a question or answer that is empty or too long";
    }
    return NULL;
}

static const char *wrong_frame(const struct kw_frame *frame, const struct kw_link_hello *hello)
{
    switch (frame->type) {
    case KW_FRAME_HELLO:
        return wrong_hello(frame, hello);
    case KW_FRAME_REACH:
        return wrong_reaches(frame);
    case KW_FRAME_BATCH:
    case KW_FRAME_URGENT:
    case KW_FRAME_VOUCHER:
        return wrong_record(frame);
    case KW_FRAME_ACK:
    case KW_FRAME_NEED:
        return frame->reach_count == 1 ? wrong_reaches(frame) : "not one lane";
    case KW_FRAME_QUESTION:
    case KW_FRAME_ANSWER:
        return wrong_question(frame);
    case KW_FRAME_END_:
        break;
    }
    return "no type of ours";
}

/* --- writing --- */

/* The generated types are not const; packing only reads. */
static ProtobufCBinaryData binary(struct kw_bytes bytes)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes.data, .len = bytes.len};
}

static ProtobufCBinaryData id_or_nothing(const struct kw_id *id)
{
    return binary(kw_id_is_none(*id) ? KW_BYTES_NONE : kw_id_bytes(id));
}

static char *text(const char *name)
{
    return (char *)(uintptr_t)name;
}

static Keyward__Internal__V1__Owner owner_to_wire(enum kw_owner owner)
{
    return owner == KW_OWNER_AUTHZ ? KEYWARD__INTERNAL__V1__OWNER__OWNER_AUTHZ
                                   : KEYWARD__INTERNAL__V1__OWNER__OWNER_ORCHESTRATOR;
}

static Keyward__Internal__V1__LinkHello hello_to_wire(const struct kw_frame *frame,
                                                      const struct kw_link_hello *hello)
{
    Keyward__Internal__V1__LinkHello wire = KEYWARD__INTERNAL__V1__LINK_HELLO__INIT;

    wire.version = hello->version;
    wire.version_lowest = hello->version_lowest;
    wire.mesh = binary(kw_id_bytes(&frame->mesh));
    wire.region = text(hello->place.region);
    wire.cell = text(hello->place.cell);
    wire.authz_store = id_or_nothing(&frame->stores[KW_OWNER_AUTHZ]);
    wire.orchestrator_store = id_or_nothing(&frame->stores[KW_OWNER_ORCHESTRATOR]);
    return wire;
}

static void lane_to_wire(const struct kw_reach *reach, Keyward__Internal__V1__LaneReach *ret_wire)
{
    keyward__internal__v1__lane_reach__init(ret_wire);
    ret_wire->owner = owner_to_wire(reach->owner);
    ret_wire->lane = binary(kw_id_bytes(&reach->lane));
    ret_wire->seq = reach->extent.seq;
    ret_wire->closed = reach->extent.closed;
}

static struct kw_result lanes_to_wire(const struct kw_frame *frame, struct kw_arena *arena,
                                      Keyward__Internal__V1__LaneReach ***ret_list,
                                      struct kw_error *err)
{
    size_t count = frame->reach_count;
    Keyward__Internal__V1__LaneReach *lanes = kw_arena_alloc(arena, count * sizeof(*lanes));
    Keyward__Internal__V1__LaneReach **list = kw_arena_alloc(arena, count * sizeof(*list));

    KW_ENSURE(lanes != NULL && list != NULL, err, MEMORY, "a frame of %zu lanes", count);
    for (size_t i = 0; i < count; i++) {
        lane_to_wire(&frame->reaches[i], &lanes[i]);
        list[i] = &lanes[i];
    }
    *ret_list = list;
    return KW_OK;
}

/* What a frame points to while it is packed. */
struct wire {
    Keyward__Internal__V1__LinkFrame frame;
    Keyward__Internal__V1__LaneReach **lanes;
    union {
        Keyward__Internal__V1__LinkHello hello;
        Keyward__Internal__V1__LinkReach reach;
        Keyward__Internal__V1__LinkBatch batch;
        Keyward__Internal__V1__LinkUrgent urgent;
        Keyward__Internal__V1__LinkAck ack;
        Keyward__Internal__V1__LinkNeed need;
        Keyward__Internal__V1__LinkVoucher voucher;
        Keyward__Internal__V1__LinkQuestion question;
        Keyward__Internal__V1__LinkAnswer answer;
    } as;
};

static void reach_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_reach__init(&wire->as.reach);
    wire->as.reach.n_lanes = frame->reach_count;
    wire->as.reach.lanes = wire->lanes;
    wire->frame.reach = &wire->as.reach;
    wire->frame.says_case = SAYS(REACH);
}

static void batch_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_batch__init(&wire->as.batch);
    wire->as.batch.owner = owner_to_wire(frame->owner);
    wire->as.batch.record = binary(frame->record);
    wire->frame.batch = &wire->as.batch;
    wire->frame.says_case = SAYS(BATCH);
}

static void urgent_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_urgent__init(&wire->as.urgent);
    wire->as.urgent.owner = owner_to_wire(frame->owner);
    wire->as.urgent.record = binary(frame->record);
    wire->frame.urgent = &wire->as.urgent;
    wire->frame.says_case = SAYS(URGENT);
}

static void voucher_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_voucher__init(&wire->as.voucher);
    wire->as.voucher.owner = owner_to_wire(frame->owner);
    wire->as.voucher.record = binary(frame->record);
    wire->frame.voucher = &wire->as.voucher;
    wire->frame.says_case = SAYS(VOUCHER);
}

static void question_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_question__init(&wire->as.question);
    wire->as.question.owner = owner_to_wire(frame->owner);
    wire->as.question.number = frame->number;
    wire->as.question.record = binary(frame->record);
    wire->frame.question = &wire->as.question;
    wire->frame.says_case = SAYS(QUESTION);
}

static void answer_to_wire(const struct kw_frame *frame, struct wire *wire)
{
    keyward__internal__v1__link_answer__init(&wire->as.answer);
    wire->as.answer.owner = owner_to_wire(frame->owner);
    wire->as.answer.number = frame->number;
    wire->as.answer.record = binary(frame->record);
    wire->as.answer.more = frame->more;
    wire->frame.answer = &wire->as.answer;
    wire->frame.says_case = SAYS(ANSWER);
}

static void ack_to_wire(struct wire *wire)
{
    keyward__internal__v1__link_ack__init(&wire->as.ack);
    wire->as.ack.lane = wire->lanes[0];
    wire->frame.ack = &wire->as.ack;
    wire->frame.says_case = SAYS(ACK);
}

static void need_to_wire(struct wire *wire)
{
    keyward__internal__v1__link_need__init(&wire->as.need);
    wire->as.need.lane = wire->lanes[0];
    wire->frame.need = &wire->as.need;
    wire->frame.says_case = SAYS(NEED);
}

static void to_wire(const struct kw_frame *frame, const struct kw_link_hello *hello,
                    struct wire *wire)
{
    keyward__internal__v1__link_frame__init(&wire->frame);
    switch (frame->type) {
    case KW_FRAME_HELLO:
        wire->as.hello = hello_to_wire(frame, hello);
        wire->frame.hello = &wire->as.hello;
        wire->frame.says_case = SAYS(HELLO);
        break;
    case KW_FRAME_REACH:
        reach_to_wire(frame, wire);
        break;
    case KW_FRAME_BATCH:
        batch_to_wire(frame, wire);
        break;
    case KW_FRAME_URGENT:
        urgent_to_wire(frame, wire);
        break;
    case KW_FRAME_ACK:
        ack_to_wire(wire);
        break;
    case KW_FRAME_NEED:
        need_to_wire(wire);
        break;
    case KW_FRAME_VOUCHER:
        voucher_to_wire(frame, wire);
        break;
    case KW_FRAME_QUESTION:
        question_to_wire(frame, wire);
        break;
    case KW_FRAME_ANSWER:
        answer_to_wire(frame, wire);
        break;
    case KW_FRAME_END_:
        break;
    }
}

struct kw_result kw_frame_encode(const struct kw_frame *frame, const struct kw_link_hello *hello,
                                 struct kw_arena *arena, struct kw_bytes *ret_bytes,
                                 struct kw_error *err)
{
    const char *wrong = wrong_frame(frame, hello);
    struct wire wire;

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "link: %s", wrong);
    KW_TRY(lanes_to_wire(frame, arena, &wire.lanes, err));
    to_wire(frame, hello, &wire);
    return kw_arena_pack(arena, &wire.frame.base, ret_bytes, err);
}

/* --- reading --- */

/* Compares what is packed with what has come, as it is packed. */
struct echo {
    ProtobufCBuffer base;
    struct kw_bytes rest;
    bool same;
};

static void echo_append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
    struct echo *echo = (struct echo *)buffer;

    echo->same = echo->same && len <= echo->rest.len &&
                 kw_bytes_equal(KW_BYTES(echo->rest.data, len), KW_BYTES(data, len));
    if (echo->same) {
        echo->rest = KW_BYTES(echo->rest.data + len, echo->rest.len - len);
    }
}

/* Is this how we would have written it? Unknown fields are kept by protobuf-c, and written last. */
static bool written_so(const ProtobufCMessage *message, struct kw_bytes bytes)
{
    struct echo echo = {.base = {.append = echo_append}, .rest = bytes, .same = true};

    (void)protobuf_c_message_pack_to_buffer(message, &echo.base);
    return echo.same && echo.rest.len == 0;
}

static struct kw_result read_id(ProtobufCBinaryData wire, struct kw_id *ret_id,
                                struct kw_error *err)
{
    KW_ENSURE(wire.len == KW_ID_LEN, err, ENCODING_INVALID, "link: an id of %zu bytes", wire.len);
    kw_copy(ret_id->bytes, wire.data, KW_ID_LEN);
    return KW_OK;
}

/* Empty: none, which is said in no other way. */
static struct kw_result read_store(ProtobufCBinaryData wire, struct kw_id *ret_id,
                                   struct kw_error *err)
{
    if (wire.len == 0) {
        *ret_id = KW_ID_NONE;
        return KW_OK;
    }
    KW_TRY(read_id(wire, ret_id, err));
    KW_ENSURE(!kw_id_is_none(*ret_id), err, ENCODING_INVALID, "link: a store without an id");
    return KW_OK;
}

static struct kw_result read_name(const char *wire, char name[KW_PLACE_NAME_SIZE],
                                  struct kw_error *err)
{
    size_t len = strlen(wire);

    KW_ENSURE(len < KW_PLACE_NAME_SIZE, err, ENCODING_INVALID, "link: a name of %zu bytes", len);
    kw_copy(name, wire, len + 1);
    return KW_OK;
}

static struct kw_result read_owner(Keyward__Internal__V1__Owner wire, enum kw_owner *ret_owner,
                                   struct kw_error *err)
{
    KW_ENSURE(wire == KEYWARD__INTERNAL__V1__OWNER__OWNER_AUTHZ ||
                  wire == KEYWARD__INTERNAL__V1__OWNER__OWNER_ORCHESTRATOR,
              err, ENCODING_INVALID, "link: owner %d is none", (int)wire);
    *ret_owner =
        wire == KEYWARD__INTERNAL__V1__OWNER__OWNER_AUTHZ ? KW_OWNER_AUTHZ : KW_OWNER_ORCHESTRATOR;
    return KW_OK;
}

static struct kw_result read_hello(const Keyward__Internal__V1__LinkHello *wire,
                                   struct kw_frame *ret_frame, struct kw_link_hello *ret_hello,
                                   struct kw_error *err)
{
    *ret_hello =
        (struct kw_link_hello){.version = wire->version, .version_lowest = wire->version_lowest};
    KW_TRY(read_name(wire->region, ret_hello->place.region, err));
    KW_TRY(read_name(wire->cell, ret_hello->place.cell, err));
    KW_TRY(read_id(wire->mesh, &ret_frame->mesh, err));
    KW_TRY(read_store(wire->authz_store, &ret_frame->stores[KW_OWNER_AUTHZ], err));
    KW_TRY(read_store(wire->orchestrator_store, &ret_frame->stores[KW_OWNER_ORCHESTRATOR], err));
    return KW_OK;
}

static struct kw_result read_lane(const Keyward__Internal__V1__LaneReach *wire,
                                  struct kw_reach *ret_reach, struct kw_error *err)
{
    KW_TRY(read_owner(wire->owner, &ret_reach->owner, err));
    KW_TRY(read_id(wire->lane, &ret_reach->lane, err));
    ret_reach->extent = (struct kw_extent){.seq = wire->seq, .closed = wire->closed};
    return KW_OK;
}

/* `lanes` may hold NULL: an ACK or NEED without one. */
static struct kw_result read_lanes(Keyward__Internal__V1__LaneReach *const *lanes, size_t count,
                                   struct kw_arena *arena, struct kw_frame *ret_frame,
                                   struct kw_error *err)
{
    struct kw_reach *reaches = kw_arena_alloc(arena, count * sizeof(*reaches));

    KW_ENSURE(reaches != NULL, err, MEMORY, "a frame of %zu lanes", count);
    for (size_t i = 0; i < count; i++) {
        KW_ENSURE(lanes[i] != NULL, err, ENCODING_INVALID, "link: no lane");
        KW_TRY(read_lane(lanes[i], &reaches[i], err));
    }
    ret_frame->reaches = reaches;
    ret_frame->reach_count = count;
    return KW_OK;
}

static struct kw_result read_record(Keyward__Internal__V1__Owner owner, ProtobufCBinaryData record,
                                    struct kw_frame *ret_frame, struct kw_error *err)
{
    KW_TRY(read_owner(owner, &ret_frame->owner, err));
    ret_frame->record = KW_BYTES(record.data, record.len);
    return KW_OK;
}

static struct kw_result from_wire(const Keyward__Internal__V1__LinkFrame *wire,
                                  struct kw_arena *arena, struct kw_frame *ret_frame,
                                  struct kw_link_hello *ret_hello, struct kw_error *err)
{
    switch (wire->says_case) {
    case SAYS(HELLO):
        ret_frame->type = KW_FRAME_HELLO;
        return read_hello(wire->hello, ret_frame, ret_hello, err);
    case SAYS(REACH):
        ret_frame->type = KW_FRAME_REACH;
        return read_lanes(wire->reach->lanes, wire->reach->n_lanes, arena, ret_frame, err);
    case SAYS(BATCH):
        ret_frame->type = KW_FRAME_BATCH;
        return read_record(wire->batch->owner, wire->batch->record, ret_frame, err);
    case SAYS(URGENT):
        ret_frame->type = KW_FRAME_URGENT;
        return read_record(wire->urgent->owner, wire->urgent->record, ret_frame, err);
    case SAYS(ACK):
        ret_frame->type = KW_FRAME_ACK;
        return read_lanes(&wire->ack->lane, 1, arena, ret_frame, err);
    case SAYS(NEED):
        ret_frame->type = KW_FRAME_NEED;
        return read_lanes(&wire->need->lane, 1, arena, ret_frame, err);
    case SAYS(VOUCHER):
        ret_frame->type = KW_FRAME_VOUCHER;
        return read_record(wire->voucher->owner, wire->voucher->record, ret_frame, err);
    case SAYS(QUESTION):
        ret_frame->type = KW_FRAME_QUESTION;
        ret_frame->number = wire->question->number;
        return read_record(wire->question->owner, wire->question->record, ret_frame, err);
    case SAYS(ANSWER):
        ret_frame->type = KW_FRAME_ANSWER;
        ret_frame->number = wire->answer->number;
        ret_frame->more = wire->answer->more;
        return read_record(wire->answer->owner, wire->answer->record, ret_frame, err);
    case SAYS(_NOT_SET):
    case _KEYWARD__INTERNAL__V1__LINK_FRAME__SAYS__CASE_IS_INT_SIZE:
        break;
    }
    ret_frame->type = KW_FRAME_END_;
    KW_ENSURE(wire->base.n_unknown_fields > 0, err, ENCODING_INVALID, "link: an empty frame");
    return KW_OK;
}

struct kw_result kw_frame_decode(struct kw_bytes bytes, struct kw_arena *arena,
                                 struct kw_frame *ret_frame, struct kw_link_hello *ret_hello,
                                 struct kw_error *err)
{
    const ProtobufCMessageDescriptor *type = &keyward__internal__v1__link_frame__descriptor;
    ProtobufCMessage *message = NULL;
    const char *wrong;

    KW_TRY(kw_proto_check_within(type, bytes, KW_LINK_FRAME_LEN_MAX, err));
    KW_TRY(kw_arena_unpack(arena, type, bytes, &message, err));
    KW_ENSURE(written_so(message, bytes), err, ENCODING_INVALID,
              "link: a frame that we would write otherwise");
    *ret_frame = (struct kw_frame){0};
    KW_TRY(from_wire((const Keyward__Internal__V1__LinkFrame *)message, arena, ret_frame, ret_hello,
                     err));
    if (ret_frame->type != KW_FRAME_END_) {
        wrong = wrong_frame(ret_frame, ret_hello);
        KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "link: %s", wrong);
    }
    return KW_OK;
}
