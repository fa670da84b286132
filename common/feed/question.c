/* The record KWJ1. */
#include "common/feed/question.h"

#include "common/feed/answer_codec.h"
#include "common/feed/lane_codec.h"

#define MAGIC "KWJ1"

static const char *fault(const struct kw_question *question)
{
    const char *wrong = kw_ask_fault(&question->ask);
    bool repairs = question->ask.purpose == KW_ASK_REPAIR;

    if (wrong == NULL && (question->key_count > 0) != repairs) {
        wrong = "keys are of rows to repair";
    }
    for (size_t i = 0; i < question->key_count && wrong == NULL; i++) {
        if (question->keys[i].len == 0 || question->keys[i].len > KW_RECORD_KEY_LEN_MAX) {
            wrong = "a key that is none";
        }
    }
    return wrong;
}

static struct kw_result write(const struct kw_question *question, struct kw_buf *out,
                              struct kw_error *err)
{
    struct kw_writer w = KW_WRITER(out);

    kw_put_raw(&w, kw_bytes_str(MAGIC));
    kw_put_raw(&w, kw_id_bytes(&question->mesh));
    kw_put_raw(&w, kw_id_bytes(&question->ask.store));
    kw_put_u8(&w, (uint8_t)question->ask.purpose);
    kw_put_raw(&w, kw_id_bytes(&question->ask.nonce));
    kw_put_answer_place(&w, &question->ask.from);
    kw_put_u16(&w, (uint16_t)question->key_count);
    for (size_t i = 0; i < question->key_count; i++) {
        kw_put_var(&w, question->keys[i]);
    }
    return kw_writer_end(&w, err);
}

struct kw_result kw_question_encode(const struct kw_question *question, struct kw_buf *out,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    const char *wrong = question->key_count <= KW_ANSWER_ITEMS_MAX ? fault(question) : "many keys";

    KW_ENSURE(wrong == NULL, err, ARGUMENT_INVALID, "question: %s", wrong);
    KW_TRY(write(question, &record, err));
    KW_ENSURE(record.len <= KW_QUESTION_LEN_MAX, err, ARGUMENT_INVALID, "question of %zu bytes",
              record.len);
    return kw_buf_append(out, kw_buf_bytes(&record), err);
}

/* `count` is bounded before it is believed. */
static struct kw_result read_keys(struct kw_reader *r, struct kw_arena *arena,
                                  struct kw_question *question, struct kw_error *err)
{
    size_t count = kw_get_u16(r);
    struct kw_bytes *keys;

    KW_ENSURE(count <= KW_ANSWER_ITEMS_MAX, err, ENCODING_INVALID, "question of %zu keys", count);
    keys = kw_arena_alloc(arena, count * sizeof(*keys));
    KW_ENSURE(keys != NULL, err, MEMORY, "question of %zu keys", count);
    for (size_t i = 0; i < count; i++) {
        keys[i] = kw_get_var(r);
    }
    question->keys = keys;
    question->key_count = count;
    return KW_OK;
}

struct kw_result kw_question_decode(struct kw_bytes record, struct kw_arena *arena,
                                    struct kw_question *ret_question, struct kw_error *err)
{
    struct kw_reader r = KW_READER(record);
    struct kw_question question = {0};
    const char *wrong;

    KW_ENSURE(record.len <= KW_QUESTION_LEN_MAX, err, ENCODING_INVALID, "question of %zu bytes",
              record.len);
    KW_ENSURE(kw_get_magic(&r, MAGIC), err, ENCODING_INVALID, "not a question");
    kw_get_copy(&r, question.mesh.bytes, KW_ID_LEN);
    kw_get_copy(&r, question.ask.store.bytes, KW_ID_LEN);
    question.ask.purpose = (enum kw_ask_purpose)kw_get_u8(&r);
    kw_get_copy(&r, question.ask.nonce.bytes, KW_ID_LEN);
    kw_get_answer_place(&r, &question.ask.from);
    KW_TRY(read_keys(&r, arena, &question, err));
    KW_TRY(kw_reader_end(&r, "question", err));
    wrong = fault(&question);
    KW_ENSURE(wrong == NULL, err, ENCODING_INVALID, "question: %s", wrong);
    *ret_question = question;
    return KW_OK;
}
