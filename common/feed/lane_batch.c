/* The record KWN1. What a reader refuses a writer does not write: a lane whose batch nobody can read
 * would stop everywhere. */
#include "common/feed/lane_batch.h"

#include "common/feed/lane_codec.h"

#define MAGIC "KWN1"

static void put_change(struct kw_writer *w, const struct kw_change *change)
{
    kw_put_u64(w, change->hlc);
    kw_put_u8(w, change->urgent ? 1 : 0);
    kw_put_change_record(w, change->record);
}

static bool get_change(struct kw_reader *r, struct kw_change *ret_change)
{
    uint8_t urgent;

    ret_change->hlc = kw_get_number(r);
    urgent = kw_get_u8(r);
    ret_change->urgent = urgent == 1;
    ret_change->record = kw_get_change_record(r);
    return urgent <= 1 && !r->failed;
}

/* Do the numbers meet, and without changes the points? */
static bool meets(const struct kw_lane_point *from, const struct kw_lane_point *to, size_t count)
{
    return count == 0 ? kw_lane_point_equal(from, to) : to->seq - from->seq == count;
}

/* Does time stand or go on, up to what the head promises? */
static bool in_order(const struct kw_lane_batch *batch)
{
    uint64_t last = 0;

    for (size_t i = 0; i < batch->count; i++) {
        if (batch->changes[i].hlc < last) {
            return false;
        }
        last = batch->changes[i].hlc;
    }
    return last <= batch->head.closed;
}

/* What is wrong with it, or NULL. */
static const char *fault(const struct kw_lane_batch *batch)
{
    if (batch->count > KW_BATCH_CHANGES_MAX) {
        return "too many changes";
    }
    if (!meets(&batch->from, &batch->head.point, batch->count)) {
        return "its numbers do not meet";
    }
    return in_order(batch) ? NULL : "time falls, or passes what is closed";
}

/* Of a batch to be written; a reader looks as it reads. */
static bool records_fit(const struct kw_lane_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (!kw_change_record_fits(batch->changes[i].record)) {
            return false;
        }
    }
    return true;
}

static struct kw_result write(const struct kw_lane_batch *batch, struct kw_buf *out,
                              struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_var(&w, batch->head_record);
    kw_put_raw(&w, KW_BYTES_OF(batch->from.chain));
    kw_put_u16(&w, (uint16_t)batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        put_change(&w, &batch->changes[i]);
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_lane_batch_encode(const struct kw_lane_batch *batch, struct kw_buf *out,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_lane_batch whole = *batch;
    const char *wrong;

    KW_ENSURE(kw_ok(kw_lane_head_decode(batch->head_record, &whole.head, NULL)), err,
              ARGUMENT_INVALID, "batch: no head");
    wrong = fault(&whole);
    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "batch: %s", wrong);
    KW_ENSURE(records_fit(&whole), err, ARGUMENT_INVALID, "batch: a change is empty or too long");
    KW_TRY(write(&whole, &record, err));
    KW_ENSURE(record.len <= KW_BATCH_LEN_MAX, err, ARGUMENT_INVALID, "batch of %zu bytes",
              record.len);
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}

/* `count` is bounded before it is believed. */
static struct kw_result read_changes(struct kw_reader *r, struct kw_arena *arena,
                                     struct kw_lane_batch *batch, struct kw_error *err)
{
    struct kw_change *changes;

    KW_ENSURE(batch->count <= KW_BATCH_CHANGES_MAX, err, ENCODING_INVALID, "batch of %zu changes",
              batch->count);
    changes = kw_arena_alloc(arena, batch->count * sizeof(*changes));
    KW_ENSURE(changes != NULL, err, MEMORY, "batch of %zu changes", batch->count);
    for (size_t i = 0; i < batch->count; i++) {
        KW_ENSURE(get_change(r, &changes[i]), err, ENCODING_INVALID, "batch: change %zu", i);
    }
    batch->changes = changes;
    return KW_OK;
}

/* The numbers follow from the head's and from how many there are; a lane has none below 1. */
static struct kw_result read_place(struct kw_reader *r, struct kw_lane_batch *batch,
                                   struct kw_error *err)
{
    batch->head_record = kw_get_var(r);
    kw_get_copy(r, batch->from.chain, KW_SHA256_LEN);
    batch->count = kw_get_u16(r);
    KW_ENSURE(!r->failed, err, ENCODING_INVALID, "batch is truncated");
    KW_TRY(kw_lane_head_decode(batch->head_record, &batch->head, err));
    KW_ENSURE(batch->count <= batch->head.point.seq, err, ENCODING_INVALID,
              "batch: more changes than its lane has");
    batch->from.seq = batch->head.point.seq - batch->count;
    return KW_OK;
}

struct kw_result kw_lane_batch_decode(struct kw_bytes record, struct kw_arena *arena,
                                      struct kw_lane_batch *ret_batch, struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_lane_batch batch = {0};
    const char *wrong;

    KW_ENSURE(record.len <= KW_BATCH_LEN_MAX, err, ENCODING_INVALID, "batch of %zu bytes",
              record.len);
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not a batch");
    KW_TRY(read_place(&r, &batch, err));
    KW_TRY(read_changes(&r, arena, &batch, err));
    KW_TRY(kw_reader_end(&r, "batch", err));
    wrong = fault(&batch);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "batch: %s", wrong);
    *ret_batch = batch;
    return KW_OK;
}
