/* Bundles of orphans: what a reader refuses, and that a writer writes none of it. */
#include "common/feed/orphans.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static struct kw_orphans two_lanes(void)
{
    struct kw_orphans orphans = {.mesh = {{1}}, .store = {{2}}, .made_ms = 3, .lane_count = 2};

    for (unsigned i = 0; i < 2; i++) {
        orphans.lanes[i] = (struct kw_orphan_lane){
            .incarnation = {{4}}, .writer = i, .from = {.seq = 5}, .to = {.seq = 6}};
    }
    return orphans;
}

static enum kw_reason sign(const struct kw_orphans *orphans)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    return kw_orphans_sign(orphans, lane_key(0), &record, NULL).reason;
}

static struct kw_bytes signed_orphans(const struct kw_orphans *orphans)
{
    struct kw_buf record = {0};

    MUST(kw_orphans_sign(orphans, lane_key(0), &record, err));
    return value_keep(&record);
}

static enum kw_reason decode(struct kw_bytes record)
{
    struct kw_orphans orphans;

    return kw_orphans_decode(record, &orphans, NULL).reason;
}

Test(lane_orphans, what_is_written_is_read)
{
    struct kw_orphans orphans = two_lanes();
    struct kw_orphans read;

    MUST(kw_orphans_decode(signed_orphans(&orphans), &read, err));
    MUST(kw_orphans_verify(&read, err));
    cr_assert_eq(read.lane_count, 2);
    cr_assert_eq(read.lanes[1].writer, 1);
    cr_assert_eq(read.lanes[1].from.seq, 5);
    cr_assert_eq(read.made_ms, 3);
}

Test(lane_orphans, a_lane_is_there_once_and_says_something)
{
    struct kw_orphans orphans = two_lanes();

    orphans.lanes[1].writer = 0;
    cr_assert_eq(sign(&orphans), KW_E_ARGUMENT_INVALID);
    orphans = two_lanes();
    orphans.lanes[0].to.seq = 5;
    cr_assert_eq(sign(&orphans), KW_E_ARGUMENT_INVALID);
    orphans = two_lanes();
    orphans.made_ms = UINT64_MAX;
    cr_assert_eq(sign(&orphans), KW_E_ARGUMENT_INVALID);
    orphans.lane_count = KW_ORPHAN_LANES_MAX + 1;
    cr_assert_eq(sign(&orphans), KW_E_ARGUMENT_INVALID);
}

/* The same, in a record that somebody made. */
Test(lane_orphans, a_record_that_is_none_is_refused)
{
    struct kw_orphans orphans = two_lanes();
    struct kw_bytes record = signed_orphans(&orphans);
    const size_t count_at = 4 + 2 * KW_ID_LEN + 8;
    const size_t writer_at = count_at + 2 + KW_ID_LEN;
    const size_t lane_len = KW_ID_LEN + 4 + 2 * (8 + KW_SHA256_LEN);
    uint8_t *bytes = (uint8_t *)(uintptr_t)record.data;

    for (size_t len = 0; len < record.len; len++) {
        cr_assert_eq(decode(KW_BYTES(record.data, len)), KW_E_ENCODING_INVALID, "%zu", len);
    }
    bytes[writer_at + lane_len + 3] = 0;
    cr_assert_eq(decode(record), KW_E_ENCODING_INVALID, "twice");
    bytes[writer_at + lane_len + 3] = 1;
    cr_assert_eq(decode(record), KW_E_NONE);
    bytes[count_at] = 1;
    cr_assert_eq(decode(record), KW_E_ENCODING_INVALID, "more lanes than there may be");
    bytes[count_at] = 0;
    bytes[0] = 'x';
    cr_assert_eq(decode(record), KW_E_ENCODING_INVALID);
}

Test(lane_orphans, what_was_altered_was_not_signed)
{
    struct kw_orphans orphans = two_lanes();
    struct kw_bytes record = signed_orphans(&orphans);
    struct kw_orphans read;

    ((uint8_t *)(uintptr_t)record.data)[4] ^= 1;
    MUST(kw_orphans_decode(record, &read, err));
    cr_assert_eq(kw_orphans_verify(&read, NULL).reason, KW_E_SIGNATURE_INVALID);
}
