/* A peer that does not keep to the hop's protocol, played by the waiting client: its stream is cut,
 * nothing else. */
#include "common/rpc/client.h"
#include "keyward/internal/v1/hop.pb-c.h"
#include "tests/support/hop_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#define FLAG(name) ((uint32_t)KEYWARD__INTERNAL__V1__FRAME_FLAG__FRAME_FLAG_##name)
#define LONG_MS    20000U
#define FIRST_CALL (1ULL << 16) /* slot 0 */

struct peer {
    struct hop_fixture fx;
    struct kw_client *client;
    struct kw_client_stream *stream;
    struct kw_arena *arena;
};

static void peer_init(struct peer *peer)
{
    const struct kw_client_call call = {.path = "/keyward.internal.v1.Hop/Stream",
                                        .timeout_ms = LONG_MS};

    hop_fixture_init(&peer->fx);
    hop_start_inner(&peer->fx);
    peer->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    peer->client = hop_outer_client(&peer->fx);
    hop_turn_aside(&peer->fx);
    cr_assert(kw_ok(kw_client_stream_open(peer->client, &call, &peer->stream, NULL)));
}

static void peer_done(struct peer *peer)
{
    kw_client_stream_free(peer->stream);
    kw_client_free(peer->client);
    kw_arena_free(peer->arena);
    hop_turn_here(&peer->fx);
    hop_fixture_done(&peer->fx);
}

static void send_message(struct peer *peer, Keyward__Internal__V1__HopMessage *message)
{
    size_t len = keyward__internal__v1__hop_message__get_packed_size(message);
    uint8_t *packed = malloc(len + 1);

    keyward__internal__v1__hop_message__pack(message, packed);
    KW_IGNORE(
        kw_client_stream_send(peer->stream, KW_BYTES(packed, len), NULL)); /* may be cut already */
    free(packed);
}

static void say_hello(struct peer *peer, uint32_t version, size_t boot_id_len)
{
    Keyward__Internal__V1__Hello hello = KEYWARD__INTERNAL__V1__HELLO__INIT;
    Keyward__Internal__V1__HopMessage message = KEYWARD__INTERNAL__V1__HOP_MESSAGE__INIT;

    hello.version = version;
    hello.boot_id = (ProtobufCBinaryData){.data = peer->fx.boot_id.bytes, .len = boot_id_len};
    message.hello = &hello;
    send_message(peer, &message);
}

static void send_frame(struct peer *peer, uint64_t call, uint32_t flags, size_t data_len)
{
    Keyward__Internal__V1__Frame frame = KEYWARD__INTERNAL__V1__FRAME__INIT;
    Keyward__Internal__V1__Frame *frames = &frame;
    Keyward__Internal__V1__HopMessage message = KEYWARD__INTERNAL__V1__HOP_MESSAGE__INIT;

    frame.call = call;
    frame.flags = flags;
    frame.method = HOP_SINK;
    frame.deadline_ms = LONG_MS;
    frame.data = (ProtobufCBinaryData){.data = calloc(1, data_len + 1), .len = data_len};
    message.n_frames = 1;
    message.frames = &frames;
    send_message(peer, &message);
    free(frame.data.data);
}

/* Reads the server's hello and whatever else comes until the stream ends, which it must before the
 * deadline. */
static void assert_cut(struct peer *peer)
{
    struct kw_client_reply reply;

    cr_assert(kw_ok(kw_client_stream_finish(peer->stream, peer->arena, &reply, NULL)));
    cr_assert(ne(int, reply.code, KW_GRPC_OK));
    cr_assert(ne(int, reply.code, KW_GRPC_DEADLINE_EXCEEDED));
    hop_turn_here(&peer->fx);
}

Test(hop_protocol, hello_is_answered_by_hello)
{
    struct peer peer;
    struct kw_bytes bytes;
    bool more = false;
    Keyward__Internal__V1__HopMessage *message;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    cr_assert(kw_ok(kw_client_stream_receive(peer.stream, peer.arena, &bytes, &more, NULL)));
    cr_assert(more);
    message = keyward__internal__v1__hop_message__unpack(NULL, bytes.len, bytes.data);
    cr_assert(ne(ptr, message, NULL));
    cr_assert(eq(uint, message->hello->version, 1));
    cr_assert(eq(sz, message->hello->boot_id.len, KW_ID_LEN));
    keyward__internal__v1__hop_message__free_unpacked(message, NULL);
    peer_done(&peer);
}

Test(hop_protocol, frame_before_hello_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN), 0);
    assert_cut(&peer);
    cr_assert(eq(uint, peer.fx.opened, 0));
    peer_done(&peer);
}

Test(hop_protocol, unknown_version_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 2, KW_ID_LEN);
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, short_boot_id_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN - 1);
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, second_hello_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    say_hello(&peer, 1, KW_ID_LEN);
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, bytes_that_are_no_message_cut_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    cr_assert(kw_ok(kw_client_stream_send(peer.stream, kw_bytes_str("\xff\xff\xff"), NULL)));
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, open_of_a_taken_slot_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN), 0);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN), 0);
    assert_cut(&peer);
    cr_assert(eq(uint, peer.fx.opened, 1));
    HOP_EVENTUALLY(&peer.fx, peer.fx.cancelled == 1);
    peer_done(&peer);
}

Test(hop_protocol, slot_outside_the_table_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL | KW_HOP_CALLS_MAX, FLAG(OPEN), 0);
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, item_over_the_limit_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN) | FLAG(DATA), KW_BODY_LEN_MAX + 1);
    assert_cut(&peer);
    cr_assert(eq(uint, peer.fx.opened, 0));
    peer_done(&peer);
}

Test(hop_protocol, data_after_end_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN) | FLAG(END), 0);
    send_frame(&peer, FIRST_CALL, FLAG(DATA), 1);
    assert_cut(&peer);
    peer_done(&peer);
}

Test(hop_protocol, data_beyond_the_credit_cuts_the_stream)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL, FLAG(OPEN), 0);
    for (int i = 0; i < 4; i++) {
        send_frame(&peer, FIRST_CALL, FLAG(DATA), KW_BODY_LEN_MAX);
    }
    assert_cut(&peer);
    cr_assert(le(sz, peer.fx.received, KW_HOP_CREDIT_BYTES + KW_BODY_LEN_MAX));
    peer_done(&peer);
}

/* The call of the next frame; a message may hold the hello alone. */
static uint64_t receive_frame(struct peer *peer)
{
    uint64_t call = 0;
    bool more = true;

    while (call == 0) {
        struct kw_bytes bytes;
        Keyward__Internal__V1__HopMessage *message;

        cr_assert(kw_ok(kw_client_stream_receive(peer->stream, peer->arena, &bytes, &more, NULL)));
        cr_assert(more);
        message = keyward__internal__v1__hop_message__unpack(NULL, bytes.len, bytes.data);
        call = message->n_frames > 0 ? message->frames[0]->call : 0;
        keyward__internal__v1__hop_message__free_unpacked(message, NULL);
    }
    return call;
}

/* It ended here while the frame was on its way: nobody's fault. */
Test(hop_protocol, frame_for_a_call_that_is_over_is_ignored)
{
    struct peer peer;

    peer_init(&peer);
    say_hello(&peer, 1, KW_ID_LEN);
    send_frame(&peer, FIRST_CALL, FLAG(DATA) | FLAG(END) | FLAG(CANCEL), 1);
    send_frame(&peer, 2 * FIRST_CALL, FLAG(OPEN), 0);
    send_frame(&peer, 2 * FIRST_CALL, FLAG(END), 0);
    cr_assert(eq(u64, receive_frame(&peer), 2 * FIRST_CALL));
    hop_turn_here(&peer.fx);
    cr_assert(eq(uint, peer.fx.ended, 1));
    peer_done(&peer);
}
