/* Fields as owners have them: what was made is read again, and what is none is found out. */
#include "common/sync/grow_set.h"
#include "common/sync/record_value.h"
#include "common/sync/request_record.h"
#include "common/sync/suspension_set.h"
#include "common/sync/version_vector.h"
#include "tests/support/merge_values.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum {
    NUMBER = 1,
    OWNER,
    TEXT,
    ENDED,
    COUNTS,
    HOLDS,
};

static const struct kw_field_kind fields[] = {
    [NUMBER] = {"number", KW_RULE_ONCE},   [OWNER] = {"owner", KW_RULE_ONCE},
    [TEXT] = {"text", KW_RULE_ONCE},       [ENDED] = {"ended", KW_RULE_FIRST},
    [COUNTS] = {"counts", KW_RULE_VECTOR}, [HOLDS] = {"holds", KW_RULE_SUSPENSIONS},
};

static const struct kw_record_kind kind = {
    .table = 999, .name = "things", KW_RECORD_FIELDS(fields)};

static struct kw_record_maker making(void)
{
    return kw_record_maker(&kind, kw_bytes_str("key"), values_arena());
}

Test(sync_value, what_was_made_is_read_again)
{
    struct kw_record_maker make = making();
    const struct kw_first ended = {.time_ms = 7, .store = store_a, .detail = kw_bytes_str("why")};
    struct kw_record_values values = {.record = &make.record};
    struct kw_first first;

    kw_make_u64(&make, NUMBER, 300);
    kw_make_id(&make, OWNER, store_b);
    kw_make_text(&make, TEXT, "words");
    kw_make_first(&make, ENDED, &ended);
    kw_make_count(&make, COUNTS, store_a, 4);
    kw_make_suspension(&make, HOLDS, store_b, KW_SUSPENSION_SET);
    cr_assert(kw_ok(kw_record_made(&make, NULL)));
    cr_assert(eq(u64, kw_value_u64(&values, NUMBER, 300), 300));
    cr_assert(kw_id_equal(kw_value_id(&values, OWNER), store_b));
    cr_assert(kw_bytes_equal(kw_value_text(&values, TEXT), kw_bytes_str("words")));
    cr_assert(kw_value_first(&values, ENDED, &first));
    cr_assert(kw_bytes_equal(first.detail, ended.detail));
    cr_assert(eq(u64, kw_vector_get(kw_record_value(&make.record, COUNTS), store_a), 4));
    cr_assert(kw_suspensions_in_force(kw_record_value(&make.record, HOLDS)));
    cr_assert(kw_ok(kw_values_end(&values, NULL)));
}

Test(sync_value, what_says_nothing_is_left_out_and_is_no_failure_to_read)
{
    struct kw_record_maker make = making();
    struct kw_record_values values = {.record = &make.record};
    struct kw_first first;

    kw_make_u64(&make, NUMBER, 0);
    kw_make_id(&make, OWNER, KW_ID_NONE);
    kw_make_text(&make, TEXT, "");
    kw_make_count(&make, COUNTS, store_a, 0);
    cr_assert(kw_ok(kw_record_made(&make, NULL)));
    cr_assert(eq(sz, make.record.count, 0));
    cr_assert(eq(u64, kw_value_u64(&values, NUMBER, 1), 0));
    cr_assert(kw_id_is_none(kw_value_id(&values, OWNER)));
    cr_assert(eq(sz, kw_value_text(&values, TEXT).len, 0));
    cr_assert(not(kw_value_first(&values, ENDED, &first)));
    cr_assert(kw_ok(kw_values_end(&values, NULL)));
}

Test(sync_value, a_field_that_is_none_is_found_out_at_the_end)
{
    struct kw_record_maker unknown = making();
    struct kw_record_maker wrong = making();
    struct kw_record_maker poor = kw_record_maker(&kind, kw_bytes_str("key"), kw_arena_new(1));

    kw_make_u64(&unknown, HOLDS + 1, 1);
    cr_assert(eq(int, kw_record_made(&unknown, NULL).reason, KW_E_ARGUMENT_INVALID));
    kw_make_text(&wrong, HOLDS, "no set");
    kw_make_u64(&wrong, NUMBER, 1); /* what comes after it is not looked at */
    cr_assert(eq(int, kw_record_made(&wrong, NULL).reason, KW_E_ARGUMENT_INVALID));
    kw_make_u64(&poor, NUMBER, 1);
    cr_assert(eq(int, kw_record_made(&poor, NULL).reason, KW_E_MEMORY));
    kw_arena_free(poor.arena);
}

static bool reads(uint8_t number, struct kw_bytes value)
{
    struct kw_record_maker make = making();
    struct kw_record_values values = {.record = &make.record};
    struct kw_first first;

    kw_make_bytes(&make, number, value);
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

Test(sync_value, lifting_names_what_is_in_force_and_no_more)
{
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);
    struct kw_bytes lifted;

    kw_put_lifted(&w,
                  value_suspensions(KW_SUSPENSION_SET, KW_SUSPENSION_SET | KW_SUSPENSION_LIFTED));
    lifted = value_keep(&buf);
    cr_assert(kw_bytes_equal(lifted, value_suspensions(KW_SUSPENSION_LIFTED, 0)));
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
