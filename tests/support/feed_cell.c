/* Jobs, and what goes from one to the other. */
#include "tests/support/feed_cell.h"

#include "common/base/clock.h"
#include "common/feed/feed_apply.h"
#include "common/feed/record_table.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"

#define LANES_MAX   16
#define ARENA_MAX   (64U << 20)
#define PATIENCE_NS (30ULL * 1000 * 1000 * 1000)

void feed_cell_init(struct feed_cell *cell, struct kw_store *store, struct kw_feed *feed,
                    void (*turn)(void *context), void *context)
{
    *cell = (struct feed_cell){.store = store, .feed = feed, .turn = turn, .context = context};
    MUST(kw_private_key_generate(&cell->key, KW_CURVE_P256, err));
}

void feed_cell_done(struct feed_cell *cell)
{
    kw_private_key_done(&cell->key);
}

/* --- jobs --- */

struct work;
typedef struct kw_result work_run(struct work *work, struct kw_tx *tx, struct kw_error *err);
struct work {
    struct kw_store_job job;
    struct feed_cell *cell;
    struct kw_arena *arena;
    work_run *run;
    const void *in;
    void *out;
    bool done;
};

static struct kw_result run(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct work *work = (struct work *)job;

    return work->run(work, tx, err);
}

static void done(struct kw_store_job *job)
{
    ((struct work *)job)->done = true;
}

static struct kw_result try_work(struct feed_cell *cell, work_run *what, const void *in, void *out,
                                 struct kw_error *err)
{
    struct work work = {.job = {.run = run, .done = done, .vital = true},
                        .cell = cell,
                        .arena = kw_arena_new(ARENA_MAX),
                        .run = what,
                        .in = in,
                        .out = out};
    uint64_t end = kw_clock_mono_ns() + PATIENCE_NS;

    MUST(kw_store_write(cell->store, &work.job, err));
    while (!work.done && kw_clock_mono_ns() < end) {
        cell->turn(cell->context);
    }
    REQUIRE(work.done, "a job takes too long");
    kw_arena_free(work.arena);
    *err = work.job.error;
    return work.job.result;
}

static void do_work(struct feed_cell *cell, work_run *what, const void *in, void *out)
{
    MUST(try_work(cell, what, in, out, err));
}

/* The same of what the service has part in: a place of it may fail. */
static void do_again(struct feed_cell *cell, work_run *what, const void *in, void *out)
{
    struct kw_result result;
    struct kw_error error = {0};

    do {
        faults_arm();
        result = try_work(cell, what, in, out, &error);
    } while (faults_again(result.reason));
    REQUIRE(kw_ok(result), "%s", error.message);
}

/* --- who is who --- */

struct lanes {
    struct kw_feed_lane items[LANES_MAX];
    size_t count;
};

static struct kw_result run_lanes(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct lanes *lanes = work->out;

    return kw_feed_lanes(work->cell->feed, tx, KW_ID_NONE, lanes->items, LANES_MAX, &lanes->count,
                         err);
}

static struct kw_feed_lane own_lane(struct feed_cell *cell)
{
    struct lanes lanes = {0};
    size_t i = 0;

    do_work(cell, run_lanes, NULL, &lanes);
    while (i < lanes.count && !lanes.items[i].ours) {
        i++;
    }
    REQUIRE(i < lanes.count, "it writes no lane");
    return lanes.items[i];
}

static uint64_t held(struct feed_cell *cell, struct kw_id lane)
{
    struct lanes lanes = {0};

    do_work(cell, run_lanes, NULL, &lanes);
    for (size_t i = 0; i < lanes.count; i++) {
        if (kw_id_equal(lanes.items[i].id, lane)) {
            return lanes.items[i].point.seq;
        }
    }
    return 0;
}

static void set(struct kw_record *row, uint8_t field, struct kw_bytes value, struct kw_buf *room)
{
    struct kw_writer w = KW_WRITER(room);

    kw_put_set_element(&w, value);
    MUST(kw_writer_end(&w, err));
    MUST(kw_record_set(row, &kw_store_record, field, kw_buf_bytes(room), err));
}

static struct kw_result run_put(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct kw_record *row = work->in;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    bool stored;

    KW_TRY(kw_record_encode(row, &record, err));
    KW_TRY(kw_record_row_store(tx, 0, &kw_store_record, row->key, NULL, kw_buf_bytes(&record),
                               &stored, err));
    KW_ENSURE(stored, err, INTERNAL, "the row was not put");
    return KW_OK;
}

void feed_cell_know(struct feed_cell *cell, struct feed_cell *other)
{
    static const uint8_t active[8] = {0, 0, 0, 0, 0, 0, 0, KW_STORE_ACTIVE};
    const struct kw_feed_lane lane = own_lane(other);
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&lane.lane.store)};
    KW_SCOPED(kw_buf_done) struct kw_buf signers = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf lives = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    uint8_t digest[KW_SHA256_LEN];
    struct kw_spki spki;

    MUST(kw_private_key_public(&other->key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    MUST(kw_sha256(kw_spki_bytes(&spki), digest, err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, KW_BYTES_OF(active), err));
    set(&row, KW_STORE_FIELD_SIGNERS, KW_BYTES_OF(digest), &signers);
    set(&row, KW_STORE_FIELD_INCARNATIONS, kw_id_bytes(&lane.lane.incarnation), &lives);
    do_work(cell, run_put, &row, NULL);
}

/* --- telling --- */

struct asked {
    struct kw_id lane;
    struct kw_lane_point after;
};

struct given {
    struct kw_buf buf;
    struct kw_feed_found found;
    struct kw_lane_point at;
};

static struct kw_result run_read(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct asked *asked = work->in;
    struct given *given = work->out;

    return kw_feed_read(work->cell->feed, tx, asked->lane, asked->after.seq, &work->cell->key,
                        &given->buf, &given->found, err);
}

static struct kw_result run_apply(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_finding finding;
    struct kw_lane_batch batch;

    KW_TRY(kw_lane_batch_decode(*(const struct kw_bytes *)work->in, work->arena, &batch, err));
    KW_TRY(kw_feed_apply(work->cell->feed, tx, &batch, kw_clock_wall_ms(), &finding, err));
    KW_ENSURE(finding.verdict == KW_LANE_NEWS, err, INTERNAL, "a verdict of %d", finding.verdict);
    return KW_OK;
}

/* The next batch of a lane; false: there is none. */
static bool tell_batch(struct feed_cell *from, struct feed_cell *to, struct kw_id lane)
{
    const struct asked asked = {.lane = lane, .after = {.seq = held(to, lane)}};
    struct given given = {0};
    bool any;

    do_work(from, run_read, &asked, &given);
    any = given.found.read == KW_FEED_READ_BATCH;
    if (any) {
        const struct kw_bytes batch = kw_buf_bytes(&given.buf);

        do_again(to, run_apply, &batch, NULL);
    }
    kw_buf_done(&given.buf);
    return any;
}

size_t feed_cell_tell(struct feed_cell *from, struct feed_cell *to)
{
    const struct kw_id lane = own_lane(from).id;
    size_t batches = 0;

    while (tell_batch(from, to, lane)) {
        batches++;
    }
    return batches;
}

/* --- ahead of a lane --- */

static struct kw_result run_read_urgent(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct asked *asked = work->in;
    struct given *given = work->out;

    return kw_feed_read_urgent(work->cell->feed, tx, asked->lane, &asked->after, &work->cell->key,
                               &given->buf, &given->at, err);
}

static struct kw_result run_apply_urgent(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    enum kw_lane_verdict verdict;
    struct kw_urgent urgent;

    KW_TRY(kw_urgent_decode(*(const struct kw_bytes *)work->in, &urgent, err));
    return kw_feed_apply_urgent(work->cell->feed, tx, &urgent, kw_clock_wall_ms(), &verdict, err);
}

/* The next one behind `asked->after`, which moves to it; false: there is none. */
static bool tell_next_urgent(struct feed_cell *from, struct feed_cell *to, struct asked *asked)
{
    struct given given = {0};

    do_work(from, run_read_urgent, asked, &given);
    if (given.at.seq != 0) {
        const struct kw_bytes urgent = kw_buf_bytes(&given.buf);

        do_again(to, run_apply_urgent, &urgent, NULL);
        asked->after = given.at;
    }
    kw_buf_done(&given.buf);
    return given.at.seq != 0;
}

size_t feed_cell_tell_urgent(struct feed_cell *from, struct feed_cell *to)
{
    struct asked asked = {.lane = own_lane(from).id};
    size_t count = 0;

    asked.after.seq = held(to, asked.lane);
    memset(asked.after.chain, 0xff, sizeof(asked.after.chain)); /* all under that number */
    while (tell_next_urgent(from, to, &asked)) {
        count++;
    }
    return count;
}

/* --- meeting --- */

static struct kw_result run_waiting(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, "SELECT count(*) FROM feed_quarantine", &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    *(int64_t *)work->out = kw_col_i64(stmt, 0);
    return KW_OK;
}

/* Of all rows but those of stores, which each knows of the other alone. */
static struct kw_result run_digest(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    static const char sql[] = "SELECT digest FROM feed_records WHERE kind <> 1 ORDER BY kind, key";
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    while (found) {
        KW_TRY(kw_buf_append(&all, kw_col_blob(stmt, 0), err));
        KW_TRY(kw_step(stmt, &found, err));
    }
    return kw_sha256(kw_buf_bytes(&all), work->out, err);
}

void feed_cell_meet(struct feed_cell *a, struct feed_cell *b)
{
    uint8_t digests[2][KW_SHA256_LEN];
    int64_t waiting[2];

    while (feed_cell_tell(a, b) + feed_cell_tell(b, a) > 0) {
    }
    do_work(a, run_waiting, NULL, &waiting[0]);
    do_work(b, run_waiting, NULL, &waiting[1]);
    cr_assert(eq(i64, waiting[0] + waiting[1], 0));
    do_work(a, run_digest, NULL, digests[0]);
    do_work(b, run_digest, NULL, digests[1]);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(digests[0]), KW_BYTES_OF(digests[1])));
}

/* --- rows --- */

struct saying {
    feed_cell_say *say;
    const void *what;
};

static struct kw_result run_say(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct saying *saying = work->in;
    const struct kw_feed_tx feed_tx = {
        .feed = work->cell->feed, .tx = tx, .arena = work->arena, .wall_ms = kw_clock_wall_ms()};

    return saying->say(&feed_tx, saying->what, err);
}

void feed_cell_do(struct feed_cell *cell, feed_cell_say *say, const void *what)
{
    const struct saying saying = {say, what};

    do_work(cell, run_say, &saying, NULL);
}
