/* One lane over a network that loses, repeats, reorders, alters and cuts as it likes: the receiver,
 * which asks again where there is a gap, ends at the lane's end and has applied each change once. */
#include "tests/support/dice.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"
#include "tests/support/note.h"

#define SEEDS       30
#define BAG_MAX     16
#define CUTS        8
#define DELIVERIES  60
#define DELIVER_MAX 200

struct network {
    uint64_t random;
    struct lane_owner owner;
    size_t heads[CUTS + 1]; /* where the owner signed: nobody else can end a batch */
    struct kw_bytes bag[BAG_MAX];
    size_t in_bag;
    struct kw_lane_held held;
    size_t verdicts[KW_LANE_VERDICT_END_];
    size_t refused; /* not even a batch */
};

static uint64_t draw(struct network *network, uint64_t below)
{
    return dice_roll(&network->random) % below;
}

static struct network *network_new(uint64_t seed)
{
    struct network *network = kw_arena_alloc(values_arena(), sizeof(*network));

    REQUIRE(network != NULL, "no memory");
    network->random = seed;
    network->owner = lane_owner_new(LANE_CHANGES_MAX);
    network->held = lane_held(&network->owner, 0);
    for (size_t i = 1; i <= CUTS; i++) {
        size_t last = network->heads[i - 1];

        network->heads[i] = i == CUTS
                                ? LANE_CHANGES_MAX
                                : last + 1 + (size_t)draw(network, 2 * LANE_CHANGES_MAX / CUTS - 1);
        if (network->heads[i] > LANE_CHANGES_MAX) {
            network->heads[i] = LANE_CHANGES_MAX;
        }
    }
    return network;
}

/* A head at or after `seq`: the next, or the one after it. */
static size_t some_head(struct network *network, size_t seq)
{
    size_t first = 0;

    while (network->heads[first] < seq) {
        first++;
    }
    return network->heads[first < CUTS ? first + draw(network, 2) : CUTS];
}

static void send(struct network *network, size_t from)
{
    struct kw_bytes bytes = lane_batch_bytes(&network->owner, from, some_head(network, from));

    if (network->in_bag < BAG_MAX) {
        network->bag[network->in_bag++] = bytes;
    } else {
        network->bag[draw(network, BAG_MAX)] = bytes; /* the other is lost */
    }
}

static void apply(struct network *network, const struct kw_lane_batch *batch,
                  const struct kw_lane_finding *finding)
{
    size_t next = network->held.point.seq + 1;

    for (size_t i = finding->skip; i < batch->count; i++, next++) {
        cr_assert(kw_bytes_equal(batch->changes[i].record, network->owner.changes[next].record));
        cr_assert_eq(batch->changes[i].urgent, network->owner.changes[next].urgent);
    }
    cr_assert(kw_lane_point_equal(&finding->point, &network->owner.points[next - 1]));
    network->held.point = finding->point;
}

static void deliver(struct network *network, struct kw_bytes bytes)
{
    struct kw_lane_finding finding;
    struct kw_lane_batch batch;

    if (!kw_ok(kw_lane_batch_decode(bytes, values_arena(), &batch, NULL))) {
        network->refused++;
        return;
    }
    MUST(kw_lane_check(&network->held, &batch, &finding, err));
    network->verdicts[finding.verdict]++;
    if (finding.verdict == KW_LANE_NEWS) {
        apply(network, &batch, &finding);
    }
    cr_assert_geq(finding.closed, network->held.closed);
    network->held.closed = finding.closed;
    if (finding.verdict == KW_LANE_GAP) {
        send(network, network->held.point.seq);
    }
}

static void deliver_altered(struct network *network, struct kw_bytes bytes)
{
    size_t bit = (size_t)draw(network, bytes.len * 8);
    struct kw_bytes copy;
    uint8_t *changed;

    MUST(kw_arena_copy(values_arena(), bytes, &copy, err));
    changed = (uint8_t *)(uintptr_t)copy.data;
    changed[bit / 8] ^= (uint8_t)(1U << bit % 8);
    deliver(network, copy);
}

/* Any that is on its way comes: and is gone, or stays to come again, or comes altered. */
static void step(struct network *network)
{
    size_t which;

    if (network->in_bag == 0 || draw(network, 3) == 0) {
        send(network, (size_t)draw(network, LANE_CHANGES_MAX + 1));
    }
    which = (size_t)draw(network, network->in_bag);
    if (draw(network, 4) == 0) {
        deliver_altered(network, network->bag[which]);
        return;
    }
    deliver(network, network->bag[which]);
    if (draw(network, 2) == 0) {
        network->bag[which] = network->bag[--network->in_bag];
    }
}

/* The network is well again: the last head is heard, and asked for until there is nothing to ask for. */
static void heal(struct network *network, uint64_t seed)
{
    size_t rounds = 0;

    while (network->held.point.seq < LANE_CHANGES_MAX) {
        cr_assert_lt(rounds++, DELIVER_MAX, "seed %zu does not end", (size_t)seed);
        deliver(network, lane_batch_bytes(&network->owner, LANE_CHANGES_MAX, LANE_CHANGES_MAX));
        while (network->in_bag > 0) {
            deliver(network, network->bag[--network->in_bag]);
        }
    }
}

Test(lane_delivery, whatever_the_network_does_each_change_is_applied_once_and_in_order)
{
    size_t verdicts[KW_LANE_VERDICT_END_] = {0};
    size_t refused = 0;

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct network *network = network_new(seed);

        for (size_t i = 0; i < DELIVERIES; i++) {
            step(network);
        }
        heal(network, seed);
        cr_assert(
            kw_lane_point_equal(&network->held.point, &network->owner.points[LANE_CHANGES_MAX]));
        cr_assert_eq(network->verdicts[KW_LANE_FORK], 0, "seed %zu", (size_t)seed);
        for (size_t i = 0; i < KW_LANE_VERDICT_END_; i++) {
            verdicts[i] += network->verdicts[i];
        }
        refused += network->refused;
    }
    test_note(
        "lanes: %d seeds: %zu news, %zu known, %zu gaps, %zu broken, %zu unsigned, %zu no batch",
        SEEDS, verdicts[KW_LANE_NEWS], verdicts[KW_LANE_KNOWN], verdicts[KW_LANE_GAP],
        verdicts[KW_LANE_BROKEN], verdicts[KW_LANE_UNSIGNED], refused);
    cr_assert(verdicts[KW_LANE_KNOWN] > 0 && verdicts[KW_LANE_GAP] > 0 &&
              verdicts[KW_LANE_BROKEN] > 0 && refused > 0);
}
