/* Stores. */
#include "common/sync/store_record.h"

#include "common/crypto/digest.h"
#include "common/sync/grow_set.h"
#include "common/sync/version_vector.h"

static const struct kw_field_kind fields[KW_STORE_FIELD_END_] = {
    [KW_STORE_FIELD_PLACE] = {"place", KW_RULE_ONCE},
    [KW_STORE_FIELD_STATE] = {"state", KW_RULE_MAX},
    [KW_STORE_FIELD_SIGNERS] = {"signers", KW_RULE_SET},
    [KW_STORE_FIELD_INCARNATIONS] = {"incarnations", KW_RULE_SET},
    [KW_STORE_FIELD_FENCE] = {"fence", KW_RULE_VECTOR},
    [KW_STORE_FIELD_VOUCHER] = {"voucher", KW_RULE_LWW},
    [KW_STORE_FIELD_FENCE_ORDER] = {"fence_order", KW_RULE_LWW},
    [KW_STORE_FIELD_DRAIN_ORDER] = {"drain_order", KW_RULE_LWW},
    [KW_STORE_FIELD_SETTLED] = {"settled", KW_RULE_SET},
    [KW_STORE_FIELD_CUT_ORDER] = {"cut_order", KW_RULE_LWW},
};

const struct kw_record_kind kw_store_record = {
    .table = KW_TABLE_STORES, .name = "stores", KW_RECORD_FIELDS(fields)};

static bool all_of_length(struct kw_bytes set, size_t len)
{
    struct kw_bytes element;

    while (kw_set_next(&set, &element)) {
        if (element.len != len) {
            return false;
        }
    }
    return true;
}

struct kw_result kw_store_record_check(const struct kw_record *record, struct kw_error *err)
{
    KW_ENSURE(record->key.len == KW_ID_LEN, err, ENCODING_INVALID, "a store's id of %zu bytes",
              record->key.len);
    KW_ENSURE(all_of_length(kw_record_value(record, KW_STORE_FIELD_SIGNERS), KW_SHA256_LEN), err,
              ENCODING_INVALID, "a store's signer is no digest");
    KW_ENSURE(all_of_length(kw_record_value(record, KW_STORE_FIELD_INCARNATIONS), KW_ID_LEN) &&
                  all_of_length(kw_record_value(record, KW_STORE_FIELD_SETTLED), KW_ID_LEN),
              err, ENCODING_INVALID, "a store's incarnation is no id");
    return KW_OK;
}

bool kw_store_record_is_life(const struct kw_record *record)
{
    size_t lives = kw_record_has(record, KW_STORE_FIELD_INCARNATIONS);
    size_t settled = kw_record_has(record, KW_STORE_FIELD_SETTLED);

    return record->count > 0 && record->count == lives + settled;
}

bool kw_store_settled(struct kw_bytes lives, struct kw_bytes settled, struct kw_id incarnation)
{
    return kw_set_has(settled, kw_id_bytes(&incarnation)) || kw_set_count(lives) <= 1;
}

bool kw_store_record_fences(const struct kw_record *change)
{
    return kw_record_has(change, KW_STORE_FIELD_FENCE_ORDER) ||
           kw_record_has(change, KW_STORE_FIELD_CUT_ORDER);
}

bool kw_store_record_is_out(const struct kw_record *record)
{
    return kw_record_has(record, KW_STORE_FIELD_CUT_ORDER) ||
           kw_store_record_state(record) == KW_STORE_FENCED;
}

struct kw_result kw_store_record_place(struct kw_bytes region, struct kw_bytes cell,
                                       struct kw_buf *out, struct kw_error *err)
{
    KW_TRY(kw_buf_append(out, region, err));
    KW_TRY(kw_buf_append(out, kw_bytes_str("/"), err));
    return kw_buf_append(out, cell, err);
}

struct kw_bytes kw_store_record_cell(const struct kw_record *record)
{
    struct kw_bytes place = kw_record_value(record, KW_STORE_FIELD_PLACE);
    size_t region_len = kw_store_record_region(record).len;

    return region_len > 0 ? KW_BYTES(place.data + region_len + 1, place.len - region_len - 1)
                          : KW_BYTES_NONE;
}

struct kw_bytes kw_store_record_region(const struct kw_record *record)
{
    struct kw_bytes place = kw_record_value(record, KW_STORE_FIELD_PLACE);
    const uint8_t *slash = place.len > 0 ? memchr(place.data, '/', place.len) : NULL;

    return slash != NULL ? KW_BYTES(place.data, (size_t)(slash - place.data)) : KW_BYTES_NONE;
}

enum kw_store_state kw_store_record_state(const struct kw_record *record)
{
    uint64_t state = kw_record_u64(record, KW_STORE_FIELD_STATE);

    if (state == 0) {
        return KW_STORE_JOINING;
    }
    return state < KW_STORE_FENCED ? (enum kw_store_state)state : KW_STORE_FENCED;
}

bool kw_store_record_known_fenced(const struct kw_record *record)
{
    return kw_record_u64(record, KW_STORE_FIELD_STATE) == KW_STORE_FENCED;
}

bool kw_store_record_honours(const struct kw_record *record, struct kw_id lane, uint64_t seq)
{
    return kw_store_record_state(record) != KW_STORE_FENCED ||
           (seq > 0 && seq <= kw_vector_get(kw_record_value(record, KW_STORE_FIELD_FENCE), lane));
}

bool kw_store_record_takes(const struct kw_record *record, struct kw_id lane, uint64_t seq,
                           uint64_t held)
{
    bool is_cut = kw_record_has(record, KW_STORE_FIELD_CUT_ORDER) &&
                  kw_store_record_state(record) != KW_STORE_FENCED;

    return kw_store_record_honours(record, lane, seq) && (!is_cut || seq <= held);
}
