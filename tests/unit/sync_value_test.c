/* Fields as owners read them: what is no value of its kind is found out. */
#include "common/sync/grow_set.h"
#include "common/sync/record_value.h"
#include "common/sync/request_record.h"
#include "common/sync/suspension_set.h"
#include "tests/support/merge_values.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum {
    NUMBER = 1,
    OWNER,
    TEXT,
    ENDED,
    EDITED,
};

static const struct kw_field_kind fields[] = {
    [NUMBER] = {"number", KW_RULE_ONCE}, [OWNER] = {"owner", KW_RULE_ONCE},
    [TEXT] = {"text", KW_RULE_ONCE},     [ENDED] = {"ended", KW_RULE_FIRST},
    [EDITED] = {"edited", KW_RULE_LWW},
};

static const struct kw_record_kind kind = {
    .table = 999, .name = "things", KW_RECORD_FIELDS(fields)};

static void put(struct kw_record *record, uint8_t number, struct kw_bytes value)
{
    cr_assert(kw_ok(kw_record_set(record, &kind, number, value, NULL)));
}

Test(sync_value, fields_are_read_as_what_they_are)
{
    struct kw_record record = {.table = 999, .key = kw_bytes_str("key")};
    struct kw_record_values values = {.record = &record, .arena = values_arena()};
    struct kw_first first;
    struct kw_reader r;

    put(&record, NUMBER, value_u64(300));
    put(&record, OWNER, kw_id_bytes(&store_b));
    put(&record, TEXT, kw_bytes_str("words"));
    put(&record, ENDED, value_first(7, store_a, "why"));
    put(&record, EDITED, value_lww(1, store_a, "edit"));
    cr_assert(eq(u64, kw_value_u64(&values, NUMBER, 300), 300));
    cr_assert(kw_id_equal(kw_value_id(&values, OWNER), store_b));
    cr_assert(eq(str, (char *)(uintptr_t)kw_value_text(&values, TEXT), "words"));
    cr_assert(kw_value_lww(&values, EDITED, &r));
    cr_assert(kw_bytes_equal(r.rest, kw_bytes_str("edit")));
    cr_assert(kw_value_first(&values, ENDED, &first));
    cr_assert(first.time_ms == 7 && kw_bytes_equal(first.detail, kw_bytes_str("why")));
    cr_assert(kw_ok(kw_values_end(&values, NULL)));
}

Test(sync_value, what_is_absent_says_nothing_and_is_no_failure)
{
    struct kw_record record = {.table = 999, .key = kw_bytes_str("key")};
    struct kw_record_values values = {.record = &record};
    struct kw_first first;
    struct kw_reader r;

    cr_assert(eq(u64, kw_value_u64(&values, NUMBER, 1), 0));
    cr_assert(kw_id_is_none(kw_value_id(&values, OWNER)));
    cr_assert(eq(str, (char *)(uintptr_t)kw_value_text(&values, TEXT), ""));
    cr_assert(not(kw_value_first(&values, ENDED, &first)));
    cr_assert(not(kw_value_lww(&values, EDITED, &r)));
    cr_assert(kw_ok(kw_values_end(&values, NULL)));
}

static bool reads(uint8_t number, struct kw_bytes value)
{
    struct kw_record record = {.table = 999, .key = kw_bytes_str("key")};
    struct kw_record_values values = {.record = &record};
    struct kw_first first;

    put(&record, number, value);
    (void)kw_value_u64(&values, NUMBER, 10);
    (void)kw_value_id(&values, OWNER);
    (void)kw_value_text(&values, TEXT);
    (void)kw_value_first(&values, ENDED, &first);
    return kw_ok(kw_values_end(&values, NULL));
}

Test(sync_value, what_is_stored_and_no_value_is_found_out)
{
    cr_assert(reads(NUMBER, value_u64(10)));
    cr_assert(not(reads(NUMBER, value_u64(11))));
    cr_assert(not(reads(NUMBER, kw_bytes_str("short"))));
    cr_assert(not(reads(NUMBER, kw_bytes_str("much too long"))));
    cr_assert(not(reads(OWNER, kw_bytes_str("no id"))));
    cr_assert(not(reads(TEXT, kw_bytes_str("\xff"))));
    cr_assert(not(reads(ENDED, value_first(UINT64_MAX, store_a, ""))));
}

Test(sync_value, a_text_that_finds_no_memory_is_told_as_such)
{
    struct kw_record record = {.table = 999, .key = kw_bytes_str("key")};
    struct kw_record_values values = {.record = &record, .arena = kw_arena_new(1)};

    put(&record, TEXT, kw_bytes_str("words"));
    cr_assert(eq(str, (char *)(uintptr_t)kw_value_text(&values, TEXT), ""));
    kw_values_require(&values, false); /* what comes later is not told */
    cr_assert(eq(int, kw_values_end(&values, NULL).reason, KW_E_MEMORY));
    kw_arena_free(values.arena);
}

Test(sync_value, lifting_names_what_is_in_force_and_no_more)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_bytes lifted;

    kw_put_lifted(&w,
                  value_suspensions(KW_SUSPENSION_SET, KW_SUSPENSION_SET | KW_SUSPENSION_LIFTED));
    lifted = value_keep(&buf);
    cr_assert(kw_bytes_equal(lifted, value_suspensions(KW_SUSPENSION_LIFTED, 0)));
    cr_assert(kw_suspensions_has(lifted, (struct kw_id){{1}}));
    cr_assert(not(kw_suspensions_has(lifted, (struct kw_id){{2}})));
}

Test(sync_value, the_earliest_run_of_a_request_is_the_first)
{
    struct kw_record record = {.table = KW_TABLE_AUTHZ_REQUESTS, .key = kw_bytes_str("key")};
    static const struct kw_record_kind requests = {
        .table = KW_TABLE_AUTHZ_REQUESTS, .name = "requests", KW_RECORD_FIELDS(kw_request_fields)};
    const struct kw_request_run first = {.time_ms = 1, .store = store_b, .content = {1}};
    const struct kw_request_run second = {.time_ms = 2, .store = store_a, .content = {2}};
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_request_run run;

    cr_assert(not(kw_request_record_run(&record, &run)));
    kw_put_request_run(&w, &first);
    kw_put_request_run(&w, &second);
    cr_assert(
        kw_ok(kw_record_set(&record, &requests, KW_REQUEST_FIELD_RUNS, value_keep(&buf), NULL)));
    cr_assert(kw_request_record_run(&record, &run));
    cr_assert(run.time_ms == 1 && run.content[0] == 1 && kw_id_equal(run.store, store_b));
    w = KW_WRITER(&buf);
    kw_put_set_element(&w, kw_bytes_str("no run"));
    cr_assert(
        kw_ok(kw_record_set(&record, &requests, KW_REQUEST_FIELD_RUNS, value_keep(&buf), NULL)));
    cr_assert(not(kw_request_record_run(&record, &run)));
}
