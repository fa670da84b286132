/* Questions, and the answers that hand over no rows: what is written is read again, what is none is refused by
 * readers and writers alike. */
#include "common/feed/digest_node.h"
#include "common/feed/question.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static const struct kw_id mesh = {"mmmmmmmmmmmmmmmm"};
static const struct kw_bytes keys[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"bc", 2}};
static const uint8_t bucket[] = {KW_DIGEST_LEVELS, 0x0f, 0xff, 'k'};
static const uint8_t inner[] = {1, 0, 15};

static struct kw_question question(enum kw_ask_purpose purpose)
{
    struct kw_question made = {.mesh = mesh,
                               .ask = {.purpose = purpose, .store = {"s"}, .nonce = {"n"}}};

    made.ask.from.section = KW_SECTION_LANES;
    if (purpose == KW_ASK_REPAIR || purpose == KW_ASK_DIGESTS) {
        made.ask.from.section = KW_SECTION_ROWS;
        made.ask.from.table = 16;
    }
    if (purpose == KW_ASK_REPAIR) {
        made.keys = keys;
        made.key_count = 2;
    }
    return made;
}

static struct kw_bytes written(const struct kw_question *of)
{
    struct kw_buf record = {0};

    MUST(kw_question_encode(of, &record, err));
    return value_keep(&record);
}

Test(question, what_is_asked_is_read)
{
    for (int purpose = KW_ASK_SNAPSHOT; purpose <= KW_ASK_DIGESTS; purpose++) {
        const struct kw_question asked = question(purpose);
        struct kw_bytes record = written(&asked);
        struct kw_question read;

        MUST(kw_question_decode(record, values_arena(), &read, err));
        cr_assert(kw_bytes_equal(written(&read), record));
        cr_assert_eq(read.ask.purpose, asked.ask.purpose);
        cr_assert(kw_answer_place_equal(&read.ask.from, &asked.ask.from));
        cr_assert_eq(read.key_count, asked.key_count);
        for (size_t len = 0; len < record.len; len++) {
            cr_assert_eq(
                kw_question_decode(KW_BYTES(record.data, len), values_arena(), &read, NULL).reason,
                KW_E_ENCODING_INVALID, "%zu", len);
        }
    }
}

static void expect_none(struct kw_question none, const char *why)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_error error = {0};

    cr_assert_eq(kw_question_encode(&none, &record, &error).reason, KW_E_ARGUMENT_INVALID, "%s",
                 why);
    cr_assert_not_null(strstr(error.message, why), "%s: %s", why, error.message);
}

Test(question, what_is_none_is_not_asked)
{
    struct kw_bytes empty = KW_BYTES_NONE;
    struct kw_question none = question(KW_ASK_SEGMENT + 1);

    expect_none(none, "purpose");
    none = question(KW_ASK_REPAIR);
    none.key_count = 0;
    expect_none(none, "keys");
    none.key_count = KW_ANSWER_ITEMS_MAX + 1;
    expect_none(none, "many keys");
    none = question(KW_ASK_REPAIR);
    none.keys = &empty;
    none.key_count = 1;
    expect_none(none, "a key that is none");
    none = question(KW_ASK_LANES);
    none.keys = keys;
    none.key_count = 1;
    expect_none(none, "keys");
    none = question(KW_ASK_LANES);
    none.ask.from.section = KW_SECTION_HELD;
    expect_none(none, "lanes");
    none = question(KW_ASK_DIGESTS);
    none.ask.from = question(KW_ASK_LANES).ask.from;
    expect_none(none, "node");
    none = question(KW_ASK_DIGESTS);
    none.ask.from.key = KW_BYTES(inner, 2);
    expect_none(none, "node");
    none.ask.from.key = KW_BYTES((const uint8_t *)"\x01\x00\x10", 3);
    expect_none(none, "node");
    none.ask.from.key = KW_BYTES((const uint8_t *)"\x01\x00\x0fk", 4);
    expect_none(none, "node");
    none = question(KW_ASK_SNAPSHOT);
    none.ask.from.section = KW_SECTION_END;
    expect_none(none, "place");
}

Test(question, nodes_have_names)
{
    const struct kw_digest_node node = {.table = 7, .level = 2, .index = 255};
    struct kw_digest_node found;
    struct kw_bytes after;
    uint8_t name[KW_DIGEST_NAME_LEN];

    kw_digest_name(kw_digest_child(node, 15), name);
    cr_assert(kw_digest_named(7, KW_BYTES_OF(name), &found, &after));
    cr_assert_eq(found.index, KW_DIGEST_BUCKETS - 1);
    cr_assert_eq(found.level, KW_DIGEST_LEVELS);
    cr_assert_eq(after.len, 0);
    cr_assert(kw_digest_named(7, KW_BYTES_OF(bucket), &found, &after));
    cr_assert_eq(after.len, 1);
    cr_assert_eq(kw_digest_span(found), 1);
    cr_assert_eq(kw_digest_span((struct kw_digest_node){.level = KW_DIGEST_LEVELS + 1}), 0);
}

/* --- answers --- */

static struct kw_bytes lane_item(const struct lane_owner *owner, uint64_t floor)
{
    struct kw_buf item = {0};

    MUST(kw_answer_lane_encode(floor, lane_head(owner, 9, lane_closed(9)), &item, err));
    return value_keep(&item);
}

Test(question, lanes_are_answered_with_their_heads)
{
    const struct lane_owner owner = lane_owner_new(9);
    struct kw_answer_lane read;
    struct kw_answer answer;
    struct kw_bytes items[1] = {lane_item(&owner, 9)};

    MUST(kw_answer_lane_decode(items[0], &read, err));
    cr_assert(read.floor == 9 && kw_lane_point_equal(&read.head.point, &owner.points[9]));
    MUST(kw_lane_head_verify(&read.head, err));
    answer = lane_answer(question(KW_ASK_LANES), items, 1);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "it does not lead on");
    answer.next.key = keys[0];
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE);
    answer.next = (struct kw_answer_place){.section = KW_SECTION_HELD};
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "not among lanes");
    answer.next = (struct kw_answer_place){.section = KW_SECTION_END};
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE);
}

Test(question, what_is_no_lane_is_no_answer)
{
    const struct lane_owner owner = lane_owner_new(9);
    struct kw_bytes items[1] = {lane_item(&owner, 9)};
    struct kw_answer answer = lane_answer(question(KW_ASK_LANES), items, 1);

    answer.next = (struct kw_answer_place){.section = KW_SECTION_END};
    items[0].len--;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "half a head");
    items[0].len = 8;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "none");
    items[0].len = 7;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "not even a number");
    items[0] = lane_item(&owner, 10);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "more is deleted than there is");
}

Test(question, digests_are_answered)
{
    static const uint8_t text[2 + KW_SHA256_LEN];
    struct kw_bytes items[KW_DIGEST_FAN] = {KW_BYTES_OF(text)};
    struct kw_answer answer = lane_answer(question(KW_ASK_DIGESTS), items, 1);

    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE, "a root");
    for (size_t i = 0; i < KW_DIGEST_FAN; i++) {
        items[i] = KW_BYTES(text, KW_SHA256_LEN);
    }
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "no root");
    answer.to.from.key = answer.next.key = KW_BYTES_OF(inner);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "children are missing");
    answer.count = KW_DIGEST_FAN;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE);
    answer.next.key = KW_BYTES_OF(bucket);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "it does not go on there");
    answer.to.from.key = KW_BYTES(bucket, KW_DIGEST_NAME_LEN);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "a row without a key");
    answer.count = 1;
    items[0] = KW_BYTES_OF(text);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE, "more rows follow");
}
