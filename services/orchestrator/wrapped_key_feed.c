/* Wrapped keys on the feed. One replicated table, two tables of columns: a device's blobs are found by
 * its key version, a member's by owner and version. */
#include "services/orchestrator/wrapped_key_feed.h"

#include "common/base/limits.h"
#include "common/feed/intent.h"
#include "common/sync/first.h"
#include "services/orchestrator/destruction.h"
#include "services/orchestrator/field_forms.h"
#include "services/orchestrator/wrapped_key_digest.h"
#include "services/orchestrator/wrapped_key_merge.h"
#include "services/orchestrator/wrapped_key_table.h"

/* What a record is found by (wrapped_key_merge.h). */
enum kind {
    OF_DEVICE = 1,
    FOR_TRANSPORT = 2,
};
struct name {
    enum kind kind;
    struct kw_id whose; /* a key version, or an owner */
    uint32_t version;   /* of a transport key */
    uint32_t kek_version;
    uint8_t digest[KW_SHA256_LEN];
};

static const uint8_t forms[KW_WRAPPED_KEY_FIELD_END_] = {
    [KW_WRAPPED_KEY_FIELD_CREATED] = KW_FORM_TIME,
    [KW_WRAPPED_KEY_FIELD_CONFIRMED] = KW_FORM_FIRST};

static const uint8_t whole[] = {KW_WRAPPED_KEY_FIELD_WRAPPED, KW_WRAPPED_KEY_FIELD_MAC,
                                KW_WRAPPED_KEY_FIELD_CHECK_VALUE, KW_WRAPPED_KEY_FIELD_CREATED};

/* --- names --- */

static struct kw_result name_write(const struct name *name, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_u8(&w, (uint8_t)name->kind);
    kw_put_raw(&w, kw_id_bytes(&name->whose));
    if (name->kind == FOR_TRANSPORT) {
        kw_put_u32(&w, name->version);
    }
    kw_put_u32(&w, name->kek_version);
    kw_put_raw(&w, KW_BYTES_OF(name->digest));
    return kw_writer_end(&w, err);
}

static struct kw_result name_read(struct kw_bytes key, struct name *ret_name, struct kw_error *err)
{
    struct kw_reader r = KW_READER(key);
    struct name name = {.kind = (enum kind)kw_get_u8(&r)};

    KW_ENSURE(name.kind == OF_DEVICE || name.kind == FOR_TRANSPORT, err, ENCODING_INVALID,
              "a wrapped key of kind %u", name.kind);
    kw_get_copy(&r, name.whose.bytes, KW_ID_LEN);
    if (name.kind == FOR_TRANSPORT) {
        name.version = kw_get_u32(&r);
    }
    name.kek_version = kw_get_u32(&r);
    kw_get_copy(&r, name.digest, sizeof(name.digest));
    KW_TRY(kw_reader_end(&r, "a wrapped key's name", err));
    KW_ENSURE(name.kind == OF_DEVICE || name.version > 0, err, ENCODING_INVALID,
              "a transport key of version 0");
    KW_ENSURE(name.kek_version > 0 && name.kek_version <= KW_HSM_KEK_VERSIONS_MAX, err,
              ENCODING_INVALID, "a key wrapped by KEK version %u", name.kek_version);
    *ret_name = name;
    return KW_OK;
}

static struct kw_wrapped_parts parts_of(const struct kw_record *record)
{
    return (struct kw_wrapped_parts){
        .wrapped = kw_record_value(record, KW_WRAPPED_KEY_FIELD_WRAPPED),
        .check_value = kw_record_value(record, KW_WRAPPED_KEY_FIELD_CHECK_VALUE),
        .mac = kw_record_value(record, KW_WRAPPED_KEY_FIELD_MAC),
        .nonce = kw_record_value(record, KW_WRAPPED_KEY_FIELD_NONCE)};
}

static struct kw_result transport_name(const struct kw_transport_key_row *row, struct kw_buf *out,
                                       struct kw_error *err)
{
    struct name name = {.kind = FOR_TRANSPORT,
                        .whose = row->owner,
                        .version = row->version,
                        .kek_version = row->kek_version};

    KW_TRY(kw_wrapped_key_digest(
        &(struct kw_wrapped_parts){row->wrapped, row->check_value, row->mac, row->nonce},
        name.digest, err));
    return name_write(&name, out, err);
}

/* --- what is said --- */

struct kw_result kw_wrapped_key_add(const struct kw_feed_tx *feed_tx, const struct kw_key_row *row,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    struct name name = {.kind = OF_DEVICE, .whose = row->id, .kek_version = row->kek_version};
    struct kw_intent intent;

    KW_TRY(kw_wrapped_key_digest(
        &(struct kw_wrapped_parts){row->wrapped, row->check_value, row->mac, KW_BYTES_NONE},
        name.digest, err));
    KW_TRY(name_write(&name, &key, err));
    intent = kw_intent(&kw_wrapped_key_record, kw_buf_bytes(&key), feed_tx->arena);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_WRAPPED, row->wrapped);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_MAC, row->mac);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_CHECK_VALUE, row->check_value);
    kw_intent_u64(&intent, KW_WRAPPED_KEY_FIELD_CREATED, row->created_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

static struct kw_result erase(const struct kw_feed_tx *feed_tx,
                              const struct kw_wrapped_key_row *row, struct kw_bytes destruction,
                              struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    struct name name = {.kind = OF_DEVICE, .whose = row->key, .kek_version = row->kek_version};
    struct kw_intent intent;

    kw_copy(name.digest, row->digest, sizeof(name.digest));
    KW_TRY(name_write(&name, &key, err));
    intent = kw_intent(&kw_wrapped_key_record, kw_buf_bytes(&key), feed_tx->arena);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_WRAPPED, KW_BYTES_NONE);
    kw_intent_first(&intent, KW_WRAPPED_KEY_FIELD_ORDER, feed_tx->feed, feed_tx->wall_ms,
                    destruction);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_wrapped_key_erase(const struct kw_feed_tx *feed_tx, struct kw_id key,
                                      struct kw_bytes destruction, struct kw_error *err)
{
    struct kw_wrapped_key_row row;
    bool found;

    KW_TRY(kw_wrapped_key_left(feed_tx->tx, key, &row, &found, err));
    while (found) {
        KW_TRY(erase(feed_tx, &row, destruction, err));
        KW_TRY(kw_wrapped_key_left(feed_tx->tx, key, &row, &found, err));
    }
    return KW_OK;
}

struct kw_result kw_transport_key_add(const struct kw_feed_tx *feed_tx,
                                      const struct kw_transport_key_row *row, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    struct kw_intent intent;

    KW_TRY(transport_name(row, &key, err));
    intent = kw_intent(&kw_wrapped_key_record, kw_buf_bytes(&key), feed_tx->arena);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_WRAPPED, row->wrapped);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_MAC, row->mac);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_CHECK_VALUE, row->check_value);
    kw_intent_bytes(&intent, KW_WRAPPED_KEY_FIELD_NONCE, row->nonce);
    kw_intent_u64(&intent, KW_WRAPPED_KEY_FIELD_CREATED, row->created_ms);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

struct kw_result kw_transport_key_confirm(const struct kw_feed_tx *feed_tx,
                                          const struct kw_transport_key_row *row,
                                          struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    struct kw_intent intent;

    KW_TRY(transport_name(row, &key, err));
    intent = kw_intent(&kw_wrapped_key_record, kw_buf_bytes(&key), feed_tx->arena);
    kw_intent_first(&intent, KW_WRAPPED_KEY_FIELD_CONFIRMED, feed_tx->feed, feed_tx->wall_ms,
                    KW_BYTES_NONE);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* --- what is heard --- */

/* What is said of a key comes whole, under the name that it gives itself. Of one that is erased nothing more is used. */
static struct kw_result check_parts(const struct kw_record *record, const struct name *name,
                                    struct kw_error *err)
{
    const struct kw_wrapped_parts parts = parts_of(record);
    uint8_t digest[KW_SHA256_LEN];

    if (!kw_wrapped_key_record_usable(record)) {
        KW_ENSURE(kw_wrapped_key_record_erased(record) ||
                      parts.check_value.len + parts.mac.len + parts.nonce.len == 0,
                  err, ENCODING_INVALID, "parts of a wrapped key without it");
        return KW_OK;
    }
    KW_TRY(kw_wrapped_key_digest(&parts, digest, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(digest), KW_BYTES_OF(name->digest)), err, ENCODING_INVALID,
              "a wrapped key under another's name");
    return KW_OK;
}

struct kw_result kw_wrapped_key_check(const struct kw_record *record, struct kw_error *err)
{
    struct name name;

    KW_TRY(name_read(record->key, &name, err));
    KW_TRY(check_parts(record, &name, err));
    return kw_forms_check(record, forms, KW_WRAPPED_KEY_FIELD_END_, err);
}

bool kw_wrapped_key_disables(const struct kw_record *change)
{
    return kw_wrapped_key_record_erased(change);
}

struct kw_result kw_wrapped_key_prove(const void *trust, const struct kw_record *record,
                                      struct kw_error *err)
{
    struct kw_first order = {0};
    struct name name;

    if (!kw_wrapped_key_record_erased(record) &&
        !kw_record_has(record, KW_WRAPPED_KEY_FIELD_ORDER)) {
        return KW_OK;
    }
    KW_TRY(name_read(record->key, &name, err));
    KW_ENSURE(name.kind == OF_DEVICE && trust != NULL, err, ENCODING_INVALID,
              "nobody erases a wrapped key of kind %u here", name.kind);
    (void)kw_first_read(kw_record_value(record, KW_WRAPPED_KEY_FIELD_ORDER), &order);
    return kw_destruction_prove(order.detail, name.whose, trust, err);
}

static struct kw_result device_project(struct kw_tx *tx, const struct kw_record *merged,
                                       const struct name *name, struct kw_error *err)
{
    struct kw_wrapped_key_row row = {
        .key = name->whose,
        .kek_version = name->kek_version,
        .wrapped = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_WRAPPED),
        .check_value = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_CHECK_VALUE),
        .mac = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_MAC)};

    kw_copy(row.digest, name->digest, sizeof(row.digest));
    return kw_wrapped_key_put(tx, &row, err);
}

static struct kw_result transport_project(struct kw_tx *tx, const struct kw_record *merged,
                                          const struct name *name, struct kw_error *err)
{
    struct kw_transport_key_row row = {
        .owner = name->whose,
        .version = name->version,
        .kek_version = name->kek_version,
        .wrapped = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_WRAPPED),
        .check_value = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_CHECK_VALUE),
        .mac = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_MAC),
        .nonce = kw_record_value(merged, KW_WRAPPED_KEY_FIELD_NONCE),
        .created_ms = kw_form_time(merged, KW_WRAPPED_KEY_FIELD_CREATED),
        .confirmed_ms = kw_form_time(merged, KW_WRAPPED_KEY_FIELD_CONFIRMED)};

    return kw_transport_key_put(tx, &row, name->digest, err);
}

struct kw_result kw_wrapped_key_project(struct kw_tx *tx, const struct kw_record *merged,
                                        struct kw_arena *arena, struct kw_error *err)
{
    struct name name;

    (void)arena;
    if (!kw_fields_there(merged, whole, sizeof(whole))) {
        return KW_OK;
    }
    KW_TRY(name_read(merged->key, &name, err));
    return name.kind == OF_DEVICE ? device_project(tx, merged, &name, err)
                                  : transport_project(tx, merged, &name, err);
}
