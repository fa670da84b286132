/* What follows from a change of another store: its owner is told in the transaction, and may answer. */
#include "tests/support/feed_fixture.h"
#include "tests/support/must.h"

static struct feed_node nodes[2];

/* What the owner of nodes[1] was told, and how it takes it. */
static struct {
    size_t count;
    bool disables;
    bool voice;
    struct kw_bytes tags; /* of the last one, merged */
    bool refuses;
    const char *answers; /* a note that it makes of its own */
} owner;

static struct kw_result answer(const struct kw_feed_heard *heard, struct kw_error *err)
{
    struct kw_record record = note(owner.answers);

    note_set(&record, NOTE_COUNT, value_u64(1));
    return kw_feed_change(heard->feed_tx, &record, NULL, err);
}

static struct kw_result on_heard(void *context, const struct kw_feed_heard *heard,
                                 struct kw_error *err)
{
    cr_assert(eq(ptr, context, &owner));
    owner.count++;
    owner.disables = heard->disables;
    owner.tags = kw_record_value(heard->merged, NOTE_TAGS);
    MUST(kw_arena_copy(values_arena(), owner.tags, &owner.tags, err));
    KW_TRY(kw_feed_has_voice(heard->feed_tx, &owner.voice, err));
    KW_ENSURE(!owner.refuses, err, ENCODING_INVALID, "refused");
    return owner.answers != NULL ? answer(heard, err) : KW_OK;
}

static void setup(void)
{
    memset(&owner, 0, sizeof(owner));
    feed_node_init(&nodes[0], 0);
    feed_node_init(&nodes[1], 1);
    feed_introduce(nodes, 2);
    nodes[1].feed.options.heard = on_heard;
    nodes[1].feed.options.context = &owner;
}

static void teardown(void)
{
    feed_verify_lanes(&nodes[1]);
    feed_node_done(&nodes[0]);
    feed_node_done(&nodes[1]);
}

TestSuite(feed_heard, .init = setup, .fini = teardown, .timeout = 60);

static void say(struct feed_node *node, const char *key, const char *tags)
{
    struct kw_record record = note(key);

    note_set(&record, NOTE_TAGS, value_set(tags));
    feed_write(node, &record, false);
}

static struct kw_bytes next_batch(void)
{
    return feed_batch(&nodes[0], nodes[0].lane, feed_seq(&nodes[1], nodes[0].lane));
}

Test(feed_heard, the_owner_is_told_what_is_merged_and_nothing_of_its_own)
{
    say(&nodes[1], "n", "x");
    cr_assert(eq(sz, owner.count, 0));
    say(&nodes[0], "n", "z");
    cr_assert(eq(int, feed_apply(&nodes[1], next_batch()), KW_LANE_NEWS));
    cr_assert(eq(sz, owner.count, 1));
    cr_assert(kw_bytes_equal(owner.tags, value_set("xz")));
    cr_assert(not(owner.disables));
    cr_assert(owner.voice);
}

Test(feed_heard, a_change_that_says_nothing_new_is_not_told)
{
    say(&nodes[1], "n", "xz");
    say(&nodes[0], "n", "z");
    cr_assert(eq(int, feed_apply(&nodes[1], next_batch()), KW_LANE_NEWS));
    cr_assert(eq(sz, owner.count, 0));
}

Test(feed_heard, what_goes_ahead_is_told_once_and_that_it_disables)
{
    struct kw_record gone = note("n");

    note_set(&gone, NOTE_REMOVED, value_first(7, store_a, ""));
    feed_write(&nodes[0], &gone, true);
    cr_assert(eq(int, feed_apply_urgent(&nodes[1], feed_urgent(&nodes[0], nodes[0].lane, 0)),
                 KW_LANE_NEWS));
    cr_assert(eq(sz, owner.count, 1));
    cr_assert(owner.disables);
    cr_assert(eq(int, feed_apply(&nodes[1], next_batch()), KW_LANE_NEWS));
    cr_assert(eq(sz, owner.count, 1));
}

Test(feed_heard, an_answer_is_a_change_of_our_own_in_the_same_transaction)
{
    uint64_t before = feed_seq(&nodes[1], nodes[1].lane);

    owner.answers = "answer";
    say(&nodes[0], "n", "z");
    cr_assert(eq(int, feed_apply(&nodes[1], next_batch()), KW_LANE_NEWS));
    cr_assert(eq(u64, feed_seq(&nodes[1], nodes[1].lane), before + 1));
}

Test(feed_heard, who_refuses_undoes_it_whatever_the_reason)
{
    uint64_t before = feed_seq(&nodes[1], nodes[0].lane);
    struct kw_error error = {0};

    say(&nodes[0], "n", "z");
    owner.refuses = true; /* not taken for a change that can't be read */
    cr_assert(eq(int, feed_try_apply(&nodes[1], next_batch(), &error).reason, KW_E_INTERNAL));
    cr_assert(eq(u64, feed_seq(&nodes[1], nodes[0].lane), before));
    owner.refuses = false;
    cr_assert(eq(int, feed_apply(&nodes[1], next_batch()), KW_LANE_NEWS));
}
