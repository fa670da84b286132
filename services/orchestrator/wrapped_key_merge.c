/* Wrapped keys. Erasing absorbs: from whichever cell a destroyed key is heard of again, it stays
 * erased here, and is erased there. The row stays, as what prevents its return. So that no cell can
 * erase what it likes, who merges lets nothing in that erases without its officer's order
 * (wrapped_key_feed.h). */
#include "services/orchestrator/wrapped_key_merge.h"

static const struct kw_field_kind fields[KW_WRAPPED_KEY_FIELD_END_] = {
    [KW_WRAPPED_KEY_FIELD_WRAPPED] = {"wrapped", KW_RULE_ERASABLE},
    [KW_WRAPPED_KEY_FIELD_MAC] = {"mac", KW_RULE_ONCE},
    [KW_WRAPPED_KEY_FIELD_CHECK_VALUE] = {"check_value", KW_RULE_ONCE},
    [KW_WRAPPED_KEY_FIELD_NONCE] = {"nonce", KW_RULE_ONCE},
    [KW_WRAPPED_KEY_FIELD_CREATED] = {"created", KW_RULE_ONCE},
    [KW_WRAPPED_KEY_FIELD_CONFIRMED] = {"confirmed", KW_RULE_FIRST},
    [KW_WRAPPED_KEY_FIELD_ORDER] = {"order", KW_RULE_FIRST},
};

const struct kw_record_kind kw_wrapped_key_record = {
    .table = KW_TABLE_WRAPPED_KEYS, .name = "wrapped keys", KW_RECORD_FIELDS(fields)};

bool kw_wrapped_key_record_erased(const struct kw_record *record)
{
    return kw_record_has(record, KW_WRAPPED_KEY_FIELD_WRAPPED) &&
           !kw_wrapped_key_record_usable(record);
}

bool kw_wrapped_key_record_usable(const struct kw_record *record)
{
    return kw_record_value(record, KW_WRAPPED_KEY_FIELD_WRAPPED).len > 0;
}
