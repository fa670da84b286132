/* The gateway's limits, with a clock of the test's: what is kept for officers, and who comes too
 * late to be answered. */
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "services/gateway/callers.h"
#include "services/gateway/pace.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define CALLS 64U
#define KEPT  (CALLS / KW_GATEWAY_OFFICERS_SHARE)

/* In these tests a certificate is its first letter: 'o' is an officer. */
static bool is_officer(struct kw_bytes certificate, void *context)
{
    unsigned *asked = context;

    (*asked)++;
    return certificate.data[0] == 'o';
}

static unsigned asked;
static struct kw_callers *callers;

static void setup(void)
{
    const struct kw_caller_limits limits = {.calls = CALLS,
                                            .calls_per_caller = CALLS,
                                            .per_second = 1000,
                                            .officer = is_officer,
                                            .context = &asked};

    cr_assert(kw_ok(kw_callers_new(&limits, &callers, NULL)));
}

static void teardown(void)
{
    kw_callers_free(callers);
}

static struct kw_caller *enter(const char *certificate)
{
    struct kw_caller *caller = NULL;
    struct kw_error error;
    uint32_t retry_ms = 0;
    struct kw_result entered =
        kw_callers_enter(callers, kw_bytes_str(certificate), 1, &caller, &retry_ms, &error);

    cr_assert(kw_ok(entered) || (entered.reason == KW_E_RATE_LIMITED && retry_ms > 0));
    return kw_ok(entered) ? caller : NULL;
}

static unsigned fill(const char *certificate)
{
    unsigned count = 0;

    while (enter(certificate) != NULL) {
        count++;
    }
    return count;
}

TestSuite(gateway_callers, .init = setup, .fini = teardown);

Test(gateway_callers, partners_together_leave_room_for_officers)
{
    cr_assert_eq(fill("partner a") + fill("partner b"), CALLS - KEPT);
    cr_assert_null(enter("partner c"));
    cr_assert_eq(fill("officer"), KEPT);
}

Test(gateway_callers, what_officers_have_in_flight_is_counted_like_the_rest)
{
    cr_assert_eq(fill("officer"), CALLS);
    cr_assert_null(enter("partner a"));
}

Test(gateway_callers, room_comes_back)
{
    struct kw_caller *first = enter("partner a");

    (void)fill("partner a");
    kw_callers_leave(callers, first);
    cr_assert_not_null(enter("partner b"));
}

Test(gateway_callers, who_is_an_officer_is_asked_once)
{
    asked = 0;
    (void)fill("officer");
    cr_assert_eq(asked, 1);
}

/* As whoever has certificates made would look for them, with what can be known. */
static unsigned enter_of_one_set(unsigned wanted)
{
    unsigned entered = 0;

    for (unsigned i = 0, found = 0; found < wanted; i++) {
        uint8_t digest[KW_SHA256_LEN];
        char certificate[16];

        (void)snprintf(certificate, sizeof(certificate), "officer %u", i);
        cr_assert(kw_ok(kw_sha256(kw_bytes_str(certificate), digest, NULL)));
        if (kw_be32_load(digest) % (KW_GATEWAY_CALLERS_MAX / KW_GATEWAY_CALLERS_WAYS) == 0) {
            found++;
            entered += enter(certificate) != NULL ? 1 : 0;
        }
    }
    return entered;
}

Test(gateway_callers, certificates_can_t_be_chosen_to_push_others_out)
{
    cr_assert_eq(enter_of_one_set(KW_GATEWAY_CALLERS_WAYS + 1), KW_GATEWAY_CALLERS_WAYS + 1);
}

/* --- pace --- */

#define NONE_YET KW_GATEWAY_PACE_QUEUE /* as many as are no queue */

static struct kw_pace in_flight(uint32_t count)
{
    struct kw_pace pace = {0};

    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(kw_pace_enter(&pace), i);
    }
    return pace;
}

/* Nine are left in flight; the one that had nine before it took 100 ms. */
static struct kw_pace seen_at(uint64_t now_ns)
{
    struct kw_pace pace = in_flight(10);

    kw_pace_leave(&pace, 9, true, 100 * KW_NS_PER_MS, now_ns);
    return pace;
}

Test(gateway_pace, nothing_is_known_at_first)
{
    struct kw_pace pace = in_flight(100);

    cr_assert_eq(kw_pace_wait_ns(&pace, KW_NS_PER_MS), 0);
    cr_assert(kw_pace_admits(&pace, 1, KW_NS_PER_MS));
}

Test(gateway_pace, who_comes_waits_for_those_before_it)
{
    struct kw_pace pace = seen_at(KW_NS_PER_MS);

    cr_assert_eq(kw_pace_wait_ns(&pace, 2 * KW_NS_PER_MS), 100 * KW_NS_PER_MS);
    cr_assert(kw_pace_admits(&pace, 134 * KW_NS_PER_MS, 2 * KW_NS_PER_MS),
              "a quarter of it is margin");
    cr_assert_not(kw_pace_admits(&pace, 133 * KW_NS_PER_MS, 2 * KW_NS_PER_MS));
}

Test(gateway_pace, a_few_are_no_queue)
{
    struct kw_pace pace = seen_at(KW_NS_PER_MS);

    kw_pace_leave(&pace, 0, false, 0, 2 * KW_NS_PER_MS);
    cr_assert_not(kw_pace_admits(&pace, 1, 2 * KW_NS_PER_MS));
    kw_pace_leave(&pace, 0, false, 0, 2 * KW_NS_PER_MS);
    cr_assert(kw_pace_admits(&pace, 1, 2 * KW_NS_PER_MS));
}

Test(gateway_pace, a_call_that_hangs_alone_says_nothing)
{
    struct kw_pace pace = in_flight(NONE_YET);

    kw_pace_leave(&pace, NONE_YET - 1, true, 60000 * KW_NS_PER_MS, KW_NS_PER_MS);
    cr_assert_eq(kw_pace_wait_ns(&pace, KW_NS_PER_MS), 0);
}

Test(gateway_pace, a_call_that_was_given_up_soon_says_nothing)
{
    struct kw_pace pace = seen_at(KW_NS_PER_MS);

    kw_pace_leave(&pace, 8, false, KW_NS_PER_MS, 2 * KW_NS_PER_MS);
    cr_assert_eq(kw_pace_wait_ns(&pace, 2 * KW_NS_PER_MS), 90 * KW_NS_PER_MS);
}

Test(gateway_pace, a_call_that_was_given_up_late_says_that_the_queue_is_slow)
{
    struct kw_pace pace = seen_at(KW_NS_PER_MS);

    kw_pace_leave(&pace, 8, false, 9000 * KW_NS_PER_MS, 2 * KW_NS_PER_MS);
    cr_assert_gt(kw_pace_wait_ns(&pace, 2 * KW_NS_PER_MS), 90 * KW_NS_PER_MS);
}

Test(gateway_pace, silence_is_not_knowing)
{
    uint64_t known_ns = KW_GATEWAY_PACE_MS * KW_NS_PER_MS;
    struct kw_pace pace = seen_at(0);

    cr_assert_gt(kw_pace_wait_ns(&pace, known_ns), 0);
    cr_assert_eq(kw_pace_wait_ns(&pace, known_ns + 1), 0);
}

/* --- more than the capacity, counted --- */

#define PATIENCE_MS 100U
#define RUN_MS      4000U
#define QUEUE_MAX   512U

/* A server that answers as many as it has room for, one a millisecond in the mean and in order. An
 * answer that comes late was work for nothing. */
struct server {
    struct {
        uint64_t came_ms;
        uint32_t ahead;
    } queue[16 * RUN_MS];
    size_t first;
    size_t last;
    unsigned good;
    struct kw_pace pace;
};

static void offer(struct server *server, bool admission, uint64_t now_ms)
{
    bool room = server->last - server->first < QUEUE_MAX;

    if (room && (!admission || kw_pace_admits(&server->pace, PATIENCE_MS * KW_NS_PER_MS,
                                              now_ms * KW_NS_PER_MS))) {
        server->queue[server->last].came_ms = now_ms;
        server->queue[server->last++].ahead = kw_pace_enter(&server->pace);
    }
}

static void serve_one(struct server *server, uint64_t now_ms)
{
    uint64_t took_ms;

    if (server->first == server->last) {
        return;
    }
    took_ms = now_ms - server->queue[server->first].came_ms;
    kw_pace_leave(&server->pace, server->queue[server->first++].ahead, took_ms <= PATIENCE_MS,
                  took_ms * KW_NS_PER_MS, now_ms * KW_NS_PER_MS);
    server->good += took_ms <= PATIENCE_MS;
}

/* `at_once`: calls that are served together, every so many milliseconds. */
static unsigned goodput(bool admission, unsigned offered, unsigned at_once)
{
    static struct server server;

    server = (struct server){0};
    for (uint64_t now_ms = 1000; now_ms < 1000 + RUN_MS; now_ms++) {
        for (unsigned i = 0; i < offered; i++) {
            offer(&server, admission, now_ms);
        }
        for (unsigned i = 0; now_ms % at_once == 0 && i < at_once; i++) {
            serve_one(&server, now_ms);
        }
    }
    return server.good;
}

Test(gateway_pace, goodput_at_twice_the_capacity_is_nine_tenths)
{
    cr_assert_geq(goodput(true, 2, 1), RUN_MS * 9 / 10);
    cr_assert_geq(goodput(true, 2, 20), RUN_MS * 9 / 10, "answered in bunches");
}

Test(gateway_pace, goodput_at_ten_times_the_capacity_too)
{
    cr_assert_geq(goodput(true, 10, 1), RUN_MS * 9 / 10);
}

Test(gateway_pace, without_admission_the_queue_eats_it)
{
    cr_assert_lt(goodput(false, 2, 1), RUN_MS / 10);
}

Test(gateway_pace, below_capacity_nobody_is_refused)
{
    cr_assert_geq(goodput(true, 1, 1), RUN_MS - PATIENCE_MS);
}
