/* Segments: what is written is read again, what is none is refused, and what a keeper of the chain makes of one. */
#include "common/audit/segment.h"
#include "common/base/limits.h"
#include "tests/unit/audit_test_support.h"

#include <criterion/criterion.h>

enum {
    LENGTH = 6,
};

static const struct kw_segment_place place = {{(const uint8_t *)"eu-1", 4},
                                              {(const uint8_t *)"a", 1}};
static struct kw_buf records[LENGTH + 1]; /* of one chain; the last of another cell */
static struct kw_chain heads[LENGTH + 2]; /* after so many */
static struct kw_buf lists[8];
static size_t list_count;

static void issue(struct kw_chain *chain, uint8_t number, const char *cell, struct kw_buf *out)
{
    struct kw_receipt receipt = {.id = {{number}},
                                 .time_ms = VECTOR_TIME + number,
                                 .region = kw_bytes_str("eu-1"),
                                 .cell = kw_bytes_str(cell),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};

    cr_assert(kw_ok(kw_chain_issue(chain, &receipt, out, NULL)));
}

static void set_up(void)
{
    struct kw_chain chain = {.core = {{1}}, .stream = {{2}}};

    heads[0] = chain;
    for (uint8_t i = 0; i <= LENGTH; i++) {
        issue(&chain, (uint8_t)(i + 1), i < LENGTH ? "a" : "b", &records[i]);
        heads[i + 1] = chain;
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i <= LENGTH; i++) {
        kw_buf_done(&records[i]);
    }
    for (size_t i = 0; i < list_count; i++) {
        kw_buf_done(&lists[i]);
    }
}

TestSuite(segment, .init = set_up, .fini = tear_down);

static void add(struct kw_segment *segment, struct kw_buf *list, size_t index)
{
    bool added;

    cr_assert(kw_ok(kw_segment_add(segment, list, kw_buf_bytes(&records[index]), &added, NULL)));
    cr_assert(added);
}

/* Receipts from + 1 … to. */
static struct kw_segment segment_of(size_t from, size_t to)
{
    struct kw_segment segment = {.core = heads[0].core, .stream = heads[0].stream, .after = from};
    struct kw_buf *list = &lists[list_count++];

    for (size_t i = from; i < to; i++) {
        add(&segment, list, i);
    }
    return segment;
}

static enum kw_segment_verdict check(const struct kw_segment *segment, struct kw_chain *at)
{
    struct kw_hash after[LENGTH + 1];
    enum kw_segment_verdict verdict;

    cr_assert(kw_ok(kw_segment_check(segment, &place, at, after, &verdict, NULL)));
    return verdict;
}

static void expect(const struct kw_segment *segment, size_t kept, enum kw_segment_verdict expected)
{
    struct kw_chain at = heads[kept];
    enum kw_segment_verdict verdict = check(segment, &at);

    cr_assert_eq(verdict, expected, "%s", kw_segment_verdict_name(verdict));
    cr_assert_eq(at.seq, expected == KW_SEGMENT_GOOD ? kept + segment->count : kept);
}

Test(segment, what_is_written_is_read)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    const struct kw_segment segment = segment_of(2, 5);
    struct kw_segment read;
    struct kw_reader list;

    cr_assert(kw_ok(kw_segment_encode(&segment, &record, NULL)));
    cr_assert(kw_ok(kw_segment_decode(kw_buf_bytes(&record), &read, NULL)));
    cr_assert(kw_ok(kw_segment_encode(&read, &again, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&record), kw_buf_bytes(&again)));
    cr_assert_eq(read.after, 2);
    list = KW_READER(read.records);
    for (size_t i = 2; i < 5; i++) {
        cr_assert(kw_bytes_equal(kw_segment_next(&list), kw_buf_bytes(&records[i])));
    }
    for (size_t len = 0; len < record.len; len++) {
        cr_assert_eq(kw_segment_decode(KW_BYTES(record.data, len), &read, NULL).reason,
                     KW_E_ENCODING_INVALID, "%zu", len);
    }
}

static void expect_none(const struct kw_segment *segment)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    cr_assert_eq(kw_segment_encode(segment, &record, NULL).reason, KW_E_ARGUMENT_INVALID);
}

Test(segment, what_is_none_is_not_written)
{
    static const uint8_t empty[4];
    struct kw_segment segment = segment_of(0, 2);

    segment.count = 0;
    expect_none(&segment);
    segment.count = 1; /* of two */
    expect_none(&segment);
    segment.count = 3;
    expect_none(&segment);
    segment.count = KW_SEGMENT_RECEIPTS_MAX + 1;
    expect_none(&segment);
    segment = segment_of(0, 2);
    segment.after = INT64_MAX;
    expect_none(&segment);
    segment.after = 0;
    segment.count = 1;
    segment.records = KW_BYTES_OF(empty);
    expect_none(&segment);
}

/* The first always fits; then as many as there is room for. */
Test(segment, it_is_bounded)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf large = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_segment segment = {.after = 0};
    bool added;

    cr_assert(kw_ok(kw_buf_reserve(&large, KW_SEGMENT_LEN_MAX, NULL)));
    large.len = KW_SEGMENT_LEN_SOFT;
    memset(large.data, 'r', large.len);
    cr_assert(kw_ok(kw_segment_add(&segment, &list, kw_buf_bytes(&large), &added, NULL)));
    cr_assert(added);
    cr_assert(kw_ok(kw_segment_add(&segment, &list, kw_bytes_str("r"), &added, NULL)));
    cr_assert_not(added);
    cr_assert_eq(segment.count, 1);
    cr_assert(kw_ok(kw_segment_encode(&segment, &record, NULL)));
    large.len = KW_SEGMENT_LEN_MAX;
    segment = (struct kw_segment){0};
    kw_buf_clear(&list);
    cr_assert(kw_ok(kw_segment_add(&segment, &list, kw_buf_bytes(&large), &added, NULL)));
    expect_none(&segment);
}

Test(segment, many_short_ones_are_bounded_too)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_segment segment = {0};
    bool added = true;

    while (added) {
        cr_assert(kw_ok(kw_segment_add(&segment, &list, kw_bytes_str("r"), &added, NULL)));
    }
    cr_assert_eq(segment.count, KW_SEGMENT_RECEIPTS_MAX);
}

Test(segment, what_follows_is_good)
{
    const struct kw_segment first = segment_of(0, 3);
    const struct kw_segment rest = segment_of(3, LENGTH);
    struct kw_hash after[LENGTH];
    enum kw_segment_verdict verdict;
    struct kw_chain at = heads[0];

    cr_assert(kw_ok(kw_segment_check(&first, &place, &at, after, &verdict, NULL)));
    cr_assert_eq(verdict, KW_SEGMENT_GOOD);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(
            kw_bytes_equal(KW_BYTES_OF(after[i].bytes), KW_BYTES_OF(heads[i + 1].head.bytes)));
    }
    cr_assert_eq(check(&rest, &at), KW_SEGMENT_GOOD);
    cr_assert_eq(at.seq, LENGTH);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(at.head.bytes), KW_BYTES_OF(heads[LENGTH].head.bytes)));
}

Test(segment, what_was_not_asked_is_not_taken)
{
    struct kw_segment segment = segment_of(3, 5);

    expect(&segment, 2, KW_SEGMENT_UNASKED); /* a gap */
    expect(&segment, 4, KW_SEGMENT_UNASKED); /* it is here */
    segment.core.bytes[0]++;
    expect(&segment, 3, KW_SEGMENT_UNASKED);
    segment = segment_of(3, 5);
    segment.stream.bytes[0]++;
    expect(&segment, 3, KW_SEGMENT_UNASKED);
}

Test(segment, what_does_not_follow_is_broken)
{
    struct kw_segment segment = segment_of(0, 2);
    struct kw_buf *list = &lists[0];

    add(&segment, list, 3); /* without the third */
    expect(&segment, 0, KW_SEGMENT_BROKEN);
    segment = segment_of(0, 2);
    add(&segment, &lists[1], 1); /* the second twice */
    expect(&segment, 0, KW_SEGMENT_BROKEN);
    segment = segment_of(0, 2);
    lists[2].data[lists[2].len - 1] ^= 1U; /* no receipt any more: its item count */
    expect(&segment, 0, KW_SEGMENT_BROKEN);
    segment = segment_of(0, 2);
    lists[3].data[4 + records[0].len - 10] ^=
        1U; /* forged: another letter in the first one's signer */
    expect(&segment, 0, KW_SEGMENT_BROKEN);
    segment = segment_of(1, 2);
    segment.after = 0; /* it begins too late */
    expect(&segment, 0, KW_SEGMENT_BROKEN);
}

Test(segment, another_cells_receipts_are_not_of_this_one)
{
    const struct kw_segment segment = segment_of(4, LENGTH + 1);

    expect(&segment, 4, KW_SEGMENT_OTHER_PLACE);
}

Test(segment, another_history_is_a_fork)
{
    struct kw_segment segment = segment_of(3, 5);
    struct kw_chain at = heads[3];

    at.head.bytes[0]++;
    cr_assert_eq(check(&segment, &at), KW_SEGMENT_FORKED);
    cr_assert_eq(at.seq, 3);
}

Test(segment, verdicts_have_names)
{
    cr_assert_str_eq(kw_segment_verdict_name(KW_SEGMENT_FORKED), "forked");
    cr_assert_str_eq(kw_segment_verdict_name(KW_SEGMENT_VERDICT_END_), "unknown");
}

/* What Python made by itself from docs/formats.md. */
Test(segment, it_is_the_vectors)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    const json_t *vector = vectors("segment");
    const struct kw_segment_place its = {vector_bytes(vector, "region"),
                                         vector_bytes(vector, "cell")};
    struct kw_chain at = {.core = vector_id(vector, "core"), .stream = vector_id(vector, "stream")};
    struct kw_segment segment = {.core = at.core, .stream = at.stream};
    enum kw_segment_verdict verdict;
    struct kw_hash after[3];
    struct kw_hash head = vector_hash(vector, "head");
    bool added;

    for (size_t i = 0; i < 3; i++) {
        cr_assert(
            kw_ok(kw_segment_add(&segment, &list, vector_record("receipts", i), &added, NULL)));
    }
    cr_assert(kw_ok(kw_segment_encode(&segment, &record, NULL)));
    cr_assert(kw_bytes_equal(kw_buf_bytes(&record), vector_bytes(vector, "record")));
    cr_assert(kw_ok(kw_segment_check(&segment, &its, &at, after, &verdict, NULL)));
    cr_assert_eq(verdict, KW_SEGMENT_GOOD);
    cr_assert(kw_bytes_equal(KW_BYTES_OF(at.head.bytes), KW_BYTES_OF(head.bytes)));
}
