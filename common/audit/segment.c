/* The record KWX1, and whether it continues a chain. */
#include "common/audit/segment.h"

#include "common/audit/record.h"
#include "common/base/limits.h"

#define MAGIC      "KWX1"
#define LENGTH_LEN 4U

static const char *const names[KW_SEGMENT_VERDICT_END_] = {
    [0] = "unknown",
    [KW_SEGMENT_GOOD] = "good",
    [KW_SEGMENT_UNASKED] = "unasked",
    [KW_SEGMENT_OTHER_PLACE] = "other_place",
    [KW_SEGMENT_BROKEN] = "broken",
    [KW_SEGMENT_FORKED] = "forked",
};

const char *kw_segment_verdict_name(enum kw_segment_verdict verdict)
{
    return names[verdict < KW_SEGMENT_VERDICT_END_ ? verdict : 0];
}

/* --- the record --- */

struct kw_result kw_segment_add(struct kw_segment *segment, struct kw_buf *list,
                                struct kw_bytes receipt, bool *ret_added, struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(list);

    *ret_added =
        segment->count == 0 || (segment->count < KW_SEGMENT_RECEIPTS_MAX &&
                                list->len + LENGTH_LEN + receipt.len <= KW_SEGMENT_LEN_SOFT);
    if (!*ret_added) {
        return KW_OK;
    }
    kw_put_u32(&w, (uint32_t)receipt.len);
    kw_put_raw(&w, receipt);
    KW_TRY(kw_writer_end(&w, err));
    segment->count++;
    segment->records = kw_buf_bytes(list);
    return KW_OK;
}

struct kw_bytes kw_segment_next(struct kw_reader *records)
{
    return kw_get_raw(records, kw_get_u32(records));
}

/* What is wrong with it, or NULL: the same question for both directions. */
static const char *fault(const struct kw_segment *segment)
{
    struct kw_reader records = KW_READER(segment->records);

    if (segment->count == 0 || segment->count > KW_SEGMENT_RECEIPTS_MAX) {
        return "no such number of receipts";
    }
    if (segment->after > (uint64_t)INT64_MAX - KW_SEGMENT_RECEIPTS_MAX) {
        return "not a place in a chain";
    }
    for (unsigned i = 0; i < segment->count; i++) {
        if (kw_segment_next(&records).len == 0) {
            return "an empty receipt";
        }
    }
    return records.failed || records.rest.len > 0 ? "not its receipts" : NULL;
}

struct kw_result kw_segment_encode(const struct kw_segment *segment, struct kw_buf *out,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_writer w = KW_WRITER(&record);
    const char *wrong = fault(segment);

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "segment: %s", wrong);
    kw_put_raw(&w, KW_BYTES(MAGIC, KW_MAGIC_LEN));
    kw_put_raw(&w, kw_id_bytes(&segment->core));
    kw_put_raw(&w, kw_id_bytes(&segment->stream));
    kw_put_u64(&w, segment->after);
    kw_put_u16(&w, segment->count);
    kw_put_raw(&w, segment->records);
    KW_TRY(kw_writer_end(&w, err));
    KW_ENSURE(record.len <= KW_SEGMENT_LEN_MAX, err, ARGUMENT_INVALID, "segment of %zu bytes",
              record.len);
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}

struct kw_result kw_segment_decode(struct kw_bytes record, struct kw_segment *ret_segment,
                                   struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_segment segment = {0};
    const char *wrong;

    KW_ENSURE(record.len <= KW_SEGMENT_LEN_MAX, err, ENCODING_INVALID, "segment of %zu bytes",
              record.len);
    KW_ENSURE(kw_record_starts(&r, MAGIC), err, ENCODING_INVALID, "not a segment");
    kw_get_copy(&r, segment.core.bytes, KW_ID_LEN);
    kw_get_copy(&r, segment.stream.bytes, KW_ID_LEN);
    segment.after = kw_get_u64(&r);
    segment.count = kw_get_u16(&r);
    segment.records = r.rest;
    wrong = r.failed ? "cut off" : fault(&segment);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "segment: %s", wrong);
    *ret_segment = segment;
    return KW_OK;
}

/* --- in its chain --- */

static bool is_of(const struct kw_receipt *receipt, const struct kw_segment_place *place)
{
    return kw_bytes_equal(receipt->region, place->region) &&
           kw_bytes_equal(receipt->cell, place->cell);
}

/* The first has the right number, and names another head before it: there are two histories. */
static bool forks(const struct kw_receipt *first, const struct kw_chain *at)
{
    return first->seq == at->seq + 1 &&
           !kw_bytes_equal(KW_BYTES_OF(first->prev.bytes), KW_BYTES_OF(at->head.bytes));
}

static struct kw_result check_one(struct kw_chain_verifier *verifier, struct kw_bytes record,
                                  bool first, const struct kw_segment_place *place,
                                  enum kw_segment_verdict *ret_verdict, struct kw_error *err)
{
    enum kw_chain_verdict in_chain;
    struct kw_receipt receipt;

    *ret_verdict = KW_SEGMENT_BROKEN;
    if (!kw_ok(kw_receipt_decode(record, &receipt, NULL))) {
        return KW_OK;
    }
    if (!is_of(&receipt, place)) {
        *ret_verdict = KW_SEGMENT_OTHER_PLACE;
        return KW_OK;
    }
    if (first && forks(&receipt, &verifier->at)) {
        *ret_verdict = KW_SEGMENT_FORKED;
        return KW_OK;
    }
    KW_TRY(kw_chain_verify_receipt(verifier, record, &in_chain, err));
    *ret_verdict = in_chain == KW_CHAIN_OK ? KW_SEGMENT_GOOD : KW_SEGMENT_BROKEN;
    return KW_OK;
}

struct kw_result kw_segment_check(const struct kw_segment *segment,
                                  const struct kw_segment_place *place, struct kw_chain *at,
                                  struct kw_hash *heads, enum kw_segment_verdict *ret_verdict,
                                  struct kw_error *err)
{
    struct kw_reader records = KW_READER(segment->records);
    struct kw_chain_verifier verifier;

    *ret_verdict = KW_SEGMENT_UNASKED;
    if (!kw_id_equal(segment->core, at->core) || !kw_id_equal(segment->stream, at->stream) ||
        segment->after != at->seq) {
        return KW_OK;
    }
    kw_chain_verify_start(&verifier, at);
    for (unsigned i = 0; i < segment->count; i++) {
        KW_TRY(check_one(&verifier, kw_segment_next(&records), i == 0, place, ret_verdict, err));
        if (*ret_verdict != KW_SEGMENT_GOOD) {
            return KW_OK;
        }
        heads[i] = verifier.at.head;
    }
    *at = verifier.at;
    return KW_OK;
}
