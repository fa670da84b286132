/* Answers of tests/vectors/formats.json: what Python made from the document is read, verifies, and comes
 * out byte for byte. Then: what is none is refused, by readers and writers alike. */
#include "common/base/limits.h"
#include "common/feed/answer_check.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

#include <jansson.h>

static const char *const names[] = {"lanes", "quarantine", "held", "rows", "repair"};

static struct kw_bytes vector(const char *name)
{
    static json_t *all; /* lives as long as the process */
    const char *hex;
    uint8_t *bytes;

    if (all == NULL) {
        all = json_load_file(KW_SOURCE_DIR "/tests/vectors/formats.json", 0, NULL);
    }
    hex = json_string_value(
        json_object_get(json_object_get(json_object_get(all, "lane"), "answers"), name));
    REQUIRE(hex != NULL, "no answer %s in formats.json", name);
    bytes = kw_arena_alloc(values_arena(), strlen(hex) / 2);
    MUST(kw_unhex(hex, bytes, strlen(hex) / 2, err));
    return KW_BYTES(bytes, strlen(hex) / 2);
}

static struct kw_answer answer_of(const char *name)
{
    struct kw_answer answer;

    MUST(kw_answer_decode(vector(name), values_arena(), &answer, err));
    return answer;
}

Test(answer, the_vectors_are_read_and_verify)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct kw_answer answer = answer_of(names[i]);

        MUST(kw_answer_verify(&answer, err));
    }
    cr_assert_eq(answer_of("rows").count, 2);
    cr_assert_eq(answer_of("rows").to.from.table, 16);
    cr_assert_eq(answer_of("held").count, 0);
    cr_assert_eq(answer_of("quarantine").next.key.len, KW_WAITING_KEY_LEN);
}

/* But for the signature, and whose it is. */
Test(answer, what_is_signed_is_written_as_the_vectors_are)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
        const struct kw_answer answer = answer_of(names[i]);
        size_t fixed = vector(names[i]).len - answer.key.len - answer.signature.len - 4;
        struct kw_answer again;

        MUST(kw_answer_sign(&answer, lane_key(0), &record, err));
        cr_assert(
            kw_bytes_equal(KW_BYTES(record.data, fixed), KW_BYTES(vector(names[i]).data, fixed)),
            "%s", names[i]);
        MUST(kw_answer_decode(kw_buf_bytes(&record), values_arena(), &again, err));
        MUST(kw_answer_verify(&again, err));
    }
}

Test(answer, every_altered_byte_is_noticed)
{
    const struct kw_bytes good = vector("rows");
    uint8_t *altered = kw_arena_alloc(values_arena(), good.len);
    size_t read = 0;

    for (size_t i = 0; i < good.len; i++) {
        struct kw_answer answer;

        kw_copy(altered, good.data, good.len);
        altered[i] ^= 1;
        if (kw_ok(kw_answer_decode(KW_BYTES(altered, good.len), values_arena(), &answer, NULL))) {
            read++;
            cr_assert_eq(kw_answer_verify(&answer, NULL).reason, KW_E_SIGNATURE_INVALID, "%zu", i);
        }
    }
    cr_assert_gt(read, 100);
}

static void expect_no_answer(struct kw_answer answer)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    cr_assert_eq(kw_answer_sign(&answer, lane_key(0), &record, NULL).reason, KW_E_ARGUMENT_INVALID);
    cr_assert_eq(record.len, 0);
}

Test(answer, what_is_none_is_not_written)
{
    static struct kw_bytes many[KW_ANSWER_ITEMS_MAX + 1];
    static uint8_t long_item[KW_ANSWER_ITEM_LEN_MAX + 1];
    const struct kw_bytes too_long = KW_BYTES_OF(long_item);
    struct kw_answer answer = answer_of("rows");

    answer.next = answer.to.from;
    expect_no_answer(answer);
    answer = answer_of("rows");
    answer.to.from.table = 17;
    expect_no_answer(answer);
    answer = answer_of("held");
    answer.to.from.table = 1;
    expect_no_answer(answer);
    answer = answer_of("lanes");
    answer.items = &too_long;
    expect_no_answer(answer);
    answer.items = many;
    answer.count = KW_ANSWER_ITEMS_MAX + 1;
    expect_no_answer(answer);
    answer = answer_of("repair");
    answer.next.section = KW_SECTION_END;
    expect_no_answer(answer);
    answer = answer_of("repair");
    answer.to.purpose = KW_ASK_DIGESTS + 1;
    expect_no_answer(answer);
}

Test(answer, the_longest_one_is_read)
{
    static uint8_t text[KW_ANSWER_ITEM_LEN_MAX];
    const struct kw_bytes items[2] = {KW_BYTES(text, KW_BATCH_LEN_SOFT - 1), KW_BYTES_OF(text)};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_answer answer = answer_of("lanes");

    answer.items = items;
    answer.count = 2;
    MUST(kw_answer_sign(&answer, lane_key(0), &record, err));
    MUST(kw_answer_decode(kw_buf_bytes(&record), values_arena(), &answer, err));
    cr_assert_eq(answer.count, 2);
}

Test(answer, verdicts_have_names)
{
    cr_assert_str_eq(kw_answer_verdict_name(0), "unknown");
    cr_assert_str_eq(kw_answer_verdict_name(KW_ANSWER_UNASKED), "unasked");
    cr_assert_str_eq(kw_answer_verdict_name(KW_ANSWER_VERDICT_END_), "unknown");
}
