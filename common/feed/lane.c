/* Where a lane starts, and each step of its chain. */
#include "common/feed/lane.h"

#include "common/base/codec.h"

#define START_LABEL  "KEYWARD-LANE-v1"
#define CHANGE_LABEL "KEYWARD-CHANGE-v1"

#define PARTS(array) (array), sizeof(array) / sizeof((array)[0])

struct kw_result kw_lane_start(const struct kw_lane *lane, struct kw_lane_point *ret_start,
                               struct kw_error *err)
{
    struct kw_lane_point start = {.seq = 0};
    uint8_t writer[4];
    const struct kw_bytes parts[] = {kw_bytes_str(START_LABEL), kw_id_bytes(&lane->mesh),
                                     kw_id_bytes(&lane->store), kw_id_bytes(&lane->incarnation),
                                     KW_BYTES_OF(writer)};

    kw_be32_store(writer, lane->writer);
    KW_TRY(kw_sha256_list(PARTS(parts), start.chain, err));
    *ret_start = start;
    return KW_OK;
}

struct kw_result kw_lane_id(const struct kw_lane *lane, struct kw_id *ret_id, struct kw_error *err)
{
    struct kw_lane_point start;

    KW_TRY(kw_lane_start(lane, &start, err));
    kw_copy(ret_id->bytes, start.chain, KW_ID_LEN);
    return KW_OK;
}

struct kw_result kw_lane_advance(struct kw_lane_point *point, const struct kw_change *change,
                                 struct kw_error *err)
{
    struct kw_lane_point next = {.seq = point->seq + 1};
    uint8_t seq[8];
    uint8_t hlc[8];
    uint8_t urgent = change->urgent ? 1 : 0;
    const struct kw_bytes parts[] = {kw_bytes_str(CHANGE_LABEL), KW_BYTES_OF(point->chain),
                                     KW_BYTES_OF(seq),           KW_BYTES_OF(hlc),
                                     KW_BYTES(&urgent, 1),       change->record};

    kw_be64_store(seq, next.seq);
    kw_be64_store(hlc, change->hlc);
    KW_TRY(kw_sha256_list(PARTS(parts), next.chain, err));
    *point = next;
    return KW_OK;
}

bool kw_lane_point_equal(const struct kw_lane_point *a, const struct kw_lane_point *b)
{
    return a->seq == b->seq && kw_bytes_equal(KW_BYTES_OF(a->chain), KW_BYTES_OF(b->chain));
}
