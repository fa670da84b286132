/* Authz's decisions, without a store and without a clock: policy, quotas, the rate of denials,
 * stamps, and the table of operations against the table of methods. */
#include "common/base/clock.h"
#include "common/sync/stamp.h"
#include "services/authz/denial_rate.h"
#include "services/authz/forward.h"
#include "services/authz/operations.h"
#include "services/authz/policy.h"
#include "services/authz/quota_book.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#define START 1000000U
#define END   2000000U

static struct kw_id id_of(uint8_t fill)
{
    struct kw_id id;

    memset(id.bytes, fill, sizeof(id.bytes));
    return id;
}

static struct kw_member_row a_member(void)
{
    return (struct kw_member_row){.id = id_of(1),
                                  .kind = KW_MEMBER_PARTNER,
                                  .regions = "",
                                  .epoch = 1,
                                  .transport_version = 1,
                                  .confirmed_version = 1};
}

static struct kw_grant_row a_grant(void)
{
    return (struct kw_grant_row){.id = id_of(2),
                                 .partner = id_of(1),
                                 .scope = KW_SCOPE_BODY,
                                 .operations = KW_GRANT_RELEASE,
                                 .purpose = "care",
                                 .start_ms = START,
                                 .end_ms = END,
                                 .regions = ""};
}

static struct kw_access an_access(void)
{
    return (struct kw_access){.device = id_of(3),
                              .operation = KW_GRANT_RELEASE,
                              .purpose = "care",
                              .region = "eu-1",
                              .now_ms = START};
}

static enum kw_verdict verdict_of(const struct kw_grant_row *grant, const struct kw_access *access)
{
    const struct kw_member_row member = a_member();
    const struct kw_quota unused = {.grant = grant->id};

    return kw_policy_grant(&member, grant, &unused, access);
}

/* --- a grant --- */

Test(authz_policy, allows_what_the_grant_says)
{
    const struct kw_grant_row grant = a_grant();
    const struct kw_access access = an_access();

    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
}

Test(authz_policy, a_grant_is_in_force_from_its_start_until_before_its_end)
{
    const struct kw_grant_row grant = a_grant();
    struct kw_access access = an_access();

    access.now_ms = START - 1;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_GRANT_PENDING));
    access.now_ms = START;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
    access.now_ms = END - 1;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
    access.now_ms = END;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_GRANT_EXPIRED));
}

Test(authz_policy, a_revoked_grant_is_revoked_before_and_after_its_times)
{
    struct kw_grant_row grant = a_grant();
    struct kw_access access = an_access();

    grant.revoked_ms = 1;
    for (access.now_ms = START - 1; access.now_ms <= END; access.now_ms += (END - START + 1)) {
        cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_GRANT_REVOKED));
    }
}

Test(authz_policy, another_partners_grant_allows_nothing)
{
    struct kw_grant_row grant = a_grant();
    const struct kw_access access = an_access();

    grant.partner = id_of(9);
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_GRANT_OTHER_PARTNER));
}

Test(authz_policy, operation_purpose_and_region_must_be_the_grants)
{
    struct kw_grant_row grant = a_grant();
    struct kw_access access = an_access();

    access.operation = KW_GRANT_DERIVE;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_OPERATION));
    grant.operations |= KW_GRANT_DERIVE;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
    access.purpose = "car";
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_PURPOSE));
    access.purpose = "Care";
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_PURPOSE));
    access.purpose = "care";
    grant.regions = "eu-2,us-1";
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_REGION));
}

Test(authz_policy, a_named_grant_is_the_only_one_that_counts)
{
    const struct kw_grant_row grant = a_grant();
    struct kw_access access = an_access();

    access.grant = id_of(7);
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_NO_GRANT));
    access.grant = grant.id;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
}

Test(authz_policy, a_strict_grant_asks_how_old_what_is_known_is)
{
    struct kw_grant_row grant = a_grant();
    struct kw_access access = an_access();

    access.age_max_ms = 30000;
    access.age_ms = 30001;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
    grant.strict = true;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_STALE));
    access.age_ms = 30000;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_ALLOWED));
    access.age_ms = UINT64_MAX; /* nothing is known */
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_STALE));
    grant.revoked_ms = 1;
    cr_assert(eq(int, verdict_of(&grant, &access), KW_VERDICT_GRANT_REVOKED));
}

Test(authz_policy, an_answer_is_decided_again_when_its_decision_is_old)
{
    uint64_t now_ns = kw_clock_mono_ns();

    cr_assert(kw_authz_decision_holds(now_ns));
    cr_assert(kw_authz_decision_holds(now_ns - 1000000000ULL));
    cr_assert(not(kw_authz_decision_holds(now_ns - KW_DECISION_LIFE_MS * 1000000ULL)));
}

Test(authz_policy, a_region_is_a_whole_item_of_the_list)
{
    cr_assert(kw_policy_region_listed("", "eu-1"));
    cr_assert(kw_policy_region_listed("eu-1", "eu-1"));
    cr_assert(kw_policy_region_listed("us-1,eu-1", "eu-1"));
    cr_assert(kw_policy_region_listed("eu-1,us-1", "eu-1"));
    cr_assert(not(kw_policy_region_listed("eu-11", "eu-1")));
    cr_assert(not(kw_policy_region_listed("xeu-1", "eu-1")));
    cr_assert(not(kw_policy_region_listed("us-1,eu-11,x-eu-1", "eu-1")));
}

/* --- the member --- */

Test(authz_policy, a_member_is_active_here_and_has_a_confirmed_key)
{
    struct kw_member_row member = a_member();
    const struct kw_access access = an_access();

    cr_assert(eq(int, kw_policy_member(&member, &access), KW_VERDICT_ALLOWED));
    member.confirmed_version = 0;
    cr_assert(eq(int, kw_policy_member(&member, &access), KW_VERDICT_TRANSPORT_KEY));
    member.regions = "us-1";
    cr_assert(eq(int, kw_policy_member(&member, &access), KW_VERDICT_MEMBER_REGION));
    member.suspended = true;
    cr_assert(eq(int, kw_policy_member(&member, &access), KW_VERDICT_MEMBER_SUSPENDED));
}

/* --- several grants --- */

static struct kw_choice decide(const struct kw_grant_row *grants, size_t count)
{
    const struct kw_member_row member = a_member();
    const struct kw_access access = an_access();
    struct kw_quota unused[KW_GRANT_CANDIDATES_MAX] = {0};

    return kw_policy_decide(&member, grants, unused, count, &access);
}

Test(authz_policy, nothing_allows_when_there_is_no_grant)
{
    const struct kw_choice choice = decide(NULL, 0);

    cr_assert(eq(int, choice.verdict, KW_VERDICT_NO_GRANT));
    cr_assert(eq(sz, choice.count, 0));
}

Test(authz_policy, tells_the_reason_of_the_grant_that_came_furthest)
{
    struct kw_grant_row grants[3] = {a_grant(), a_grant(), a_grant()};

    grants[0].revoked_ms = 1;
    grants[1].purpose = "other";
    grants[2].end_ms = START;
    cr_assert(eq(int, decide(grants, 3).verdict, KW_VERDICT_PURPOSE));
}

Test(authz_policy, tries_wide_grants_in_order_and_stops_at_one_that_names_the_device)
{
    struct kw_grant_row grants[4] = {a_grant(), a_grant(), a_grant(), a_grant()};
    struct kw_choice choice;

    grants[0].scope = KW_SCOPE_PRODUCT;
    grants[1].revoked_ms = 1;
    choice = decide(grants, 4);
    cr_assert(eq(int, choice.verdict, KW_VERDICT_ALLOWED));
    cr_assert(eq(sz, choice.count, 2));
    cr_assert(eq(sz, choice.grants[0], 0));
    cr_assert(eq(sz, choice.grants[1], 2));
}

Test(authz_policy, tries_no_more_than_the_limit)
{
    struct kw_grant_row grants[KW_GRANT_CANDIDATES_MAX];

    for (size_t i = 0; i < KW_GRANT_CANDIDATES_MAX; i++) {
        grants[i] = a_grant();
        grants[i].scope = KW_SCOPE_BATCH;
    }
    cr_assert(eq(sz, decide(grants, KW_GRANT_CANDIDATES_MAX).count, KW_GRANT_TRIES_MAX));
}

Test(authz_policy, tells_the_caller_nothing_that_would_say_what_exists)
{
    for (int verdict = 0; verdict < KW_VERDICT_COUNT_; verdict++) {
        struct kw_error error = {0};
        enum kw_reason reason = kw_verdict_require((enum kw_verdict)verdict, &error).reason;

        if (verdict == KW_VERDICT_ALLOWED) {
            cr_assert(eq(int, reason, KW_E_NONE));
            continue;
        }
        cr_assert(eq(str, error.message, (char *)kw_verdict_name((enum kw_verdict)verdict)));
        cr_assert(reason == KW_E_NOT_FOUND || verdict == KW_VERDICT_QUOTA ||
                  verdict == KW_VERDICT_STALE || verdict == KW_VERDICT_MEMBER_SUSPENDED ||
                  verdict == KW_VERDICT_TRANSPORT_KEY);
        cr_assert(ne(int, reason, KW_E_NONE));
    }
}

/* --- quotas --- */

static struct kw_grant_row a_quota(uint64_t max, uint64_t window_ms)
{
    struct kw_grant_row grant = a_grant();

    grant.max_operations = max;
    grant.window_ms = window_ms;
    return grant;
}

Test(authz_quota, no_quota_is_never_used_up)
{
    const struct kw_grant_row grant = a_quota(0, 0);
    struct kw_quota quota = {.used = UINT64_MAX};

    cr_assert(eq(u64, kw_quota_left(&grant, &quota, START), UINT64_MAX));
}

Test(authz_quota, windows_follow_one_another_from_the_start)
{
    const struct kw_grant_row grant = a_quota(1, 100);

    cr_assert(eq(u64, kw_quota_window(&grant, START), START));
    cr_assert(eq(u64, kw_quota_window(&grant, START + 99), START));
    cr_assert(eq(u64, kw_quota_window(&grant, START + 100), START + 100));
    cr_assert(eq(u64, kw_quota_window(&grant, START + 250), START + 200));
    cr_assert(eq(u64, kw_quota_window(&grant, START - 1), START));
}

Test(authz_quota, takes_until_none_is_left_and_anew_in_the_next_window)
{
    const struct kw_grant_row grant = a_quota(2, 100);
    struct kw_quota quota = {0};

    cr_assert(kw_quota_take(&grant, &quota, START));
    cr_assert(kw_quota_take(&grant, &quota, START + 99));
    cr_assert(not(kw_quota_take(&grant, &quota, START + 99)));
    cr_assert(eq(u64, quota.used, 2));
    cr_assert(kw_quota_take(&grant, &quota, START + 100));
    cr_assert(eq(u64, kw_quota_left(&grant, &quota, START + 100), 1));
}

Test(authz_quota, a_clock_that_is_set_back_opens_no_window_again)
{
    const struct kw_grant_row grant = a_quota(1, 100);
    struct kw_quota quota = {0};

    cr_assert(kw_quota_take(&grant, &quota, START + 100));
    cr_assert(not(kw_quota_take(&grant, &quota, START + 50)));
}

Test(authz_quota, gives_back_in_the_window_it_was_taken_in_only)
{
    const struct kw_grant_row grant = a_quota(1, 100);
    struct kw_quota quota = {0};

    cr_assert(kw_quota_take(&grant, &quota, START));
    kw_quota_give_back(&grant, &quota, START + 1);
    cr_assert(eq(u64, quota.used, 0));
    kw_quota_give_back(&grant, &quota, START + 1);
    cr_assert(eq(u64, quota.used, 0));
    cr_assert(kw_quota_take(&grant, &quota, START + 100));
    kw_quota_give_back(&grant, &quota, START + 99);
    cr_assert(eq(u64, quota.used, 1));
}

Test(authz_quota, tells_when_the_next_window_begins)
{
    struct kw_grant_row grant = a_quota(1, 100);
    const struct kw_quota quota = {.window_start_ms = START, .used = 1};

    cr_assert(eq(u32, kw_quota_retry_ms(&grant, &quota, START), 100));
    cr_assert(eq(u32, kw_quota_retry_ms(&grant, &quota, START + 99), 1));
    grant.end_ms = START + 100; /* there is no next */
    cr_assert(eq(u32, kw_quota_retry_ms(&grant, &quota, START), 0));
    grant.window_ms = 0;
    cr_assert(eq(u32, kw_quota_retry_ms(&grant, &quota, START), 0));
    grant.window_ms = 1ULL << 40;
    grant.end_ms = 1ULL << 50;
    cr_assert(eq(u32, kw_quota_retry_ms(&grant, &quota, START), UINT32_MAX));
}

Test(authz_quota, the_book_hands_out_each_change_once)
{
    struct kw_quota_book book = {0};
    struct kw_grant_row grants[3] = {a_quota(5, 0), a_quota(5, 0), a_quota(0, 0)};
    struct kw_quota changes[4];

    cr_assert(kw_ok(kw_quota_book_init(&book, NULL)));
    grants[1].id = id_of(8);
    grants[2].id = id_of(9); /* no quota: nothing to write */
    for (size_t i = 0; i < 3; i++) {
        cr_assert(kw_ok(kw_quota_book_take(&book, &grants[i], START, NULL)));
        cr_assert(kw_ok(kw_quota_book_take(&book, &grants[i], START, NULL)));
    }
    cr_assert(eq(sz, kw_quota_book_changes(&book, changes, 1), 1));
    cr_assert(eq(sz, kw_quota_book_changes(&book, changes + 1, 4), 1));
    cr_assert(eq(sz, kw_quota_book_changes(&book, changes, 4), 0));
    kw_quota_book_give_back(&book, &grants[0], START);
    cr_assert(eq(sz, kw_quota_book_changes(&book, changes, 4), 1));
    cr_assert(eq(u64, changes[0].used, 1));
    kw_quota_book_done(&book);
}

Test(authz_quota, the_book_goes_on_from_what_was_stored)
{
    struct kw_quota_book book = {0};
    const struct kw_grant_row grant = a_quota(5, 0);
    const struct kw_quota stored = {.grant = grant.id, .window_start_ms = START, .used = 4};

    cr_assert(kw_ok(kw_quota_book_init(&book, NULL)));
    cr_assert(kw_ok(kw_quota_book_restore(&book, &stored, NULL)));
    cr_assert(kw_ok(kw_quota_book_take(&book, &grant, START, NULL)));
    cr_assert(eq(int, kw_quota_book_take(&book, &grant, START, NULL).reason, KW_E_QUOTA_EXCEEDED));
    cr_assert(eq(u64, kw_quota_book_get(&book, &grant).used, 5));
    kw_quota_book_done(&book);
}

/* --- denials --- */

struct written {
    size_t rows;
    uint64_t times; /* summed up */
    struct kw_denial last;
};

static void count_row(const struct kw_denial *denial, void *context)
{
    struct written *written = context;

    written->rows++;
    written->times += denial->times;
    written->last = *denial;
}

/* In the arena of a test: half a megabyte. */
static struct kw_denial_rate *a_rate(void)
{
    struct kw_denial_rate *rate = calloc(1, sizeof(*rate));

    cr_assert_not_null(rate);
    return rate;
}

static void take(struct kw_denial_rate *rate, uint8_t caller, uint64_t time_ms, size_t times,
                 struct written *written)
{
    const struct kw_denial_sink sink = {count_row, written};
    struct kw_denial denial = {.time_ms = time_ms, .times = 1};

    denial.fingerprint[0] = caller; /* the slot is chosen by its first four bytes */
    denial.fingerprint[3] = 5;
    for (size_t i = 0; i < times; i++) {
        kw_denial_rate_take(rate, &denial, &sink);
    }
}

Test(authz_denials, writes_ten_a_second_singly_and_counts_the_rest)
{
    struct kw_denial_rate *rate = a_rate();
    struct written written = {0};

    take(rate, 1, 5000, 1000, &written);
    cr_assert(eq(sz, written.rows, KW_DENIALS_PER_CALLER_S));
    take(rate, 1, 6000, 1, &written); /* another second: the count first */
    cr_assert(eq(sz, written.rows, KW_DENIALS_PER_CALLER_S + 2));
    cr_assert(eq(u64, written.times, 1001));
    cr_assert(eq(sz, rate->holding, 0));
    free(rate);
}

Test(authz_denials, a_caller_that_shares_the_slot_loses_nothing)
{
    struct kw_denial_rate *rate = a_rate();
    struct written written = {0};

    take(rate, 1, 5000, 12, &written);
    take(rate, 2, 5000, 12, &written); /* the same slot: KW_DENIAL_CALLERS divides 2^24 */
    take(rate, 1, 5000, 1, &written);
    cr_assert(eq(u64, written.times, 24)); /* the last is held */
    cr_assert(eq(sz, written.rows, 10 + 1 + 1));
    cr_assert(eq(int, written.last.fingerprint[0], 2));
    take(rate, 1, 6000, 1, &written);
    cr_assert(eq(u64, written.times, 26));
    free(rate);
}

Test(authz_denials, callers_that_take_turns_in_a_slot_are_bounded_too)
{
    struct kw_denial_rate *rate = a_rate();
    struct written written = {0};
    const struct kw_denial_sink sink = {count_row, &written};

    for (int i = 0; i < 1000; i++) {
        take(rate, (uint8_t)(1 + i % 2), 5000, 1, &written);
    }
    kw_denial_rate_sweep(rate, 6000, false, &sink);
    cr_assert(eq(u64, written.times, 1000));
    cr_assert(eq(sz, written.rows, 2 * KW_DENIALS_PER_CALLER_S + 1));
    cr_assert(eq(int, written.last.fingerprint[0], 0), "whose it is cannot be said");
    cr_assert(eq(str, written.last.detail, "of several certificates"));
    cr_assert(eq(sz, rate->holding, 0));
    free(rate);
}

Test(authz_denials, a_sweep_writes_the_counts_of_seconds_that_are_over)
{
    struct kw_denial_rate *rate = a_rate();
    struct written written = {0};
    const struct kw_denial_sink sink = {count_row, &written};

    take(rate, 1, 5000, 15, &written);
    kw_denial_rate_sweep(rate, 5999, false, &sink);
    cr_assert(eq(u64, written.times, 10));
    kw_denial_rate_sweep(rate, 6000, false, &sink);
    cr_assert(eq(u64, written.times, 15));
    cr_assert(eq(u64, written.last.times, 5));
    take(rate, 1, 6000, 11, &written);
    kw_denial_rate_sweep(rate, 6000, true, &sink);
    cr_assert(eq(u64, written.times, 26));
    cr_assert(eq(sz, rate->holding, 0));
    free(rate);
}

/* --- stamps --- */

Test(authz_stamps, grow_when_the_clock_stands_still_or_is_set_back)
{
    struct kw_stamp_clock clock = {.store = {{4}}};
    const uint64_t times[] = {1000, 1000, 1000, 900, 1001};
    struct kw_stamp last = {0};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        struct kw_stamp stamp = kw_stamp_next(&clock, times[i]);

        cr_assert(lt(u64, last.hlc, stamp.hlc));
        cr_assert(kw_id_equal(stamp.store, clock.store));
        last = stamp;
    }
    cr_assert(eq(u64, last.hlc >> 16, 1001));
}

/* --- operations --- */

/* What ends at the gateway or is between inner layers does not come here. */
static bool is_authzs(const struct kw_method *method)
{
    return method->ends != KW_LAYER_GATEWAY && !kw_method_has(method, KW_METHOD_INTERNAL);
}

Test(authz_operations, every_method_has_its_row_and_no_other)
{
    for (uint32_t number = 0; number <= UINT16_MAX; number++) {
        const struct kw_method *method = kw_method_by_id(number);
        const struct kw_authz_operation *operation = kw_authz_operation_find(number);

        cr_assert(eq(int, operation != NULL, method != NULL && is_authzs(method)), "%u", number);
        cr_assert(operation == NULL || (uint32_t)operation->method == number);
    }
}

Test(authz_operations, what_takes_away_is_officers_and_what_is_asked_for_is_not)
{
    static const enum kw_method_id takes[] = {
        KW_METHOD_SUSPEND_PARTNER, KW_METHOD_SUSPEND_STATION,       KW_METHOD_REVOKE_GRANT,
        KW_METHOD_SUSPEND_KEY,     KW_METHOD_REPORT_KEY_COMPROMISE, KW_METHOD_DEACTIVATE_KEY,
        KW_METHOD_DESTROY_KEY,
    };
    static const enum kw_method_id asks[] = {KW_METHOD_GET_DEVICE_ACCESS, KW_METHOD_DERIVE_SESSION,
                                             KW_METHOD_LIST_GRANTS, KW_METHOD_ENROLL,
                                             KW_METHOD_CREATE_BATCH};

    for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
        cr_assert(kw_method_is_officers(kw_method_by_id(takes[i])));
    }
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        cr_assert(not(kw_method_is_officers(kw_method_by_id(asks[i]))));
    }
}

/* A method that ends here answers in its first job; one that goes on inward must say how. */
Test(authz_operations, rows_do_what_the_method_table_says)
{
    size_t count;
    const struct kw_method *methods = kw_method_table(&count);

    for (size_t i = 0; i < count; i++) {
        const struct kw_authz_operation *operation =
            kw_authz_operation_find((uint32_t)methods[i].id);
        bool here = methods[i].ends == KW_LAYER_AUTHZ;
        bool mutates = kw_method_has(&methods[i], KW_METHOD_MUTATES);

        if (operation == NULL) {
            continue;
        }
        cr_assert(eq(int, operation->proceed == NULL, here), "%s", methods[i].path);
        cr_assert(operation->run != NULL || !here, "%s", methods[i].path);
        cr_assert(operation->writes == mutates || !here, "%s", methods[i].path);
        cr_assert(operation->effect == NULL || mutates, "%s", methods[i].path);
    }
}
