/* Holding back. */
#include "common/sync/record_hold.h"

#include "common/sync/lww.h"
#include "common/sync/stamp_limits.h"

static bool is_ahead(const struct kw_record_field *field, uint64_t wall_ms)
{
    struct kw_lww lww;

    return field->rule == KW_RULE_LWW && kw_lww_read(field->value, &lww) &&
           kw_stamp_ahead(&lww.stamp, wall_ms);
}

bool kw_record_hold(const struct kw_record *record, uint64_t wall_ms, struct kw_record *ret_now,
                    struct kw_record *ret_held)
{
    *ret_now = (struct kw_record){.table = record->table, .key = record->key};
    *ret_held = *ret_now;
    for (size_t i = 0; i < record->count; i++) {
        const struct kw_record_field *field = &record->fields[i];
        struct kw_record *to = is_ahead(field, wall_ms) ? ret_held : ret_now;

        to->fields[to->count++] = *field;
    }
    return ret_held->count > 0;
}
