/* One peer in one lane: credit, asking again, backups. */
#include "services/replicator/core/progress.h"
#include "tests/support/must.h"

static const struct kw_extent ours = {.seq = 100, .closed = (uint64_t)5000 << 16};

static void send_to(struct kw_progress *progress, uint64_t seq)
{
    kw_progress_sent(progress, (struct kw_extent){.seq = seq}, 1000);
}

static void acknowledge(struct kw_progress *progress, uint64_t seq)
{
    kw_progress_known(progress, (struct kw_extent){.seq = seq}, 2000);
}

Test(replicator_progress, no_more_than_the_credit_is_on_its_way)
{
    struct kw_progress progress = {0};

    for (uint64_t i = 1; i <= KW_LINK_BATCHES_MAX; i++) {
        cr_assert(kw_progress_wants(&progress, ours));
        send_to(&progress, i * 10);
    }
    cr_assert_not(kw_progress_wants(&progress, ours));
    acknowledge(&progress, 19);
    cr_assert(kw_progress_wants(&progress, ours), "the first has arrived");
    send_to(&progress, (KW_LINK_BATCHES_MAX + 1) * 10);
    cr_assert_not(kw_progress_wants(&progress, ours));
}

Test(replicator_progress, what_is_known_elsewhere_is_not_sent)
{
    struct kw_progress progress = {0};

    cr_assert(kw_progress_known(&progress, ours, 1));
    cr_assert_not(kw_progress_wants(&progress, ours));
    cr_assert_not(kw_progress_known(&progress, (struct kw_extent){.seq = 3}, 2), "that is no news");
    cr_assert_eq(progress.known.seq, 100);
}

Test(replicator_progress, who_holds_more_than_we_do_is_sent_no_promise_either)
{
    struct kw_progress progress = {0};

    acknowledge(&progress, 101);
    cr_assert_not(kw_progress_wants(&progress, ours));
}

Test(replicator_progress, it_goes_on_from_what_is_missing_but_not_from_before_what_is_known)
{
    struct kw_progress progress = {0};

    acknowledge(&progress, 10);
    send_to(&progress, 40);
    kw_progress_need(&progress, 20);
    cr_assert_eq(progress.sent.seq, 20);
    kw_progress_need(&progress, 5);
    cr_assert_eq(progress.sent.seq, 10);
    cr_assert_eq(progress.flight_count, 0);
}

Test(replicator_progress, what_was_not_acknowledged_in_time_is_sent_again)
{
    struct kw_progress progress = {0};

    send_to(&progress, 10);
    kw_progress_resend(&progress, 1000 + KW_LINK_RESEND_MS - 1);
    cr_assert_eq(progress.sent.seq, 10);
    kw_progress_resend(&progress, 1000 + KW_LINK_RESEND_MS);
    cr_assert_eq(progress.sent.seq, 0);
    cr_assert_eq(progress.flight_count, 0);
}

static void beat(struct kw_progress *progress, uint64_t closed, uint64_t now_ms)
{
    kw_progress_sent(progress, (struct kw_extent){.seq = 100, .closed = closed}, now_ms);
}

Test(replicator_progress, who_acknowledges_no_heartbeat_gets_few)
{
    struct kw_progress progress = {0};

    kw_progress_known(&progress, (struct kw_extent){.seq = 100, .closed = 10}, 1000);
    for (uint64_t i = 1; i <= KW_LINK_BATCHES_MAX; i++) {
        cr_assert(kw_progress_wants(&progress, ours));
        beat(&progress, 10 + i, 1000 + i);
    }
    cr_assert_not(kw_progress_wants(&progress, ours));
    kw_progress_resend(&progress, 1000 + KW_LINK_RESEND_MS);
    cr_assert_not(kw_progress_wants(&progress, ours));
    kw_progress_resend(&progress, 1001 + KW_LINK_RESEND_MS);
    cr_assert(kw_progress_wants(&progress, ours), "some more, at that pace");
    for (uint64_t i = 1; i <= KW_LINK_BATCHES_MAX; i++) {
        beat(&progress, 20 + i, 4000);
    }
    cr_assert_not(kw_progress_wants(&progress, ours));
    kw_progress_known(&progress, (struct kw_extent){.seq = 100, .closed = 21}, 4000);
    cr_assert(kw_progress_wants(&progress, ours));
}

Test(replicator_progress, changes_do_not_wait_for_heartbeats)
{
    struct kw_progress progress = {.known = {.seq = 99}, .sent = {.seq = 99}, .beats = 9};

    cr_assert(kw_progress_wants(&progress, ours));
}

Test(replicator_progress, a_new_link_starts_from_what_the_peer_says_then)
{
    struct kw_progress progress = {.reading = true};

    acknowledge(&progress, 40);
    kw_progress_restart(&progress);
    acknowledge(&progress, 10);
    cr_assert_eq(progress.sent.seq, 10, "it lost its tail");
    cr_assert(kw_progress_wants(&progress, ours));
}

Test(replicator_progress, a_backup_waits_its_turn_and_then_carries_for_a_while)
{
    struct kw_progress progress = {0};
    uint64_t wait = 2 * KW_RELAY_WAIT_MS;

    cr_assert(kw_progress_due(&progress, ours, 0, 1000), "the first does not wait");
    cr_assert_not(kw_progress_due(&progress, ours, 2, 1000));
    cr_assert_not(kw_progress_due(&progress, ours, 2, 1000 + wait - 1));
    cr_assert(kw_progress_due(&progress, ours, 2, 1000 + wait));
    kw_progress_known(&progress, ours, 1000 + wait);
    cr_assert(kw_progress_due(&progress, ours, 2, 1000 + wait + KW_RELAY_KEEP_MS - 1));
    cr_assert_not(kw_progress_due(&progress, ours, 2, 1000 + wait + KW_RELAY_KEEP_MS));
}

Test(replicator_progress, a_backup_does_not_step_in_while_the_peer_comes_closer)
{
    struct kw_progress progress = {0};

    for (uint64_t i = 0; i < 90; i++) {
        cr_assert_not(kw_progress_due(&progress, ours, 1, 1000 + i * (KW_RELAY_WAIT_MS - 1)));
        acknowledge(&progress, i + 1);
    }
}

Test(replicator_progress, a_promise_that_is_a_little_older_is_not_behind)
{
    struct kw_progress progress = {.known = {.seq = 100, .closed = (uint64_t)4500 << 16}};

    kw_progress_due(&progress, ours, 1, 1000);
    cr_assert_not(kw_progress_due(&progress, ours, 1, 1000 + KW_RELAY_WAIT_MS));
    progress.known.closed = (uint64_t)3000 << 16;
    kw_progress_due(&progress, ours, 1, 2000);
    cr_assert(kw_progress_due(&progress, ours, 1, 2000 + KW_RELAY_WAIT_MS));
}
