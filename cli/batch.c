/* CreateBatch and programming. */
#include "cli/batch.h"
#include "cli/json.h"

#include "cli/member_files.h"

#include <stdlib.h>

struct collecting {
    FILE *file;
    struct kw_deliveries *deliveries;
    bool complete;
};

static struct kw_result line_out(const struct collecting *c, const ProtobufCMessage *message,
                                 struct kw_error *err)
{
    return c->file != NULL ? kw_json_line(kw_json_from_message(message), c->file, err) : KW_OK;
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
        (void)snprintf(c->deliveries->batch, sizeof(c->deliveries->batch), "%s", part->batch->name);
        return line_out(c, &part->batch->base, err);
    case KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_CHUNK:
        return take_chunk(c, part->chunk, err);
    case KEYWARD__V1__CREATE_BATCH_RESPONSE__PART_TOTALS:
        c->complete = true;
        return KW_OK;
    default: /* a part of a newer server */
        return KW_OK;
    }
}

struct kw_result kw_batch_create(struct kw_connection *station, ProtobufCMessage *request,
                                 struct kw_arena *arena, FILE *file,
                                 struct kw_deliveries *deliveries, struct kw_error *err)
{
    struct collecting c = {.file = file, .deliveries = deliveries};

    KW_TRY(
        kw_connection_stream(station, KW_METHOD_CREATE_BATCH, request, arena, take_part, &c, err));
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
