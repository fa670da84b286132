/* BatchGetDeviceAccess: the stream. Each message is a chunk (chunk.h); several run at once, and
 * what the caller does not take holds up what it may send. */
#include "services/authz/operations.h"

#include "services/authz/chunk.h"
#include "services/authz/outflow.h"

struct stream {
    struct kw_outflow outflow;
    struct kw_chunk *running;
    size_t running_count;
    struct kw_chunk *waiting;
    struct kw_chunk **waiting_last;
    size_t owed; /* credit to return when the outflow is empty */
    bool ended;  /* the caller has closed its side */
    bool failed; /* `error` ends the stream once nothing runs */
    struct kw_error error;
};

static void list_free(struct kw_chunk *chunk)
{
    while (chunk != NULL) {
        struct kw_chunk *next = chunk->next;

        kw_chunk_free(chunk);
        chunk = next;
    }
}

static void release(struct kw_authz_call *call)
{
    struct stream *stream = call->state;

    list_free(stream->waiting);
    kw_outflow_done(&stream->outflow);
}

/* Gives up what runs: each chunk comes back by itself. */
static void stop(struct kw_authz_call *call)
{
    struct stream *stream = call->state;

    list_free(stream->waiting);
    stream->waiting = NULL;
    stream->waiting_last = &stream->waiting;
    for (struct kw_chunk *chunk = stream->running; chunk != NULL; chunk = chunk->next) {
        kw_chunk_cancel(chunk);
    }
}

static void fail(struct kw_authz_call *call, const struct kw_error *error)
{
    struct stream *stream = call->state;

    if (!stream->failed) {
        stream->failed = true;
        stream->error = *error;
        stop(call);
    }
}

static void return_credit(struct kw_authz_call *call)
{
    struct stream *stream = call->state;

    if (call->hop != NULL && kw_outflow_empty(&stream->outflow) && stream->owed > 0) {
        kw_hop_consume(call->hop, stream->owed);
        stream->owed = 0;
    }
}

static void start_waiting(struct kw_authz_call *call);

/* What is next after anything happened: more chunks, the end, or nothing. The call may be gone
 * afterwards. */
static void look_further(struct kw_authz_call *call)
{
    struct stream *stream = call->state;

    start_waiting(call);
    return_credit(call);
    if (stream->running != NULL || stream->waiting != NULL) {
        return;
    }
    if (stream->failed) {
        kw_authz_call_fail(call, &stream->error);
    } else if (call->hop == NULL || (stream->ended && kw_outflow_empty(&stream->outflow))) {
        kw_authz_call_end_stream(call);
    }
}

static void chunk_answer(struct kw_chunk *chunk, struct kw_bytes response)
{
    struct kw_authz_call *call = chunk->call;
    struct stream *stream = call->state;
    struct kw_error error;

    if (!kw_ok(kw_outflow_send(&stream->outflow, call->hop, (struct kw_hop_item){.data = response},
                               &error))) {
        fail(call, &error);
    }
}

static void chunk_remove(struct stream *stream, struct kw_chunk *chunk)
{
    struct kw_chunk **at = &stream->running;

    while (*at != chunk) {
        at = &(*at)->next;
    }
    *at = chunk->next;
    stream->running_count--;
}

static void chunk_done(struct kw_chunk *chunk)
{
    struct kw_authz_call *call = chunk->call;
    struct stream *stream = call->state;

    chunk_remove(stream, chunk);
    if (chunk->error.reason == KW_E_ARGUMENT_INVALID) {
        call->field = "items";
    }
    if (chunk->error.reason != KW_E_NONE) {
        fail(call, &chunk->error);
    }
    stream->owed += chunk->body.len;
    kw_chunk_free(chunk);
    look_further(call);
}

static void start_waiting(struct kw_authz_call *call)
{
    struct stream *stream = call->state;

    while (stream->waiting != NULL && stream->running_count < KW_CHUNKS_RUNNING_MAX) {
        struct kw_chunk *chunk = stream->waiting;
        struct kw_error error;

        stream->waiting = chunk->next;
        if (stream->waiting == NULL) {
            stream->waiting_last = &stream->waiting;
        }
        chunk->next = stream->running;
        stream->running = chunk;
        stream->running_count++;
        if (!kw_ok(kw_chunk_start(chunk, &error))) {
            chunk_remove(stream, chunk);
            kw_chunk_free(chunk);
            fail(call, &error);
        }
    }
}

static void message_take(struct kw_authz_call *call, struct kw_bytes message)
{
    struct stream *stream = call->state;
    struct kw_chunk *chunk;
    struct kw_error error;

    if (stream->failed) {
        return;
    }
    if (!kw_ok(kw_chunk_new(call, message, &chunk, &error))) {
        fail(call, &error);
        return;
    }
    chunk->answer = chunk_answer;
    chunk->done = chunk_done;
    *stream->waiting_last = chunk;
    stream->waiting_last = &chunk->next;
}

/* --- events of the outer side --- */

static void on_data(struct kw_hop_call *hop, struct kw_hop_item item, void *user)
{
    struct kw_authz_call *call = user;

    (void)hop;
    message_take(call, item.data);
    look_further(call);
}

static void on_end(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct stream *stream = call->state;

    (void)hop;
    stream->ended = true;
    look_further(call);
}

static void on_writable(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;
    struct stream *stream = call->state;

    kw_outflow_writable(&stream->outflow, hop);
    look_further(call);
}

static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_authz_call *call = user;

    (void)hop;
    call->hop = NULL;
    stop(call);
    look_further(call);
}

void kw_authz_batch_proceed(struct kw_authz_call *call)
{
    static const struct kw_hop_events events = {
        .data = on_data, .end = on_end, .writable = on_writable, .cancel = on_cancel};
    struct stream *stream = kw_arena_alloc(call->arena, sizeof(*stream));
    struct kw_error error;

    if (stream == NULL) {
        KW_IGNORE(KW_MAKE(&error, MEMORY, "a stream"));
        kw_authz_call_fail(call, &error);
        return;
    }
    stream->waiting_last = &stream->waiting;
    stream->ended = call->ended;
    call->state = stream;
    call->release = release;
    kw_hop_serve(call->hop, &events, call);
    message_take(call, call->body);
    look_further(call);
}
