/* One way of the fault proxy under a clock of ours: for each fault what arrives, when, and how it ends. */
#include "tests/support/must.h"
#include "tests/support/proxy/channel.h"

#define MS       1000000ULL
#define SEED     7U
#define SENT_MAX 4096U

/* Both ends: what was sent and when, what came and when. */
struct world {
    struct proxy_faults faults;
    struct proxy_counts counts;
    struct channel channel;
    uint64_t now;
    uint8_t sent[SENT_MAX];
    uint8_t came[2 * SENT_MAX];
    uint64_t came_at[2 * SENT_MAX];
    size_t sent_len;
    size_t came_len;
    enum channel_step last; /* CHANNEL_WAIT: it goes on */
    uint64_t last_at;
};

static void world_seeded(struct world *world, uint64_t seed)
{
    *world = (struct world){0};
    for (size_t i = 0; i < SENT_MAX; i++) {
        world->sent[i] = (uint8_t)(i * 31 + i / 256);
    }
    proxy_faults_init(&world->faults);
    channel_init(&world->channel, &world->faults, &world->counts, seed);
}

static void world_init(struct world *world)
{
    world_seeded(world, SEED);
}

static void set(struct world *world, const char *fault, uint64_t value)
{
    cr_assert(proxy_faults_set(&world->faults, fault, value), "%s", fault);
}

static void send_bytes(struct world *world, size_t len)
{
    cr_assert(le(sz, len, channel_room(&world->channel)));
    channel_put(&world->channel, KW_BYTES(world->sent + world->sent_len, len), world->now);
    world->sent_len += len;
}

static void arrive(struct world *world, struct kw_bytes bytes)
{
    cr_assert(lt(sz, 0, bytes.len));
    kw_copy(world->came + world->came_len, bytes.data, bytes.len);
    for (size_t i = 0; i < bytes.len; i++) {
        world->came_at[world->came_len++] = world->now;
    }
    channel_wrote(&world->channel, bytes.len, world->now);
}

/* Does what is due until `end_ns`, at the times it is due. */
static void run_until(struct world *world, uint64_t end_ns)
{
    while (world->last == CHANNEL_WAIT) {
        struct channel_action action = channel_next(&world->channel, world->now);

        if (action.step == CHANNEL_WRITE) {
            arrive(world, action.bytes);
        } else if (action.step != CHANNEL_WAIT) {
            world->last = action.step;
            world->last_at = world->now;
        } else if (action.until_ns > end_ns) {
            break;
        } else {
            cr_assert(lt(u64, world->now, action.until_ns), "it would turn for ever");
            world->now = action.until_ns;
        }
    }
}

/* Until nothing happens by itself any more. */
static void run(struct world *world)
{
    run_until(world, CHANNEL_NEVER - 1);
}

static bool came_unchanged(const struct world *world)
{
    return memcmp(world->came, world->sent, world->came_len) == 0;
}

static unsigned bits_changed(const struct world *world, size_t from, size_t len)
{
    unsigned bits = 0;

    for (size_t i = from; i < from + len; i++) {
        bits += (unsigned)__builtin_popcount((unsigned)(world->came[i] ^ world->sent[i]));
    }
    return bits;
}

/* --- each fault by itself --- */

static const struct row {
    const char *says;
    const char *fault; /* NULL: none */
    uint64_t value;
    size_t sent; /* at once, and then the end */
    size_t came;
    enum channel_step last;
    uint64_t last_ms;
    uint64_t dropped;
    uint64_t held;
    uint64_t delayed;
    uint64_t flipped;
    uint64_t repeats;
} rows[] = {
    {"none", NULL, 0, 1000, 1000, CHANNEL_END, .last_ms = 0},
    {"delay", "delay_ms", 150, 1000, 1000, CHANNEL_END, .last_ms = 150, .delayed = 1},
    {"slow", "bytes_per_s", 10000, 1000, 1000, CHANNEL_END, .last_ms = 100},
    {"one byte a second", "bytes_per_s", 1, 3, 3, CHANNEL_END, .last_ms = 3000},
    {"stall", "stall", 1, 1000, 0, CHANNEL_WAIT, .held = 1000},
    {"half-open", "half_open", 1, 1000, 0, CHANNEL_WAIT, .dropped = 1000},
    {"corrupt", "corrupt_every", 100, 1000, 1000, CHANNEL_END, .flipped = 10},
    {"every byte", "corrupt_every", 1, 1000, 1000, CHANNEL_END, .flipped = 1000},
    {"reset", "reset_after", 300, 1000, 300, CHANNEL_RESET, .dropped = 700},
    {"never so many", "reset_after", 1001, 1000, 1000, .last = CHANNEL_END},
    {"truncate", "cut_after", 300, 1000, 300, CHANNEL_CLOSE, .dropped = 700},
    {"at the last byte", "cut_after", 1000, 1000, 1000, .last = CHANNEL_CLOSE},
    {"duplicate", "duplicate_after", 300, 1000, 600, CHANNEL_CLOSE, .dropped = 700, .repeats = 300},
    {"no more twice than it keeps", "duplicate_after", 2000, 3000, 2000 + PROXY_REPEAT_LEN,
     CHANNEL_CLOSE, .dropped = 1000, .repeats = PROXY_REPEAT_LEN},
    {"no delay to spread", "jitter_ms", 0, 1000, 1000, .last = CHANNEL_END},
    {"room", "hold_max", 1000, 1000, 1000, .last = CHANNEL_END},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void check_row(const struct row *row, const struct world *world)
{
    cr_expect(eq(sz, world->came_len, row->came), "%s", row->says);
    cr_expect(eq(int, (int)world->last, (int)row->last), "%s", row->says);
    cr_expect(eq(u64, world->last_at, row->last_ms * MS), "%s", row->says);
    cr_expect(eq(u64, world->counts.in, row->sent), "%s", row->says);
    cr_expect(eq(u64, world->counts.out, row->came), "%s", row->says);
    cr_expect(eq(u64, world->counts.dropped, row->dropped), "%s", row->says);
    cr_expect(eq(u64, world->counts.held, row->held), "%s", row->says);
    cr_expect(eq(u64, world->counts.delayed, row->delayed), "%s", row->says);
    cr_expect(eq(u64, world->counts.flipped, row->flipped), "%s", row->says);
    cr_expect(eq(u64, world->counts.repeats, row->repeats), "%s", row->says);
    cr_expect(eq(u64, world->counts.ends, row->last != CHANNEL_WAIT), "%s", row->says);
}

Test(proxy_channel, each_fault_does_what_its_row_says)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct world world;

        world_init(&world);
        if (rows[i].fault != NULL) {
            set(&world, rows[i].fault, rows[i].value);
        }
        send_bytes(&world, rows[i].sent);
        channel_end(&world.channel, CHANNEL_END, 0);
        run(&world);
        check_row(&rows[i], &world);
        channel_done(&world.channel);
        cr_expect(eq(u64, world.counts.held, 0), "%s", rows[i].says);
    }
}

Test(proxy_channel, each_fault_has_a_row)
{
    for (size_t f = 0; f < proxy_fault_row_count; f++) {
        bool found = false;

        for (size_t i = 0; i < ROW_COUNT; i++) {
            found = found ||
                    (rows[i].fault != NULL && strcmp(rows[i].fault, proxy_fault_rows[f].name) == 0);
        }
        cr_expect(found, "%s", proxy_fault_rows[f].name);
    }
}

Test(proxy_channel, faults_are_set_by_name_within_their_bounds)
{
    struct proxy_faults faults;

    proxy_faults_init(&faults);
    cr_expect(eq(u64, faults.hold_max, PROXY_HELD_LEN_MAX));
    cr_expect(not(proxy_faults_set(&faults, "stall", 2)));
    cr_expect(not(proxy_faults_set(&faults, "hold_max", PROXY_HELD_LEN_MAX + 1)));
    cr_expect(not(proxy_faults_set(&faults, "earthquake", 1)));
    cr_expect(eq(u64, faults.stall, 0));
    cr_expect(proxy_faults_set(&faults, "stall", 1));
    cr_expect(eq(u64, faults.stall, 1));
}

/* --- delay and rate --- */

/* The times at which a hundred bytes come that were sent 1 ms apart. */
static void jittered(struct world *world, uint64_t seed)
{
    world_seeded(world, seed);
    set(world, "delay_ms", 150);
    set(world, "jitter_ms", 50);
    for (unsigned i = 0; i < 100; i++) {
        run_until(world, i * MS);
        world->now = i * MS;
        send_bytes(world, 1);
    }
    run(world);
    channel_done(&world->channel);
}

Test(proxy_channel, jitter_stays_in_its_bounds_and_in_order)
{
    static struct world world;
    uint64_t latest = 0;

    jittered(&world, SEED);
    cr_assert(eq(sz, world.came_len, 100));
    cr_assert(came_unchanged(&world));
    for (size_t i = 0; i < world.came_len; i++) {
        cr_expect(ge(u64, world.came_at[i], (i + 100) * MS));
        cr_expect(le(u64, world.came_at[i], (i + 200) * MS));
        cr_expect(ge(u64, world.came_at[i], latest));
        latest = world.came_at[i];
    }
}

Test(proxy_channel, a_seed_says_when_everything_comes)
{
    static struct world worlds[3];

    jittered(&worlds[0], SEED);
    jittered(&worlds[1], SEED);
    jittered(&worlds[2], SEED + 1);
    cr_expect(eq(int, memcmp(worlds[0].came_at, worlds[1].came_at, sizeof(worlds[0].came_at)), 0));
    cr_expect(ne(int, memcmp(worlds[0].came_at, worlds[2].came_at, sizeof(worlds[0].came_at)), 0));
}

Test(proxy_channel, a_jitter_above_the_delay_is_no_travel_in_time)
{
    static struct world world;

    world_init(&world);
    set(&world, "delay_ms", 1);
    set(&world, "jitter_ms", 50);
    world.now = 5 * MS;
    for (unsigned i = 0; i < 100; i++) {
        send_bytes(&world, 1);
    }
    run(&world);
    cr_assert(eq(sz, world.came_len, 100));
    cr_expect(ge(u64, world.came_at[0], 5 * MS));
    cr_expect(le(u64, world.came_at[99], 56 * MS));
    channel_done(&world.channel);
}

Test(proxy_channel, a_delay_that_shrinks_lets_nobody_overtake)
{
    struct world world;

    world_init(&world);
    set(&world, "delay_ms", 100);
    send_bytes(&world, 10);
    set(&world, "delay_ms", 0);
    send_bytes(&world, 10);
    run(&world);
    cr_expect(came_unchanged(&world));
    cr_expect(eq(u64, world.came_at[0], 100 * MS));
    cr_expect(eq(u64, world.came_at[19], 100 * MS));
    channel_done(&world.channel);
}

Test(proxy_channel, a_slow_way_is_at_no_moment_faster)
{
    static struct world world;
    const uint64_t rate = 5000;

    world_init(&world);
    set(&world, "bytes_per_s", rate);
    send_bytes(&world, 1000);
    run_until(&world, 30 * MS);
    world.now = 500 * MS; /* what was not used is not saved up */
    run(&world);
    cr_assert(eq(sz, world.came_len, 1000));
    for (size_t from = 0; from < 1000; from += 10) {
        for (size_t to = from; to < 1000; to += 10) {
            uint64_t may = (world.came_at[to] - world.came_at[from]) * rate / (1000 * MS) + 51;

            cr_assert(le(u64, to - from, may));
        }
    }
    channel_done(&world.channel);
}

/* --- what is lifted --- */

Test(proxy_channel, a_stall_that_ends_has_lost_nothing)
{
    struct world world;

    world_init(&world);
    set(&world, "stall", 1);
    send_bytes(&world, 500);
    run(&world);
    send_bytes(&world, 500);
    channel_end(&world.channel, CHANNEL_END, world.now);
    run(&world);
    cr_assert(eq(sz, world.came_len, 0));
    set(&world, "stall", 0);
    run(&world);
    cr_expect(eq(sz, world.came_len, 1000));
    cr_expect(came_unchanged(&world));
    cr_expect(eq(int, (int)world.last, CHANNEL_END));
    channel_done(&world.channel);
}

Test(proxy_channel, who_lost_bytes_to_a_dead_end_is_reset_when_it_is_back)
{
    struct world world;

    world_init(&world);
    send_bytes(&world, 500);
    set(&world, "half_open", 1); /* what was on its way is lost too */
    run(&world);
    cr_assert(eq(sz, world.came_len, 0));
    cr_assert(eq(int, (int)world.last, CHANNEL_WAIT));
    set(&world, "half_open", 0);
    run(&world);
    cr_expect(eq(int, (int)world.last, CHANNEL_RESET));
    cr_expect(eq(u64, world.counts.dropped, 500));
    channel_done(&world.channel);
}

Test(proxy_channel, a_dead_end_takes_everything_while_a_write_hangs)
{
    struct world world;
    struct channel_action action;

    world_init(&world);
    set(&world, "hold_max", 500);
    send_bytes(&world, 500);
    action = channel_next(&world.channel, 0);
    cr_assert(eq(int, (int)action.step, CHANNEL_WRITE));
    set(&world, "half_open", 1);
    send_bytes(&world, 500); /* there is room for what vanishes */
    cr_expect(eq(u64, world.counts.dropped, 500));
    arrive(&world, action.bytes);
    channel_done(&world.channel);
}

Test(proxy_channel, an_end_that_was_lost_counts_as_lost)
{
    struct world world;

    world_init(&world);
    set(&world, "half_open", 1);
    channel_end(&world.channel, CHANNEL_END, 0);
    run(&world);
    cr_assert(eq(int, (int)world.last, CHANNEL_WAIT));
    cr_expect(eq(u64, world.counts.lost, 1));
    set(&world, "half_open", 0);
    run(&world);
    cr_expect(eq(int, (int)world.last, CHANNEL_RESET));
    channel_done(&world.channel);
}

Test(proxy_channel, who_was_silent_does_not_notice_a_dead_end)
{
    struct world world;

    world_init(&world);
    set(&world, "half_open", 1);
    run(&world);
    set(&world, "half_open", 0);
    send_bytes(&world, 500);
    run(&world);
    cr_expect(eq(sz, world.came_len, 500));
    cr_expect(eq(int, (int)world.last, CHANNEL_WAIT));
    channel_done(&world.channel);
}

/* --- bytes --- */

/* A thousand bytes in pieces of `piece`, one bit wrong in each hundred. */
static void corrupted(struct world *world, size_t piece, uint64_t seed)
{
    world_seeded(world, seed);
    set(world, "corrupt_every", 100);
    while (world->sent_len < 1000) {
        send_bytes(world, piece < 1000 - world->sent_len ? piece : 1000 - world->sent_len);
    }
    run(world);
    channel_done(&world->channel);
}

Test(proxy_channel, in_each_block_exactly_one_bit_is_flipped)
{
    static struct world world;

    corrupted(&world, 1000, SEED);
    for (size_t block = 0; block < 10; block++) {
        cr_expect(eq(u32, bits_changed(&world, block * 100, 100), 1));
    }
}

Test(proxy_channel, which_bits_does_not_depend_on_how_bytes_come)
{
    static const size_t pieces[] = {1, 7, 99, 100, 333};
    static struct world whole;
    static struct world cut;

    corrupted(&whole, 1000, SEED);
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        corrupted(&cut, pieces[i], SEED);
        cr_expect(eq(int, memcmp(cut.came, whole.came, 1000), 0), "pieces of %zu", pieces[i]);
        cr_expect(eq(u64, cut.counts.flipped, 10));
    }
}

Test(proxy_channel, a_seed_says_which_bits)
{
    static struct world one;
    static struct world other;
    bool moved = false;

    corrupted(&one, 1000, SEED);
    corrupted(&other, 1000, SEED + 1);
    cr_expect(ne(int, memcmp(one.came, other.came, 1000), 0));
    for (size_t block = 0; block < 10; block++) {
        moved = moved || one.came[block * 100] == one.sent[block * 100];
    }
    cr_expect(moved, "always the first byte of a block");
}

Test(proxy_channel, what_comes_twice_is_what_came_last)
{
    struct world world;

    world_init(&world);
    set(&world, "duplicate_after", 2000);
    for (unsigned i = 0; i < 30; i++) {
        send_bytes(&world, 100);
        run(&world);
    }
    cr_assert(eq(sz, world.came_len, 2000 + PROXY_REPEAT_LEN));
    cr_expect(eq(int, memcmp(world.came, world.sent, 2000), 0));
    cr_expect(eq(
        int, memcmp(world.came + 2000, world.sent + 2000 - PROXY_REPEAT_LEN, PROXY_REPEAT_LEN), 0));
    channel_done(&world.channel);
}

Test(proxy_channel, a_cut_that_is_already_passed_comes_at_once)
{
    struct world world;

    world_init(&world);
    send_bytes(&world, 500);
    run(&world);
    set(&world, "reset_after", 100);
    run(&world);
    cr_expect(eq(int, (int)world.last, CHANNEL_RESET));
    cr_expect(eq(sz, world.came_len, 500));
    channel_done(&world.channel);
}

/* --- memory --- */

Test(proxy_channel, what_is_held_has_a_bound_and_room_comes_back)
{
    struct world world;

    world_init(&world);
    set(&world, "hold_max", 600);
    set(&world, "delay_ms", 10);
    send_bytes(&world, 500);
    cr_expect(eq(sz, channel_room(&world.channel), 100));
    send_bytes(&world, 100);
    cr_expect(eq(sz, channel_room(&world.channel), 0));
    run(&world);
    cr_expect(eq(sz, channel_room(&world.channel), 600));
    set(&world, "hold_max", PROXY_HELD_LEN_MAX);
    cr_expect(eq(sz, channel_room(&world.channel), PROXY_READ_LEN));
    channel_done(&world.channel);
}

Test(proxy_channel, a_bound_below_what_is_held_only_stops_the_sender)
{
    struct world world;

    world_init(&world);
    set(&world, "delay_ms", 10);
    send_bytes(&world, 500);
    set(&world, "hold_max", 100);
    cr_expect(eq(sz, channel_room(&world.channel), 0));
    run(&world);
    cr_expect(eq(sz, world.came_len, 500));
    channel_done(&world.channel);
}

Test(proxy_channel, many_small_reads_have_a_bound_too)
{
    struct world world;

    world_init(&world);
    set(&world, "stall", 1);
    for (unsigned i = 0; i < PROXY_CHUNKS_MAX; i++) {
        cr_assert(lt(sz, 0, channel_room(&world.channel)));
        channel_put(&world.channel, KW_BYTES(world.sent, 1), 0);
    }
    cr_expect(eq(sz, channel_room(&world.channel), 0));
    channel_done(&world.channel);
}

/* --- ends --- */

Test(proxy_channel, a_sender_that_resets_is_heard_after_what_it_said)
{
    struct world world;

    world_init(&world);
    set(&world, "delay_ms", 10);
    send_bytes(&world, 500);
    channel_end(&world.channel, CHANNEL_RESET, 0);
    run(&world);
    cr_expect(eq(sz, world.came_len, 500));
    cr_expect(eq(int, (int)world.last, CHANNEL_RESET));
    channel_done(&world.channel);
}

Test(proxy_channel, for_a_receiver_that_is_gone_everything_vanishes)
{
    struct world world;

    world_init(&world);
    set(&world, "stall", 1);
    send_bytes(&world, 500);
    channel_drop(&world.channel);
    send_bytes(&world, 500);
    set(&world, "stall", 0);
    run(&world);
    cr_expect(eq(sz, world.came_len, 0));
    cr_expect(eq(u64, world.counts.dropped, 1000));
    cr_expect(eq(u64, world.counts.held, 0));
    channel_done(&world.channel);
}

Test(proxy_channel, after_an_end_a_reset_is_still_heard)
{
    struct world world;

    world_init(&world);
    channel_end(&world.channel, CHANNEL_END, 0);
    run(&world);
    cr_assert(eq(int, (int)world.last, CHANNEL_END));
    world.last = CHANNEL_WAIT;
    channel_end(&world.channel, CHANNEL_RESET, 0);
    run(&world);
    cr_expect(eq(int, (int)world.last, CHANNEL_RESET));
    channel_done(&world.channel);
}
