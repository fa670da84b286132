/* Questions about the log of an owner, and their answers: what is written is read again, what is none is refused by readers
 * and writers alike. */
#include "common/feed/log_copy.h"
#include "common/feed/question.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/must.h"

static const struct kw_id mesh = {"mmmmmmmmmmmmmmmm"};
static uint8_t first[KW_LOG_KEY_LEN];  /* from the first chain on */
static uint8_t second[KW_LOG_KEY_LEN]; /* behind one */

static void keys(void)
{
    kw_log_key_write(&(struct kw_log_ask){.number = 1, .keeper = {"k"}}, first);
    kw_log_key_write(&(struct kw_log_ask){.name = {1}, .number = 5, .keeper = {"k"}}, second);
}

TestSuite(log_question, .init = keys);

static struct kw_question question(enum kw_ask_purpose purpose)
{
    return (struct kw_question){
        .mesh = mesh,
        .ask = {.purpose = purpose,
                .store = {"s"},
                .nonce = {"n"},
                .from = {.section = KW_SECTION_LANES, .key = KW_BYTES_OF(first)}}};
}

static enum kw_reason asked(const struct kw_question *made)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_question read;
    struct kw_result result = kw_question_encode(made, &record, NULL);

    if (kw_ok(result)) {
        MUST(kw_question_decode(kw_buf_bytes(&record), values_arena(), &read, err));
        cr_assert(kw_answer_place_equal(&read.ask.from, &made->ask.from));
        cr_assert_eq(read.ask.purpose, made->ask.purpose);
    }
    return result.reason;
}

Test(log_question, a_log_is_asked_by_its_key)
{
    for (enum kw_ask_purpose purpose = KW_ASK_CHAINS; purpose <= KW_ASK_SEGMENT; purpose++) {
        struct kw_question made = question(purpose);

        cr_assert_eq(asked(&made), KW_E_NONE);
        made.ask.from.key.len--;
        cr_assert_eq(asked(&made), KW_E_ARGUMENT_INVALID, "half a key");
        made.ask.from.key = KW_BYTES_NONE;
        cr_assert_eq(asked(&made), KW_E_ARGUMENT_INVALID, "none");
        made = question(purpose);
        made.ask.from.section = KW_SECTION_HELD;
        cr_assert_eq(asked(&made), KW_E_ARGUMENT_INVALID, "elsewhere");
        made = question(purpose);
        made.keys = &made.ask.from.key;
        made.key_count = 1;
        cr_assert_eq(asked(&made), KW_E_ARGUMENT_INVALID, "rows");
    }
}

Test(log_question, chains_are_answered)
{
    static const uint8_t chain[KW_LOG_CHAIN_LEN] = {1};
    static struct kw_bytes items[KW_LOG_CHAINS_MAX + 1];
    struct kw_answer answer = lane_answer(question(KW_ASK_CHAINS), items, 1);

    for (size_t i = 0; i <= KW_LOG_CHAINS_MAX; i++) {
        items[i] = KW_BYTES_OF(chain);
    }
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE, "that was all");
    answer.next.key = KW_BYTES_OF(second);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE, "there are more");
    answer.count = KW_LOG_CHAINS_MAX;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE);
    answer.count++;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "too many");
    answer.count = 1;
    answer.to.from.key = KW_BYTES_OF(second);
    answer.next.key = KW_BYTES_OF(first);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "it goes back");
    answer.next = (struct kw_answer_place){.section = KW_SECTION_END};
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "no place in a log");
    answer.next = answer.to.from;
    items[0].len--;
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "half a chain");
}

Test(log_question, a_segment_is_answered)
{
    struct kw_bytes items[2] = {kw_bytes_str("segment"), kw_bytes_str("segment")};
    struct kw_answer answer = lane_answer(question(KW_ASK_SEGMENT), items, 1);

    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE);
    answer.next.key = KW_BYTES_OF(second);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "it goes on");
    answer = lane_answer(question(KW_ASK_SEGMENT), items, 2);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "two");
    answer = lane_answer(question(KW_ASK_SEGMENT), NULL, 0);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_NONE, "there is no more");
    items[0].len = 0;
    answer = lane_answer(question(KW_ASK_SEGMENT), items, 1);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "an empty one");
    items[0] =
        KW_BYTES(kw_arena_alloc(values_arena(), KW_SEGMENT_LEN_MAX + 1), KW_SEGMENT_LEN_MAX + 1);
    cr_assert_eq(lane_answer_sign(&answer), KW_E_ARGUMENT_INVALID, "too long a one");
}
