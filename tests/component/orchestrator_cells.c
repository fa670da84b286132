/* Cells, and what goes between them. */
#include "tests/component/orchestrator_cells.h"

#include "common/feed/feed_apply.h"
#include "common/feed/feed_peers.h"
#include "common/feed/record_table.h"
#include "common/sync/grow_set.h"
#include "common/sync/store_record.h"

#define LANES_MAX 8
#define ARENA_MAX (64U << 20)

const struct kw_private_key *orch_lane_key(const struct orch_fixture *fx)
{
    return &fx->seal.key; /* as good as any that it alone has */
}

/* --- jobs --- */

struct work;
typedef struct kw_result work_run(struct work *work, struct kw_tx *tx, struct kw_error *err);
struct work {
    struct kw_store_job job;
    struct orch_fixture *fx;
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

static struct kw_result try_work(struct orch_fixture *fx, work_run *what, const void *in, void *out,
                                 struct kw_error *err)
{
    struct work work = {.job = {.run = run, .done = done},
                        .fx = fx,
                        .arena = kw_arena_new(ARENA_MAX),
                        .run = what,
                        .in = in,
                        .out = out};

    MUST(kw_store_write(fx->orch.store, &work.job, err));
    EVENTUALLY(fx, work.done);
    kw_arena_free(work.arena);
    *err = work.job.error;
    return work.job.result;
}

static void do_work(struct orch_fixture *fx, work_run *what, const void *in, void *out)
{
    MUST(try_work(fx, what, in, out, err));
}

/* --- who is who --- */

struct lanes {
    struct kw_feed_lane items[LANES_MAX];
    size_t count;
};

static struct kw_result run_lanes(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct lanes *lanes = work->out;

    return kw_feed_lanes(&work->fx->orch.feed, tx, KW_ID_NONE, lanes->items, LANES_MAX,
                         &lanes->count, err);
}

static struct lanes lanes_of(struct orch_fixture *fx)
{
    struct lanes lanes = {0};

    do_work(fx, run_lanes, NULL, &lanes);
    return lanes;
}

static struct kw_feed_lane own_lane(struct orch_fixture *fx)
{
    const struct lanes lanes = lanes_of(fx);
    size_t i = 0;

    while (i < lanes.count && !lanes.items[i].ours) {
        i++;
    }
    cr_assert(lt(sz, i, lanes.count));
    return lanes.items[i];
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

/* `fx` believes what `other` signs. */
static void know(struct orch_fixture *fx, struct orch_fixture *other)
{
    static const uint8_t active[8] = {0, 0, 0, 0, 0, 0, 0, KW_STORE_ACTIVE};
    const struct kw_feed_lane lane = own_lane(other);
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kw_id_bytes(&lane.lane.store)};
    KW_SCOPED(kw_buf_done) struct kw_buf signers = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf lives = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    uint8_t digest[KW_SHA256_LEN];
    struct kw_spki spki;

    MUST(kw_private_key_public(orch_lane_key(other), &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    MUST(kw_sha256(kw_spki_bytes(&spki), digest, err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, KW_BYTES_OF(active), err));
    set(&row, KW_STORE_FIELD_SIGNERS, KW_BYTES_OF(digest), &signers);
    set(&row, KW_STORE_FIELD_INCARNATIONS, kw_id_bytes(&lane.lane.incarnation), &lives);
    do_work(fx, run_put, &row, NULL);
}

void orch_cells_init(struct orch_cells *cells)
{
    orch_fixture_init(&cells->a);
    orch_fixture_init(&cells->b);
    know(&cells->a, &cells->a);
    know(&cells->a, &cells->b);
    know(&cells->b, &cells->b);
    know(&cells->b, &cells->a);
    cells->b.station = cells->a.station;
    cells->b.partner = cells->a.partner;
    cells->b.operator_id = cells->a.operator_id;
    cells->b.product = cells->a.product;
    orch_meet(cells);
}

void orch_cells_done(struct orch_cells *cells)
{
    orch_fixture_done(&cells->a);
    orch_fixture_done(&cells->b);
}

/* --- telling --- */

struct asked_lane {
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
    const struct asked_lane *asked = work->in;
    struct given *given = work->out;

    return kw_feed_read(&work->fx->orch.feed, tx, asked->lane, asked->after.seq,
                        orch_lane_key(work->fx), &given->buf, &given->found, err);
}

static struct kw_result run_apply(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_lane_finding finding;
    struct kw_lane_batch batch;

    KW_TRY(kw_lane_batch_decode(*(const struct kw_bytes *)work->in, work->arena, &batch, err));
    KW_TRY(kw_feed_apply(&work->fx->orch.feed, tx, &batch, kw_clock_wall_ms(), &finding, err));
    KW_ENSURE(finding.verdict == KW_LANE_NEWS, err, INTERNAL, "a verdict of %d", finding.verdict);
    return KW_OK;
}

static uint64_t held(struct orch_fixture *fx, struct kw_id lane)
{
    const struct lanes lanes = lanes_of(fx);

    for (size_t i = 0; i < lanes.count; i++) {
        if (kw_id_equal(lanes.items[i].id, lane)) {
            return lanes.items[i].point.seq;
        }
    }
    return 0;
}

/* The next batch of a lane; false: there is none. */
static bool tell_batch(struct orch_fixture *from, struct orch_fixture *to, struct kw_id lane)
{
    const struct asked_lane asked = {.lane = lane, .after = {.seq = held(to, lane)}};
    struct given given = {0};
    bool any;

    do_work(from, run_read, &asked, &given);
    any = given.found.read == KW_FEED_READ_BATCH;
    if (any) {
        const struct kw_bytes batch = kw_buf_bytes(&given.buf);

        do_work(to, run_apply, &batch, NULL);
    }
    kw_buf_done(&given.buf);
    return any;
}

static size_t tell(struct orch_fixture *from, struct orch_fixture *to)
{
    const struct kw_id lane = own_lane(from).id;
    size_t batches = 0;

    while (tell_batch(from, to, lane)) {
        batches++;
    }
    return batches;
}

void orch_tell(struct orch_fixture *from, struct orch_fixture *to)
{
    (void)tell(from, to);
}

void orch_meet(struct orch_cells *cells)
{
    while (tell(&cells->a, &cells->b) + tell(&cells->b, &cells->a) > 0) {
    }
    cr_assert(eq(i64, orch_number(&cells->a, "SELECT count(*) FROM feed_quarantine"), 0));
    cr_assert(eq(i64, orch_number(&cells->b, "SELECT count(*) FROM feed_quarantine"), 0));
}

/* --- ahead of a lane --- */

static struct kw_result run_read_urgent(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct asked_lane *asked = work->in;
    struct given *given = work->out;

    return kw_feed_read_urgent(&work->fx->orch.feed, tx, asked->lane, &asked->after,
                               orch_lane_key(work->fx), &given->buf, &given->at, err);
}

static struct kw_result run_apply_urgent(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    enum kw_lane_verdict verdict;
    struct kw_urgent urgent;

    KW_TRY(kw_urgent_decode(*(const struct kw_bytes *)work->in, &urgent, err));
    return kw_feed_apply_urgent(&work->fx->orch.feed, tx, &urgent, kw_clock_wall_ms(), &verdict,
                                err);
}

size_t orch_tell_urgent(struct orch_fixture *from, struct orch_fixture *to)
{
    struct asked_lane asked = {.lane = own_lane(from).id};
    struct given given = {0};
    size_t count = 0;

    asked.after.seq = held(to, asked.lane);
    memset(asked.after.chain, 0xff, sizeof(asked.after.chain)); /* all under that number */
    do_work(from, run_read_urgent, &asked, &given);
    while (given.at.seq != 0) {
        const struct kw_bytes urgent = kw_buf_bytes(&given.buf);

        do_work(to, run_apply_urgent, &urgent, NULL);
        asked.after = given.at;
        kw_buf_done(&given.buf);
        given = (struct given){0};
        count++;
        do_work(from, run_read_urgent, &asked, &given);
    }
    kw_buf_done(&given.buf);
    return count;
}

/* --- rows --- */

struct saying {
    orch_say *say;
    const void *context;
};

static struct kw_result run_say(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    const struct saying *saying = work->in;
    const struct kw_feed_tx feed_tx = {.feed = &work->fx->orch.feed,
                                       .tx = tx,
                                       .arena = work->arena,
                                       .wall_ms = kw_clock_wall_ms()};

    return saying->say(&feed_tx, saying->context, err);
}

struct kw_result orch_try_say(struct orch_fixture *fx, orch_say *say, const void *context,
                              struct kw_error *err)
{
    const struct saying saying = {say, context};

    return try_work(fx, run_say, &saying, NULL, err);
}

static struct kw_result run_number(struct work *work, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool found;

    KW_TRY(kw_sql(tx, work->in, &stmt, err));
    KW_TRY(kw_step(stmt, &found, err));
    *(int64_t *)work->out = kw_col_i64(stmt, 0);
    return KW_OK;
}

int64_t orch_number(struct orch_fixture *fx, const char *sql)
{
    int64_t number = -1;

    do_work(fx, run_number, sql, &number);
    return number;
}
