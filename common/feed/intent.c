/* Intents. */
#include "common/feed/intent.h"

#include "common/sync/first.h"
#include "common/sync/grow_set.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"

struct kw_intent kw_intent(const struct kw_record_kind *kind, struct kw_bytes key,
                           struct kw_arena *arena)
{
    return (struct kw_intent){
        .record = {.table = kind->table, .key = key}, .kind = kind, .arena = arena};
}

void kw_intent_bytes(struct kw_intent *intent, uint8_t field, struct kw_bytes value)
{
    if (kw_ok(intent->result)) {
        intent->result = kw_record_set(&intent->record, intent->kind, field, value, &intent->error);
    }
}

void kw_intent_id(struct kw_intent *intent, uint8_t field, const struct kw_id *value)
{
    kw_intent_bytes(intent, field, kw_id_bytes(value));
}

/* A copy of this becomes the field's value. */
static void keep(struct kw_intent *intent, uint8_t field, struct kw_bytes value)
{
    struct kw_bytes kept;

    if (kw_ok(intent->result)) {
        intent->result = kw_arena_copy(intent->arena, value, &kept, &intent->error);
    }
    if (kw_ok(intent->result)) {
        kw_intent_bytes(intent, field, kept);
    }
}

void kw_intent_written(struct kw_intent *intent, uint8_t field, const struct kw_writer *w)
{
    if (kw_ok(intent->result)) {
        intent->result = kw_writer_end(w, &intent->error);
    }
    keep(intent, field, kw_buf_bytes(w->out));
}

void kw_intent_u32(struct kw_intent *intent, uint8_t field, uint32_t value)
{
    uint8_t bytes[4];

    kw_be32_store(bytes, value);
    keep(intent, field, KW_BYTES_OF(bytes));
}

void kw_intent_u64(struct kw_intent *intent, uint8_t field, uint64_t value)
{
    uint8_t bytes[8];

    kw_be64_store(bytes, value);
    keep(intent, field, KW_BYTES_OF(bytes));
}

void kw_intent_first(struct kw_intent *intent, uint8_t field, const struct kw_feed *feed,
                     uint64_t time_ms, struct kw_bytes detail)
{
    const struct kw_first first = {
        .time_ms = time_ms, .store = feed->options.store, .detail = detail};
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_first(&w, &first);
    kw_intent_written(intent, field, &w);
}

void kw_intent_text(struct kw_intent *intent, uint8_t field, const char *text)
{
    if (text[0] != '\0') {
        kw_intent_bytes(intent, field, kw_bytes_str(text));
    }
}

void kw_intent_count(struct kw_intent *intent, uint8_t field, struct kw_id store, uint64_t count)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    if (count > 0) {
        kw_put_vector_entry(&w, store, count);
        kw_intent_written(intent, field, &w);
    }
}

void kw_intent_suspension(struct kw_intent *intent, uint8_t field, struct kw_id suspension)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_suspension(&w, suspension, KW_SUSPENSION_SET);
    kw_intent_written(intent, field, &w);
}

void kw_intent_element(struct kw_intent *intent, uint8_t field, struct kw_bytes element)
{
    KW_SCOPED(kw_buf_done) struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_set_element(&w, element);
    kw_intent_written(intent, field, &w);
}

struct kw_result kw_intent_say(const struct kw_intent *intent, const struct kw_feed_tx *feed_tx,
                               struct kw_record *ret_merged, struct kw_error *err)
{
    if (!kw_ok(intent->result) && err != NULL) {
        *err = intent->error;
    }
    KW_TRY(intent->result);
    return kw_feed_change(feed_tx, &intent->record, ret_merged, err);
}
