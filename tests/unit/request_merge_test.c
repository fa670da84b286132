/* Requests: what ran in two cells is known to have, and has one answer. */
#include "common/sync/first.h"
#include "services/authz/request_merge.h"
#include "services/orchestrator/request_merge.h"
#include "tests/support/merge_laws.h"
#include "tests/support/must.h"

static void check(const struct kw_record_kind *kind)
{
    struct laws laws = laws_new(kind);

    laws.dead = kw_request_record_twice;
    LAWS_AXIS(&laws, KW_REQUEST_FIELD_ANSWER, value_first(1, store_a, "x"),
              value_first(1, store_b, "y"), value_first(2, store_a, "z"));
    LAWS_AXIS(&laws, KW_REQUEST_FIELD_RUNS, value_set("x"), value_set("y"), value_set("z"),
              value_set("xy"), value_set("xz"), value_set("yz"), value_set("xyz"));
    LAWS_UNKNOWN(&laws, 40, KW_RULE_SET, value_set("x"), value_set("y"), value_set("xy"));
    laws_hold(&laws);
}

Test(request_merge, laws_hold)
{
    check(&kw_authz_request_record);
    check(&kw_orch_request_record);
}

/* One run of a request for `content`, answered. */
static struct kw_record run_of(uint64_t time_ms, struct kw_id store, uint8_t content,
                               const char *answer)
{
    struct kw_record record = {.table = kw_authz_request_record.table, .key = kw_bytes_str("key")};
    struct kw_request_run run = {.time_ms = time_ms, .store = store, .content = {content}};
    struct kw_buf buf = {0};
    struct kw_writer w = KW_WRITER(&buf);

    kw_put_request_run(&w, &run);
    MUST(kw_writer_end(&w, err));
    MUST(kw_record_set(&record, &kw_authz_request_record, KW_REQUEST_FIELD_ANSWER,
                       value_first(time_ms, store, answer), err));
    MUST(kw_record_set(&record, &kw_authz_request_record, KW_REQUEST_FIELD_RUNS, value_keep(&buf),
                       err));
    return record;
}

static struct kw_record merged_with_conflicts(const struct kw_record *a, const struct kw_record *b,
                                              size_t *ret_count)
{
    struct kw_conflicts conflicts = {0};
    struct kw_record merged;

    MUST(kw_record_merge(a, b, values_arena(), &conflicts, &merged, err));
    *ret_count = conflicts.count;
    return merged;
}

Test(request_merge, a_request_that_ran_in_two_cells_is_found_and_has_the_earlier_answer)
{
    struct kw_record here = run_of(7, store_a, 1, "later");
    struct kw_record there = run_of(6, store_b, 1, "earlier");
    size_t conflicts;
    struct kw_record merged = merged_with_conflicts(&here, &there, &conflicts);
    struct kw_first answer;

    cr_assert_not(kw_request_record_twice(&here));
    cr_assert(kw_request_record_twice(&merged));
    cr_assert_not(kw_request_record_reused(&merged));
    cr_assert_eq(conflicts, 1);
    cr_assert(kw_first_read(kw_record_value(&merged, KW_REQUEST_FIELD_ANSWER), &answer));
    cr_assert(kw_bytes_equal(answer.detail, kw_bytes_str("earlier")));
}

Test(request_merge, one_id_for_two_contents_is_told_from_a_repetition)
{
    struct kw_record here = run_of(7, store_a, 1, "one");
    struct kw_record there = run_of(6, store_b, 2, "two");
    size_t conflicts;
    struct kw_record merged = merged_with_conflicts(&here, &there, &conflicts);

    cr_assert(kw_request_record_twice(&merged) && kw_request_record_reused(&merged));
}

Test(request_merge, hearing_of_one_run_again_is_no_second_run)
{
    struct kw_record here = run_of(7, store_a, 1, "answer");
    size_t conflicts;
    struct kw_record merged = merged_with_conflicts(&here, &here, &conflicts);

    cr_assert_not(kw_request_record_twice(&merged));
    cr_assert_eq(conflicts, 0);
}
