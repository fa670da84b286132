/* Records of replicated tables (KWM1): the encoding is canonical, and two that are let in merge to
 * the same whichever comes first, also for a release that knows none of their fields; what comes of
 * it is let in again, changes nothing when merged once more, and can be held back in part.
 *
 * Input: which table u8 ‖ a record, u16 length before it ‖ another record. */
#include "common/feed/feed_holdings.h"
#include "common/sync/record_hold.h"
#include "services/authz/record_kinds.h"
#include "services/orchestrator/record_kinds.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (16U * 1024U * 1024U)

static const struct kw_record_kind *kind_of(size_t n)
{
    n %= kw_authz_record_kind_count + kw_orch_record_kind_count + 1;
    if (n < kw_authz_record_kind_count) {
        return kw_authz_record_kinds[n];
    }
    n -= kw_authz_record_kind_count;
    return n < kw_orch_record_kind_count ? kw_orch_record_kinds[n] : &kw_holding_record;
}

static bool decode(const struct kw_record_kind *kind, struct kw_bytes bytes,
                   struct kw_record *ret_record)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_error err = {0};

    if (!kw_fuzz_accepted(kw_record_decode(kind, bytes, ret_record, &err), &err)) {
        return false;
    }
    KW_FUZZ_MUST(kw_record_encode(ret_record, &again, NULL));
    KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), bytes));
    return true;
}

static bool equal(const struct kw_record *a, const struct kw_record *b)
{
    KW_SCOPED(kw_buf_done) struct kw_buf one = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};

    KW_FUZZ_MUST(kw_record_encode(a, &one, NULL));
    KW_FUZZ_MUST(kw_record_encode(b, &other, NULL));
    return kw_bytes_equal(kw_buf_bytes(&one), kw_buf_bytes(&other));
}

/* What a release that knows no fields makes of the result: the same. */
static void check_older(const struct kw_record *merged)
{
    struct kw_record_kind older = {.table = merged->table, .name = "older"};
    KW_SCOPED(kw_buf_done) struct kw_buf bytes = {0};
    struct kw_record again;

    KW_FUZZ_MUST(kw_record_encode(merged, &bytes, NULL));
    KW_FUZZ_CHECK(decode(&older, kw_buf_bytes(&bytes), &again));
    KW_FUZZ_CHECK(equal(merged, &again));
}

static void check_merged(const struct kw_record *merged, const struct kw_record *side,
                         struct kw_arena *arena)
{
    struct kw_record again;
    struct kw_record now;
    struct kw_record held;

    KW_FUZZ_MUST(kw_record_merge(merged, side, arena, NULL, &again, NULL));
    KW_FUZZ_CHECK(equal(&again, merged));
    (void)kw_record_hold(merged, 1000, &now, &held);
    KW_FUZZ_MUST(kw_record_merge(&now, &held, arena, NULL, &again, NULL));
    KW_FUZZ_CHECK(equal(&again, merged));
    check_older(merged);
}

static void check_pair(const struct kw_record *a, const struct kw_record *b, struct kw_arena *arena)
{
    struct kw_conflict found[4];
    struct kw_conflicts conflicts = {.items = found, .max = 4};
    struct kw_error err = {0};
    struct kw_record ab;
    struct kw_record ba;

    if (!kw_fuzz_accepted(kw_record_merge(a, b, arena, &conflicts, &ab, &err), &err)) {
        KW_FUZZ_CHECK(!kw_ok(kw_record_merge(b, a, arena, NULL, &ba, NULL)));
        return;
    }
    KW_FUZZ_MUST(kw_record_merge(b, a, arena, NULL, &ba, NULL));
    KW_FUZZ_CHECK(equal(&ab, &ba));
    check_merged(&ab, a, arena);
    check_merged(&ab, b, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_fuzz_input input = KW_FUZZ_INPUT(data, size);
    const struct kw_record_kind *kind = kind_of(kw_fuzz_u8(&input));
    struct kw_bytes first = kw_fuzz_piece(&input);
    struct kw_record a;
    struct kw_record b;
    struct kw_arena *arena;

    if (!decode(kind, first, &a) || !decode(kind, input.rest, &b)) {
        return 0;
    }
    arena = kw_arena_new(ARENA_MAX);
    KW_FUZZ_CHECK(arena != NULL);
    check_pair(&a, &b, arena);
    kw_arena_free(arena);
    return 0;
}
