/* Frames of another replicator, and what ours makes of them: the codec, then the mind that decides; and the whole
 * input as a piece of a frame.
 *
 * Input: how u8 (1, 2: which of two lanes our owners hold; 4: what is read is there; 8: time goes in long
 * steps; the high half: how what is applied is judged), then frames with their lengths, u16, before them. Between two frames our
 * owners answer all that they were asked, and time passes.
 *
 * What is read is within the limits and, written again, the same bytes, but for what a later release added.
 * What ours says a peer would read. Who is cut is told nothing more.
 */
#include "common/rpc/arena_proto.h"
#include "keyward/internal/v1/replication.pb-c.h"
#include "services/replicator/core/replicator.h"
#include "services/replicator/frame_codec.h"
#include "services/replicator/pieces.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/proto_mutate.h"

enum {
    LANES = 2,
    PEERS = 2, /* who says what the input says, and an honest one */
    WISHES_MAX = 256,
    STEP_MS = 20,
    LONG_STEP_MS = KW_LINK_SILENT_MS / 2,
};

enum wish_kind {
    WISH_READ,
    WISH_BATCH,
    WISH_URGENT,
    WISH_VOUCHER,
};

struct wish {
    enum wish_kind kind;
    struct kw_ticket ticket;
    uint64_t after;
    struct kw_bytes record;
};

static const struct kw_place places[] = {{"eu", "a"}, {"eu", "b"}, {"us", "a"}};
static const struct kw_link_hello hello = {{"eu", "a"}, KW_LINK_VERSION, KW_LINK_VERSION_LOWEST};
static const struct kw_id mesh = {"mmmmmmmmmmmmmmmm"};

static struct {
    struct kw_replicator *replicator;
    uint8_t how;
    uint64_t now_ms;
    struct wish wishes[WISHES_MAX];
    size_t first, count;
    bool cut[PEERS];
} at;

static struct kw_id id_of(uint8_t kind, size_t number)
{
    return (struct kw_id){{kind, (uint8_t)number, 1}};
}

/* --- what ours wishes --- */

static void on_send(void *context, uint32_t peer, const struct kw_frame *frame)
{
    struct kw_arena *arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    struct kw_link_hello said;
    struct kw_frame again;
    struct kw_bytes bytes;

    (void)context;
    KW_FUZZ_CHECK(arena != NULL && peer < PEERS && !at.cut[peer]);
    KW_FUZZ_MUST(kw_frame_encode(frame, &hello, arena, &bytes, NULL));
    KW_FUZZ_MUST(kw_frame_decode(bytes, arena, &again, &said, NULL));
    KW_FUZZ_CHECK(again.type == frame->type);
    kw_arena_free(arena);
}

static void wish(struct wish wished)
{
    KW_FUZZ_CHECK(at.count < WISHES_MAX && wished.ticket.peer < PEERS);
    KW_FUZZ_CHECK(wished.ticket.owner < KW_OWNER_COUNT_);
    at.wishes[(at.first + at.count++) % WISHES_MAX] = wished;
}

static void on_read(void *context, struct kw_ticket ticket, uint64_t after)
{
    (void)context;
    wish((struct wish){.kind = WISH_READ, .ticket = ticket, .after = after});
}

static void on_apply(void *context, struct kw_ticket ticket, struct kw_bytes batch)
{
    (void)context;
    wish((struct wish){.kind = WISH_BATCH, .ticket = ticket, .record = batch});
}

static void on_apply_urgent(void *context, struct kw_ticket ticket, struct kw_bytes urgent)
{
    (void)context;
    wish((struct wish){.kind = WISH_URGENT, .ticket = ticket, .record = urgent});
}

static void on_apply_voucher(void *context, struct kw_ticket ticket, struct kw_bytes voucher)
{
    (void)context;
    wish((struct wish){.kind = WISH_VOUCHER, .ticket = ticket, .record = voucher});
}

/* Now there is room, now there is not. */
static bool on_room(void *context, uint32_t peer)
{
    (void)context;
    KW_FUZZ_CHECK(peer < PEERS && !at.cut[peer]);
    return at.now_ms / STEP_MS % 4 != 0;
}

static void on_acked(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                     struct kw_id lane, uint64_t seq)
{
    (void)context;
    (void)peer_store;
    KW_FUZZ_CHECK(peer < PEERS && owner < KW_OWNER_COUNT_ && !kw_id_is_none(lane) &&
                  seq <= INT64_MAX);
}

static void on_cut(void *context, uint32_t peer, const char *why)
{
    (void)context;
    KW_FUZZ_CHECK(peer < PEERS && !at.cut[peer] && why != NULL && why[0] != '\0');
    at.cut[peer] = true;
}

/* --- what our owners answer --- */

static void read_for(const struct wish *wished)
{
    bool there = (at.how & 4) != 0;
    struct kw_bytes batch = there ? kw_bytes_str("KWN1") : KW_BYTES_NONE;
    struct kw_extent extent = {.seq = wished->after + (there ? 1 : 0), .closed = at.now_ms};

    kw_replicator_read(at.replicator, wished->ticket, batch, extent, at.now_ms);
}

static void judge(const struct wish *wished)
{
    enum kw_lane_verdict verdict =
        (enum kw_lane_verdict)(1 + (at.how >> 4) % (KW_LANE_VERDICT_END_ - 1));
    struct kw_reach held = {wished->ticket.owner, id_of('l', 0), {.seq = 1, .closed = at.now_ms}};

    KW_FUZZ_CHECK(wished->record.len > 0 && wished->record.len <= KW_BATCH_LEN_MAX);
    if (wished->kind == WISH_BATCH) {
        kw_replicator_applied(at.replicator, wished->ticket, verdict, &held);
    } else if (wished->kind == WISH_URGENT) {
        kw_replicator_urgent_applied(at.replicator, wished->ticket, verdict, wished->record);
    } else {
        kw_replicator_voucher_applied(at.replicator, wished->ticket, verdict);
    }
}

static void answer_all(void)
{
    while (at.count > 0) {
        struct wish wished = at.wishes[at.first];

        at.first = (at.first + 1) % WISHES_MAX;
        at.count--;
        if (wished.kind == WISH_READ) {
            read_for(&wished);
        } else {
            judge(&wished);
        }
    }
}

/* --- what must hold of a frame --- */

static void check_limits(const struct kw_frame *frame)
{
    KW_FUZZ_CHECK(frame->reach_count <= KW_LANES_MAX && frame->record.len <= KW_BATCH_LEN_MAX);
    KW_FUZZ_CHECK(frame->owner < KW_OWNER_COUNT_);
    for (size_t i = 0; i < frame->reach_count; i++) {
        const struct kw_reach *reach = &frame->reaches[i];

        KW_FUZZ_CHECK(reach->owner < KW_OWNER_COUNT_ && !kw_id_is_none(reach->lane));
        KW_FUZZ_CHECK(reach->extent.seq <= INT64_MAX && reach->extent.closed <= INT64_MAX);
    }
}

/* How many fields there are that we don't know. */
static size_t unknown(const ProtobufCMessage *message)
{
    size_t count = message->n_unknown_fields;

    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const uint8_t *base = (const uint8_t *)message;
        const void *const *value = (const void *const *)(base + field->offset);
        const unsigned *number = (const unsigned *)(base + field->quantifier_offset);
        size_t n = 1;

        if (field->type != PROTOBUF_C_TYPE_MESSAGE || *value == NULL ||
            ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && *number != field->id)) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            n = *(const size_t *)(base + field->quantifier_offset);
            value = *value;
        }
        for (size_t j = 0; j < n; j++) {
            count += unknown(value[j]);
        }
    }
    return count;
}

static void check_again(struct kw_bytes bytes, const struct kw_frame *frame,
                        const struct kw_link_hello *said)
{
    struct kw_arena *arena = kw_arena_new(2U * KW_LINK_FRAME_MEMORY_MAX);
    ProtobufCMessage *message;
    struct kw_bytes again;

    KW_FUZZ_CHECK(arena != NULL);
    KW_FUZZ_MUST(kw_arena_unpack(arena, &keyward__internal__v1__link_frame__descriptor, bytes,
                                 &message, NULL));
    if (frame->type == KW_FRAME_END_) {
        KW_FUZZ_CHECK(unknown(message) > 0);
    } else {
        KW_FUZZ_MUST(kw_frame_encode(frame, said, arena, &again, NULL));
        KW_FUZZ_CHECK(unknown(message) > 0 ? again.len < bytes.len : kw_bytes_equal(again, bytes));
    }
    kw_arena_free(arena);
}

/* --- one input --- */

static void take_honest(uint32_t peer)
{
    struct kw_frame greeting = {
        .type = KW_FRAME_HELLO, .mesh = mesh, .stores = {id_of('s', 9), id_of('s', 8)}};
    struct kw_frame reach = {.type = KW_FRAME_REACH};

    kw_replicator_frame(at.replicator, peer, &greeting, at.now_ms);
    kw_replicator_frame(at.replicator, peer, &reach, at.now_ms);
}

/* Links that were cut come up again; the honest peer is there at once. */
static void link_up(void)
{
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        if (at.cut[peer]) {
            at.cut[peer] = false;
            kw_replicator_link_up(at.replicator, peer, at.now_ms);
            if (peer > 0) {
                take_honest(peer);
            }
        }
    }
}

static void start(uint8_t how)
{
    struct kw_replicator_options options = {
        .mesh = mesh,
        .stores = {id_of('s', 0), id_of('s', 1)},
        .us = places[0],
        .cells = {places, 3},
        .io = {.send = on_send,
               .room = on_room,
               .read = on_read,
               .apply = on_apply,
               .apply_urgent = on_apply_urgent,
               .apply_voucher = on_apply_voucher,
               .acked = on_acked,
               .cut = on_cut},
    };

    at.how = how;
    at.now_ms = 1000;
    at.first = at.count = 0;
    KW_FUZZ_MUST(kw_replicator_new(&options, &at.replicator, NULL));
    for (size_t i = 0; i < LANES; i++) {
        if ((how >> i & 1) != 0) {
            KW_FUZZ_MUST(kw_replicator_lane(at.replicator, (enum kw_owner)i, id_of('l', i),
                                            &places[i], (struct kw_extent){9, 9}, at.now_ms, NULL));
        }
    }
    KW_FUZZ_MUST(kw_replicator_voucher(at.replicator, KW_OWNER_AUTHZ, kw_bytes_str("KWV1"), NULL));
    at.cut[0] = at.cut[1] = true;
    link_up();
    answer_all();
}

static void take(struct kw_bytes bytes)
{
    struct kw_arena *arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    struct kw_error err = {0};
    struct kw_link_hello said;
    struct kw_frame frame;

    KW_FUZZ_CHECK(arena != NULL);
    if (kw_fuzz_accepted(kw_frame_decode(bytes, arena, &frame, &said, &err), &err)) {
        check_limits(&frame);
        check_again(bytes, &frame, &said);
        kw_replicator_frame(at.replicator, 0, &frame, at.now_ms);
        answer_all(); /* while the record is there */
    }
    kw_arena_free(arena);
}

/* The input as an item of a hop, beginning with its one byte. */
static void take_item(struct kw_bytes bytes)
{
    struct kw_pieces pieces = {0};
    struct kw_buf again = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_pieces_take(&pieces, bytes, KW_LINK_FRAME_LEN_MAX, &err), &err)) {
        KW_FUZZ_CHECK(pieces.frame.len + 1 == bytes.len);
        KW_FUZZ_CHECK(pieces.whole == (bytes.data[0] == 0));
    }
    if (pieces.whole) {
        KW_FUZZ_MUST(kw_pieces_cut(kw_buf_bytes(&pieces.frame), &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_pieces_item(&again, 0), bytes));
    }
    kw_buf_done(&pieces.frame);
    kw_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);

    take_item(input.rest);
    start(kw_fuzz_u8(&input));
    while (input.rest.len > 0) {
        take(kw_fuzz_piece(&input));
        at.now_ms += (at.how & 8) != 0 ? LONG_STEP_MS : STEP_MS;
        kw_replicator_tick(at.replicator, at.now_ms);
        answer_all();
        link_up();
        answer_all();
    }
    kw_replicator_free(at.replicator);
    return 0;
}

#ifdef KW_FUZZ_ENGINE
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return kw_fuzz_pieces_mutate(&keyward__internal__v1__link_frame__descriptor, data, size,
                                 size_max, seed);
}
#endif
