/* A walk over the rows of stores. */
#include "common/feed/feed_members.h"

#include "common/base/limits.h"
#include "common/feed/record_table.h"
#include "common/feed/voucher.h"
#include "common/sync/store_record.h"

#define ROWS_AT_ONCE 16

static struct kw_result add(struct kw_feed_member *members, size_t *count,
                            const struct kw_record_row *row, struct kw_error *err)
{
    struct kw_feed_member *member = &members[*count];
    struct kw_record record;
    struct kw_error why;
    size_t dropped;

    KW_ENSURE(
        kw_ok(kw_record_decode_stored(&kw_store_record, row->record, &record, &dropped, &why)), err,
        INTERNAL, "a stored row is damaged: %s", why.message);
    if (kw_record_u64(&record, KW_STORE_FIELD_STATE) == KW_STORE_FENCED) {
        return KW_OK;
    }
    KW_ENSURE(*count < KW_VECTOR_STORES_MAX, err, LIMIT_REACHED, "more than %u stores",
              KW_VECTOR_STORES_MAX);
    KW_TRY(kw_id_from_bytes(row->key, &member->store, err));
    member->region = kw_store_record_region(&record);
    member->state = kw_record_u64(&record, KW_STORE_FIELD_STATE);
    member->voucher = kw_voucher_of(&record);
    (*count)++;
    return KW_OK;
}

struct kw_result kw_feed_members(struct kw_tx *tx, struct kw_arena *arena,
                                 struct kw_feed_member **ret_members, size_t *ret_count,
                                 struct kw_error *err)
{
    struct kw_feed_member *members = kw_arena_alloc(arena, KW_VECTOR_STORES_MAX * sizeof(*members));
    struct kw_record_row rows[ROWS_AT_ONCE];
    struct kw_bytes after = KW_BYTES_NONE;
    size_t count = ROWS_AT_ONCE;

    KW_ENSURE(members != NULL, err, MEMORY, "the members");
    *ret_count = 0;
    while (count == ROWS_AT_ONCE) {
        KW_TRY(kw_record_row_list(tx, &kw_store_record, after, arena, rows, ROWS_AT_ONCE, &count,
                                  err));
        for (size_t i = 0; i < count; i++) {
            KW_TRY(add(members, ret_count, &rows[i], err));
            after = rows[i].key;
        }
    }
    *ret_members = members;
    return KW_OK;
}
