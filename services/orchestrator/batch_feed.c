/* Batches on the feed. */
#include "services/orchestrator/batch_feed.h"

#include "common/base/limits.h"
#include "common/feed/intent.h"
#include "services/orchestrator/batch_merge.h"
#include "services/orchestrator/field_forms.h"

static const uint8_t forms[KW_BATCH_FIELD_END_] = {
    [KW_BATCH_FIELD_STATION] = KW_FORM_ID,    [KW_BATCH_FIELD_REQUEST] = KW_FORM_ID,
    [KW_BATCH_FIELD_PRODUCT] = KW_FORM_ID,    [KW_BATCH_FIELD_LOT] = KW_FORM_TEXT,
    [KW_BATCH_FIELD_COUNT] = KW_FORM_U32,     [KW_BATCH_FIELD_CREATED] = KW_FORM_TIME,
    [KW_BATCH_FIELD_RELEASED] = KW_FORM_FIRST};

static const uint8_t whole[] = {KW_BATCH_FIELD_STATION, KW_BATCH_FIELD_REQUEST,
                                KW_BATCH_FIELD_PRODUCT, KW_BATCH_FIELD_LOT,
                                KW_BATCH_FIELD_COUNT,   KW_BATCH_FIELD_CREATED};

struct kw_result kw_batch_add(const struct kw_feed_tx *feed_tx, const struct kw_batch_row *row,
                              struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_batch_record, kw_id_bytes(&row->id), feed_tx->arena);

    kw_intent_id(&intent, KW_BATCH_FIELD_STATION, &row->station);
    kw_intent_id(&intent, KW_BATCH_FIELD_REQUEST, &row->request);
    kw_intent_id(&intent, KW_BATCH_FIELD_PRODUCT, &row->product);
    kw_intent_bytes(&intent, KW_BATCH_FIELD_LOT, kw_bytes_str(row->lot));
    kw_intent_u32(&intent, KW_BATCH_FIELD_COUNT, row->count);
    kw_intent_u64(&intent, KW_BATCH_FIELD_CREATED, row->created_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_batch_release(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                  struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_batch_record, kw_id_bytes(&id), feed_tx->arena);

    kw_intent_first(&intent, KW_BATCH_FIELD_RELEASED, feed_tx->feed, feed_tx->wall_ms,
                    KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_batch_check(const struct kw_record *record, struct kw_error *err)
{
    KW_ENSURE(record->key.len == KW_ID_LEN, err, ENCODING_INVALID, "a batch's id of %zu bytes",
              record->key.len);
    KW_TRY(kw_forms_check(record, forms, KW_BATCH_FIELD_END_, err));
    KW_ENSURE(!kw_record_has(record, KW_BATCH_FIELD_COUNT) ||
                  (kw_form_u32(record, KW_BATCH_FIELD_COUNT) >= 1 &&
                   kw_form_u32(record, KW_BATCH_FIELD_COUNT) <= KW_BATCH_DEVICES_MAX),
              err, ENCODING_INVALID, "a batch of %u devices",
              kw_form_u32(record, KW_BATCH_FIELD_COUNT));
    return KW_OK;
}

struct kw_result kw_batch_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err)
{
    struct kw_batch_row row = {.station = kw_form_id(merged, KW_BATCH_FIELD_STATION),
                               .request = kw_form_id(merged, KW_BATCH_FIELD_REQUEST),
                               .product = kw_form_id(merged, KW_BATCH_FIELD_PRODUCT),
                               .count = kw_form_u32(merged, KW_BATCH_FIELD_COUNT),
                               .created_ms = kw_form_time(merged, KW_BATCH_FIELD_CREATED),
                               .released_ms = kw_form_time(merged, KW_BATCH_FIELD_RELEASED)};

    if (!kw_fields_there(merged, whole, sizeof(whole))) {
        return KW_OK;
    }
    KW_TRY(kw_id_from_bytes(merged->key, &row.id, err));
    KW_TRY(kw_form_text(kw_record_value(merged, KW_BATCH_FIELD_LOT), arena, &row.lot, err));
    return kw_batch_put(tx, &row, err);
}
