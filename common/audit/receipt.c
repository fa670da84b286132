/* The record KWR1 in and out, its items, and the head that follows it. */
#include "common/audit/receipt.h"

#include "common/audit/record.h"
#include "common/pki/spiffe.h"

#define MAGIC      "KWR1"
#define HEAD_LABEL "KEYWARD-HEAD-v1"

static const struct kw_hash zero_hash;

static bool is_zero(const struct kw_hash *hash)
{
    return memcmp(hash->bytes, zero_hash.bytes, sizeof(hash->bytes)) == 0;
}

static bool item_well_formed(const struct kw_receipt_item *item)
{
    return kw_is_text(item->outcome) && (item->outcome.len == 0 || is_zero(&item->result));
}

void kw_receipt_item_next(struct kw_reader *items, struct kw_receipt_item *ret_item)
{
    kw_get_copy(items, ret_item->key.bytes, KW_ID_LEN);
    kw_get_copy(items, ret_item->device.bytes, KW_ID_LEN);
    ret_item->outcome = kw_get_text(items);
    kw_get_copy(items, ret_item->result.bytes, KW_SHA256_LEN);
    if (!item_well_formed(ret_item)) {
        items->failed = true;
    }
}

static bool items_well_formed(const struct kw_receipt *receipt)
{
    struct kw_reader items = KW_READER(receipt->items);
    struct kw_receipt_item item;

    for (unsigned i = 0; i < receipt->item_count && !items.failed; i++) {
        kw_receipt_item_next(&items, &item);
    }
    return !items.failed && items.rest.len == 0;
}

/* What is wrong with the fields, or NULL: the same question for both directions. */
static const char *fault(const struct kw_receipt *receipt)
{
    if (receipt->seq == 0 || (receipt->seq == 1 && !is_zero(&receipt->prev))) {
        return "not a place in a chain";
    }
    if (!kw_record_text(receipt->region, KW_SPIFFE_SEGMENT_LEN_MAX) ||
        !kw_record_text(receipt->cell, KW_SPIFFE_SEGMENT_LEN_MAX)) {
        return "region or cell missing, too long or not text";
    }
    if (receipt->capsule.len == 0 || receipt->signer.len == 0) {
        return "no capsule or no signer";
    }
    return items_well_formed(receipt) ? NULL : "its items are not well-formed";
}

struct kw_result kw_receipt_encode(const struct kw_receipt *receipt, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);
    const char *wrong = fault(receipt);

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "receipt: %s", wrong);
    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_raw(&w, kw_id_bytes(&receipt->id));
    kw_put_raw(&w, kw_id_bytes(&receipt->core));
    kw_put_raw(&w, kw_id_bytes(&receipt->stream));
    kw_put_u64(&w, receipt->seq);
    kw_put_raw(&w, KW_BYTES_OF(receipt->prev.bytes));
    kw_put_u64(&w, receipt->time_ms);
    kw_put_var(&w, receipt->region);
    kw_put_var(&w, receipt->cell);
    kw_put_var(&w, receipt->capsule);
    kw_put_var(&w, receipt->signer);
    kw_put_u16(&w, receipt->item_count);
    kw_put_raw(&w, receipt->items);
    return kw_writer_end(&w, err);
}

struct kw_result kw_receipt_decode(struct kw_bytes record, struct kw_receipt *ret_receipt,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_receipt receipt = {0};
    const char *wrong;

    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not a receipt");
    kw_get_copy(&r, receipt.id.bytes, KW_ID_LEN);
    kw_get_copy(&r, receipt.core.bytes, KW_ID_LEN);
    kw_get_copy(&r, receipt.stream.bytes, KW_ID_LEN);
    receipt.seq = kw_get_u64(&r);
    kw_get_copy(&r, receipt.prev.bytes, KW_SHA256_LEN);
    receipt.time_ms = kw_get_u64(&r);
    receipt.region = kw_get_text(&r);
    receipt.cell = kw_get_text(&r);
    receipt.capsule = kw_get_var(&r);
    receipt.signer = kw_get_var(&r);
    receipt.item_count = kw_get_u16(&r);
    receipt.items = kw_get_raw(&r, r.rest.len);
    KW_TRY(kw_reader_end(&r, "receipt", err));
    wrong = fault(&receipt);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "receipt: %s", wrong);
    *ret_receipt = receipt;
    return KW_OK;
}

struct kw_result kw_receipt_item_add(struct kw_receipt *receipt, struct kw_buf *list,
                                     const struct kw_receipt_item *item, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(list);
    size_t len = 2 * KW_ID_LEN + sizeof(uint16_t) + item->outcome.len + KW_SHA256_LEN;

    KW_ENSURE(item_well_formed(item) && item->outcome.len <= UINT16_MAX, err, ARGUMENT_INVALID,
              "receipt item: outcome and result do not go together");
    KW_ENSURE(receipt->item_count < UINT16_MAX, err, LIMIT_REACHED, "receipt of too many items");
    KW_TRY(kw_buf_reserve(list, len, err));
    kw_put_raw(&w, kw_id_bytes(&item->key));
    kw_put_raw(&w, kw_id_bytes(&item->device));
    kw_put_var(&w, item->outcome);
    kw_put_raw(&w, KW_BYTES_OF(item->result.bytes));
    KW_TRY(kw_writer_end(&w, err));
    receipt->items = kw_buf_bytes(list);
    receipt->item_count++;
    return KW_OK;
}

struct kw_result kw_receipt_head(struct kw_bytes record, struct kw_hash *ret_head,
                                 struct kw_error *err)
{
    struct kw_bytes parts[] = {kw_bytes_str(HEAD_LABEL), record};

    return kw_sha256_list(parts, sizeof(parts) / sizeof(parts[0]), ret_head->bytes, err);
}
