/* The record KWU1, the part of it that is signed, and the check of its signature. */
#include "common/feed/urgent.h"

#include "common/feed/lane_codec.h"

#define MAGIC "KWU1"
#define LABEL "KEYWARD-URGENT-v1"

static struct kw_result content_of(const struct kw_urgent *urgent, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_lane(&w, &urgent->lane);
    kw_put_point(&w, &urgent->point);
    kw_put_u64(&w, urgent->change.hlc);
    kw_put_change_record(&w, urgent->change.record);
    return kw_writer_end(&w, err);
}

struct kw_result kw_urgent_sign(const struct kw_urgent *urgent, const struct kw_private_key *key,
                                struct kw_buf *out, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_ENSURE(urgent->change.urgent && urgent->point.seq > 0, err, ARGUMENT_INVALID,
              "urgent change: not urgent, or without a number");
    KW_ENSURE(kw_number_fits(urgent->point.seq) && kw_number_fits(urgent->change.hlc), err,
              ARGUMENT_INVALID, "urgent change: a number that no database holds");
    KW_ENSURE(kw_change_record_fits(urgent->change.record), err, ARGUMENT_INVALID,
              "urgent change: a record of %zu bytes", urgent->change.record.len);
    KW_TRY(content_of(urgent, &content, err));
    return kw_lane_sign(LABEL, kw_buf_bytes(&content), key, out, err);
}

struct kw_result kw_urgent_decode(struct kw_bytes record, struct kw_urgent *ret_urgent,
                                  struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_urgent urgent = {.change.urgent = true, .record = record};

    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not an urgent change");
    kw_get_lane(&r, &urgent.lane);
    kw_get_point(&r, &urgent.point);
    urgent.change.hlc = kw_get_number(&r);
    urgent.change.record = kw_get_change_record(&r);
    kw_get_signed(&r, &urgent.key, &urgent.signature);
    KW_TRY(kw_reader_end(&r, "urgent change", err));
    KW_ENSURE(urgent.point.seq > 0, err, ENCODING_INVALID, "urgent change without a number");
    *ret_urgent = urgent;
    return KW_OK;
}

struct kw_result kw_urgent_verify(const struct kw_urgent *urgent, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_TRY(content_of(urgent, &content, err));
    return kw_lane_verify(LABEL, kw_buf_bytes(&content), urgent->key, urgent->signature, err);
}
