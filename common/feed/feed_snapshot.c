/* Answering: items are gathered in an arena, then signed. */
#include "common/feed/feed_snapshot.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/feed/feed_answering.h"
#include "common/feed/feed_rows.h"
#include "common/feed/lane_table.h"
#include "common/feed/record_table.h"
#include "common/feed/waiting_table.h"

static struct kw_result keep(const struct kw_answering *a, const struct kw_buf *buf,
                             struct kw_bytes *ret_item, struct kw_error *err)
{
    return kw_arena_copy(a->arena, kw_buf_bytes(buf), ret_item, err);
}

/* --- lanes --- */

/* A lane of which there is nothing is asked for from its start. */
static struct kw_result add_lane(struct kw_answering *a, const struct kw_lane_row *lane,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf head = {0};
    struct kw_bytes item;
    struct kw_bytes key;

    if (lane->point.seq == 0) {
        return KW_OK;
    }
    KW_TRY(kw_answering_head(a, lane, &head, err));
    KW_TRY(keep(a, &head, &item, err));
    KW_TRY(kw_arena_copy(a->arena, kw_id_bytes(&lane->id), &key, err));
    return kw_answering_add(a, item, key, err);
}

static struct kw_result add_lanes(struct kw_answering *a, bool *ret_end, struct kw_error *err)
{
    struct kw_bytes key = a->ask->from.key;
    struct kw_id after = KW_ID_NONE;
    struct kw_lane_row row;
    size_t count = 1;

    if (key.len > 0) {
        KW_TRY(kw_id_from_bytes(key, &after, err));
    }
    while (kw_answering_room(a)) {
        KW_TRY(kw_lane_row_list(a->tx, after, &row, 1, &count, err));
        if (count == 0) {
            *ret_end = true;
            break;
        }
        KW_TRY(add_lane(a, &row, err));
        after = row.id;
    }
    return KW_OK;
}

/* --- what waits --- */

static struct kw_result waits_after(struct kw_bytes key, struct kw_waiting *ret_after,
                                    struct kw_error *err)
{
    struct kw_reader r = KW_READER(key);
    struct kw_waiting after = {0};

    if (key.len > 0) {
        kw_get_copy(&r, after.lane.bytes, KW_ID_LEN);
        after.point.seq = kw_get_u64(&r);
        kw_get_copy(&r, after.point.chain, KW_SHA256_LEN);
        KW_TRY(kw_reader_end(&r, "a place among what waits", err));
    }
    *ret_after = after;
    return KW_OK;
}

static struct kw_result add_waiting(struct kw_answering *a, bool *ret_end, struct kw_error *err)
{
    struct kw_waiting after;
    struct kw_stmt *walk;
    bool any = true;

    KW_TRY(waits_after(a->ask->from.key, &after, err));
    KW_TRY(kw_waiting_walk(a->tx, a->ask->from.section == KW_SECTION_HELD, &after,
                           KW_ANSWER_ITEMS_MAX, &walk, err));
    while (kw_answering_room(a)) {
        KW_SCOPED(kw_buf_done) struct kw_buf item = {0};
        struct kw_waiting waiting;
        struct kw_bytes copy;

        KW_TRY(kw_waiting_next(walk, a->arena, &waiting, &any, err));
        if (!any) {
            *ret_end = true;
            break;
        }
        KW_TRY(kw_waiting_encode(&waiting, &item, err));
        KW_TRY(keep(a, &item, &copy, err));
        KW_TRY(kw_answering_add(a, copy, KW_BYTES(copy.data, KW_WAITING_KEY_LEN), err));
    }
    return KW_OK;
}

/* --- rows --- */

static struct kw_result add_rows(struct kw_answering *a, bool *ret_end, struct kw_error *err)
{
    const struct kw_feed_table *table = kw_feed_table_of(a->feed, a->ask->from.table);
    struct kw_stmt *walk;
    bool any = true;

    KW_ENSURE(table != NULL, err, ARGUMENT_INVALID, "no table %u is known here",
              a->ask->from.table);
    KW_TRY(
        kw_record_row_walk(a->tx, table->kind, a->ask->from.key, KW_ANSWER_ITEMS_MAX, &walk, err));
    while (kw_answering_room(a)) {
        struct kw_record_row row;

        KW_TRY(kw_record_row_next(walk, a->arena, &row, &any, err));
        if (!any) {
            *ret_end = true;
            break;
        }
        KW_ENSURE(!row.damaged, err, INTERNAL, "a stored row is damaged");
        KW_TRY(kw_answering_add(a, row.record, row.key, err));
    }
    return KW_OK;
}

/* --- one after the other --- */

/* The beginning of the next table after number `table`, or the end. */
static struct kw_answer_place table_after(const struct kw_feed *feed, uint16_t table)
{
    struct kw_answer_place next = {.section = KW_SECTION_END};

    for (size_t i = 0; i < feed->options.table_count; i++) {
        uint16_t number = feed->options.tables[i].kind->table;

        if (number > table && (next.section == KW_SECTION_END || number < next.table)) {
            next = (struct kw_answer_place){.section = KW_SECTION_ROWS, .table = number};
        }
    }
    return next;
}

static struct kw_answer_place section_after(const struct kw_answering *a)
{
    const struct kw_answer_place *from = &a->ask->from;

    if (from->section >= KW_SECTION_HELD) {
        return table_after(a->feed, from->table);
    }
    return (struct kw_answer_place){.section = from->section + 1};
}

static struct kw_result gather(struct kw_answering *a, struct kw_error *err)
{
    bool end = false;

    a->next = a->ask->from;
    switch (a->ask->from.section) {
    case KW_SECTION_LANES:
        KW_TRY(add_lanes(a, &end, err));
        break;
    case KW_SECTION_QUARANTINE:
    case KW_SECTION_HELD:
        KW_TRY(add_waiting(a, &end, err));
        break;
    case KW_SECTION_ROWS:
        KW_TRY(add_rows(a, &end, err));
        break;
    case KW_SECTION_END:
        KW_FAIL(err, ARGUMENT_INVALID, "nothing comes after the end");
    }
    a->next = end ? section_after(a) : a->next;
    return KW_OK;
}

static struct kw_result snapshot(struct kw_answering *a, struct kw_buf *out, struct kw_error *err)
{
    KW_TRY(kw_answering_begin(a, KW_ASK_SNAPSHOT, err));
    KW_TRY(gather(a, err));
    return kw_answering_sign(a, out, err);
}

struct kw_result kw_feed_snapshot(const struct kw_feed *feed, struct kw_tx *tx,
                                  const struct kw_ask *ask, const struct kw_private_key *key,
                                  struct kw_buf *out, struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_answering a = {.feed = feed, .tx = tx, .ask = ask, .key = key, .arena = arena};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an answer");
    result = snapshot(&a, out, err);
    kw_arena_free(arena);
    return result;
}

/* --- single rows --- */

static struct kw_result add_row(struct kw_answering *a, struct kw_bytes key, struct kw_error *err)
{
    const struct kw_feed_table *table = kw_feed_table_of(a->feed, a->ask->from.table);
    struct kw_record_row row;
    bool found;

    KW_ENSURE(table != NULL, err, ARGUMENT_INVALID, "no table %u is known here",
              a->ask->from.table);
    KW_TRY(kw_record_row_look(a->tx, table->kind, key, a->arena, &row, &found, err));
    return found && !row.damaged ? kw_answering_add(a, row.record, row.key, err) : KW_OK;
}

static struct kw_result rows(struct kw_answering *a, const struct kw_bytes *keys, size_t count,
                             struct kw_buf *out, struct kw_error *err)
{
    KW_TRY(kw_answering_begin(a, KW_ASK_REPAIR, err));
    for (size_t i = 0; i < count && kw_answering_room(a); i++) {
        KW_TRY(add_row(a, keys[i], err));
    }
    a->next = a->ask->from;
    return kw_answering_sign(a, out, err);
}

struct kw_result kw_feed_rows(const struct kw_feed *feed, struct kw_tx *tx,
                              const struct kw_ask *ask, const struct kw_bytes *keys, size_t count,
                              const struct kw_private_key *key, struct kw_buf *out,
                              struct kw_error *err)
{
    struct kw_arena *arena = kw_arena_new(KW_FEED_CHANGE_MEMORY_MAX);
    struct kw_answering a = {.feed = feed, .tx = tx, .ask = ask, .key = key, .arena = arena};
    struct kw_result result;

    KW_ENSURE(arena != NULL, err, MEMORY, "an arena for an answer");
    result = rows(&a, keys, count, out, err);
    kw_arena_free(arena);
    return result;
}
