/* Frames out and in. */
#include "services/replicator/wire.h"

#include "common/base/log.h"
#include "common/base/metrics.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

enum {
    GREETING = 2, /* frames that nothing goes ahead of: the hello and the reach */
};

void kw_wire_break(struct kw_wire *wire, const char *why)
{
    if (wire->why == NULL) {
        wire->why = why;
        wire->options.events.broken(wire->options.events.context);
    }
}

/* --- out --- */

static void queue_init(struct kw_wire_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_add(struct kw_wire_queue *queue, struct kw_wire_frame *frame)
{
    *queue->last = frame;
    queue->last = &frame->next;
}

static struct kw_wire_frame *queue_take(struct kw_wire_queue *queue)
{
    struct kw_wire_frame *frame = queue->first;

    if (frame != NULL) {
        queue->first = frame->next;
        queue->last = queue->first == NULL ? &queue->first : queue->last;
    }
    return frame;
}

static void frame_free(struct kw_wire_frame *frame)
{
    if (frame != NULL) {
        kw_buf_done(&frame->items);
        free(frame);
    }
}

static struct kw_wire_frame *next_frame(struct kw_wire *wire)
{
    struct kw_wire_frame *frame = wire->sent < GREETING ? NULL : queue_take(&wire->urgent);

    return frame != NULL ? frame : queue_take(&wire->waiting);
}

/* The rest of the frame, as far as the call takes it. */
static bool send_going(struct kw_wire *wire)
{
    struct kw_wire_frame *frame = wire->going;

    while (frame->at < frame->items.len) {
        struct kw_bytes item = kw_pieces_item(&frame->items, frame->at);

        if (!kw_hop_send(wire->call, (struct kw_hop_item){.data = item})) {
            return false;
        }
        frame->at += item.len;
        wire->queued -= item.len;
        wire->urgents -= frame->urgent ? item.len : 0;
        kw_metric_add(KW_M_LINK_BYTES, "sent", (int64_t)item.len);
    }
    return true;
}

static void pump(struct kw_wire *wire)
{
    while (wire->why == NULL && wire->call != NULL) {
        if (wire->going == NULL) {
            wire->going = next_frame(wire);
        }
        if (wire->going == NULL || !send_going(wire)) {
            break;
        }
        frame_free(wire->going);
        wire->going = NULL;
        wire->sent += wire->sent < GREETING;
        kw_metric_add(KW_M_LINK_FRAMES, "sent", 1);
    }
}

static struct kw_result encode(struct kw_wire *wire, const struct kw_frame *frame,
                               struct kw_buf *items, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    struct kw_bytes bytes;
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "a frame");
    result = kw_frame_encode(frame, wire->options.hello, arena, &bytes, err);
    if (kw_ok(result)) {
        result = kw_pieces_cut(bytes, items, err);
    }
    kw_arena_free(arena);
    return result;
}

static struct kw_result enqueue(struct kw_wire *wire, const struct kw_frame *frame,
                                struct kw_error *err)
{
    struct kw_wire_frame *made = calloc(1, sizeof(*made));
    struct kw_result result;

    KW_ENSURE(made != NULL, err, MEMORY, "a frame");
    result = encode(wire, frame, &made->items, err);
    if (!kw_ok(result)) {
        frame_free(made);
        return result;
    }
    made->urgent = frame->type == KW_FRAME_URGENT;
    queue_add(made->urgent ? &wire->urgent : &wire->waiting, made);
    wire->queued += made->items.len;
    wire->urgents += made->urgent ? made->items.len : 0;
    return KW_OK;
}

void kw_wire_send(struct kw_wire *wire, const struct kw_frame *frame)
{
    struct kw_error error = {0};

    if (wire->why != NULL) {
        return;
    }
    if (!kw_ok(enqueue(wire, frame, &error))) {
        KW_LOG(ERROR, "a frame was not sent", KW_F_ERR(&error));
        kw_wire_break(wire, "a frame was not sent");
        return;
    }
    pump(wire);
    if (wire->queued > KW_LINK_QUEUE_LEN_MAX) {
        kw_metric_add(KW_M_LIMITS_REACHED, "link_queue", 1);
        kw_wire_break(wire, "it does not take what we send");
    }
}

bool kw_wire_room(struct kw_wire *wire)
{
    wire->wanted = wire->wanted || wire->queued >= KW_LINK_QUEUE_LEN_SOFT;
    return !wire->wanted;
}

bool kw_wire_urgent_room(const struct kw_wire *wire)
{
    return wire->urgents < KW_LINK_URGENTS_LEN_MAX;
}

/* --- in --- */

/* Credit goes back unless our owners have more of this peer than they should. */
static void consume(struct kw_wire *wire)
{
    if (wire->call != NULL && *wire->options.held < KW_LINK_HELD_LEN_MAX) {
        kw_hop_consume(wire->call, wire->unconsumed);
        wire->unconsumed = 0;
    }
}

void kw_wire_judged(struct kw_wire *wire)
{
    if (wire->unconsumed > 0) {
        consume(wire);
    }
}

/* A hello is looked at by the mind too; here is what only the link knows. */
static const char *wrong_hello(const struct kw_wire *wire, const struct kw_link_hello *hello)
{
    if (!kw_place_equal(&hello->place, wire->options.peer)) {
        return "it is not where its certificate says";
    }
    if (kw_link_version(wire->options.hello, hello) == 0) {
        return "no version that both know";
    }
    return NULL;
}

static struct kw_result take_frame(struct kw_wire *wire, struct kw_arena *arena,
                                   struct kw_error *err)
{
    struct kw_link_hello hello;
    struct kw_frame frame;
    const char *wrong;

    KW_TRY(kw_frame_decode(kw_buf_bytes(&wire->coming.frame), arena, &frame, &hello, err));
    wrong = frame.type == KW_FRAME_HELLO ? wrong_hello(wire, &hello) : NULL;
    if (wrong != NULL) {
        kw_wire_break(wire, wrong);
        return KW_OK;
    }
    if (frame.type == KW_FRAME_HELLO) {
        wire->version = kw_link_version(wire->options.hello, &hello);
    }
    kw_metric_add(KW_M_LINK_FRAMES, "received", 1);
    wire->options.events.frame(wire->options.events.context, &frame);
    return KW_OK;
}

static struct kw_result take_item(struct kw_wire *wire, struct kw_bytes item, struct kw_error *err)
{
    struct kw_arena *arena;
    struct kw_result result;

    KW_TRY(kw_pieces_take(&wire->coming, item, KW_LINK_FRAME_LEN_MAX, err));
    if (!wire->coming.whole) {
        return KW_OK;
    }
    arena = kw_arena_new(KW_LINK_FRAME_MEMORY_MAX);
    KW_ENSURE(arena != NULL, err, MEMORY, "a frame");
    result = take_frame(wire, arena, err);
    kw_arena_free(arena);
    return result;
}

static void take(struct kw_wire *wire, struct kw_bytes item)
{
    struct kw_error error = {0};

    if (wire->why != NULL) {
        return;
    }
    kw_metric_add(KW_M_LINK_BYTES, "received", (int64_t)item.len);
    wire->unconsumed += item.len;
    if (!kw_ok(take_item(wire, item, &error))) {
        KW_LOG(WARN, "what a peer said can't be read",
               KW_F_STR("region", wire->options.peer->region),
               KW_F_STR("cell", wire->options.peer->cell), KW_F_ERR(&error));
        kw_wire_break(wire, error.reason == KW_E_MEMORY ? "no memory" : "it can't be read");
        return;
    }
    consume(wire);
}

/* --- the call --- */

static void over(struct kw_wire *wire, const char *why)
{
    wire->call = NULL;
    kw_wire_break(wire, why);
}

static void on_data(struct kw_hop_call *call, struct kw_hop_item item, void *user)
{
    (void)call;
    take(user, item.data);
}

static void on_end(struct kw_hop_call *call, void *user)
{
    (void)call;
    kw_wire_break(user, "it has ended the link");
}

static void on_writable(struct kw_hop_call *call, void *user)
{
    struct kw_wire *wire = user;

    (void)call;
    pump(wire);
    if (wire->wanted && wire->queued <= KW_LINK_QUEUE_LEN_SOFT / 2) {
        wire->wanted = false;
        wire->options.events.room(wire->options.events.context);
    }
}

static void on_cancel(struct kw_hop_call *call, void *user)
{
    (void)call;
    over(user, "lost");
}

static void on_status(struct kw_hop_call *call, const struct kw_hop_status *status,
                      struct kw_bytes context, void *user)
{
    struct kw_wire *wire = user;

    (void)call;
    (void)context;
    if (status->reason != KW_E_PEER_UNAVAILABLE) {
        KW_LOG(INFO, "a peer has ended the link", KW_F_STR("region", wire->options.peer->region),
               KW_F_STR("cell", wire->options.peer->cell),
               KW_F_STR("reason", kw_reason_row(status->reason)->name),
               KW_F_STR("why", status->description));
    }
    over(wire, status->reason == KW_E_PEER_UNAVAILABLE ? "lost" : "it has ended the link");
}

/* --- its life --- */

struct kw_result kw_wire_new(const struct kw_wire_options *options, struct kw_wire **ret_wire,
                             struct kw_error *err)
{
    struct kw_wire *wire = calloc(1, sizeof(*wire));

    KW_ENSURE(wire != NULL, err, MEMORY, "a link");
    wire->options = *options;
    queue_init(&wire->waiting);
    queue_init(&wire->urgent);
    *ret_wire = wire;
    return KW_OK;
}

struct kw_result kw_wire_call(struct kw_wire *wire, struct kw_hop_client *client,
                              struct kw_error *err)
{
    static const struct kw_hop_events events = {
        .data = on_data, .writable = on_writable, .status = on_status};
    const struct kw_hop_open open = {.method = KW_METHOD_LINK, .deadline_ns = UINT64_MAX};

    return kw_hop_open(client, &open, &events, wire, &wire->call, err);
}

void kw_wire_serve(struct kw_wire *wire, struct kw_hop_call *call)
{
    static const struct kw_hop_events events = {
        .data = on_data, .end = on_end, .writable = on_writable, .cancel = on_cancel};

    wire->call = call;
    wire->inner = true;
    kw_hop_serve(call, &events, wire);
}

static void end_call(struct kw_wire *wire)
{
    const struct kw_hop_status status = {.reason = KW_E_CANCELLED, .description = wire->why};

    if (wire->call == NULL) {
        return;
    }
    if (wire->inner) {
        kw_hop_finish(wire->call, &status, KW_BYTES_NONE);
    } else {
        kw_hop_cancel(wire->call);
    }
}

static void queue_free(struct kw_wire_queue *queue)
{
    for (struct kw_wire_frame *frame = queue_take(queue); frame != NULL;
         frame = queue_take(queue)) {
        frame_free(frame);
    }
}

void kw_wire_free(struct kw_wire *wire)
{
    if (wire == NULL) {
        return;
    }
    end_call(wire);
    queue_free(&wire->waiting);
    queue_free(&wire->urgent);
    frame_free(wire->going);
    kw_buf_done(&wire->coming.frame);
    free(wire);
}
