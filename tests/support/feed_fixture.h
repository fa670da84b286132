/* Stores that feed one another, for tests: each a real database in a folder of its own, with the feed's
 * tables, a table of notes that is projected, and a key it signs with. The wall clock is the test's.
 *
 * A note's text is last-writer-wins, its removal first, its tags a set, its count the highest; a
 * text that begins with "bad" is one that the table can't take. Removing one is what disables.
 */
#ifndef KW_TESTS_SUPPORT_FEED_FIXTURE_H
#define KW_TESTS_SUPPORT_FEED_FIXTURE_H

#include "common/feed/feed_apply.h"
#include "common/feed/feed_peers.h"
#include "tests/support/merge_values.h"
#include "tests/support/store_fixture.h"

#define FEED_NODES_MAX 6
#define FEED_WALL      1700000000000U

enum note_field {
    NOTE_TEXT = 1,
    NOTE_REMOVED,
    NOTE_TAGS,
    NOTE_COUNT,
    NOTE_FIELD_END_,
    NOTE_LARGE = 9, /* no field that is known here, but as long as any may be */
};

extern const struct kw_record_kind note_kind;
extern const struct kw_record_kind
    later_kind; /* of a later release: a table that nobody else knows */

/* Notes and stores; what comes after the first `feed_tables_old` only a later release knows. */
extern const struct kw_feed_table feed_tables[];
extern const size_t feed_tables_old;
extern const size_t feed_tables_new;
extern const struct kw_migration feed_migrations[];
extern const size_t feed_migration_count;

struct feed_node {
    struct store_fixture store;
    struct kw_feed feed;
    struct kw_id id;
    struct kw_id incarnation; /* of its first life */
    struct kw_id lane;        /* the one it writes now */
    unsigned number;
    uint32_t writer;
    uint64_t wall_ms;
    const struct kw_feed_table *tables;
    size_t table_count;
    const struct kw_voucher_trust *vouchers;
};

const struct kw_private_key *feed_key(unsigned number);

/* Begins node `number` with an empty database, ends it with its folder. Zeroed: does nothing. */
void feed_node_init(struct feed_node *node, unsigned number);

/* The same of one that believes vouchers, at that time. */
void feed_node_init_vouched(struct feed_node *node, unsigned number,
                            const struct kw_voucher_trust *vouchers, uint64_t wall_ms);
void feed_node_done(struct feed_node *node);

/* Nodes 0, 1, … that know one another; at the end their lanes are verified. */
void feed_nodes_init(struct feed_node *nodes, unsigned count);
void feed_nodes_done(struct feed_node *nodes, unsigned count);

/* One more writer of the first one's database, which is on PostgreSQL. */
void feed_node_join(struct feed_node *node, const struct feed_node *first, uint32_t writer);

/* Opens and closes the database in between: a restart. */
void feed_node_open(struct feed_node *node);
void feed_node_close(struct feed_node *node);

/* Every node knows every other, as members. */
void feed_introduce(struct feed_node *nodes, size_t count);

/* The row of a store, to be changed and then put into a node as a snapshot would. */
struct kw_record feed_store_row(const struct feed_node *of);
void feed_put_row(struct feed_node *node, const struct kw_record_kind *kind,
                  const struct kw_record *row);

/* --- in one job each --- */

struct feed_job;
typedef struct kw_result feed_run(struct feed_job *job, struct kw_tx *tx, struct kw_error *err);
struct feed_job {
    struct store_test_job base;
    struct feed_node *node;
    feed_run *run;
    const void *in;
    void *out;
};
struct kw_result feed_do(struct feed_node *node, feed_run *run, const void *in, void *out,
                         struct kw_error *err);
struct kw_result feed_look(struct feed_node *node, feed_run *run, const void *in, void *out,
                           struct kw_error *err); /* a read job */

struct kw_record note(const char *key);
void note_set(struct kw_record *record, enum note_field field, struct kw_bytes value);
struct kw_bytes note_stamped(struct feed_node *node, const char *text);

struct kw_result feed_try_write(struct feed_node *node, const struct kw_record *intent, bool urgent,
                                struct kw_error *err);
void feed_write(struct feed_node *node, const struct kw_record *intent, bool urgent);

/* The next batch after `after`; empty: there is none. Lives until the test ends. */
struct kw_bytes feed_batch(struct feed_node *node, struct kw_id lane, uint64_t after);
/* What is read after that number, and how far it goes; the record lives until the test ends. */
struct kw_feed_found feed_found(struct feed_node *node, struct kw_id lane, uint64_t after,
                                struct kw_bytes *ret_record);
enum kw_feed_read feed_read_kind(struct feed_node *node, struct kw_id lane, uint64_t after);
struct kw_bytes feed_urgent(struct feed_node *node, struct kw_id lane, uint64_t after);
struct kw_bytes feed_sealed(struct feed_node *node);

enum kw_lane_verdict feed_apply(struct feed_node *node, struct kw_bytes batch);
struct kw_result feed_try_apply(struct feed_node *node, struct kw_bytes batch,
                                struct kw_error *err);
enum kw_lane_verdict feed_apply_urgent(struct feed_node *node, struct kw_bytes urgent);

/* All that `from` has of a lane and `to` has not. */
void feed_catch_up(struct feed_node *to, struct feed_node *from, struct kw_id lane);

size_t feed_release(struct feed_node *node);
bool feed_waits(struct feed_node *node); /* is it worth releasing once more? */
struct kw_result feed_try_release(struct feed_node *node, struct kw_error *err);
void feed_ack(struct feed_node *node, const struct feed_node *peer, struct kw_id lane,
              uint64_t seq); /* from nowhere, as its row says */
/* Returns how much counts. */
uint64_t feed_ack_from(struct feed_node *node, const struct feed_node *peer, const char *place,
                       struct kw_id lane, uint64_t seq);
size_t feed_trim(struct feed_node *node, size_t max);
void feed_new_life(struct feed_node *node);

/* --- looking --- */

/* A lane as it is held; zeroed: it is not. */
struct kw_feed_lane feed_lane(struct feed_node *node, struct kw_id lane);
uint64_t feed_seq(struct feed_node *node, struct kw_id lane);

/* The one number that `sql`, which has no parameters, answers. */
int64_t feed_number(struct feed_node *node, const char *sql);

/* The digest of all records, and of all notes as they are projected, with what each column says. */
void feed_digest(struct feed_node *node, uint8_t ret_records[KW_SHA256_LEN],
                 uint8_t ret_notes[KW_SHA256_LEN]);

/* The digest of everything in the database. */
void feed_state(struct feed_node *node, uint8_t ret_state[KW_SHA256_LEN]);

/* The text of a note's column; empty: there is no such note. */
struct kw_bytes feed_note(struct feed_node *node, const char *key);

/* Fails the test unless each lane is dense from its floor to its point and its chains lead there. */
void feed_verify_lanes(struct feed_node *node);
struct kw_result feed_verify(struct kw_tx *tx, const struct kw_feed *feed, struct kw_arena *arena,
                             struct kw_error *err);

#endif
