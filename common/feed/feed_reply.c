/* Who answers what; and the answers that hand over no rows. */
#include "common/feed/feed_reply.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/feed_answering.h"
#include "common/feed/feed_digests.h"
#include "common/feed/feed_log_answer.h"
#include "common/feed/feed_snapshot.h"
#include "common/feed/lane_table.h"

#define LANES_AT_ONCE 16
#define ROOT_LEN      (2U + KW_SHA256_LEN)

static struct kw_result add(struct kw_answering *a, const struct kw_buf *item, struct kw_bytes key,
                            struct kw_error *err)
{
    struct kw_bytes copy;

    KW_TRY(kw_arena_copy(a->arena, kw_buf_bytes(item), &copy, err));
    return kw_answering_add(a, copy, key, err);
}

/* --- lanes --- */

/* What nothing was said in, nobody can lack. */
static struct kw_result add_lane(struct kw_answering *a, const struct kw_lane_row *row,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf item = {0};
    struct kw_bytes key;

    if (row->point.seq == 0) {
        return KW_OK;
    }
    KW_TRY(kw_answering_head(a, row, &head, err));
    KW_TRY(kw_answer_lane_encode(row->floor.seq, kw_buf_bytes(&head), &item, err));
    KW_TRY(kw_arena_copy(a->arena, kw_id_bytes(&row->id), &key, err));
    return add(a, &item, key, err);
}

static struct kw_result add_lanes(struct kw_answering *a, struct kw_error *err)
{
    struct kw_bytes from = a->ask->from.key;
    struct kw_lane_row rows[LANES_AT_ONCE];
    struct kw_id after = KW_ID_NONE;
    size_t count = LANES_AT_ONCE;

    if (from.len > 0) {
        KW_TRY(kw_id_from_bytes(from, &after, err));
    }
    while (count == LANES_AT_ONCE) {
        KW_TRY(kw_lane_row_list(a->tx, after, rows, LANES_AT_ONCE, &count, err));
        for (size_t i = 0; i < count; i++) {
            if (!kw_answering_room(a)) {
                return KW_OK;
            }
            KW_TRY(add_lane(a, &rows[i], err));
            after = rows[i].id;
        }
    }
    a->next = (struct kw_answer_place){.section = KW_SECTION_END};
    return KW_OK;
}

/* --- digests --- */

static struct kw_result add_root(struct kw_answering *a, uint16_t table, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf item = {0};
    struct kw_writer w = KW_WRITER(&item);
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_feed_digest(a->tx, (struct kw_digest_node){.table = table}, digest, err));
    kw_put_u16(&w, table);
    kw_put_raw(&w, KW_BYTES_OF(digest));
    KW_TRY(kw_writer_end(&w, err));
    return add(a, &item, KW_BYTES_NONE, err);
}

static struct kw_result add_roots(struct kw_answering *a, struct kw_error *err)
{
    const struct kw_feed_options *options = &a->feed->options;

    for (size_t i = 0; i < options->table_count; i++) {
        if (options->tables[i].kind->table >= a->ask->from.table) {
            KW_TRY(add_root(a, options->tables[i].kind->table, err));
        }
    }
    return KW_OK;
}

static struct kw_result add_children(struct kw_answering *a, struct kw_digest_node node,
                                     struct kw_error *err)
{
    uint8_t digests[KW_DIGEST_FAN][KW_SHA256_LEN];
    struct kw_bytes all;

    KW_TRY(kw_feed_digest_children(a->tx, node, digests, err));
    KW_TRY(kw_arena_copy(a->arena, KW_BYTES((const uint8_t *)digests, sizeof(digests)), &all, err));
    for (size_t i = 0; i < KW_DIGEST_FAN; i++) {
        KW_TRY(kw_answering_add(a, KW_BYTES(all.data + i * KW_SHA256_LEN, KW_SHA256_LEN),
                                a->ask->from.key, err));
    }
    return KW_OK;
}

/* From where rows of this bucket go on: its name, and the key of the last. */
static struct kw_result name_row(const struct kw_answering *a, struct kw_bytes key,
                                 struct kw_bytes *ret_name, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};

    KW_TRY(kw_buf_append(&name, KW_BYTES(a->ask->from.key.data, KW_DIGEST_NAME_LEN), err));
    KW_TRY(kw_buf_append(&name, key, err));
    return kw_arena_copy(a->arena, kw_buf_bytes(&name), ret_name, err);
}

static struct kw_result add_row(struct kw_answering *a, const struct kw_row_digest *row,
                                struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf item = {0};
    struct kw_bytes name;

    KW_TRY(kw_buf_append(&item, KW_BYTES_OF(row->digest), err));
    KW_TRY(kw_buf_append(&item, row->key, err));
    KW_TRY(name_row(a, row->key, &name, err));
    return add(a, &item, name, err);
}

static struct kw_result add_bucket(struct kw_answering *a, struct kw_digest_node node,
                                   struct kw_bytes after, struct kw_error *err)
{
    struct kw_row_digest *rows = kw_arena_alloc(a->arena, KW_ANSWER_ITEMS_MAX * sizeof(*rows));
    size_t count;
    size_t i = 0;

    KW_ENSURE(rows != NULL, err, MEMORY, "the rows of a bucket");
    KW_TRY(kw_feed_digest_rows(a->tx, node.table, node.index, after, a->arena, rows,
                               KW_ANSWER_ITEMS_MAX, &count, err));
    while (i < count && kw_answering_room(a)) {
        KW_TRY(add_row(a, &rows[i++], err));
    }
    if (count < KW_ANSWER_ITEMS_MAX && i == count) {
        a->next = a->ask->from; /* that was all */
    }
    return KW_OK;
}

static struct kw_result add_digests(struct kw_answering *a, struct kw_error *err)
{
    struct kw_digest_node node;
    struct kw_bytes after;

    if (!kw_digest_named(a->ask->from.table, a->ask->from.key, &node, &after)) {
        return add_roots(a, err);
    }
    return node.level == KW_DIGEST_LEVELS ? add_bucket(a, node, after, err)
                                          : add_children(a, node, err);
}

/* --- one of them --- */

/* Whatever is no look at lanes or at the log is one at digests. */
static struct kw_result add_items(struct kw_answering *a, struct kw_error *err)
{
    switch (a->ask->purpose) {
    case KW_ASK_LANES:
        return add_lanes(a, err);
    case KW_ASK_CHAINS:
    case KW_ASK_SEGMENT:
        return kw_answering_log(a, err);
    case KW_ASK_DIGESTS:
    case KW_ASK_SNAPSHOT:
    case KW_ASK_REPAIR:
        break;
    }
    return add_digests(a, err);
}

static struct kw_result look(struct kw_answering *a, struct kw_buf *out, struct kw_error *err)
{
    KW_TRY(kw_answering_begin(a, a->ask->purpose, err));
    KW_TRY(add_items(a, err));
    return kw_answering_sign(a, out, err);
}

static struct kw_result reply_by_looking(const struct kw_feed *feed, struct kw_tx *tx,
                                         const struct kw_ask *ask, const struct kw_private_key *key,
                                         struct kw_buf *out, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_answering a = {.feed = feed, .tx = tx, .ask = ask, .key = key, .arena = arena};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an answer");
    result = look(&a, out, err);
    kw_arena_free(arena);
    return result;
}

struct kw_result kw_feed_reply(const struct kw_feed *feed, struct kw_tx *tx,
                               const struct kw_question *question, const struct kw_private_key *key,
                               struct kw_buf *out, struct kw_error *err)
{
    const struct kw_ask *ask = &question->ask;

    KW_ENSURE(kw_id_equal(question->mesh, feed->options.mesh), err, ARGUMENT_INVALID,
              "a question of another mesh");
    switch (ask->purpose) {
    case KW_ASK_SNAPSHOT:
        return kw_feed_snapshot(feed, tx, ask, key, out, err);
    case KW_ASK_REPAIR:
        return kw_feed_rows(feed, tx, ask, question->keys, question->key_count, key, out, err);
    case KW_ASK_LANES:
    case KW_ASK_DIGESTS:
    case KW_ASK_CHAINS:
    case KW_ASK_SEGMENT:
        break;
    }
    return reply_by_looking(feed, tx, ask, key, out, err);
}
