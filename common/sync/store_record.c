/* Stores. */
#include "common/sync/store_record.h"

#include "common/sync/version_vector.h"

static const struct kw_field_kind fields[KW_STORE_FIELD_END_] = {
    [KW_STORE_FIELD_PLACE] = {"place", KW_RULE_ONCE},
    [KW_STORE_FIELD_STATE] = {"state", KW_RULE_MAX},
    [KW_STORE_FIELD_SIGNERS] = {"signers", KW_RULE_SET},
    [KW_STORE_FIELD_INCARNATIONS] = {"incarnations", KW_RULE_SET},
    [KW_STORE_FIELD_FENCE] = {"fence", KW_RULE_VECTOR},
};

const struct kw_record_kind kw_store_record = {
    .table = KW_TABLE_STORES, .name = "stores", KW_RECORD_FIELDS(fields)};

enum kw_store_state kw_store_record_state(const struct kw_record *record)
{
    uint64_t state = kw_record_u64(record, KW_STORE_FIELD_STATE);

    if (state == 0) {
        return KW_STORE_JOINING;
    }
    return state < KW_STORE_FENCED ? (enum kw_store_state)state : KW_STORE_FENCED;
}

bool kw_store_record_honours(const struct kw_record *record, struct kw_id lane, uint64_t seq)
{
    return kw_store_record_state(record) != KW_STORE_FENCED ||
           (seq > 0 && seq <= kw_vector_get(kw_record_value(record, KW_STORE_FIELD_FENCE), lane));
}
