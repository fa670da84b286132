/* The record KWL1, the part of it that is signed, and the check of its signature. */
#include "common/feed/lane_head.h"

#include "common/feed/lane_codec.h"

#define MAGIC "KWL1"
#define LABEL "KEYWARD-LANE-HEAD-v1"

static struct kw_result content_of(const struct kw_lane_head *head, struct kw_buf *out,
                                   struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_lane(&w, &head->lane);
    kw_put_point(&w, &head->point);
    kw_put_u64(&w, head->closed);
    return kw_writer_end(&w, err);
}

struct kw_result kw_lane_head_sign(const struct kw_lane_head *head,
                                   const struct kw_private_key *key, struct kw_buf *out,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_ENSURE(kw_number_fits(head->point.seq) && kw_number_fits(head->closed), err,
              ARGUMENT_INVALID, "lane head: a number that no database holds");
    KW_TRY(content_of(head, &content, err));
    return kw_lane_sign(LABEL, kw_buf_bytes(&content), key, out, err);
}

struct kw_result kw_lane_head_decode(struct kw_bytes record, struct kw_lane_head *ret_head,
                                     struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_lane_head head = {0};

    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not a lane head");
    kw_get_lane(&r, &head.lane);
    kw_get_point(&r, &head.point);
    head.closed = kw_get_number(&r);
    kw_get_signed(&r, &head.key, &head.signature);
    KW_TRY(kw_reader_end(&r, "lane head", err));
    *ret_head = head;
    return KW_OK;
}

struct kw_result kw_lane_head_verify(const struct kw_lane_head *head, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    KW_TRY(content_of(head, &content, err));
    return kw_lane_verify(LABEL, kw_buf_bytes(&content), head->key, head->signature, err);
}
