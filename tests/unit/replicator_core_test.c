/* Replicators among themselves: what gets where, by whom, and what faults do. Time is the model's. */
#include "tests/support/must.h"
#include "tests/support/replica_net.h"

#include <stdlib.h>

enum {
    CELLS = 9,
    SETTLE_MS = 5000, /* within which everything is everywhere after the last fault */
    Aa = 0,
    Ab = 1,
    Ac = 2,
    Ba = 3,
    Bb = 4,
    Ca = 6,
};

static struct replica_net *start(uint64_t seed)
{
    struct replica_net *net = malloc(sizeof(*net));

    REQUIRE(net != NULL, "memory");
    net_init(net, 3, 3, seed);
    net_run(net, 2000);
    return net;
}

static void end(struct replica_net *net)
{
    net_done(net);
    free(net);
}

static void write_some(struct replica_net *net, size_t cell, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        net_write(net, cell);
    }
}

static uint64_t settle(struct replica_net *net)
{
    uint64_t begin = net->now_ms;

    while (!net_equal(net) && net->now_ms - begin < SETTLE_MS) {
        net_run(net, 5);
    }
    cr_assert(net_equal(net), "not the same everywhere after %d ms", SETTLE_MS);
    return net->now_ms - begin;
}

static uint64_t sum_useless(const struct replica_net *net)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < net->count; i++) {
        sum += net->cells[i].useless;
    }
    return sum;
}

Test(replicator_core, a_change_gets_everywhere_once)
{
    struct replica_net *net = start(1);
    uint64_t took;

    for (size_t cell = 0; cell < CELLS; cell++) {
        net_write(net, cell);
    }
    took = settle(net);
    cr_assert_eq(sum_useless(net), 0);
    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t lane = 0; lane < CELLS; lane++) {
            cr_assert_eq(net->cells[cell].received[lane], cell != lane);
        }
    }
    cr_assert_leq(took, 450, "two hops of at most 200 ms, one of them here as slow as the other");
    end(net);
}

Test(replicator_core, a_stream_of_changes_gets_everywhere_once)
{
    struct replica_net *net = start(2);

    for (size_t i = 0; i < 200; i++) {
        net_write(net, i % CELLS);
        net_run(net, 20);
    }
    settle(net);
    cr_assert_eq(sum_useless(net), 0, "no backup stepped in");
    end(net);
}

Test(replicator_core, a_burst_never_has_more_on_its_way_than_the_credit)
{
    struct replica_net *net = start(3);

    write_some(net, Aa, 100);
    settle(net);
    cr_assert_eq(net->in_flight_max, KW_LINK_BATCHES_MAX);
    end(net);
}

Test(replicator_core, a_dead_origins_last_changes_come_from_who_has_them)
{
    struct replica_net *net = start(4);

    net_block(net, Aa, Ba, true);
    net_block(net, Aa, Ca, true);
    net_block(net, Aa, Ab, true);
    write_some(net, Aa, 3);
    net_run(net, 250);
    net_crash(net, Aa);
    cr_assert_eq(net->cells[Ac].held[Aa].seq, 3);
    settle(net);
    end(net);
}

Test(replicator_core, a_dead_relay_is_stood_in_for)
{
    struct replica_net *net = start(5);

    net_crash(net, Ba);
    for (size_t i = 0; i < 100; i++) {
        net_write(net, Aa);
        net_run(net, 20);
    }
    settle(net);
    cr_assert_leq(sum_useless(net), 10, "one backup carries, not all");
    end(net);
}

Test(replicator_core, a_store_that_lost_its_tail_gets_it_back)
{
    struct replica_net *net = start(6);

    write_some(net, Aa, 30);
    settle(net);
    net_crash(net, Aa);
    net->cells[Aa].held[Aa].seq = 7; /* an old backup */
    net_restart(net, Aa);
    net_run(net, SETTLE_MS);
    cr_assert_eq(net->cells[Aa].held[Aa].seq, 30);
    end(net);
}

Test(replicator_core, a_partition_that_leaves_a_path_stops_nothing)
{
    struct replica_net *net = start(7);

    /* A single bridge, and it does not touch the origin. */
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 3; b < CELLS; b++) {
            net_block(net, a, b, !(a == Ab && b == Bb));
        }
    }
    write_some(net, Aa, 20);
    settle(net);
    end(net);
}

Test(replicator_core, a_link_that_is_dead_in_one_direction_is_cut_and_gone_around)
{
    struct replica_net *net = start(8);

    net->wires[Aa][Ba].stalled = true;
    net_run(net, KW_LINK_SILENT_MS + 500);
    cr_assert_geq(net->cells[Ba].cuts, 1);
    cr_assert_str_eq(net->cells[Ba].why, "silent");
    net->blocked[Aa][Ba] = net->blocked[Ba][Aa] = true;
    write_some(net, Aa, 5);
    settle(net);
    end(net);
}

Test(replicator_core, two_regions_that_were_apart_say_everything_when_they_meet)
{
    struct replica_net *net = start(9);

    for (size_t i = 0; i < 3; i++) {
        net_block(net, i, i + 3, true);
        net_block(net, i, i + 6, true);
    }
    for (size_t cell = 0; cell < CELLS; cell++) {
        write_some(net, cell, 40);
    }
    net_run(net, 60000);
    cr_assert_not(net_equal(net));
    for (size_t i = 0; i < 3; i++) {
        net_block(net, i, i + 3, false);
        net_block(net, i, i + 6, false);
    }
    settle(net);
    end(net);
}

Test(replicator_core, an_urgent_change_is_everywhere_before_its_lane)
{
    struct replica_net *net = start(10);

    net->wires[Aa][Ab].stalled = true; /* its way is longer than one link */
    write_some(net, Aa, 60);
    net_write_urgent(net, Aa);
    net_run(net, 600);
    for (size_t cell = 1; cell < CELLS; cell++) {
        cr_assert_eq(net->cells[cell].urgent[Aa], 61, "cell %zu", cell);
    }
    cr_assert_not(net_equal(net));
    end(net);
}

Test(replicator_core, any_faults_that_end_leave_everybody_with_everything)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct replica_net *net = start(seed);

        net->batch = 100;
        for (size_t step = 0; step < 60; step++) {
            size_t a = net_random(net, CELLS), b = net_random(net, CELLS);

            net_block(net, a, b, net_random(net, 2) == 0);
            if (net_random(net, 6) == 0) {
                net->cells[a].down ? net_restart(net, a) : net_crash(net, a);
            }
            if (!net->cells[b].down) {
                write_some(net, b, net_random(net, 20));
            }
            net_run(net, net_random(net, 700));
        }
        for (size_t i = 0; i < CELLS; i++) {
            for (size_t j = 0; j < CELLS; j++) {
                net_block(net, i, j, false);
            }
            if (net->cells[i].down) {
                net_restart(net, i);
            }
        }
        settle(net);
        end(net);
    }
}
