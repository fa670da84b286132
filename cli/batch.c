/* CreateBatch and programming. */
#include "cli/batch.h"
#include "cli/json.h"
#include "cli/member_files.h"
#include "common/base/clock.h"
#include "common/base/limits.h"

#include <stdlib.h>
#include <time.h>

#define PAUSE_MS     100U /* before the first time that is asked again; then twice that, … */
#define PAUSE_MS_MAX 2000U
#define ANSWER_MS    (2 * KW_PROTECT_WAIT_MS) /* what an answer may take: less left is no use */

struct collecting {
    FILE *file;
    struct kw_deliveries *deliveries;
    bool named; /* the batch was told of, and its line written */
    bool complete;
};

static struct kw_result line_out(const struct collecting *c, const ProtobufCMessage *message,
                                 struct kw_error *err)
{
    return c->file != NULL ? kw_json_line(kw_json_from_message(message), c->file, err) : KW_OK;
}

/* Comes again with each time that is asked. */
static struct kw_result take_batch(struct collecting *c, const Keyward__V1__Batch *batch,
                                   struct kw_error *err)
{
    bool was_named = c->named;

    (void)snprintf(c->deliveries->batch, sizeof(c->deliveries->batch), "%s", batch->name);
    c->named = true;
    return was_named ? KW_OK : line_out(c, &batch->base, err);
}

static struct kw_result take_chunk(const struct collecting *c, const Keyward__V1__BatchChunk *chunk,
                                   struct kw_error *err)
{
    for (size_t i = 0; i < chunk->n_items; i++) {
        struct kw_delivery delivery;

        KW_TRY(kw_delivery_from_item(chunk->items[i], &delivery, err));
        KW_TRY(kw_deliveries_add(c->deliveries, &delivery, err));
        KW_TRY(line_out(c, &chunk->items[i]->base, err));
    }
    return KW_OK;
}

static struct kw_result take_part(const ProtobufCMessage *message, void *context,
                                  struct kw_error *err)
{
    const Keyward__V1__CreateBatchResponse *part =
        (const Keyward__V1__CreateBatchResponse *)message;
    struct collecting *c = context;

    switch ((int)part->part_case) {
    case KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_BATCH:
        return take_batch(c, part->batch, err);
    case KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK:
        return take_chunk(c, part->chunk, err);
    case KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS:
        c->complete = true;
        return KW_OK;
    default: /* a part of a newer server */
        return KW_OK;
    }
}

/* --- until other cells have the keys --- */

static void pause_for(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms * KW_NS_PER_MS / KW_NS_PER_S),
                            .tv_nsec = (long)(ms * KW_NS_PER_MS % KW_NS_PER_S)};

    (void)nanosleep(&left, NULL);
}

/* What is left of the caller's time after a pause; 0: too little. */
static uint64_t left_ms(uint64_t end_ns, uint64_t pause_ms)
{
    uint64_t from_ns = kw_clock_mono_ns() + pause_ms * KW_NS_PER_MS;
    uint64_t left = end_ns > from_ns ? (end_ns - from_ns) / KW_NS_PER_MS : 0;

    return left >= ANSWER_MS ? left : 0;
}

/* The same request again gives the same keys: those that did not come yet. */
static struct kw_result collect(struct kw_connection *station,
                                Keyward__V1__CreateBatchRequest *request, struct kw_arena *arena,
                                struct collecting *c, struct kw_error *err)
{
    uint64_t end_ns = kw_clock_mono_ns() + station->timeout_ms * KW_NS_PER_MS;
    uint32_t first = request->start_index;

    for (uint64_t pause_ms = PAUSE_MS;; pause_ms *= 2) {
        struct kw_result result = kw_connection_stream(station, KW_METHOD_CREATE_BATCH,
                                                       &request->base, arena, take_part, c, err);

        pause_ms = pause_ms < PAUSE_MS_MAX ? pause_ms : PAUSE_MS_MAX;
        if (result.reason != KW_E_KEY_UNPROTECTED || left_ms(end_ns, pause_ms) == 0) {
            return result;
        }
        if (pause_ms == PAUSE_MS) {
            (void)fputs("keyward: the keys are made; waiting for other cells to have them, too\n",
                        stderr);
        }
        pause_for(pause_ms);
        station->timeout_ms = left_ms(end_ns, 0);
        request->start_index = first + (uint32_t)c->deliveries->count;
    }
}

struct kw_result kw_batch_create(struct kw_connection *station, ProtobufCMessage *request,
                                 struct kw_arena *arena, FILE *file,
                                 struct kw_deliveries *deliveries, struct kw_error *err)
{
    struct collecting c = {.file = file, .deliveries = deliveries};
    uint64_t timeout_ms = station->timeout_ms;
    struct kw_result result =
        collect(station, (Keyward__V1__CreateBatchRequest *)request, arena, &c, err);

    station->timeout_ms = timeout_ms;
    KW_TRY(result);
    KW_ENSURE(c.complete, err, STATE_CONFLICT,
              "the stream ended after %zu keys: again with the same --request-id",
              deliveries->count);
    return KW_OK;
}

static struct kw_result program_all(const struct kw_deliveries *deliveries, const char *dir,
                                    struct kw_pen_sim *pens, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    uint32_t version = 0;

    for (size_t i = 0; i < deliveries->count; i++) {
        const struct kw_delivery *delivery = &deliveries->items[i];

        if (delivery->transport_key_version != version) {
            version = delivery->transport_key_version;
            kw_secret_done(&key);
            KW_TRY(kw_transport_key_read(dir, version, &key, err));
        }
        KW_TRY(kw_pen_sim_program(&pens[i], delivery, &key, err));
    }
    return KW_OK;
}

struct kw_result kw_batch_program(const struct kw_deliveries *deliveries, const char *dir,
                                  struct kw_pen_sim **ret_pens, struct kw_error *err)
{
    struct kw_pen_sim *pens = calloc(deliveries->count + 1, sizeof(*pens));
    struct kw_result result;

    KW_ENSURE(pens != NULL, err, MEMORY, "pens");
    result = program_all(deliveries, dir, pens, err);
    if (!kw_ok(result)) {
        kw_pen_sim_wipe(pens, deliveries->count);
        free(pens);
        return result;
    }
    *ret_pens = pens;
    return KW_OK;
}
