/* Key versions on the feed. None of their changes goes ahead of its lane: a delivery is erased where
 * the key is released, which is nothing to hurry for, or stopped, and the fact that stops it goes
 * ahead and keeps it from being delivered. */
#include "services/orchestrator/key_feed.h"

#include "common/feed/intent.h"
#include "services/orchestrator/field_forms.h"
#include "services/orchestrator/key_merge.h"
#include "services/orchestrator/wrapped_key_feed.h"

#define VERSION_LEN 4 /* of the transport key, before what is under it */

static const uint8_t forms[KW_KEY_FIELD_END_] = {[KW_KEY_FIELD_DEVICE] = KW_FORM_ID,
                                                 [KW_KEY_FIELD_VERSION] = KW_FORM_U32,
                                                 [KW_KEY_FIELD_CREATED] = KW_FORM_TIME};

static const uint8_t whole[] = {KW_KEY_FIELD_DEVICE, KW_KEY_FIELD_VERSION, KW_KEY_FIELD_CREATED};

static struct kw_result delivery_write(const struct kw_key_row *row, struct kw_buf *out,
                                       struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_u32(&w, row->delivery_version);
    kw_put_raw(&w, row->delivery);
    return kw_writer_end(&w, err);
}

struct kw_result kw_key_add(const struct kw_feed_tx *feed_tx, const struct kw_key_row *row,
                            struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf delivery = {0};
    struct kw_intent intent = kw_intent(&kw_key_record, kw_id_bytes(&row->id), feed_tx->arena);

    KW_TRY(kw_wrapped_key_add(feed_tx, row, err));
    KW_TRY(delivery_write(row, &delivery, err));
    kw_intent_id(&intent, KW_KEY_FIELD_DEVICE, &row->device);
    kw_intent_u32(&intent, KW_KEY_FIELD_VERSION, row->version);
    kw_intent_u64(&intent, KW_KEY_FIELD_CREATED, row->created_ms);
    kw_intent_bytes(&intent, KW_KEY_FIELD_CHECK_VALUE, row->check_value);
    kw_intent_bytes(&intent, KW_KEY_FIELD_DELIVERY, kw_buf_bytes(&delivery));
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_key_erase_delivery(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                       struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_key_record, kw_id_bytes(&id), feed_tx->arena);

    kw_intent_bytes(&intent, KW_KEY_FIELD_DELIVERY, KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_key_destroy(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                struct kw_bytes destruction, struct kw_error *err)
{
    KW_TRY(kw_wrapped_key_erase(feed_tx, id, destruction, err));
    return kw_key_erase_delivery(feed_tx, id, err);
}

struct kw_result kw_key_check(const struct kw_record *record, struct kw_error *err)
{
    size_t delivery = kw_record_value(record, KW_KEY_FIELD_DELIVERY).len;

    KW_ENSURE(record->key.len == KW_ID_LEN, err, ENCODING_INVALID,
              "a key version's id of %zu bytes", record->key.len);
    KW_TRY(kw_forms_check(record, forms, KW_KEY_FIELD_END_, err));
    KW_ENSURE(!kw_record_has(record, KW_KEY_FIELD_VERSION) ||
                  kw_form_u32(record, KW_KEY_FIELD_VERSION) > 0,
              err, ENCODING_INVALID, "a key of version 0");
    KW_ENSURE(delivery == 0 || delivery > VERSION_LEN, err, ENCODING_INVALID,
              "a delivery of %zu bytes", delivery);
    return KW_OK;
}

struct kw_result kw_key_project(struct kw_tx *tx, const struct kw_record *merged,
                                struct kw_arena *arena, struct kw_error *err)
{
    struct kw_key_row row = {.device = kw_form_id(merged, KW_KEY_FIELD_DEVICE),
                             .version = kw_form_u32(merged, KW_KEY_FIELD_VERSION),
                             .created_ms = kw_form_time(merged, KW_KEY_FIELD_CREATED)};
    struct kw_reader delivery = KW_READER(kw_record_value(merged, KW_KEY_FIELD_DELIVERY));

    (void)arena;
    if (!kw_fields_there(merged, whole, sizeof(whole))) {
        return KW_OK;
    }
    KW_TRY(kw_id_from_bytes(merged->key, &row.id, err));
    if (kw_key_record_deliverable(merged)) {
        row.delivery_version = kw_get_u32(&delivery);
        row.delivery = delivery.rest;
    }
    return kw_key_put(tx, &row, err);
}
