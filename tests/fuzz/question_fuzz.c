/* Questions between stores (KWJ1), and the names of nodes of digests in them. What is read is canonical, asks within the
 * limits, and for a place that an answer may begin at.
 *
 * Input: a record. */
#include "common/feed/answer_codec.h"
#include "common/feed/digest_node.h"
#include "common/feed/question.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX (64U * 1024U)

/* A node has one name, and one that is no bucket has its children among the nodes. */
static void check_node(const struct kw_answer_place *from)
{
    struct kw_digest_node node;
    uint8_t name[KW_DIGEST_NAME_LEN];
    struct kw_bytes after;

    KW_FUZZ_CHECK(kw_digest_named(from->table, from->key, &node, &after));
    KW_FUZZ_CHECK(node.table == from->table && after.len <= KW_RECORD_KEY_LEN_MAX);
    kw_digest_name(node, name);
    KW_FUZZ_CHECK(from->key.len == sizeof(name) + after.len);
    KW_FUZZ_CHECK(kw_bytes_equal(KW_BYTES_OF(name), KW_BYTES(from->key.data, sizeof(name))));
    for (unsigned child = 0; node.level < KW_DIGEST_LEVELS && child < KW_DIGEST_FAN; child++) {
        uint32_t span = kw_digest_span(kw_digest_child(node, child));

        KW_FUZZ_CHECK(span > 0 && span * KW_DIGEST_FAN == kw_digest_span(node));
    }
}

static void check_asked(const struct kw_question *question)
{
    const struct kw_ask *ask = &question->ask;

    KW_FUZZ_CHECK(kw_ask_fault(ask) == NULL && ask->from.section < KW_SECTION_END);
    KW_FUZZ_CHECK((question->key_count > 0) == (ask->purpose == KW_ASK_REPAIR));
    KW_FUZZ_CHECK(question->key_count <= KW_ANSWER_ITEMS_MAX);
    for (size_t i = 0; i < question->key_count; i++) {
        KW_FUZZ_CHECK(question->keys[i].len > 0 && question->keys[i].len <= KW_RECORD_KEY_LEN_MAX);
    }
    if (ask->purpose == KW_ASK_DIGESTS && ask->from.key.len > 0) {
        check_node(&ask->from);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};
    struct kw_arena *arena = kw_arena_new(ARENA_MAX);
    struct kw_bytes record = KW_BYTES(data, size);
    struct kw_question question;
    struct kw_error err = {0};

    KW_FUZZ_CHECK(arena != NULL);
    if (kw_fuzz_accepted(kw_question_decode(record, arena, &question, &err), &err)) {
        check_asked(&question);
        KW_FUZZ_MUST(kw_question_encode(&question, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_buf_bytes(&again), record));
    }
    kw_arena_free(arena);
    return 0;
}
