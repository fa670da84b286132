/* A peer that breaks the rules is cut, by name; one that is odd within them costs little. */
#include "common/base/metrics.h"
#include "services/replicator/core/replicator.h"
#include "tests/support/must.h"

static const struct kw_place places[] = {{"eu", "a"}, {"eu", "b"}};
static const struct kw_id mesh = {{1}}, ours = {{2}}, theirs = {{3}}, lane = {{4}};

static struct {
    struct kw_replicator *replicator;
    const char *why;
    struct kw_ticket read; /* the last that was asked for */
    unsigned reads;
    unsigned applies;
    struct kw_frame sent; /* the last; what it borrows is gone */
    unsigned sends;
    unsigned vouchers;
    bool no_room;
    bool no_urgent_room;
    unsigned acks;
    uint64_t acked; /* the last */
} at;

static void on_send(void *context, uint32_t peer, const struct kw_frame *frame)
{
    (void)context;
    (void)peer;
    at.sent = *frame;
    at.sends++;
    at.vouchers += frame->type == KW_FRAME_VOUCHER;
}

static bool on_room(void *context, uint32_t peer)
{
    (void)context;
    (void)peer;
    return !at.no_room;
}

static bool on_urgent_room(void *context, uint32_t peer)
{
    (void)context;
    (void)peer;
    return !at.no_urgent_room;
}

static void on_read(void *context, struct kw_ticket ticket, uint64_t after)
{
    (void)context;
    (void)after;
    at.read = ticket;
    at.reads++;
}

static void on_record(void *context, struct kw_ticket ticket, struct kw_bytes record)
{
    (void)context;
    (void)ticket;
    (void)record;
    at.applies++;
}

static void on_acked(void *context, uint32_t peer, enum kw_owner owner, struct kw_id peer_store,
                     struct kw_id id, uint64_t seq)
{
    (void)context;
    (void)peer;
    (void)owner;
    (void)peer_store;
    (void)id;
    at.acks++;
    at.acked = seq;
}

static void on_cut(void *context, uint32_t peer, const char *why)
{
    (void)context;
    (void)peer;
    at.why = why;
}

static void setup(void)
{
    struct kw_replicator_options options = {
        .mesh = mesh,
        .stores = {ours},
        .us = places[0],
        .cells = {places, 2},
        .io = {.send = on_send,
               .room = on_room,
               .urgent_room = on_urgent_room,
               .read = on_read,
               .apply = on_record,
               .apply_urgent = on_record,
               .apply_voucher = on_record,
               .acked = on_acked,
               .cut = on_cut},
    };

    at.why = NULL;
    MUST(kw_replicator_new(&options, &at.replicator, err));
    kw_replicator_link_up(at.replicator, 0, 1000);
}

static void teardown(void)
{
    kw_replicator_free(at.replicator);
}

static void take(struct kw_frame frame)
{
    kw_replicator_frame(at.replicator, 0, &frame, 1000);
}

static void greet(void)
{
    take((struct kw_frame){.type = KW_FRAME_HELLO, .mesh = mesh, .stores = {theirs}});
    take((struct kw_frame){.type = KW_FRAME_REACH});
    cr_assert_null(at.why);
}

static void hold(uint64_t seq)
{
    MUST(kw_replicator_lane(at.replicator, KW_OWNER_AUTHZ, lane, &places[0],
                            (struct kw_extent){.seq = seq}, 1000, err));
}

TestSuite(replicator_peer, .init = setup, .fini = teardown);

Test(replicator_peer, what_breaks_the_rules_is_cut)
{
    static const struct kw_reach odd = {.owner = KW_OWNER_COUNT_};
    static const struct {
        bool greeted;
        struct kw_frame frame;
        const char *why;
    } rows[] = {
        {false, {.type = KW_FRAME_REACH}, "no hello"},
        {false, {.type = KW_FRAME_BATCH}, "no hello"},
        {false, {.type = KW_FRAME_VOUCHER}, "no hello"},
        {false, {.type = KW_FRAME_QUESTION, .number = 1}, "no hello"},
        {false, {.type = KW_FRAME_ANSWER, .number = 1}, "no hello"},
        {false, {.type = KW_FRAME_HELLO, .mesh = {{9}}, .stores = {{{3}}}}, "another mesh"},
        {false, {.type = KW_FRAME_HELLO, .mesh = {{1}}, .stores = {{{2}}}}, "it says it is us"},
        {false, {.type = KW_FRAME_HELLO, .mesh = {{1}}}, "a hello of nobody"},
        {true, {.type = KW_FRAME_HELLO, .mesh = {{1}}, .stores = {{{3}}}}, "a second hello"},
        {true, {.type = KW_FRAME_BATCH, .owner = KW_OWNER_COUNT_}, "an owner that is none"},
        {true, {.type = KW_FRAME_VOUCHER, .owner = KW_OWNER_COUNT_}, "an owner that is none"},
        {true, {.type = KW_FRAME_ACK, .reaches = &odd, .reach_count = 1}, "an owner that is none"},
        {true, {.type = KW_FRAME_QUESTION, .owner = KW_OWNER_COUNT_}, "an owner that is none"},
        {true, {.type = KW_FRAME_NEED}, "a need of more than one lane"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        teardown();
        setup();
        if (rows[i].greeted) {
            greet();
        }
        take(rows[i].frame);
        cr_assert_not_null(at.why, "row %zu", i);
        cr_assert_str_eq(at.why, rows[i].why);
        cr_assert_eq(at.applies, 0);
        at.why = NULL;
        take(rows[i].frame);
        cr_assert_null(at.why, "a link that was cut says nothing any more");
    }
}

Test(replicator_peer, a_frame_of_a_later_release_is_passed_over)
{
    greet();
    take((struct kw_frame){.type = KW_FRAME_END_ + 3});
    cr_assert_null(at.why);
}

Test(replicator_peer, who_asks_again_and_again_is_cut)
{
    struct kw_reach reach = {.lane = lane};

    greet();
    hold(5);
    for (unsigned i = 0; i < KW_LINK_NEEDS_PER_S; i++) {
        take((struct kw_frame){.type = KW_FRAME_NEED, .reaches = &reach, .reach_count = 1});
        cr_assert_null(at.why);
    }
    cr_assert_eq(at.reads, 1, "one read at a time");
    take((struct kw_frame){.type = KW_FRAME_NEED, .reaches = &reach, .reach_count = 1});
    cr_assert_str_eq(at.why, "it asks again too often");
}

Test(replicator_peer, lanes_that_nobody_has_take_no_room)
{
    greet();
    for (uint32_t i = 0; i < KW_LANES_MAX + 1; i++) {
        struct kw_reach reach = {.lane = {{9, (uint8_t)i, (uint8_t)(i >> 8)}}};

        take((struct kw_frame){.type = KW_FRAME_REACH, .reaches = &reach, .reach_count = 1});
    }
    cr_assert_null(at.why);
    hold(5);
    cr_assert_eq(at.reads, 1);
}

/* Where a fence ends a lane there are changes, and a heartbeat is all there is to be had. */
Test(replicator_peer, what_is_held_back_is_not_asked_for_in_a_circle)
{
    static const uint8_t batch[] = "KWN1";

    greet();
    hold(5);
    cr_assert_eq(at.reads, 1);
    kw_replicator_read(at.replicator, at.read, KW_BYTES_OF(batch), (struct kw_extent){.seq = 3},
                       1000);
    cr_assert_eq(at.reads, 2, "there is more");
    kw_replicator_read(at.replicator, at.read, KW_BYTES_OF(batch), (struct kw_extent){.seq = 3},
                       1000);
    cr_assert_eq(at.reads, 2);
    kw_replicator_tick(at.replicator, 1000 + KW_LINK_TICK_MS);
    cr_assert_eq(at.reads, 3, "but now and then: a fence may be raised");
}

/* What was deleted is such a thing too, and what an owner that is away can't say. */
Test(replicator_peer, what_is_not_to_be_had_is_asked_for_now_and_then_or_when_there_is_more)
{
    greet();
    hold(5);
    kw_replicator_read(at.replicator, at.read, KW_BYTES_NONE, (struct kw_extent){0}, 1000);
    kw_replicator_writable(at.replicator, 0, 1000);
    hold(5);
    cr_assert_eq(at.reads, 1);
    hold(6);
    cr_assert_eq(at.reads, 2);
    kw_replicator_read(at.replicator, at.read, KW_BYTES_NONE, (struct kw_extent){0}, 1000);
    kw_replicator_tick(at.replicator, 1000 + KW_LINK_TICK_MS);
    cr_assert_eq(at.reads, 3);
}

Test(replicator_peer, what_grew_while_nothing_was_found_is_asked_for_at_once)
{
    greet();
    hold(5);
    hold(6);
    cr_assert_eq(at.reads, 1, "it is being read");
    kw_replicator_read(at.replicator, at.read, KW_BYTES_NONE, (struct kw_extent){0}, 1000);
    cr_assert_eq(at.reads, 2);
}

Test(replicator_peer, what_was_read_for_an_earlier_link_is_not_sent)
{
    uint8_t batch[4] = {0};
    struct kw_ticket old;
    unsigned sends;

    greet();
    hold(5);
    old = at.read;
    kw_replicator_link_down(at.replicator, 0);
    kw_replicator_link_up(at.replicator, 0, 1000);
    greet();
    sends = at.sends;
    kw_replicator_read(at.replicator, old, KW_BYTES_OF(batch), (struct kw_extent){.seq = 5}, 1000);
    cr_assert_eq(at.sends, sends);
    cr_assert_eq(at.reads, 2, "it was asked for again");
}

Test(replicator_peer, a_verdict_becomes_an_answer)
{
    static const struct {
        enum kw_lane_verdict verdict;
        enum kw_frame_type answer; /* 0: none */
        bool cut;
    } rows[] = {
        {KW_LANE_NEWS, KW_FRAME_ACK, false}, {KW_LANE_KNOWN, KW_FRAME_ACK, false},
        {KW_LANE_GAP, KW_FRAME_NEED, false}, {KW_LANE_FORK, 0, false},
        {KW_LANE_STRANGER, 0, false},        {KW_LANE_FENCED, 0, false},
        {KW_LANE_STOPPED, 0, false},         {KW_LANE_WAITS, 0, false},
        {KW_LANE_UNSIGNED, 0, true},         {KW_LANE_BROKEN, 0, true},
        {KW_LANE_OTHER_MESH, 0, true},       {KW_LANE_VERDICT_END_ + 1, 0, false},
    };
    struct kw_reach held = {.lane = lane};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        teardown();
        setup();
        greet();
        hold(1);
        at.sent.type = 0;
        kw_replicator_applied(at.replicator, at.read, rows[i].verdict, &held);
        cr_assert_eq(at.sent.type, rows[i].answer, "row %zu", i);
        cr_assert_eq(at.why != NULL, rows[i].cut, "row %zu", i);
    }
}

Test(replicator_peer, a_lane_too_many_is_refused)
{
    struct kw_error err = {0};
    struct kw_result result = KW_OK;

    for (uint32_t i = 0; i <= KW_LANES_MAX; i++) {
        struct kw_id id = {{9, (uint8_t)i, (uint8_t)(i >> 8)}};

        cr_assert(kw_ok(result), "lane %u", i);
        result = kw_replicator_lane(at.replicator, KW_OWNER_AUTHZ, id, &places[0],
                                    (struct kw_extent){.seq = 1}, 1000, &err);
    }
    cr_assert_eq(result.reason, KW_E_LIMIT_REACHED);
}

/* --- what costs our owners --- */

static void bring(enum kw_frame_type type)
{
    take((struct kw_frame){.type = type, .record = kw_bytes_str("record")});
}

Test(replicator_peer, who_brings_more_than_owners_take_is_cut)
{
    const struct kw_ticket ticket = {.link = 1};

    greet();
    for (unsigned i = 0; i < KW_LINK_APPLIES_MAX; i++) {
        bring(i % 2 == 0 ? KW_FRAME_BATCH : KW_FRAME_URGENT);
    }
    kw_replicator_applied(at.replicator, ticket, KW_LANE_STOPPED, &(struct kw_reach){0});
    kw_replicator_urgent_applied(at.replicator, ticket, KW_LANE_KNOWN, KW_BYTES_NONE);
    bring(KW_FRAME_BATCH);
    bring(KW_FRAME_BATCH);
    cr_assert_null(at.why);
    bring(KW_FRAME_BATCH);
    cr_assert_str_eq(at.why, "more than our owners can take");
    cr_assert_eq(at.applies, KW_LINK_APPLIES_MAX + 2);
}

static void refuse(enum kw_lane_verdict verdict, uint64_t now_ms)
{
    const struct kw_ticket ticket = {.link = 1};

    kw_replicator_frame(at.replicator, 0,
                        &(struct kw_frame){.type = KW_FRAME_BATCH, .record = kw_bytes_str("r")},
                        now_ms);
    kw_replicator_applied(at.replicator, ticket, verdict, &(struct kw_reach){0});
}

Test(replicator_peer, who_brings_what_is_refused_all_the_time_is_cut)
{
    static const enum kw_lane_verdict verdicts[] = {KW_LANE_STRANGER, KW_LANE_FENCED, KW_LANE_FORK,
                                                    KW_LANE_STOPPED, KW_LANE_WAITS};

    greet();
    for (unsigned second = 0; second < 2; second++) {
        for (unsigned i = 0; i < KW_LINK_REFUSED_PER_S; i++) {
            refuse(verdicts[i % 5], 1000 + second * 1000);
        }
        refuse(KW_LANE_KNOWN, 1000 + second * 1000);
        cr_assert_null(at.why);
    }
    refuse(KW_LANE_STRANGER, 2999);
    cr_assert_str_eq(at.why, "too much of what it brings is refused");
}

Test(replicator_peer, owners_are_told_of_what_is_acknowledged_once)
{
    struct kw_reach reach = {.lane = lane, .extent = {.seq = 5, .closed = 1}};
    const struct kw_frame ack = {.type = KW_FRAME_ACK, .reaches = &reach, .reach_count = 1};

    greet();
    hold(5);
    take(ack);
    cr_assert_eq(at.acks, 1);
    reach.extent.closed++;
    take(ack);
    cr_assert_eq(at.acks, 1, "a promise is no change");
    reach.extent.seq = 9;
    take(ack);
    cr_assert_eq(at.acked, 9);
    hold(7);
    cr_assert_eq(at.acks, 3, "it was ahead of us");
    hold(7);
    cr_assert_eq(at.acks, 3);
    hold(9);
    cr_assert_eq(at.acks, 4);
    hold(10);
    cr_assert_eq(at.acks, 4, "that it has not");
}

Test(replicator_peer, what_nobody_judged_counts_no_more)
{
    const struct kw_ticket ticket = {.link = 1}, old = {.link = 0};

    greet();
    for (unsigned i = 0; i < KW_LINK_APPLIES_MAX; i++) {
        bring(KW_FRAME_BATCH);
    }
    kw_replicator_unapplied(at.replicator, ticket);
    kw_replicator_unapplied(at.replicator, old);
    bring(KW_FRAME_BATCH);
    cr_assert_null(at.why);
    bring(KW_FRAME_BATCH);
    cr_assert_str_eq(at.why, "more than our owners can take", "of an earlier link nothing is owed");
}

/* --- what waits for a link --- */

static void hold_many(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct kw_id id = {{9, (uint8_t)i, (uint8_t)(i >> 8)}};

        MUST(kw_replicator_lane(at.replicator, KW_OWNER_AUTHZ, id, &places[0],
                                (struct kw_extent){.seq = 1}, 1000, err));
    }
}

Test(replicator_peer, batches_that_are_read_for_it_are_bounded)
{
    const unsigned many = 2 * KW_LINK_READS_MAX;
    uint8_t batch[4] = {0};

    greet();
    hold_many(many);
    cr_assert_eq(at.reads, KW_LINK_READS_MAX);
    for (unsigned i = 0; i < many; i++) {
        struct kw_ticket ticket = {.link = 1, .lane = {{9, (uint8_t)i, (uint8_t)(i >> 8)}}};

        cr_assert_gt(at.reads, i, "each lane has its turn");
        kw_replicator_read(at.replicator, ticket, KW_BYTES_OF(batch), (struct kw_extent){.seq = 1},
                           1000);
    }
    cr_assert_eq(at.reads, many, "each once");
}

/* Lanes that always have more do not keep others from theirs. */
Test(replicator_peer, each_lane_has_its_turn_though_all_have_more)
{
    const unsigned many = 2 * KW_LINK_READS_MAX;
    uint64_t sent[2 * KW_LINK_READS_MAX] = {0};
    uint8_t batch[4] = {0};
    unsigned untouched = many;

    greet();
    for (unsigned i = 0; i < many; i++) {
        MUST(kw_replicator_lane(at.replicator, KW_OWNER_AUTHZ, (struct kw_id){{9, (uint8_t)i}},
                                &places[0], (struct kw_extent){.seq = 1000}, 1000, err));
    }
    for (unsigned n = 0; n < 4 * many && untouched > 0; n++) {
        struct kw_ticket ticket = {.link = 1, .lane = at.read.lane};
        struct kw_reach reach = {.lane = ticket.lane};
        uint64_t *seq = &sent[ticket.lane.bytes[1]];

        untouched -= *seq == 0;
        reach.extent.seq = ++*seq;
        kw_replicator_read(at.replicator, ticket, KW_BYTES_OF(batch), reach.extent, 1000);
        take((struct kw_frame){.type = KW_FRAME_ACK, .reaches = &reach, .reach_count = 1});
    }
    cr_assert_eq(untouched, KW_LINK_READS_MAX - 1, "all but those that are still being read");
}

Test(replicator_peer, nothing_is_read_for_a_link_without_room)
{
    greet();
    at.no_room = true;
    hold(5);
    kw_replicator_tick(at.replicator, 1100);
    cr_assert_eq(at.reads, 0);
    at.no_room = false;
    kw_replicator_writable(at.replicator, 0, 1100);
    cr_assert_eq(at.reads, 1);
}

Test(replicator_peer, a_link_with_room_that_has_not_greeted_gets_nothing)
{
    hold(5);
    kw_replicator_writable(at.replicator, 0, 1100);
    cr_assert_eq(at.reads, 0);
}

/* --- silence --- */

Test(replicator_peer, who_says_nothing_is_cut)
{
    greet();
    for (uint64_t now_ms = 1000; now_ms <= 1000 + KW_LINK_SILENT_MS; now_ms += KW_LINK_TICK_MS) {
        kw_replicator_tick(at.replicator, now_ms);
        cr_assert_null(at.why);
    }
    kw_replicator_tick(at.replicator, 1000 + KW_LINK_SILENT_MS + KW_LINK_TICK_MS);
    cr_assert_str_eq(at.why, "silent");
}

Test(replicator_peer, who_was_not_listened_to_is_not_cut)
{
    greet();
    kw_replicator_tick(at.replicator, 1000);
    kw_replicator_tick(at.replicator, 1000 + 3 * KW_LINK_SILENT_MS);
    cr_assert_null(at.why, "it may have said something");
    for (uint64_t ms = KW_LINK_TICK_MS; ms <= KW_LINK_SILENT_MS; ms += KW_LINK_TICK_MS) {
        kw_replicator_tick(at.replicator, 1000 + 3 * KW_LINK_SILENT_MS + ms);
        cr_assert_null(at.why);
    }
    kw_replicator_tick(at.replicator, 1000 + 4 * KW_LINK_SILENT_MS + KW_LINK_TICK_MS);
    cr_assert_str_eq(at.why, "silent");
}

/* --- our owners --- */

Test(replicator_peer, a_voucher_is_told_at_once_and_with_each_new_link)
{
    greet();
    cr_assert_eq(at.vouchers, 0);
    MUST(kw_replicator_voucher(at.replicator, KW_OWNER_ORCHESTRATOR, kw_bytes_str("KWV1"), err));
    cr_assert_eq(at.vouchers, 1);
    cr_assert_eq(at.sent.owner, KW_OWNER_ORCHESTRATOR);
    kw_replicator_link_down(at.replicator, 0);
    MUST(kw_replicator_voucher(at.replicator, KW_OWNER_ORCHESTRATOR, kw_bytes_str("KWV1+"), err));
    cr_assert_eq(at.vouchers, 1, "nobody is there");
    kw_replicator_link_up(at.replicator, 0, 1000);
    cr_assert_eq(at.vouchers, 2);
    cr_assert_eq(at.sent.record.len, 5, "the newest");
}

Test(replicator_peer, a_voucher_is_judged_as_a_batch_is)
{
    static const struct {
        enum kw_lane_verdict verdict;
        bool cut;
    } rows[] = {
        {KW_LANE_NEWS, false},      {KW_LANE_KNOWN, false},   {KW_LANE_STRANGER, false},
        {KW_LANE_FENCED, false},    {KW_LANE_UNSIGNED, true}, {KW_LANE_BROKEN, true},
        {KW_LANE_OTHER_MESH, true},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        teardown();
        setup();
        greet();
        bring(KW_FRAME_VOUCHER);
        at.sends = 0;
        kw_replicator_voucher_applied(at.replicator, (struct kw_ticket){.link = 1},
                                      rows[i].verdict);
        cr_assert_eq(at.why != NULL, rows[i].cut, "row %zu", i);
        cr_assert_eq(at.sends, 0, "nothing is answered, and nothing passed on");
    }
}

/* Each costs our owner some signatures. */
Test(replicator_peer, who_brings_vouchers_all_the_time_is_cut)
{
    const struct kw_frame voucher = {.type = KW_FRAME_VOUCHER, .record = kw_bytes_str("record")};

    greet();
    for (unsigned second = 1; second < 3; second++) {
        for (unsigned i = 0; i < KW_LINK_VOUCHERS_PER_S; i++) {
            kw_replicator_frame(at.replicator, 0, &voucher, second * 1000);
        }
        cr_assert_null(at.why);
    }
    kw_replicator_frame(at.replicator, 0, &voucher, 2999);
    cr_assert_str_eq(at.why, "too many vouchers");
    cr_assert_eq(at.applies, 2 * KW_LINK_VOUCHERS_PER_S);
}

/* Our owner would say in its lane whom it admits, under a number that it may have given to something else. */
Test(replicator_peer, who_has_more_than_our_owner_tells_that_before_who_it_is)
{
    const struct kw_frame voucher = {.type = KW_FRAME_VOUCHER, .record = kw_bytes_str("record")};
    const struct kw_reach further = {.lane = lane, .extent = {.seq = 9}};

    hold(5);
    take((struct kw_frame){.type = KW_FRAME_HELLO, .mesh = mesh, .stores = {theirs}});
    take((struct kw_frame){.type = KW_FRAME_REACH, .reaches = &further, .reach_count = 1});
    take(voucher);
    cr_assert_eq(at.applies, 0);
    hold(9);
    take(voucher);
    cr_assert_eq(at.applies, 1);
    take((struct kw_frame){.type = KW_FRAME_REACH,
                           .reaches = &(struct kw_reach){.lane = lane, .extent = {.seq = 11}},
                           .reach_count = 1});
    kw_replicator_frame(at.replicator, 0, &voucher, 1000 + KW_LINK_VOUCHER_WAIT_MS - 1);
    cr_assert_eq(at.applies, 1);
    kw_replicator_frame(at.replicator, 0, &voucher, 1000 + KW_LINK_VOUCHER_WAIT_MS);
    cr_assert_eq(at.applies, 2, "later there is always something on its way");
    cr_assert_null(at.why);
}

/* The peer may have refused it, for want of CAs that it has by now. */
Test(replicator_peer, a_voucher_is_told_again_soon_and_then_now_and_then)
{
    static const uint64_t after_s[] = {1, 3, 7, 15, 31, 63, 123, 183};
    unsigned told = 1;

    greet();
    MUST(kw_replicator_voucher(at.replicator, KW_OWNER_AUTHZ, kw_bytes_str("KWV1"), err));
    for (uint64_t ms = 1000; ms < 1000 + 3 * KW_LINK_VOUCH_MS; ms += KW_REACH_MS) {
        kw_replicator_frame(at.replicator, 0, &(struct kw_frame){.type = KW_FRAME_REACH}, ms);
        kw_replicator_tick(at.replicator, ms);
        told += ms == 1000 + 1000 * after_s[told - 1];
        cr_assert_eq(at.vouchers, told, "%d", (int)ms);
    }
}

/* --- what it costs --- */

Test(replicator_peer, an_urgent_change_is_left_to_its_lane_where_there_is_no_room)
{
    greet();
    at.sends = 0;
    kw_replicator_urgent(at.replicator, KW_OWNER_AUTHZ, kw_bytes_str("KWU1"));
    cr_assert_eq(at.sends, 1);
    at.no_urgent_room = true;
    kw_replicator_urgent(at.replicator, KW_OWNER_AUTHZ, kw_bytes_str("KWU1"));
    cr_assert_eq(at.sends, 1);
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "link_urgents"), 1);
    cr_assert_null(at.why);
    at.no_urgent_room = false;
}

Test(replicator_peer, of_reaches_only_some_are_looked_at)
{
    greet();
    hold(100);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        const struct kw_reach reach = {.lane = lane, .extent = {.seq = seq}};

        take((struct kw_frame){.type = KW_FRAME_REACH, .reaches = &reach, .reach_count = 1});
    }
    cr_assert_eq(at.acked, KW_LINK_REACHES_PER_S - 1, "one came with the greeting");
    cr_assert_eq(kw_metric_value(KW_M_LIMITS_REACHED, "link_reaches"),
                 20 + 1 - KW_LINK_REACHES_PER_S);
    cr_assert_null(at.why);
}

/* Beside the heartbeats of the lanes that there are. */
Test(replicator_peer, who_brings_what_is_known_all_the_time_is_cut)
{
    greet();
    hold(1);
    for (unsigned i = 0; i < KW_LINK_KNOWN_PER_S + 2 * 1000 / KW_HEARTBEAT_MS; i++) {
        refuse(KW_LANE_KNOWN, 1000);
        cr_assert_null(at.why);
    }
    refuse(KW_LANE_NEWS, 1000);
    cr_assert_null(at.why);
    refuse(KW_LANE_KNOWN, 1999);
    cr_assert_str_eq(at.why, "too much of what it brings is known");
}

Test(replicator_peer, an_owner_that_begins_anew_is_told_of_anew)
{
    const struct kw_id other = {{7}};

    greet();
    hold(5);
    MUST(kw_replicator_voucher(at.replicator, KW_OWNER_AUTHZ, kw_bytes_str("KWV1"), err));
    kw_replicator_owner(at.replicator, KW_OWNER_AUTHZ, other);
    cr_assert_str_eq(at.why, "our owner begins anew");
    at.sends = 0;
    kw_replicator_link_up(at.replicator, 0, 1000);
    cr_assert_eq(at.sends, 2, "a hello and a reach; who vouches for it is not known yet");
    cr_assert_eq(at.sent.reach_count, 0, "and no lane");
}

Test(replicator_peer, what_a_peer_lacks_is_known)
{
    struct kw_reach reach = {.lane = lane, .extent = {.seq = 2, .closed = 100ULL << 16}};
    struct kw_lag lag;

    greet();
    MUST(kw_replicator_lane(at.replicator, KW_OWNER_AUTHZ, lane, &places[0],
                            (struct kw_extent){.seq = 5, .closed = 150ULL << 16}, 1000, err));
    take((struct kw_frame){.type = KW_FRAME_ACK, .reaches = &reach, .reach_count = 1});
    lag = kw_replicator_lag(at.replicator, 0, KW_OWNER_AUTHZ);
    cr_assert_eq(lag.changes, 3);
    cr_assert_eq(lag.promise_ms, 50);
    lag = kw_replicator_lag(at.replicator, 0, KW_OWNER_ORCHESTRATOR);
    cr_assert_eq(lag.changes + lag.promise_ms, 0, "each kind for itself");
}
