/* Heads of receipt chains on the feed. */
#include "services/orchestrator/receipt_head_feed.h"

#include "common/feed/intent.h"
#include "common/feed/record_table.h"
#include "common/sync/grow_set.h"
#include "services/orchestrator/receipt_head_merge.h"

/* Core ‖ stream ‖ number u64. */
static struct kw_result name_write(const struct kw_checkpoint *checkpoint, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_id_bytes(&checkpoint->core));
    kw_put_raw(&w, kw_id_bytes(&checkpoint->stream));
    kw_put_u64(&w, checkpoint->seq);
    return kw_writer_end(&w, err);
}

struct kw_result kw_receipt_head_say(const struct kw_feed_tx *feed_tx,
                                     const struct kw_checkpoint *checkpoint, struct kw_bytes record,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    struct kw_intent intent;

    KW_TRY(name_write(checkpoint, &name, err));
    intent = kw_intent(&kw_receipt_head_record, kw_buf_bytes(&name), feed_tx->arena);
    kw_intent_element(&intent, KW_RECEIPT_HEAD_FIELD_HEADS, KW_BYTES_OF(checkpoint->head.bytes));
    kw_intent_element(&intent, KW_RECEIPT_HEAD_FIELD_SIGNED, record);
    return kw_intent_say(&intent, feed_tx, NULL, err);
}

/* Is this signed for that place? */
static struct kw_result check_signed(const struct kw_record *record, struct kw_bytes element,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    struct kw_checkpoint checkpoint;

    KW_TRY(kw_checkpoint_decode(element, &checkpoint, err));
    KW_TRY(name_write(&checkpoint, &name, err));
    KW_ENSURE(kw_bytes_equal(kw_buf_bytes(&name), record->key), err, ENCODING_INVALID,
              "a checkpoint is of another place than its row");
    return KW_OK;
}

struct kw_result kw_receipt_head_check(const struct kw_record *record, struct kw_error *err)
{
    struct kw_bytes heads = kw_record_value(record, KW_RECEIPT_HEAD_FIELD_HEADS);
    struct kw_bytes all = kw_record_value(record, KW_RECEIPT_HEAD_FIELD_SIGNED);
    struct kw_bytes element;

    KW_ENSURE(record->key.len == 2 * KW_ID_LEN + sizeof(uint64_t), err, ENCODING_INVALID,
              "a receipt head's name of %zu bytes", record->key.len);
    while (kw_set_next(&heads, &element)) {
        KW_ENSURE(element.len == KW_SHA256_LEN, err, ENCODING_INVALID, "a head of %zu bytes",
                  element.len);
    }
    while (kw_set_next(&all, &element)) {
        KW_TRY(check_signed(record, element, err));
    }
    return KW_OK;
}

/* --- looking at them --- */

static struct kw_result read_heads(const struct kw_record_row *row,
                                   struct kw_receipt_heads *ret_heads, struct kw_error *err)
{
    struct kw_record record;
    size_t dropped;

    KW_TRY(kw_record_decode_stored(&kw_receipt_head_record, row->record, &record, &dropped, err));
    ret_heads->heads = kw_record_value(&record, KW_RECEIPT_HEAD_FIELD_HEADS);
    ret_heads->checkpoints = kw_record_value(&record, KW_RECEIPT_HEAD_FIELD_SIGNED);
    return KW_OK;
}

/* `*ret_any` false: it is of another chain. */
static void read_name(struct kw_bytes key, struct kw_receipt_head_walk *walk, bool *ret_any)
{
    struct kw_reader r = KW_READER(key);
    struct kw_bytes core = kw_get_raw(&r, KW_ID_LEN);
    struct kw_bytes stream = kw_get_raw(&r, KW_ID_LEN);
    uint64_t seq = kw_get_u64(&r);

    *ret_any = !r.failed && kw_bytes_equal(core, kw_id_bytes(&walk->core)) &&
               kw_bytes_equal(stream, kw_id_bytes(&walk->stream));
    walk->seq = *ret_any ? seq : walk->seq;
}

struct kw_result kw_receipt_heads_next(struct kw_tx *tx, struct kw_receipt_head_walk *walk,
                                       struct kw_arena *arena, struct kw_receipt_heads *ret_heads,
                                       bool *ret_any, struct kw_error *err)
{
    const struct kw_checkpoint place = {
        .core = walk->core, .stream = walk->stream, .seq = walk->seq};
    KW_SCOPED(kw_buf_done) struct kw_buf name = {0};
    struct kw_record_row row;
    size_t count;

    *ret_any = false;
    KW_TRY(name_write(&place, &name, err));
    KW_TRY(kw_record_row_list(tx, &kw_receipt_head_record, kw_buf_bytes(&name), arena, &row, 1,
                              &count, err));
    if (count > 0) {
        read_name(row.key, walk, ret_any);
    }
    return *ret_any ? read_heads(&row, ret_heads, err) : KW_OK;
}
