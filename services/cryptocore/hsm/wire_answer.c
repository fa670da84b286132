/* Answers as bytes: op, reason, and either the failure's message or the operation's result. */
#include "common/base/limits.h"
#include "services/cryptocore/hsm/wire.h"

static void generated_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_u16(w, (uint16_t)answer->generated.count);
    for (size_t i = 0; i < answer->generated.count; i++) {
        kw_key_binding_put(w, &answer->generated.items[i].stored);
        kw_put_raw(w, KW_BYTES_OF(answer->generated.items[i].delivered));
    }
}

static void generated_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer)
{
    size_t count = kw_get_u16(r);
    struct kw_hsm_generated *items = NULL;

    if (count <= KW_HSM_ITEMS_MAX) {
        items = kw_arena_alloc(arena, count * sizeof(*items));
    }
    r->failed = r->failed || items == NULL;
    for (size_t i = 0; i < count && !r->failed; i++) {
        kw_key_binding_get(r, &items[i].stored);
        kw_get_copy(r, items[i].delivered, sizeof(items[i].delivered));
    }
    answer->generated.items = items;
    answer->generated.count = count;
}

static void derived_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_var(w, KW_BYTES(answer->derived.wrapped, answer->derived.wrapped_len));
    kw_put_raw(w, KW_BYTES_OF(answer->derived.mac));
}

static void derived_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer)
{
    struct kw_bytes wrapped = kw_get_var(r);

    (void)arena;
    if (wrapped.len > sizeof(answer->derived.wrapped)) {
        r->failed = true;
        return;
    }
    kw_copy(answer->derived.wrapped, wrapped.data, wrapped.len);
    answer->derived.wrapped_len = wrapped.len;
    kw_get_copy(r, answer->derived.mac, sizeof(answer->derived.mac));
}

static void macs_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_u16(w, (uint16_t)answer->macs.count);
    for (size_t i = 0; i < answer->macs.count; i++) {
        kw_put_raw(w, KW_BYTES_OF(answer->macs.items[i]));
    }
}

static void macs_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer)
{
    size_t count = kw_get_u16(r);
    uint8_t(*items)[KW_HSM_MAC_LEN] = NULL;

    if (count <= KW_HSM_FACTS_MAX) {
        items = kw_arena_alloc(arena, count * sizeof(*items));
    }
    r->failed = r->failed || items == NULL;
    if (!r->failed) {
        kw_get_copy(r, items, count * sizeof(*items));
    }
    answer->macs.items = (const uint8_t(*)[KW_HSM_MAC_LEN])items;
    answer->macs.count = count;
}

static void ptk_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_ptk_binding_put(w, &answer->ptk.stored);
    kw_put_var(w, answer->ptk.enveloped);
}

/* The pool reads an answer out of a buffer that is reused; what it points to is copied into the
 * arena. */
static struct kw_bytes kept_var(struct kw_reader *r, struct kw_arena *arena)
{
    struct kw_bytes kept = KW_BYTES_NONE;

    if (!kw_ok(kw_arena_copy(arena, kw_get_var(r), &kept, NULL))) {
        r->failed = true;
    }
    return kept;
}

static void ptk_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer)
{
    kw_ptk_binding_get(r, &answer->ptk.stored);
    answer->ptk.enveloped = kept_var(r, arena);
}

static void certificate_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_var(w, answer->certificate);
}

static void certificate_get(struct kw_reader *r, struct kw_arena *arena,
                            struct kw_hsm_answer *answer)
{
    answer->certificate = kept_var(r, arena);
}

static void signature_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_var(w, answer->signature);
}

static void signature_get(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer)
{
    answer->signature = kept_var(r, arena);
}

/* Operations whose success says it all have no row. */
static const struct {
    void (*put)(struct kw_writer *w, const struct kw_hsm_answer *answer);
    void (*get)(struct kw_reader *r, struct kw_arena *arena, struct kw_hsm_answer *answer);
} rows[KW_HSM_HEALTH + 1] = {
    [KW_HSM_GENERATE] = {generated_put, generated_get},
    [KW_HSM_DERIVE] = {derived_put, derived_get},
    [KW_HSM_MAC_FACTS] = {macs_put, macs_get},
    [KW_HSM_PTK_CREATE] = {ptk_put, ptk_get},
    [KW_HSM_ISSUE_CERTIFICATE] = {certificate_put, certificate_get},
    [KW_HSM_SIGN_CHECKPOINT] = {signature_put, signature_get},
};

void kw_hsm_answer_put(struct kw_writer *w, const struct kw_hsm_answer *answer)
{
    kw_put_u8(w, (uint8_t)answer->op);
    kw_put_u16(w, (uint16_t)answer->result.reason);
    if (!kw_ok(answer->result)) {
        kw_put_str(w, answer->error.message);
    } else if (rows[answer->op].put != NULL) {
        rows[answer->op].put(w, answer);
    }
}

/* The place where the error was made is the worker's: what crosses is its reason and its message.
 */
static void failure_get(struct kw_reader *r, struct kw_hsm_answer *answer)
{
    answer->error.reason = answer->result.reason;
    answer->error.file = "hsm worker";
    kw_get_str(r, answer->error.message, sizeof(answer->error.message));
}

struct kw_result kw_hsm_answer_get(struct kw_reader *r, struct kw_arena *arena,
                                   struct kw_hsm_answer *ret_answer, struct kw_error *err)
{
    struct kw_hsm_answer answer = {.op = (enum kw_hsm_op)kw_get_u8(r)};
    uint16_t reason = kw_get_u16(r);

    KW_ENSURE(!r->failed && answer.op >= KW_HSM_GENERATE && answer.op <= KW_HSM_HEALTH &&
                  reason < KW_E_COUNT_,
              err, ENCODING_INVALID, "answer's operation or reason");
    answer.result = (struct kw_result){(enum kw_reason)reason};
    if (reason != KW_E_NONE) {
        failure_get(r, &answer);
    } else if (rows[answer.op].get != NULL) {
        rows[answer.op].get(r, arena, &answer);
    }
    KW_TRY(kw_reader_end(r, "answer", err));
    *ret_answer = answer;
    return KW_OK;
}
