/* Devices on the feed. */
#include "services/orchestrator/device_feed.h"

#include "common/base/limits.h"
#include "common/feed/intent.h"
#include "common/sync/grow_set.h"
#include "services/orchestrator/device_merge.h"
#include "services/orchestrator/field_forms.h"

static const uint8_t forms[KW_DEVICE_FIELD_END_] = {
    [KW_DEVICE_FIELD_BATCH] = KW_FORM_ID,        [KW_DEVICE_FIELD_POSITION] = KW_FORM_U32,
    [KW_DEVICE_FIELD_PRODUCT] = KW_FORM_ID,      [KW_DEVICE_FIELD_CREATED] = KW_FORM_TIME,
    [KW_DEVICE_FIELD_CONFIRMED] = KW_FORM_FIRST, [KW_DEVICE_FIELD_RELEASED] = KW_FORM_FIRST};

static const uint8_t whole[] = {KW_DEVICE_FIELD_BATCH, KW_DEVICE_FIELD_POSITION,
                                KW_DEVICE_FIELD_PRODUCT, KW_DEVICE_FIELD_CREATED};

struct kw_result kw_device_add(const struct kw_feed_tx *feed_tx, const struct kw_device_row *row,
                               struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_device_record, kw_id_bytes(&row->id), feed_tx->arena);

    kw_intent_id(&intent, KW_DEVICE_FIELD_BATCH, &row->batch);
    kw_intent_u32(&intent, KW_DEVICE_FIELD_POSITION, row->position);
    kw_intent_id(&intent, KW_DEVICE_FIELD_PRODUCT, &row->product);
    kw_intent_u64(&intent, KW_DEVICE_FIELD_CREATED, row->created_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_device_confirm(const struct kw_feed_tx *feed_tx,
                                   const struct kw_device_row *row, const char *serial,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf binding = {0};
    struct kw_writer w = KW_WRITER(&binding);
    struct kw_intent intent = kw_intent(&kw_device_record, kw_id_bytes(&row->id), feed_tx->arena);
    struct kw_record merged;

    kw_put_raw(&w, kw_id_bytes(&row->key));
    kw_put_raw(&w, kw_bytes_str(serial));
    KW_TRY(kw_writer_end(&w, err));
    kw_intent_element(&intent, KW_DEVICE_FIELD_BINDINGS, kw_buf_bytes(&binding));
    kw_intent_first(&intent, KW_DEVICE_FIELD_CONFIRMED, feed_tx->feed, feed_tx->wall_ms,
                    KW_BYTES_NONE);
    KW_TRY(kw_intent_say(&intent, feed_tx, &merged, err));
    KW_ENSURE(!kw_device_record_disputed(&merged), err, STORE_CONFLICT,
              "another pen has just been confirmed as this device");
    return KW_OK;
}

struct kw_result kw_device_release(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                   struct kw_error *err)
{
    struct kw_intent intent = kw_intent(&kw_device_record, kw_id_bytes(&id), feed_tx->arena);

    kw_intent_first(&intent, KW_DEVICE_FIELD_RELEASED, feed_tx->feed, feed_tx->wall_ms,
                    KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

static struct kw_bytes serial_of(struct kw_bytes binding)
{
    return KW_BYTES(binding.data + KW_ID_LEN, binding.len - KW_ID_LEN);
}

static bool all_bindings(struct kw_bytes bindings)
{
    struct kw_bytes binding;

    while (kw_set_next(&bindings, &binding)) {
        if (binding.len <= KW_ID_LEN || binding.len > KW_ID_LEN + KW_DEVICE_SERIAL_LEN_MAX ||
            !kw_is_text(serial_of(binding))) {
            return false;
        }
    }
    return true;
}

struct kw_result kw_device_check(const struct kw_record *record, struct kw_error *err)
{
    KW_ENSURE(record->key.len == KW_ID_LEN, err, ENCODING_INVALID, "a device's id of %zu bytes",
              record->key.len);
    KW_TRY(kw_forms_check(record, forms, KW_DEVICE_FIELD_END_, err));
    KW_ENSURE(all_bindings(kw_record_value(record, KW_DEVICE_FIELD_BINDINGS)), err,
              ENCODING_INVALID, "a device's binding is none");
    return KW_OK;
}

/* Of several, which are disputed, the lowest is shown: in all cells the same. */
static struct kw_result first_serial(const struct kw_record *record, struct kw_arena *arena,
                                     const char **ret_serial, struct kw_error *err)
{
    struct kw_bytes bindings = kw_record_value(record, KW_DEVICE_FIELD_BINDINGS);
    struct kw_bytes binding;

    if (!kw_set_next(&bindings, &binding)) {
        *ret_serial = "";
        return KW_OK;
    }
    return kw_form_text(serial_of(binding), arena, ret_serial, err);
}

struct kw_result kw_device_project(struct kw_tx *tx, const struct kw_record *merged,
                                   struct kw_arena *arena, struct kw_error *err)
{
    struct kw_device_row row = {.batch = kw_form_id(merged, KW_DEVICE_FIELD_BATCH),
                                .position = kw_form_u32(merged, KW_DEVICE_FIELD_POSITION),
                                .product = kw_form_id(merged, KW_DEVICE_FIELD_PRODUCT),
                                .created_ms = kw_form_time(merged, KW_DEVICE_FIELD_CREATED),
                                .confirmed_ms = kw_form_time(merged, KW_DEVICE_FIELD_CONFIRMED),
                                .released_ms = kw_form_time(merged, KW_DEVICE_FIELD_RELEASED),
                                .disputed = kw_device_record_disputed(merged)};

    if (!kw_fields_there(merged, whole, sizeof(whole))) {
        return KW_OK;
    }
    KW_TRY(kw_id_from_bytes(merged->key, &row.id, err));
    KW_TRY(first_serial(merged, arena, &row.serial, err));
    return kw_device_put(tx, &row, err);
}
