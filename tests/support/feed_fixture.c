/* Nodes and what is done with them. */
#include "tests/support/feed_fixture.h"

#include "common/feed/change_table.h"
#include "common/feed/record_table.h"
#include "common/store/row.h"
#include "common/sync/lww.h"
#include "common/sync/store_record.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"
#include "tests/support/postgres.h"

#include <stdio.h>
#include <unistd.h>

#define ARENA_MAX (64U << 20)
#define LANES_MAX 64
#define TEXT_BAD  "bad"
#define ROWS_MAX  512
#define SQL_SIZE  2048

static const struct kw_id mesh = {{0x3e, 5}};

static void free_arena(struct kw_arena **arena)
{
    kw_arena_free(*arena);
}

/* --- the tables --- */

static const struct kw_field_kind note_fields[NOTE_FIELD_END_] = {
    [NOTE_TEXT] = {"text", KW_RULE_LWW},
    [NOTE_REMOVED] = {"removed", KW_RULE_FIRST},
    [NOTE_TAGS] = {"tags", KW_RULE_SET},
    [NOTE_COUNT] = {"count", KW_RULE_MAX},
};
const struct kw_record_kind note_kind = {
    .table = 900, .name = "notes", KW_RECORD_FIELDS(note_fields), .large = {NOTE_TEXT, NOTE_LARGE}};
const struct kw_record_kind later_kind = {
    .table = 901, .name = "later", KW_RECORD_FIELDS(note_fields)};

static const char upsert_note[] =
    "INSERT INTO notes (key, text, removed, tags, count) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (key) DO UPDATE SET text = excluded.text, removed = excluded.removed,"
    " tags = excluded.tags, count = excluded.count";

static struct kw_bytes text_of(const struct kw_record *record)
{
    struct kw_lww lww = {0};

    (void)kw_lww_read(kw_record_value(record, NOTE_TEXT), &lww);
    return lww.value;
}

static struct kw_result check_note(const struct kw_record *record, struct kw_error *err)
{
    struct kw_bytes text = text_of(record);

    KW_ENSURE(text.len < 3 || !kw_bytes_equal(KW_BYTES(text.data, 3), kw_bytes_str(TEXT_BAD)), err,
              ENCODING_INVALID, "a bad text");
    return KW_OK;
}

static bool disables_note(const struct kw_record *change)
{
    return kw_record_has(change, NOTE_REMOVED);
}

static struct kw_result project_note(struct kw_tx *tx, const struct kw_record *merged,
                                     struct kw_arena *arena, struct kw_error *err)
{
    struct kw_stmt *stmt;

    (void)arena;
    KW_TRY(kw_sql(tx, upsert_note, &stmt, err));
    kw_bind_blob(stmt, 1, merged->key);
    kw_bind_blob(stmt, 2, text_of(merged));
    kw_bind_i64(stmt, 3, kw_record_has(merged, NOTE_REMOVED));
    kw_bind_blob(stmt, 4, kw_record_value(merged, NOTE_TAGS));
    kw_bind_i64(stmt, 5, (int64_t)kw_record_u64(merged, NOTE_COUNT));
    return kw_exec(stmt, NULL, err);
}

const struct kw_feed_table feed_tables[] = {
    {.kind = &kw_store_record, .disables = kw_store_record_fences},
    {.kind = &note_kind, .check = check_note, .disables = disables_note, .project = project_note},
    {.kind = &later_kind, .disables = disables_note},
};
const size_t feed_tables_old = 2;
const size_t feed_tables_new = 3;

const struct kw_migration feed_migrations[] = {
    {"0001_feed", kw_feed_schema},
    {"0002_notes", "CREATE TABLE notes (key BLOB NOT NULL PRIMARY KEY, text BLOB NOT NULL,"
                   " removed INTEGER NOT NULL, tags BLOB NOT NULL, count INTEGER NOT NULL)"},
};
const size_t feed_migration_count = 2;

/* --- nodes --- */

const struct kw_private_key *feed_key(unsigned number)
{
    static struct kw_private_key keys[FEED_NODES_MAX];

    if (keys[number].evp == NULL) {
        MUST(kw_private_key_generate(&keys[number], KW_CURVE_P256, err));
    }
    return &keys[number];
}

static struct kw_result run_job(struct kw_store_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct feed_job *mine = (struct feed_job *)job;

    return mine->run(mine, tx, err);
}

static struct kw_result run_and_wait(struct feed_job *job,
                                     struct kw_result (*hand_in)(struct store_test_job *job),
                                     struct kw_error *err)
{
    struct kw_result result;

    job->base = store_test_job(&job->node->store, run_job, 0, NULL);
    result = hand_in(&job->base);

    if (!kw_ok(result) && err != NULL) {
        *err = job->base.job.error;
    }
    return result;
}

struct kw_result feed_do(struct feed_node *node, feed_run *run, const void *in, void *out,
                         struct kw_error *err)
{
    struct feed_job job = {.node = node, .run = run, .in = in, .out = out};

    return run_and_wait(&job, store_test_write, err);
}

struct kw_result feed_look(struct feed_node *node, feed_run *run, const void *in, void *out,
                           struct kw_error *err)
{
    struct feed_job job = {.node = node, .run = run, .in = in, .out = out};

    return run_and_wait(&job, store_test_read, err);
}

static struct kw_result run_open(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct feed_node *node = job->node;
    const struct kw_feed_options options = {.mesh = mesh,
                                            .store = kw_store_id(node->store.store),
                                            .writer = node->writer,
                                            .vouchers = node->vouchers,
                                            .tables = node->tables,
                                            .table_count = node->table_count};

    return kw_feed_open(&node->feed, &options, tx, node->wall_ms, err);
}

static struct kw_result run_lanes(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_feed_lane *lanes = job->out;
    size_t count;

    return kw_feed_lanes(&job->node->feed, tx, KW_ID_NONE, lanes, LANES_MAX, &count, err);
}

static void learn_lane(struct feed_node *node)
{
    struct kw_feed_lane lanes[LANES_MAX] = {0};

    MUST(feed_look(node, run_lanes, NULL, lanes, err));
    for (size_t i = 0; i < LANES_MAX; i++) {
        if (lanes[i].ours) {
            node->lane = lanes[i].id;
            node->incarnation = lanes[i].lane.incarnation;
        }
    }
}

void feed_node_open(struct feed_node *node)
{
    MUST(store_fixture_open(&node->store, feed_migrations, feed_migration_count, err));
    MUST(feed_do(node, run_open, NULL, NULL, err));
    node->id = node->feed.options.store;
    learn_lane(node);
}

void feed_node_close(struct feed_node *node)
{
    store_fixture_close(&node->store);
}

void feed_node_init(struct feed_node *node, unsigned number)
{
    feed_node_init_vouched(node, number, NULL, FEED_WALL);
}

void feed_node_init_vouched(struct feed_node *node, unsigned number,
                            const struct kw_voucher_trust *vouchers, uint64_t wall_ms)
{
    *node = (struct feed_node){.number = number,
                               .wall_ms = wall_ms,
                               .tables = feed_tables,
                               .table_count = feed_tables_old,
                               .vouchers = vouchers};
    store_fixture_init_in(&node->store, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    feed_node_open(node);
}

void feed_node_join(struct feed_node *node, const struct feed_node *first, uint32_t writer)
{
    *node = *first;
    node->writer = writer;
    store_fixture_init(&node->store);
    (void)snprintf(node->store.url, sizeof(node->store.url), "%s", first->store.url);
    feed_node_open(node);
}

void feed_node_done(struct feed_node *node)
{
    if (node->store.dir[0] != '\0') {
        store_fixture_done(&node->store);
    }
}

static struct kw_bytes kept(struct kw_bytes bytes)
{
    struct kw_buf copy = {0};

    MUST(kw_buf_append(&copy, bytes, err));
    return value_keep(&copy);
}

struct kw_record feed_store_row(const struct feed_node *of)
{
    struct kw_record row = {.table = KW_TABLE_STORES, .key = kept(kw_id_bytes(&of->id))};

    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_STATE, value_u64(KW_STORE_ACTIVE),
                       err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_SIGNERS,
                       lane_set_of(lane_signer(feed_key(of->number))), err));
    MUST(kw_record_set(&row, &kw_store_record, KW_STORE_FIELD_INCARNATIONS,
                       lane_set_of(kw_id_bytes(&of->incarnation)), err));
    return row;
}

struct put {
    const struct kw_record_kind *kind;
    const struct kw_record *row;
};

static struct kw_result run_put(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct put *put = job->in;
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_record_row old;
    bool found;
    bool done;

    KW_TRY(kw_record_encode(put->row, &record, err));
    KW_TRY(kw_record_row_find(tx, put->kind, put->row->key, arena, &old, &found, err));
    KW_TRY(kw_record_row_store(tx, job->node->writer, put->kind, put->row->key, found ? &old : NULL,
                               kw_buf_bytes(&record), &done, err));
    KW_ENSURE(done, err, INTERNAL, "the row was not put");
    return KW_OK;
}

void feed_put_row(struct feed_node *node, const struct kw_record_kind *kind,
                  const struct kw_record *row)
{
    const struct put put = {kind, row};

    MUST(feed_do(node, run_put, &put, NULL, err));
}

void feed_introduce(struct feed_node *nodes, size_t count)
{
    for (size_t of = 0; of < count; of++) {
        const struct kw_record row = feed_store_row(&nodes[of]);

        for (size_t to = 0; to < count; to++) {
            feed_put_row(&nodes[to], &kw_store_record, &row);
        }
    }
}

void feed_nodes_init(struct feed_node *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        feed_node_init(&nodes[i], i);
    }
    feed_introduce(nodes, count);
}

void feed_nodes_done(struct feed_node *nodes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        feed_verify_lanes(&nodes[i]);
        feed_node_done(&nodes[i]);
    }
}

/* --- writing --- */

struct kw_record note(const char *key)
{
    return (struct kw_record){.table = note_kind.table, .key = kept(kw_bytes_str(key))};
}

void note_set(struct kw_record *record, enum note_field field, struct kw_bytes value)
{
    MUST(kw_record_set(record, &note_kind, (uint8_t)field, value, err));
}

struct kw_bytes note_stamped(struct feed_node *node, const char *text)
{
    struct kw_stamp stamp = kw_feed_stamp(&node->feed, node->wall_ms);

    return value_lww(stamp.hlc, stamp.store, text);
}

struct writing {
    const struct kw_record *intent;
    bool urgent;
};

static struct kw_result run_write(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct writing *w = job->in;
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    return kw_feed_write(&job->node->feed, tx, w->intent, w->urgent, job->node->wall_ms, arena,
                         NULL, err);
}

struct kw_result feed_try_write(struct feed_node *node, const struct kw_record *intent, bool urgent,
                                struct kw_error *err)
{
    const struct writing w = {intent, urgent};

    return feed_do(node, run_write, &w, NULL, err);
}

void feed_write(struct feed_node *node, const struct kw_record *intent, bool urgent)
{
    MUST(feed_try_write(node, intent, urgent, err));
}

/* --- giving --- */

struct asked {
    struct kw_id lane;
    uint64_t after;
};

struct given {
    struct kw_buf buf;
    struct kw_feed_found found;
};

static struct kw_result run_read(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct asked *asked = job->in;
    struct given *given = job->out;

    return kw_feed_read(&job->node->feed, tx, asked->lane, asked->after,
                        feed_key(job->node->number), &given->buf, &given->found, err);
}

static struct given read_lane(struct feed_node *node, struct kw_id lane, uint64_t after)
{
    const struct asked asked = {lane, after};
    struct given given = {0};

    MUST(feed_look(node, run_read, &asked, &given, err));
    return given;
}

struct kw_bytes feed_batch(struct feed_node *node, struct kw_id lane, uint64_t after)
{
    struct given given = read_lane(node, lane, after);

    if (given.found.read != KW_FEED_READ_BATCH) {
        kw_buf_done(&given.buf);
    }
    return value_keep(&given.buf);
}

struct kw_feed_found feed_found(struct feed_node *node, struct kw_id lane, uint64_t after,
                                struct kw_bytes *ret_record)
{
    struct given given = read_lane(node, lane, after);
    bool has_record =
        given.found.read == KW_FEED_READ_BATCH || given.found.read == KW_FEED_READ_HEARTBEAT;

    REQUIRE(has_record == (given.buf.len > 0), "a record, or none");
    *ret_record = value_keep(&given.buf);
    return given.found;
}

enum kw_feed_read feed_read_kind(struct feed_node *node, struct kw_id lane, uint64_t after)
{
    struct kw_bytes record;

    return feed_found(node, lane, after, &record).read;
}

static struct kw_result run_urgent(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct asked *asked = job->in;
    struct kw_lane_point after = {.seq = asked->after};
    struct kw_lane_point at;

    memset(after.chain, 0xff, sizeof(after.chain)); /* whatever there is under that number */
    return kw_feed_read_urgent(&job->node->feed, tx, asked->lane, &after,
                               feed_key(job->node->number), job->out, &at, err);
}

struct kw_bytes feed_urgent(struct feed_node *node, struct kw_id lane, uint64_t after)
{
    const struct asked asked = {lane, after};
    struct kw_buf urgent = {0};

    MUST(feed_look(node, run_urgent, &asked, &urgent, err));
    return value_keep(&urgent);
}

static struct kw_result run_seal(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_seal(&job->node->feed, tx, job->node->wall_ms, feed_key(job->node->number),
                        job->out, err);
}

/* As a batch without changes, which is how it travels. */
struct kw_bytes feed_sealed(struct feed_node *node)
{
    struct kw_buf head = {0};
    struct kw_buf record = {0};
    struct kw_lane_batch batch = {0};

    MUST(feed_do(node, run_seal, NULL, &head, err));
    batch.head_record = value_keep(&head);
    MUST(kw_lane_head_decode(batch.head_record, &batch.head, err));
    batch.from = batch.head.point;
    MUST(kw_lane_batch_encode(&batch, &record, err));
    return value_keep(&record);
}

/* --- taking --- */

struct applied {
    struct kw_lane_finding finding;
    enum kw_lane_verdict verdict;
    size_t count;
    bool more;
};

static struct kw_result run_apply(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct applied *applied = job->out;
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_lane_batch batch;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena");
    KW_TRY(kw_lane_batch_decode(*(const struct kw_bytes *)job->in, arena, &batch, err));
    return kw_feed_apply(&job->node->feed, tx, &batch, job->node->wall_ms, &applied->finding, err);
}

struct kw_result feed_try_apply(struct feed_node *node, struct kw_bytes batch, struct kw_error *err)
{
    struct applied applied = {0};

    return feed_do(node, run_apply, &batch, &applied, err);
}

enum kw_lane_verdict feed_apply(struct feed_node *node, struct kw_bytes batch)
{
    struct applied applied = {0};

    MUST(feed_do(node, run_apply, &batch, &applied, err));
    return applied.finding.verdict;
}

static struct kw_result run_apply_urgent(struct feed_job *job, struct kw_tx *tx,
                                         struct kw_error *err)
{
    struct applied *applied = job->out;
    struct kw_urgent urgent;

    KW_TRY(kw_urgent_decode(*(const struct kw_bytes *)job->in, &urgent, err));
    return kw_feed_apply_urgent(&job->node->feed, tx, &urgent, job->node->wall_ms,
                                &applied->verdict, err);
}

enum kw_lane_verdict feed_apply_urgent(struct feed_node *node, struct kw_bytes urgent)
{
    struct applied applied = {0};

    MUST(feed_do(node, run_apply_urgent, &urgent, &applied, err));
    return applied.verdict;
}

void feed_catch_up(struct feed_node *to, struct feed_node *from, struct kw_id lane)
{
    struct kw_bytes batch = feed_batch(from, lane, feed_seq(to, lane));

    while (batch.len > 0) {
        cr_assert_eq(feed_apply(to, batch), KW_LANE_NEWS);
        batch = feed_batch(from, lane, feed_seq(to, lane));
    }
}

static struct kw_result run_release(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct applied *applied = job->out;

    return kw_feed_release(&job->node->feed, tx, job->node->wall_ms, &applied->count,
                           &applied->more, err);
}

struct kw_result feed_try_release(struct feed_node *node, struct kw_error *err)
{
    struct applied applied = {0};

    return feed_do(node, run_release, NULL, &applied, err);
}

size_t feed_release(struct feed_node *node)
{
    struct applied applied = {0};

    MUST(feed_do(node, run_release, NULL, &applied, err));
    return applied.count;
}

bool feed_waits(struct feed_node *node)
{
    struct applied applied = {0};

    MUST(feed_do(node, run_release, NULL, &applied, err));
    return applied.more;
}

struct ack {
    struct kw_id peer;
    struct kw_bytes place;
    struct kw_id lane;
    uint64_t seq;
};

static struct kw_result run_ack(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    const struct ack *ack = job->in;

    return kw_feed_ack(tx, &(struct kw_feed_acker){ack->peer, ack->place}, ack->lane, ack->seq,
                       job->out, err);
}

uint64_t feed_ack_from(struct feed_node *node, const struct feed_node *peer, const char *place,
                       struct kw_id lane, uint64_t seq)
{
    const struct ack ack = {peer->id, kw_bytes_str(place), lane, seq};
    uint64_t counted = UINT64_MAX;

    MUST(feed_do(node, run_ack, &ack, &counted, err));
    return counted;
}

void feed_ack(struct feed_node *node, const struct feed_node *peer, struct kw_id lane, uint64_t seq)
{
    (void)feed_ack_from(node, peer, "", lane, seq);
}

static struct kw_result run_trim(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_trim(&job->node->feed, tx, *(const size_t *)job->in, job->out, err);
}

size_t feed_trim(struct feed_node *node, size_t max)
{
    size_t trimmed = 0;

    MUST(feed_do(node, run_trim, &max, &trimmed, err));
    return trimmed;
}

static struct kw_result run_new_life(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    return kw_feed_new_life(&job->node->feed, tx, err);
}

void feed_new_life(struct feed_node *node)
{
    MUST(feed_do(node, run_new_life, NULL, NULL, err));
    learn_lane(node);
}

/* --- looking --- */

struct kw_feed_lane feed_lane(struct feed_node *node, struct kw_id lane)
{
    struct kw_feed_lane lanes[LANES_MAX] = {0};

    MUST(feed_look(node, run_lanes, NULL, lanes, err));
    for (size_t i = 0; i < LANES_MAX; i++) {
        if (kw_id_equal(lanes[i].id, lane)) {
            return lanes[i];
        }
    }
    return (struct kw_feed_lane){0};
}

uint64_t feed_seq(struct feed_node *node, struct kw_id lane)
{
    return feed_lane(node, lane).point.seq;
}

static struct kw_result run_number(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, job->in, &stmt, err));
    KW_TRY(kw_step(stmt, &row, err));
    *(int64_t *)job->out = row ? kw_col_i64(stmt, 0) : -1;
    return KW_OK;
}

int64_t feed_number(struct feed_node *node, const char *sql)
{
    int64_t number = 0;

    if (node->store.url[0] != '\0' && strstr(sql, "x'") != NULL) { /* kept: found by its address */
        sql = postgres_bytes(sql, kw_arena_alloc(values_arena(), SQL_SIZE), SQL_SIZE);
    }
    MUST(feed_do(node, run_number, sql, &number, err));
    return number;
}

static const char select_records[] =
    "SELECT kind, key, record FROM feed_records ORDER BY kind, key";
static const char select_notes[] = "SELECT count, key, text, removed, tags FROM notes ORDER BY key";

static struct kw_result digest_rows(struct kw_tx *tx, const char *sql, int columns,
                                    uint8_t *ret_digest, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf all = {0};
    struct kw_writer w = KW_WRITER(&all);
    struct kw_stmt *stmt;
    bool row = true;

    KW_TRY(kw_sql(tx, sql, &stmt, err));
    while (row) {
        KW_TRY(kw_step(stmt, &row, err));
        for (int i = 0; row && i < columns; i++) {
            struct kw_bytes column = kw_col_blob(stmt, i);

            kw_put_u32(&w, (uint32_t)column.len);
            kw_put_raw(&w, column);
        }
    }
    KW_TRY(kw_writer_end(&w, err));
    return kw_sha256(kw_buf_bytes(&all), ret_digest, err);
}

static struct kw_result run_digest(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    uint8_t *digests = job->out;

    KW_TRY(digest_rows(tx, select_records, 3, digests, err));
    return digest_rows(tx, select_notes, 5, digests + KW_SHA256_LEN, err);
}

void feed_digest(struct feed_node *node, uint8_t ret_records[KW_SHA256_LEN],
                 uint8_t ret_notes[KW_SHA256_LEN])
{
    uint8_t digests[2 * KW_SHA256_LEN];

    MUST(feed_look(node, run_digest, NULL, digests, err));
    kw_copy(ret_records, digests, KW_SHA256_LEN);
    kw_copy(ret_notes, digests + KW_SHA256_LEN, KW_SHA256_LEN);
}

static const char *const all_rows[] = {
    "SELECT * FROM feed_lanes ORDER BY id",
    "SELECT * FROM feed_changes ORDER BY lane, seq",
    "SELECT * FROM feed_records ORDER BY kind, key",
    "SELECT * FROM feed_held ORDER BY lane, seq, chain",
    "SELECT * FROM feed_quarantine ORDER BY lane, seq, chain",
    "SELECT * FROM feed_acks ORDER BY lane, peer",
    "SELECT * FROM feed_urgents ORDER BY lane, seq, chain",
    "SELECT * FROM notes ORDER BY key",
    "SELECT * FROM feed_digests ORDER BY kind, bucket, writer",
    "SELECT * FROM feed_joins",
    "SELECT * FROM feed_join_heads ORDER BY lane",
};
static const int all_columns[] = {12, 7, 5, 5, 7, 3, 5, 5, 4, 6, 2};
#define ALL_ROWS (sizeof(all_rows) / sizeof(all_rows[0]))

static struct kw_result run_state(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    uint8_t digests[ALL_ROWS][KW_SHA256_LEN];

    for (size_t i = 0; i < ALL_ROWS; i++) {
        KW_TRY(digest_rows(tx, all_rows[i], all_columns[i], digests[i], err));
    }
    return kw_sha256(KW_BYTES(digests, sizeof(digests)), job->out, err);
}

void feed_state(struct feed_node *node, uint8_t ret_state[KW_SHA256_LEN])
{
    MUST(feed_look(node, run_state, NULL, ret_state, err));
}

static struct kw_result run_note(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_stmt *stmt;
    bool row;

    KW_TRY(kw_sql(tx, "SELECT text FROM notes WHERE key = $1", &stmt, err));
    kw_bind_blob(stmt, 1, kw_bytes_str(job->in));
    KW_TRY(kw_step(stmt, &row, err));
    return row ? kw_buf_append(job->out, kw_col_blob(stmt, 0), err) : KW_OK;
}

struct kw_bytes feed_note(struct feed_node *node, const char *key)
{
    struct kw_buf text = {0};

    MUST(feed_look(node, run_note, key, &text, err));
    return value_keep(&text);
}

/* --- lanes, from floor to point --- */

static struct kw_result verify_lane(struct kw_tx *tx, const struct kw_feed_lane *lane,
                                    struct kw_arena *arena, struct kw_error *err)
{
    struct kw_lane_point point = lane->floor;
    struct kw_change_row row;
    struct kw_stmt *walk;
    uint64_t hlc = 0;
    bool any = true;

    KW_TRY(kw_change_walk(tx, &lane->id, 0, SIZE_MAX / 2, &walk, err));
    while (true) {
        KW_TRY(kw_change_next(walk, arena, &row, &any, err));
        if (!any) {
            break;
        }
        KW_TRY(kw_lane_advance(&point, &row.change, err));
        KW_ENSURE(kw_lane_point_equal(&point, &row.point), err, INTERNAL, "a chain is broken");
        KW_ENSURE(row.change.hlc >= hlc, err, INTERNAL, "a lane's clock went back");
        hlc = row.change.hlc;
    }
    KW_ENSURE(kw_lane_point_equal(&point, &lane->point), err, INTERNAL,
              "a lane does not end where it says");
    KW_ENSURE(hlc <= lane->closed, err, INTERNAL, "a lane's promise is behind its changes");
    return KW_OK;
}

struct kw_result feed_verify(struct kw_tx *tx, const struct kw_feed *feed, struct kw_arena *arena,
                             struct kw_error *err)
{
    struct kw_feed_lane lanes[LANES_MAX];
    size_t count;

    KW_TRY(kw_feed_lanes(feed, tx, KW_ID_NONE, lanes, LANES_MAX, &count, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(verify_lane(tx, &lanes[i], arena, err));
    }
    return KW_OK;
}

static struct kw_result run_verify(struct feed_job *job, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(free_arena) struct kw_arena *arena = kw_arena_new(ARENA_MAX);

    return feed_verify(tx, &job->node->feed, arena, err);
}

void feed_verify_lanes(struct feed_node *node)
{
    MUST(feed_look(node, run_verify, NULL, NULL, err));
}
