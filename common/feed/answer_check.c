/* The verdicts, and how one is come to: from the cheap to the dear. */
#include "common/feed/answer_check.h"

#include "common/sync/grow_set.h"

static const char *const names[KW_ANSWER_VERDICT_END_] = {
    [0] = "unknown",
    [KW_ANSWER_GOOD] = "good",
    [KW_ANSWER_OTHER_MESH] = "other_mesh",
    [KW_ANSWER_UNASKED] = "unasked",
    [KW_ANSWER_STRANGER] = "stranger",
    [KW_ANSWER_FENCED] = "fenced",
    [KW_ANSWER_UNSIGNED] = "unsigned",
};

const char *kw_answer_verdict_name(enum kw_answer_verdict verdict)
{
    return names[verdict < KW_ANSWER_VERDICT_END_ ? verdict : 0];
}

static bool is_asked(const struct kw_ask *ask, const struct kw_ask *answered)
{
    return ask != NULL && ask->purpose == answered->purpose &&
           kw_id_equal(ask->store, answered->store) && kw_id_equal(ask->nonce, answered->nonce) &&
           kw_answer_place_equal(&ask->from, &answered->from);
}

/* Why it is not listened to, whoever signed it, or 0. */
static enum kw_answer_verdict refuse(struct kw_id mesh, const struct kw_ask *ask,
                                     const struct kw_record *store, const struct kw_answer *answer)
{
    if (!kw_id_equal(mesh, answer->mesh)) {
        return KW_ANSWER_OTHER_MESH;
    }
    if (!is_asked(ask, &answer->to)) {
        return KW_ANSWER_UNASKED;
    }
    if (store == NULL || !kw_bytes_equal(store->key, kw_id_bytes(&answer->to.store))) {
        return KW_ANSWER_STRANGER;
    }
    return kw_store_record_state(store) == KW_STORE_FENCED ? KW_ANSWER_FENCED : 0;
}

static struct kw_result is_signed(const struct kw_record *store, const struct kw_answer *answer,
                                  bool *ret_signed, struct kw_error *err)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_result verified;

    KW_TRY(kw_sha256(answer->key, digest, err));
    *ret_signed = kw_set_has(kw_record_value(store, KW_STORE_FIELD_SIGNERS), KW_BYTES_OF(digest));
    if (!*ret_signed) {
        return KW_OK;
    }
    verified = kw_answer_verify(answer, err);
    *ret_signed = kw_ok(verified);
    return verified.reason == KW_E_SIGNATURE_INVALID ? KW_OK : verified;
}

struct kw_result kw_answer_check(struct kw_id mesh, const struct kw_ask *ask,
                                 const struct kw_record *store, const struct kw_answer *answer,
                                 enum kw_answer_verdict *ret_verdict, struct kw_error *err)
{
    enum kw_answer_verdict verdict = refuse(mesh, ask, store, answer);
    bool good;

    if (verdict == 0) {
        KW_TRY(is_signed(store, answer, &good, err));
        verdict = good ? KW_ANSWER_GOOD : KW_ANSWER_UNSIGNED;
    }
    *ret_verdict = verdict;
    return KW_OK;
}
