/* Hop frames, both sides: messages as a peer could send them, read by the real code of common/rpc onto a stream whose
 * gRPC half (hop_stream.c) is replaced here by a few lines.
 *
 * Input: a byte (bit 0: we are the inner side; the rest: calls the outer side has open), then messages with their
 * lengths, u16, before them. Every call ends exactly once, the table of calls stays whole, and what we would send is
 * within the limits we hold others to.
 */
#include "common/base/clock.h"
#include "common/rpc/arena_proto.h"
#include "common/rpc/hop_roles.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/proto_mutate.h"

#include <stdlib.h>

#define CALL_NS (60ULL * 1000 * 1000 * 1000)

/* What the inner side does with a call, by its method number. */
enum behaviour {
    DOES_ECHO,
    DOES_PARK,
    DOES_RELAY,
    DOES_REFUSE,
    BEHAVIOUR_COUNT
};

static struct diary {
    size_t opened;
    size_t ended; /* by finish, cancel or status */
    size_t dropped;
} diary;

/* --- hop_stream.c's half --- */

void kw_hop_stream_put(struct kw_hop_stream *stream, Keyward__Internal__V1__Frame *frame)
{
    if (!stream->over && !stream->broken) {
        KW_FUZZ_MUST(kw_hop_outbox_frame(&stream->outbox, frame, NULL));
    }
}

void kw_hop_stream_break(struct kw_hop_stream *stream)
{
    stream->broken = true;
}

void kw_hop_stream_arm(struct kw_hop_stream *stream)
{
    (void)stream;
}

void kw_hop_stream_drop(struct kw_hop_call *call)
{
    diary.dropped++;
    kw_hop_calls_remove(&call->stream->calls, call);
}

bool kw_hop_stream_full(const struct kw_hop_stream *stream)
{
    return stream->outbox.bytes >= KW_HOP_QUEUE_BYTES_MAX;
}

/* --- inner side --- */

static void finish(struct kw_hop_call *call)
{
    const struct kw_hop_status status = {.reason = KW_E_ARGUMENT_INVALID,
                                         .field = "a.b",
                                         .description = "said so",
                                         .retry_after_ms = 7};

    diary.ended++;
    kw_hop_finish(call, &status, kw_bytes_str("context"));
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    if (user != NULL) {
        (void)kw_hop_send(call, item);
        kw_hop_consume(call, item.data.len);
    }
}

static void on_end(struct kw_hop_call *call, void *user)
{
    if (user != NULL) {
        finish(call);
    }
}

static void on_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    (void)user;
    diary.ended++;
}

static void on_open(struct kw_hop_call *call, const struct kw_hop_peer *peer,
                    const struct kw_hop_open *open, void *context)
{
    static const struct kw_hop_events events = {
        .data = on_data, .end = on_end, .cancel = on_cancel};
    enum behaviour behaviour = (enum behaviour)(open->method % BEHAVIOUR_COUNT);

    (void)peer;
    (void)context;
    diary.opened++;
    if (behaviour == DOES_ECHO) {
        diary.ended++;
        kw_hop_reply(call, open->item);
    } else if (behaviour == DOES_REFUSE) {
        finish(call);
    } else {
        kw_hop_serve(call, &events, behaviour == DOES_RELAY ? call : NULL);
    }
}

static bool inner_frame(struct kw_hop_stream *stream, const Keyward__Internal__V1__Frame *frame)
{
    static const struct kw_hop_handler handler = {.open = on_open};
    struct kw_hop_peer peer = {.spiffe_id = "peer", .boot_id = stream->peer_boot_id};

    return kw_hop_inner_frame(stream, frame, &handler, &peer);
}

/* --- outer side --- */

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    (void)call;
    (void)context;
    (void)user;
    KW_FUZZ_CHECK(status->reason < KW_E_COUNT_ && status->field != NULL &&
                  status->description != NULL);
    diary.ended++;
}

static void open_calls(struct kw_hop_stream *stream, unsigned count)
{
    static const struct kw_hop_events events = {.data = on_data, .status = on_status};
    struct kw_hop_open open = {.deadline_ns = kw_clock_mono_ns() + CALL_NS,
                               .item = {.data = kw_bytes_str("first")},
                               .has_item = true};

    for (unsigned i = 0; i < count; i++) {
        struct kw_hop_call *call;

        open.end = i % 2 == 0;
        KW_FUZZ_MUST(
            kw_hop_outer_open(stream, &open, &events, open.end ? NULL : stream, &call, NULL));
        diary.opened++;
    }
}

/* --- what must hold --- */

static void check_calls(const struct kw_hop_calls *calls)
{
    size_t used = 0;

    for (size_t i = 0; i < KW_HOP_CALLS_MAX; i++) {
        used += calls->slots[i] != NULL;
    }
    KW_FUZZ_CHECK(used == calls->count && used == diary.opened - diary.dropped);
    for (size_t i = 0; i < calls->count; i++) {
        const struct kw_hop_call *call = calls->heap[i];

        KW_FUZZ_CHECK(call->heap_index == i && kw_hop_calls_find(calls, call->id) == call);
        KW_FUZZ_CHECK(i == 0 || calls->heap[(i - 1) / 2]->deadline_ns <= call->deadline_ns);
        KW_FUZZ_CHECK(call->credit <= (int64_t)call->window);
        KW_FUZZ_CHECK(call->unconsumed + call->credit_owed <= call->window + KW_BODY_LEN_MAX);
    }
}

/* What waits to be sent is what a peer of ours would accept. */
static void check_outbox(struct kw_hop_outbox *outbox)
{
    struct kw_hop_parcel *parcel;

    while ((parcel = kw_hop_outbox_take(outbox)) != NULL) {
        struct kw_arena *arena = kw_arena_new(3U * KW_HOP_MESSAGE_LEN_MAX);
        ProtobufCMessage *message;

        KW_FUZZ_CHECK(parcel->packed.len <= KW_HOP_MESSAGE_LEN_MAX);
        KW_FUZZ_MUST(kw_arena_unpack(arena, &keyward__internal__v1__hop_message__descriptor,
                                     kw_buf_bytes(&parcel->packed), &message, NULL));
        KW_FUZZ_CHECK(((Keyward__Internal__V1__HopMessage *)message)->n_frames <=
                      KW_HOP_FRAMES_MAX);
        kw_arena_free(arena);
        kw_hop_parcel_free(parcel);
    }
}

static void note_ready(struct kw_hop_stream *stream)
{
    KW_FUZZ_CHECK(stream->ready);
}

static const struct kw_hop_role inner_role = {.ready = note_ready,
                                              .frame = inner_frame,
                                              .lost = kw_hop_inner_lost,
                                              .expired = kw_hop_inner_expired};
static const struct kw_hop_role outer_role = {.ready = note_ready,
                                              .frame = kw_hop_outer_frame,
                                              .lost = kw_hop_outer_lost,
                                              .expired = kw_hop_outer_expired};

static void end_all(struct kw_hop_stream *stream)
{
    struct kw_hop_call *call;

    for (unsigned i = 0; (call = kw_hop_calls_first(&stream->calls)) != NULL; i++) {
        (i % 2 == 0 ? stream->role->expired : stream->role->lost)(call);
    }
    KW_FUZZ_CHECK(diary.ended == diary.opened && diary.dropped == diary.opened);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    struct kw_hop_stream *stream = calloc(1, sizeof(*stream));
    struct kw_error err = {0};
    uint8_t head = kw_fuzz_u8(&input);
    bool going = true;

    KW_FUZZ_CHECK(stream != NULL);
    diary = (struct diary){0};
    stream->inner = head % 2 == 1;
    stream->role = stream->inner ? &inner_role : &outer_role;
    open_calls(stream, stream->inner ? 0 : head / 2 % 8);
    while (going && input.rest.len > 0) {
        going = kw_fuzz_accepted(kw_hop_stream_read(stream, kw_fuzz_piece(&input), &err), &err);
        check_calls(&stream->calls);
    }
    end_all(stream);
    check_outbox(&stream->outbox);
    free(stream);
    return 0;
}

#ifdef KW_FUZZ_ENGINE
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    return kw_fuzz_pieces_mutate(&keyward__internal__v1__hop_message__descriptor, data, size,
                                 size_max, seed);
}
#endif
