/* FEED_READ: a batch of a lane, or what stands for it; FEED_ASK: the answer to another owner's question. In
 * pieces as credit allows.
 *
 * What was read is in memory until it is sent. So there are KW_FEED_READS_MAX at a time, and others wait,
 * of which there are no more than the hop has calls. */
#include "common/base/container.h"
#include "common/feed/feed_peers.h"
#include "common/feed/feed_reply.h"
#include "common/feed_service/feed_service_internal.h"
#include "common/rpc/messages.h"

#include <keyward/internal/v1/feed.pb-c.h>
#include <stdlib.h>

struct kw_feed_reading {
    struct kw_feed_task task;
    struct kw_feed_reading *next;
    struct kw_hop_call *hop; /* NULL: given up */
    bool running;            /* it has one of the places; else it waits for one */
    bool at_store;
    struct kw_buf question; /* KWJ1; empty: a batch is read */
    struct kw_log_ask told; /* of one who looks at our log from its beginning */
    bool tells;
    struct kw_id lane;
    uint64_t after;
    Keyward__Internal__V1__FeedRead found;
    uint64_t seq;
    uint64_t closed;
    struct kw_buf record;
    size_t sent;
    bool begun;
};

static void pump(struct kw_feed_service *service);

static void reading_free(struct kw_feed_reading *reading)
{
    struct kw_feed_service *service = reading->task.service;
    bool frees_a_place = reading->running;

    service->readings_running -= frees_a_place;
    kw_buf_done(&reading->question);
    kw_buf_done(&reading->record);
    free(reading);
    if (frees_a_place) {
        pump(service);
    }
}

/* --- sending --- */

static struct kw_bytes next_piece(const struct kw_feed_reading *reading)
{
    size_t left = reading->record.len - reading->sent;

    return KW_BYTES(reading->record.data + reading->sent,
                    left < KW_FEED_PIECE_LEN_MAX ? left : KW_FEED_PIECE_LEN_MAX);
}

static struct kw_result pack_message(const ProtobufCMessage *message, struct kw_buf *out,
                                     struct kw_error *err)
{
    KW_TRY(kw_buf_reserve(out, protobuf_c_message_get_packed_size(message), err));
    out->len = protobuf_c_message_pack(message, out->data);
    return KW_OK;
}

static struct kw_result pack_answer(struct kw_bytes piece, struct kw_buf *out, struct kw_error *err)
{
    Keyward__Internal__V1__FeedAskResponse message = KEYWARD__INTERNAL__V1__FEED_ASK_RESPONSE__INIT;

    message.record = kw_field_bytes(piece);
    return pack_message(&message.base, out, err);
}

static struct kw_result pack_batch(const struct kw_feed_reading *reading, struct kw_bytes piece,
                                   struct kw_buf *out, struct kw_error *err)
{
    Keyward__Internal__V1__FeedReadResponse message =
        KEYWARD__INTERNAL__V1__FEED_READ_RESPONSE__INIT;
    Keyward__Internal__V1__FeedExtent extent = KEYWARD__INTERNAL__V1__FEED_EXTENT__INIT;

    extent.lane = kw_field_bytes(kw_id_bytes(&reading->lane));
    extent.seq = reading->seq;
    extent.closed = reading->closed;
    message.record = kw_field_bytes(piece);
    if (!reading->begun) {
        message.read = reading->found;
        message.extent =
            reading->found == KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_NOTHING ? NULL : &extent;
    }
    return pack_message(&message.base, out, err);
}

/* `*ret_sent` false: not now. */
static struct kw_result send_piece(struct kw_feed_reading *reading, bool *ret_sent,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_bytes piece = next_piece(reading);

    KW_TRY(reading->question.len > 0 ? pack_answer(piece, &message, err)
                                     : pack_batch(reading, piece, &message, err));
    *ret_sent = kw_hop_send(reading->hop, (struct kw_hop_item){.data = kw_buf_bytes(&message)});
    if (*ret_sent) {
        reading->begun = true;
        reading->sent += piece.len;
    }
    return KW_OK;
}

static void send_on(struct kw_feed_reading *reading)
{
    struct kw_error error = {0};
    struct kw_result result = KW_OK;
    bool sent = true;

    while (kw_ok(result) && sent && (!reading->begun || reading->sent < reading->record.len)) {
        result = send_piece(reading, &sent, &error);
    }
    if (kw_ok(result) && !sent) {
        return; /* on_writable goes on */
    }
    if (kw_ok(result)) {
        kw_feed_call_succeed(reading->hop);
    } else {
        kw_feed_call_fail(reading->task.service, reading->hop, &error);
    }
    reading_free(reading);
}

/* --- at the store --- */

static Keyward__Internal__V1__FeedRead word_of(enum kw_feed_read read)
{
    switch (read) {
    case KW_FEED_READ_BATCH:
        return KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_BATCH;
    case KW_FEED_READ_HEARTBEAT:
        return KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_HEARTBEAT;
    case KW_FEED_READ_TRIMMED:
        return KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_TRIMMED;
    case KW_FEED_READ_NOTHING:
        break;
    }
    return KEYWARD__INTERNAL__V1__FEED_READ__FEED_READ_NOTHING;
}

static struct kw_result run_read(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_reading *reading = KW_CONTAINER_OF(job, struct kw_feed_reading, task.job);
    const struct kw_feed_service_options *options = &reading->task.service->options;
    struct kw_feed_found found;

    KW_TRY(kw_feed_read(options->feed, tx, reading->lane, reading->after, &options->identity->key,
                        &reading->record, &found, err));
    reading->found = word_of(found.read);
    reading->seq = found.seq;
    reading->closed = found.closed;
    return KW_OK;
}

/* Who asks for the list of our log's chains says how far it is. */
static void note_told(struct kw_feed_reading *reading, const struct kw_ask *ask)
{
    reading->tells = ask->purpose == KW_ASK_CHAINS &&
                     kw_ok(kw_log_key_read(ask->from.key, &reading->told, NULL)) &&
                     kw_log_from_start(&reading->told);
}

static struct kw_result reply(struct kw_feed_reading *reading, struct kw_tx *tx,
                              struct kw_arena *arena, struct kw_error *err)
{
    const struct kw_feed_service_options *options = &reading->task.service->options;
    struct kw_question question;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a question");
    KW_TRY(kw_question_decode(kw_buf_bytes(&reading->question), arena, &question, err));
    note_told(reading, &question.ask);
    return kw_feed_reply(options->feed, tx, &question, &options->identity->key, &reading->record,
                         err);
}

static struct kw_result run_reply(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_reading *reading = KW_CONTAINER_OF(job, struct kw_feed_reading, task.job);
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_result result = reply(reading, tx, arena, err);

    kw_arena_free(arena);
    return result;
}

static void read_done(struct kw_feed_task *task)
{
    struct kw_feed_reading *reading = KW_CONTAINER_OF(task, struct kw_feed_reading, task);

    reading->at_store = false;
    if (reading->tells) {
        kw_feed_keeping_told(task->service, &reading->told);
    }
    if (reading->hop == NULL) {
        reading_free(reading);
    } else if (kw_ok(task->job.result)) {
        send_on(reading);
    } else {
        kw_feed_call_fail(task->service, reading->hop, &task->job.error);
        reading_free(reading);
    }
}

static void begin(struct kw_feed_reading *reading)
{
    struct kw_error error = {0};

    reading->task.job.run = reading->question.len > 0 ? run_reply : run_read;
    reading->task.done = read_done;
    reading->at_store = kw_ok(kw_feed_task_read(reading->task.service, &reading->task, &error));
    if (!reading->at_store) {
        kw_feed_call_fail(reading->task.service, reading->hop, &error);
        reading->running = false; /* whoever began it goes on with the next */
        reading->task.service->readings_running--;
        reading_free(reading);
    }
}

static void pump(struct kw_feed_service *service)
{
    while (service->readings.first != NULL && service->readings_running < KW_FEED_READS_MAX) {
        struct kw_feed_reading *reading = service->readings.first;

        KW_FEED_QUEUE_POP(&service->readings);
        if (reading->hop == NULL) {
            reading_free(reading);
            continue;
        }
        reading->running = true;
        service->readings_running++;
        begin(reading);
    }
}

/* --- the call --- */

static void on_writable(struct kw_hop_call *hop, void *user)
{
    (void)hop;
    send_on(user);
}

/* One that waits stays in its queue, and one at the store until it is back. */
static void on_cancel(struct kw_hop_call *hop, void *user)
{
    struct kw_feed_reading *reading = user;

    (void)hop;
    reading->hop = NULL;
    if (reading->running && !reading->at_store) {
        reading_free(reading);
    }
}

static struct kw_result take_question(struct kw_feed_reading *reading,
                                      const struct kw_hop_open *open, struct kw_arena *arena,
                                      struct kw_error *err)
{
    Keyward__Internal__V1__FeedReadRequest *message;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a question");
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID, "a call without question");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_read_request__descriptor, open->item.data,
                             arena, (ProtobufCMessage **)&message, err));
    reading->after = message->after;
    return kw_id_from_bytes(kw_bytes_field(message->lane), &reading->lane, err);
}

static struct kw_result take_ask(struct kw_feed_reading *reading, const struct kw_hop_open *open,
                                 struct kw_arena *arena, struct kw_error *err)
{
    Keyward__Internal__V1__FeedAskRequest *message;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for a question");
    KW_ENSURE(open->has_item && open->end, err, ENCODING_INVALID, "a call without question");
    KW_TRY(kw_message_unpack(&keyward__internal__v1__feed_ask_request__descriptor, open->item.data,
                             arena, (ProtobufCMessage **)&message, err));
    KW_ENSURE(message->record.len > 0, err, ENCODING_INVALID, "an empty question");
    return kw_buf_append(&reading->question, kw_bytes_field(message->record), err);
}

static void open_reading(struct kw_feed_service *service, struct kw_hop_call *hop,
                         const struct kw_hop_open *open,
                         struct kw_result (*take)(struct kw_feed_reading *reading,
                                                  const struct kw_hop_open *open,
                                                  struct kw_arena *arena, struct kw_error *err))
{
    static const struct kw_hop_events events = {.writable = on_writable, .cancel = on_cancel};
    struct kw_feed_reading *reading = calloc(1, sizeof(*reading));
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_error error = {0};
    struct kw_result taken =
        reading != NULL ? take(reading, open, arena, &error) : KW_MAKE(&error, MEMORY, "a reading");

    kw_arena_free(arena);
    if (!kw_ok(taken)) {
        kw_feed_call_fail(service, hop, &error);
        free(reading);
        return;
    }
    reading->task.service = service;
    reading->hop = hop;
    kw_hop_serve(hop, &events, reading);
    KW_FEED_QUEUE_PUSH(&service->readings, reading);
    pump(service);
}

void kw_feed_reading_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                          const struct kw_hop_open *open)
{
    open_reading(service, hop, open, take_question);
}

void kw_feed_replying_open(struct kw_feed_service *service, struct kw_hop_call *hop,
                           const struct kw_hop_open *open)
{
    open_reading(service, hop, open, take_ask);
}
