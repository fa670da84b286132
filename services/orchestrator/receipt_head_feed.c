/* Heads of receipt chains on the feed. */
#include "services/orchestrator/receipt_head_feed.h"

#include "common/feed/intent.h"
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
