/* Bug: an edit replaces the whole row, as its writer had read it: a revocation or suspension that came
 * meanwhile goes with it. */
#include "common/sync/record.h"
#include "services/authz/member_merge.h"

struct kw_result __real_kw_record_merge(const struct kw_record *ours,
                                        const struct kw_record *theirs, struct kw_arena *arena,
                                        struct kw_conflicts *conflicts,
                                        struct kw_record *ret_record, struct kw_error *err);
struct kw_result __wrap_kw_record_merge(const struct kw_record *ours,
                                        const struct kw_record *theirs, struct kw_arena *arena,
                                        struct kw_conflicts *conflicts,
                                        struct kw_record *ret_record, struct kw_error *err);

static struct kw_record without_status(const struct kw_record *row)
{
    struct kw_record rest = {.table = row->table, .key = row->key};

    for (size_t i = 0; i < row->count; i++) {
        if (row->fields[i].number != KW_MEMBER_FIELD_STATUS) {
            rest.fields[rest.count++] = row->fields[i];
        }
    }
    return rest;
}

struct kw_result __wrap_kw_record_merge(const struct kw_record *ours,
                                        const struct kw_record *theirs, struct kw_arena *arena,
                                        struct kw_conflicts *conflicts,
                                        struct kw_record *ret_record, struct kw_error *err)
{
    struct kw_record kept = *ours;

    if (theirs->table == KW_TABLE_MEMBERS && kw_record_has(theirs, KW_MEMBER_FIELD_PROFILE)) {
        kept = without_status(ours);
    }
    return __real_kw_record_merge(&kept, theirs, arena, conflicts, ret_record, err);
}
