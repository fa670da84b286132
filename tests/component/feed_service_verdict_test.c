/* Every verdict of an owner reaches its replicator, with how far the lane is held then. */
#include "common/base/limits.h"
#include "common/base/metrics.h"
#include "tests/support/feed_service_fixture.h"
#include "tests/support/must.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BATCH      KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_BATCH
#define URGENT     KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_URGENT
#define VOUCHER    KEYWARD__INTERNAL__V1__FEED_RECORD__FEED_RECORD_VOUCHER
#define VERDICT(v) KEYWARD__INTERNAL__V1__FEED_VERDICT__FEED_VERDICT_##v

static struct feed_house house;
static struct house_owner *owner;
static struct lane_owner origin; /* another store, that owner knows, with five changes */

static void set_up(void)
{
    house_init(&house, 1);
    owner = &house.owners[0];
    origin = lane_owner_new(5);
    house_put_store(owner, &origin.row);
}

static void tear_down(void)
{
    house_done(&house);
}

TestSuite(feed_service_verdict, .init = set_up, .fini = tear_down, .timeout = 60);

static struct kw_id lane_of(const struct lane_owner *of)
{
    struct kw_id id;

    MUST(kw_lane_id(&of->lane, &id, err));
    return id;
}

/* The same store's, written anew under another name. */
static struct lane_owner renamed(struct kw_id mesh, struct kw_id store)
{
    struct lane_owner other = lane_owner_new(0);

    other.lane.mesh = mesh;
    other.lane.store = store;
    MUST(kw_lane_start(&other.lane, &other.points[0], err));
    lane_grow(&other, 3, "");
    return other;
}

static struct kw_bytes with_a_bit_turned(struct kw_bytes bytes, size_t at)
{
    struct kw_buf copy = {0};

    MUST(kw_buf_append(&copy, bytes, err));
    copy.data[at] ^= 1;
    return value_keep(&copy);
}

/* Where the signature of the head in a batch ends. */
static size_t end_of_head(struct kw_bytes batch)
{
    struct kw_lane_batch read = lane_batch_read(batch);

    return (size_t)(read.head_record.data - batch.data) + read.head_record.len - 1;
}

Test(feed_service_verdict, news_known_and_gap_say_how_far_the_lane_is_held)
{
    static const struct {
        size_t from;
        size_t to;
        Keyward__Internal__V1__FeedVerdict verdict;
        uint64_t held;
    } steps[] = {{0, 2, VERDICT(NEWS), 2},
                 {0, 2, VERDICT(KNOWN), 2},
                 {3, 5, VERDICT(GAP), 2},
                 {1, 4, VERDICT(NEWS), 4},
                 {4, 4, VERDICT(KNOWN), 4}};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct asking asking = {0};

        house_apply(owner, &asking, BATCH, lane_batch_bytes(&origin, steps[i].from, steps[i].to));
        cr_assert(eq(int, asking.reason, KW_E_NONE));
        cr_assert(eq(int, asking.verdict, steps[i].verdict), "step %zu", i);
        cr_assert(kw_id_equal(asking.lane, lane_of(&origin)));
        cr_assert(eq(u64, asking.seq, steps[i].held), "step %zu", i);
        cr_assert(eq(u64, asking.closed, lane_closed(steps[i].held)), "step %zu", i);
        asking_done(&asking);
    }
}

Test(feed_service_verdict, a_fork_stops_its_lane)
{
    struct lane_owner rival = lane_owner_new(3);
    struct listening listening = {0};

    lane_grow(&rival, 2, ", otherwise");
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 4)), VERDICT(NEWS)));
    house_listen(owner, &listening);
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&rival, 3, 4)), VERDICT(FORK)));
    cr_assert(
        eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 4, 5)), VERDICT(STOPPED)));
    cr_assert(eq(u64, house_lane(owner, lane_of(&origin)).point.seq, 4));
    house_hang_up(&listening);
}

Test(feed_service_verdict, who_is_no_member_is_a_stranger)
{
    struct lane_owner stranger = renamed(origin.lane.mesh, (struct kw_id){{7}});

    cr_assert(
        eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&stranger, 0, 3)), VERDICT(STRANGER)));
    cr_assert(eq(int, house_verdict(owner, URGENT, lane_urgent_bytes(&origin, 4)), VERDICT(NEWS)));
    lane_grow(&stranger, 1, "");
    cr_assert(
        eq(int, house_verdict(owner, URGENT, lane_urgent_bytes(&stranger, 4)), VERDICT(STRANGER)));
}

Test(feed_service_verdict, another_mesh_is_told_apart)
{
    struct lane_owner foreign = renamed((struct kw_id){{9}}, origin.lane.store);

    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&foreign, 0, 3)),
                 VERDICT(OTHER_MESH)));
}

Test(feed_service_verdict, beyond_its_fence_a_store_is_fenced)
{
    struct kw_record fenced = lane_row_fenced(&origin, 2);

    house_put_store(owner, &fenced);
    cr_assert(eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 0, 2)), VERDICT(NEWS)));
    cr_assert(
        eq(int, house_verdict(owner, BATCH, lane_batch_bytes(&origin, 2, 4)), VERDICT(FENCED)));
}

Test(feed_service_verdict, what_was_altered_on_its_way_is_unsigned_or_broken)
{
    struct kw_bytes batch = lane_batch_bytes(&origin, 0, 3);

    cr_assert(eq(int, house_verdict(owner, BATCH, with_a_bit_turned(batch, end_of_head(batch))),
                 VERDICT(UNSIGNED)));
    cr_assert(eq(int, house_verdict(owner, BATCH, with_a_bit_turned(batch, batch.len - 1)),
                 VERDICT(BROKEN)));
    cr_assert(eq(u64, house_lane(owner, lane_of(&origin)).point.seq, 0));
}

/* How often a file has these words. */
static int64_t lines_with(FILE *file, const char *words)
{
    char line[1024];
    int64_t count = 0;

    rewind(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        count += strstr(line, words) != NULL;
    }
    return count;
}

Test(feed_service_verdict, all_alarms_are_counted_and_not_all_are_logged)
{
    struct kw_bytes batch = lane_batch_bytes(&origin, 0, 3);
    struct kw_bytes forged = with_a_bit_turned(batch, end_of_head(batch));
    const int64_t many = 5 * KW_FEED_LOGS_PER_S;
    FILE *log = tmpfile();
    int before = dup(STDERR_FILENO);
    int64_t logged;

    REQUIRE(log != NULL && dup2(fileno(log), STDERR_FILENO) >= 0, "the log");
    for (int64_t i = 0; i < many; i++) {
        cr_assert(eq(int, house_verdict(owner, BATCH, forged), VERDICT(UNSIGNED)));
    }
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    logged = lines_with(log, "what a lane says is not believed");
    (void)fclose(log);
    cr_assert(eq(i64, kw_metric_value(KW_M_FEED_VERDICTS, "unsigned"), many));
    cr_assert(lt(i64, 0, logged));
    cr_assert(eq(i64, kw_metric_value(KW_M_LIMITS_REACHED, "feed_alarms_logged"), many - logged));
    cr_assert(lt(i64, logged, many));
}

Test(feed_service_verdict, what_can_not_be_read_is_broken)
{
    struct kw_bytes garbage = kw_bytes_str("KWN1 and nothing that follows from it");

    cr_assert(eq(int, house_verdict(owner, BATCH, garbage), VERDICT(BROKEN)));
    cr_assert(eq(int, house_verdict(owner, URGENT, garbage), VERDICT(BROKEN)));
    cr_assert(eq(int, house_verdict(owner, VOUCHER, garbage), VERDICT(BROKEN)));
}

/* A change of notes that removes none. */
static struct kw_bytes hurried(void)
{
    struct kw_record record = note("n");
    struct kw_urgent urgent = {.lane = origin.lane, .point = origin.points[4]};
    struct kw_buf bytes = {0};
    struct kw_buf out = {0};

    note_set(&record, NOTE_TAGS, value_set("x"));
    MUST(kw_record_encode(&record, &bytes, err));
    urgent.change = (struct kw_change){.hlc = 40, .urgent = true, .record = value_keep(&bytes)};
    MUST(kw_urgent_sign(&urgent, origin.key, &out, err));
    return value_keep(&out);
}

Test(feed_service_verdict, what_disables_nothing_waits_for_its_lane)
{
    cr_assert(eq(int, house_verdict(owner, URGENT, hurried()), VERDICT(WAITS)));
}

/* enum kw_lane_verdict, number by number. */
Test(feed_service_verdict, the_numbers_are_the_same)
{
    static const struct {
        enum kw_lane_verdict ours;
        Keyward__Internal__V1__FeedVerdict wire;
    } all[] = {{KW_LANE_NEWS, VERDICT(NEWS)},
               {KW_LANE_KNOWN, VERDICT(KNOWN)},
               {KW_LANE_GAP, VERDICT(GAP)},
               {KW_LANE_FORK, VERDICT(FORK)},
               {KW_LANE_OTHER_MESH, VERDICT(OTHER_MESH)},
               {KW_LANE_STRANGER, VERDICT(STRANGER)},
               {KW_LANE_FENCED, VERDICT(FENCED)},
               {KW_LANE_UNSIGNED, VERDICT(UNSIGNED)},
               {KW_LANE_BROKEN, VERDICT(BROKEN)},
               {KW_LANE_STOPPED, VERDICT(STOPPED)},
               {KW_LANE_WAITS, VERDICT(WAITS)}};

    cr_assert(eq(sz, sizeof(all) / sizeof(all[0]), KW_LANE_VERDICT_END_ - 1));
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        cr_assert(eq(int, (int)all[i].ours, (int)all[i].wire));
    }
}
