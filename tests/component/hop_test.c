/* Calls over a hop: what each side sees, in order, within its limits, and when the other side is
 * lost. */
#include "common/base/metrics.h"
#include "common/rpc/hop_stream.h"
#include "tests/support/hop_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

#define LONG_MS 30000U

static uint8_t block[KW_BODY_LEN_MAX + 1];

Test(hop, unary_echo)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_ECHO, kw_bytes_str("hello"), true, LONG_MS)));
    cr_assert(eq(uint, outcome.statuses, 0));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(int, outcome.reason, KW_E_NONE));
    cr_assert(eq(uint, outcome.items, 1));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&outcome.last), kw_bytes_str("hello")));
    cr_assert(fx.trace_seen);
    cr_assert(eq(str, fx.seen_peer, OUTER_ID));
    cr_assert(kw_id_equal(fx.peer_boot_id, fx.boot_id));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, empty_message_is_a_message)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_ECHO, kw_bytes_str(""), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(uint, outcome.items, 1));
    cr_assert(eq(sz, outcome.bytes, 0));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, status_arrives_whole)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_REFUSE, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(int, outcome.reason, KW_E_KEY_STATE));
    cr_assert(eq(str, outcome.field, "device"));
    cr_assert(eq(str, outcome.description, "suspended"));
    cr_assert(eq(uint, outcome.retry_after_ms, 77));
    cr_assert(
        kw_bytes_equal(kw_buf_bytes(&outcome.context), kw_bytes_str("context of the status")));
    cr_assert(eq(uint, outcome.items, 0));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, messages_both_ways_then_end)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {.consume = true};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_RELAY, KW_BYTES_NONE, false, LONG_MS)));
    for (int i = 0; i < 3; i++) {
        cr_assert(kw_hop_send(outcome.call, (struct kw_hop_item){.data = kw_bytes_str("ping")}));
    }
    HOP_EVENTUALLY(&fx, outcome.items == 3);
    cr_assert(eq(uint, outcome.statuses, 0));
    kw_hop_end(outcome.call);
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(int, outcome.reason, KW_E_NONE));
    cr_assert(eq(uint, fx.ended, 1));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&outcome.context), kw_bytes_str("bye")));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

/* --- the same stream --- */

/* Two addresses of one inner end, so two streams. */
static void two_streams(struct hop_fixture *fx)
{
    char targets[2][32];
    const char *const list[] = {targets[0], targets[1], NULL};

    hop_fixture_init(fx);
    hop_start_inner(fx);
    snprintf(targets[0], sizeof(targets[0]), "127.0.0.1:%d", fx->port);
    snprintf(targets[1], sizeof(targets[1]), "127.0.0.1:%d", fx->port);
    cr_assert(kw_ok(hop_start_outer_to(fx, list)));
    HOP_EVENTUALLY(fx, fx->connects == 2);
}

static enum kw_reason open_beside(struct hop_fixture *fx, const struct kw_hop_call *beside,
                                  struct hop_outcome *outcome)
{
    static const struct kw_hop_events events = {.status = NULL};
    const struct kw_hop_open open = {
        .method = HOP_PARK, .deadline_ns = UINT64_MAX, .beside = beside};

    return kw_hop_open(fx->client, &open, &events, outcome, &outcome->call, NULL).reason;
}

Test(hop, a_call_beside_another_goes_on_its_stream)
{
    struct hop_fixture fx;
    struct hop_outcome first = {0}, others[4] = {{0}};

    two_streams(&fx);
    cr_assert(kw_ok(hop_call(&fx, &first, HOP_PARK, KW_BYTES_NONE, false, LONG_MS)));
    cr_assert(kw_id_equal(kw_hop_boot_id(first.call), fx.boot_id));
    for (int i = 0; i < 4; i++) {
        cr_assert(eq(int, open_beside(&fx, first.call, &others[i]), KW_E_NONE));
        cr_assert(eq(ptr, others[i].call->stream, first.call->stream));
    }
    HOP_EVENTUALLY(&fx, fx.opened == 5);
    for (int i = 0; i < 4; i++) {
        kw_hop_cancel(others[i].call);
    }
    kw_hop_cancel(first.call);
    hop_fixture_done(&fx);
}

Test(hop, a_call_beside_another_on_a_stream_that_drains_is_refused)
{
    struct hop_fixture fx;
    struct hop_outcome first = {0}, other = {0};

    two_streams(&fx);
    cr_assert(kw_ok(hop_call(&fx, &first, HOP_PARK, KW_BYTES_NONE, false, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    first.call->stream->draining = true;
    cr_assert(eq(int, open_beside(&fx, first.call, &other), KW_E_PEER_UNAVAILABLE));
    kw_hop_cancel(first.call);
    hop_fixture_done(&fx);
}

Test(hop, streams_that_are_dialled_anew_are_lost_first)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_PARK, KW_BYTES_NONE, false, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    kw_hop_client_redial(fx.client);
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(int, outcome.reason, KW_E_PEER_UNAVAILABLE));
    HOP_EVENTUALLY(&fx, fx.losses == 1 && fx.connects == 2);
    cr_assert(kw_hop_client_connected(fx.client));
    kw_hop_client_redial(fx.client);
    kw_hop_client_redial(fx.client); /* while nothing is there: nothing */
    HOP_EVENTUALLY(&fx, fx.losses == 2 && fx.connects == 3);
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

/* --- credit --- */

Test(hop, sender_stops_when_the_receiver_does_not_consume)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};
    size_t sent = 0;

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_SINK, KW_BYTES_NONE, false, LONG_MS)));
    while (
        kw_hop_send(outcome.call, (struct kw_hop_item){.data = KW_BYTES(block, SOURCE_ITEM_LEN)})) {
        sent += SOURCE_ITEM_LEN;
    }
    cr_assert(le(sz, sent, KW_HOP_CREDIT_BYTES + SOURCE_ITEM_LEN));
    HOP_EVENTUALLY(&fx, fx.received == sent);
    cr_assert(eq(uint, outcome.writables, 0));
    kw_hop_consume(fx.sink, fx.received);
    HOP_EVENTUALLY(&fx, outcome.writables == 1);
    cr_assert(kw_hop_send(outcome.call, (struct kw_hop_item){.data = kw_bytes_str("more")}));
    kw_hop_cancel(outcome.call);
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

/* Both ends know a call's window by its method; a link between cells has a wider one. */
Test(hop, a_link_has_a_wider_window)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};
    size_t sent = 0;

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_LINK, KW_BYTES_NONE, false, LONG_MS)));
    while (
        kw_hop_send(outcome.call, (struct kw_hop_item){.data = KW_BYTES(block, SOURCE_ITEM_LEN)})) {
        sent += SOURCE_ITEM_LEN;
    }
    cr_assert(ge(sz, sent, KW_LINK_CREDIT_BYTES - SOURCE_ITEM_LEN));
    HOP_EVENTUALLY(&fx, fx.received == sent);
    kw_hop_consume(fx.sink, fx.received);
    HOP_EVENTUALLY(&fx, outcome.writables == 1);
    kw_hop_cancel(outcome.call);
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, answers_stop_until_they_are_consumed)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {.consume = false};
    struct hop_outcome other = {0};
    size_t held;

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_SOURCE, kw_bytes_str(""), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, outcome.bytes >= KW_HOP_CREDIT_BYTES - SOURCE_ITEM_LEN);
    /* a parked call does not hold up the hop */
    cr_assert(kw_ok(hop_call(&fx, &other, HOP_ECHO, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, other.statuses == 1);
    held = outcome.bytes;
    cr_assert(le(sz, held, KW_HOP_CREDIT_BYTES + SOURCE_ITEM_LEN));
    cr_assert(lt(sz, fx.sent_items, SOURCE_ITEMS));
    outcome.consume = true;
    kw_hop_consume(outcome.call, held);
    HOP_EVENTUALLY(&fx, outcome.statuses == 1);
    cr_assert(eq(uint, outcome.items, SOURCE_ITEMS));
    hop_outcome_done(&outcome);
    hop_outcome_done(&other);
    hop_fixture_done(&fx);
}

Test(hop, messages_without_bytes_cost_credit_too)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};
    size_t sent = 0;

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_SINK, KW_BYTES_NONE, false, LONG_MS)));
    while (kw_hop_send(outcome.call, (struct kw_hop_item){.data = kw_bytes_str("")})) {
        sent++;
    }
    cr_assert(eq(sz, sent, KW_HOP_CREDIT_BYTES / KW_HOP_ITEM_COST));
    kw_hop_cancel(outcome.call);
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

/* --- limits --- */

Test(hop, item_too_large_is_refused_at_open)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(eq(int, hop_call(&fx, &outcome, HOP_ECHO, KW_BYTES_OF(block), true, LONG_MS).reason,
                 KW_E_BODY_TOO_LARGE));
    cr_assert(eq(ptr, outcome.call, NULL));
    hop_fixture_done(&fx);
}

Test(hop, item_too_large_ends_the_call)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_SINK, kw_bytes_str("x"), false, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    cr_assert(kw_hop_send(outcome.call, (struct kw_hop_item){.data = KW_BYTES_OF(block)}));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1 && fx.cancelled == 1);
    cr_assert(eq(int, outcome.reason, KW_E_BODY_TOO_LARGE));
    cr_assert(eq(sz, fx.received, 0));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, answer_too_large_ends_the_call)
{
    struct hop_fixture fx;
    struct hop_outcome reply = {0};
    struct hop_outcome stream = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &reply, HOP_HUGE, kw_bytes_str("x"), true, LONG_MS)));
    cr_assert(kw_ok(hop_call(&fx, &stream, HOP_TOO_BIG, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, reply.statuses == 1 && stream.statuses == 1);
    cr_assert(eq(int, reply.reason, KW_E_BODY_TOO_LARGE));
    cr_assert(eq(int, stream.reason, KW_E_BODY_TOO_LARGE));
    cr_assert(eq(uint, fx.cancelled, 1));
    hop_outcome_done(&reply);
    hop_outcome_done(&stream);
    hop_fixture_done(&fx);
}

/* Opens calls until one is refused; how many were not. */
static size_t fill(struct hop_fixture *fx, struct hop_outcome *outcomes, size_t max)
{
    struct kw_result opened = KW_OK;
    size_t count = 0;

    while (kw_ok(opened)) {
        struct hop_outcome refused = {0};

        opened = hop_call(fx, count < max ? &outcomes[count] : &refused, HOP_PARK,
                          kw_bytes_str("x"), true, LONG_MS);
        count += kw_ok(opened) ? 1 : 0;
    }
    cr_assert(eq(int, opened.reason, KW_E_RATE_LIMITED));
    return count;
}

Test(hop, calls_in_flight_are_limited)
{
    struct hop_fixture fx;
    static struct hop_outcome outcomes[KW_HOP_CALLS_MAX];
    const size_t places = KW_HOP_CALLS_MAX - KW_HOP_CALLS_KEPT;

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(eq(sz, fill(&fx, outcomes, places), places));
    fx.kept = true;
    cr_assert(eq(sz, fill(&fx, outcomes + places, KW_HOP_CALLS_KEPT), KW_HOP_CALLS_KEPT));
    HOP_EVENTUALLY(&fx, fx.opened == KW_HOP_CALLS_MAX);
    cr_assert(eq(sz, kw_hop_server_in_flight(fx.server), KW_HOP_CALLS_MAX));
    kw_hop_cancel(outcomes[5].call);
    cr_assert(kw_ok(hop_call(&fx, &outcomes[5], HOP_ECHO, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, outcomes[5].statuses == 1);
    cr_assert(eq(int, outcomes[5].reason, KW_E_NONE));
    hop_outcome_done(&outcomes[5]);
    hop_fixture_done(&fx);
}

Test(hop, waiting_frames_share_a_message)
{
    struct hop_fixture fx;
    static struct hop_outcome outcomes[256];
    struct kw_hop_stats before;
    struct kw_hop_stats after;

    hop_fixture_init(&fx);
    hop_up(&fx);
    before = kw_hop_client_stats(fx.client);
    for (size_t i = 0; i < 256; i++) {
        cr_assert(kw_ok(hop_call(&fx, &outcomes[i], HOP_ECHO, kw_bytes_str("x"), true, LONG_MS)));
    }
    for (size_t i = 0; i < 256; i++) {
        HOP_EVENTUALLY(&fx, outcomes[i].statuses == 1);
        hop_outcome_done(&outcomes[i]);
    }
    after = kw_hop_client_stats(fx.client);
    cr_assert(eq(u64, after.frames_sent - before.frames_sent, 256));
    cr_assert(ge(i64, kw_metric_value(KW_M_HOP_FRAMES, "sent"), 256));
    cr_assert(eq(u64, after.messages_sent - before.messages_sent, 256 / KW_HOP_FRAMES_MAX));
    after = kw_hop_server_stats(fx.server);
    cr_assert(lt(u64, after.messages_sent, after.frames_sent / 2));
    hop_fixture_done(&fx);
}

/* --- the end of a call --- */

Test(hop, deadline_ends_both_sides)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};
    uint64_t start_ns;

    hop_fixture_init(&fx);
    hop_up(&fx);
    start_ns = kw_clock_mono_ns();
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_PARK, kw_bytes_str("x"), true, 50)));
    HOP_EVENTUALLY(&fx, outcome.statuses == 1 && fx.cancelled == 1);
    cr_assert(eq(int, outcome.reason, KW_E_DEADLINE_EXCEEDED));
    cr_assert(ge(u64, kw_clock_mono_ns() - start_ns, 49000000));
    cr_assert(eq(sz, kw_hop_server_in_flight(fx.server), 0));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

Test(hop, deadlines_fire_in_their_own_order)
{
    struct hop_fixture fx;
    struct hop_outcome late = {0};
    struct hop_outcome early = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &late, HOP_PARK, kw_bytes_str("x"), true, LONG_MS)));
    cr_assert(kw_ok(hop_call(&fx, &early, HOP_PARK, kw_bytes_str("x"), true, 20)));
    HOP_EVENTUALLY(&fx, early.statuses == 1);
    cr_assert(eq(uint, late.statuses, 0));
    cr_assert(kw_hop_deadline_ns(late.call) > kw_clock_mono_ns());
    hop_outcome_done(&early);
    hop_fixture_done(&fx);
}

Test(hop, deadline_already_over_opens_nothing)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(eq(int, hop_call(&fx, &outcome, HOP_ECHO, kw_bytes_str("x"), true, 0).reason,
                 KW_E_DEADLINE_EXCEEDED));
    hop_fixture_done(&fx);
}

Test(hop, cancel_reaches_the_inner_side)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_PARK, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    kw_hop_cancel(outcome.call);
    HOP_EVENTUALLY(&fx, fx.cancelled == 1);
    cr_assert(eq(uint, outcome.statuses, 0));
    cr_assert(eq(sz, kw_hop_server_in_flight(fx.server), 0));
    hop_fixture_done(&fx);
}

Test(hop, call_without_a_stream_fails_at_once)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    hop_stop_inner(&fx);
    HOP_EVENTUALLY(&fx, !kw_hop_client_connected(fx.client));
    cr_assert(eq(int, hop_call(&fx, &outcome, HOP_ECHO, kw_bytes_str("x"), true, LONG_MS).reason,
                 KW_E_PEER_UNAVAILABLE));
    hop_fixture_done(&fx);
}

Test(hop, lost_stream_fails_its_calls_and_comes_back)
{
    struct hop_fixture fx;
    struct hop_outcome lost = {0};
    struct hop_outcome again = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &lost, HOP_PARK, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    hop_stop_inner(&fx);
    HOP_EVENTUALLY(&fx, lost.statuses == 1);
    cr_assert(eq(int, lost.reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(eq(uint, fx.cancelled, 1));
    hop_start_inner(&fx);
    HOP_EVENTUALLY(&fx, kw_hop_client_connected(fx.client));
    cr_assert(eq(uint, fx.connects, 2));
    cr_assert(eq(uint, fx.losses, 1));
    cr_assert(kw_ok(hop_call(&fx, &again, HOP_ECHO, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, again.statuses == 1);
    hop_outcome_done(&lost);
    hop_outcome_done(&again);
    hop_fixture_done(&fx);
}

Test(hop, lost_outer_side_cancels_its_calls)
{
    struct hop_fixture fx;
    struct hop_outcome outcome = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &outcome, HOP_PARK, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    kw_hop_client_close(fx.client, NULL, NULL);
    fx.client = NULL;
    HOP_EVENTUALLY(&fx, fx.cancelled == 1 && outcome.statuses == 1);
    cr_assert(eq(sz, kw_hop_server_in_flight(fx.server), 0));
    hop_outcome_done(&outcome);
    hop_fixture_done(&fx);
}

static void on_drained(void *context)
{
    struct hop_fixture *fx = context;

    fx->drained = true;
}

Test(hop, drain_lets_calls_finish_and_takes_no_new_ones)
{
    struct hop_fixture fx;
    struct hop_outcome running = {.consume = true};
    struct hop_outcome refused = {0};

    hop_fixture_init(&fx);
    hop_up(&fx);
    cr_assert(kw_ok(hop_call(&fx, &running, HOP_RELAY, kw_bytes_str("x"), false, LONG_MS)));
    HOP_EVENTUALLY(&fx, fx.opened == 1);
    kw_hop_server_drain(fx.server, on_drained, &fx);
    /* opened before the outer side has heard of it: refused, not lost */
    cr_assert(kw_ok(hop_call(&fx, &refused, HOP_ECHO, kw_bytes_str("x"), true, LONG_MS)));
    HOP_EVENTUALLY(&fx, refused.statuses == 1);
    cr_assert(eq(int, refused.reason, KW_E_DRAINING));
    HOP_EVENTUALLY(&fx, !kw_hop_client_connected(fx.client));
    cr_assert(not(fx.drained));
    kw_hop_end(running.call);
    HOP_EVENTUALLY(&fx, running.statuses == 1 && fx.drained);
    cr_assert(eq(int, running.reason, KW_E_NONE));
    hop_outcome_done(&running);
    hop_outcome_done(&refused);
    hop_fixture_done(&fx);
}

Test(hop, drain_of_an_idle_server_is_immediate)
{
    struct hop_fixture fx;

    hop_fixture_init(&fx);
    hop_start_inner(&fx);
    kw_hop_server_drain(fx.server, on_drained, &fx);
    cr_assert(fx.drained);
    hop_fixture_done(&fx);
}

/* --- targets --- */

Test(hop, name_is_looked_up)
{
    struct hop_fixture fx;
    char target[32];
    const char *const targets[] = {target, NULL};

    hop_fixture_init(&fx);
    hop_start_inner(&fx);
    snprintf(target, sizeof(target), "localhost:%d", fx.port);
    cr_assert(kw_ok(hop_start_outer_to(&fx, targets)));
    HOP_EVENTUALLY(&fx, kw_hop_client_connected(fx.client));
    hop_fixture_done(&fx);
}

Test(hop, calls_are_spread_over_streams)
{
    struct hop_fixture fx;
    struct hop_outcome outcomes[10] = {0};
    char target[32];
    const char *const targets[] = {target, target, NULL};

    hop_fixture_init(&fx);
    hop_start_inner(&fx);
    snprintf(target, sizeof(target), "127.0.0.1:%d", fx.port);
    cr_assert(kw_ok(hop_start_outer_to(&fx, targets)));
    HOP_EVENTUALLY(&fx, fx.connects == 2);
    for (size_t i = 0; i < 10; i++) {
        cr_assert(kw_ok(hop_call(&fx, &outcomes[i], HOP_PARK, kw_bytes_str("x"), true, LONG_MS)));
    }
    for (size_t i = 0; i < 10; i += 2) { /* one after the other: the two streams take turns */
        cr_assert(ne(ptr, outcomes[i].call->stream, outcomes[i + 1].call->stream));
    }
    hop_fixture_done(&fx);
}

Test(hop, target_without_port_is_a_config_error)
{
    struct hop_fixture fx;
    const char *const targets[] = {"127.0.0.1", NULL};

    hop_fixture_init(&fx);
    cr_assert(eq(int, hop_start_outer_to(&fx, targets).reason, KW_E_CONFIG_INVALID));
    hop_fixture_done(&fx);
}
