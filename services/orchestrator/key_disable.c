/* SuspendKey, DeactivateKey, ReportKeyCompromise, DestroyKey: disabling facts, made here under the
 * capsule and without the core, so that they work when the HSM does not. Authz gets each for its
 * own copy: the one that is stored here, also when it was stored before, or the evidence of the two
 * would not agree. */
#include "common/rpc/messages.h"
#include "services/orchestrator/destruction.h"
#include "services/orchestrator/fact_feed.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/key_change.h"
#include "services/orchestrator/key_feed.h"

static enum kw_fact_kind kind_of(const struct kw_call *call)
{
    switch ((int)call->method->id) {
    case KW_METHOD_SUSPEND_KEY:
        return KW_FACT_SUSPENDED;
    case KW_METHOD_DEACTIVATE_KEY:
        return KW_FACT_DEACTIVATED;
    case KW_METHOD_REPORT_KEY_COMPROMISE:
        return KW_FACT_COMPROMISED;
    default:
        return KW_FACT_DESTROYED;
    }
}

/* Somebody said that it is destroyed, which disables and so needs no officer; its bytes are there. */
static bool is_left(const struct kw_call *call, const struct kw_material *material)
{
    return kind_of(call) == KW_FACT_DESTROYED && material->state.destroyed &&
           material->row.wrapped.len > 0;
}

static struct kw_result check(struct kw_call *call, struct kw_tx *tx, struct kw_key_change *change,
                              struct kw_error *err)
{
    KW_TRY(kw_key_change_load(call, tx, change, err));
    if (is_left(call, &change->material)) {
        return KW_OK;
    }
    return kw_state_require(&change->material.state, call->method->operation, call->actor, err);
}

struct kw_result kw_key_disable_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct kw_key_change change;

    if (!call->validate_only) {
        return KW_OK; /* the writer checks what it changes */
    }
    KW_TRY(check(call, tx, &change, err));
    return kw_key_change_answer(call, tx, change.material.row.id, KW_ID_NONE, err);
}

static struct kw_result make_fact(struct kw_call *call, const struct kw_key_change *change,
                                  struct kw_fact_row *ret_row, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_fact_row row = {.fact = {.key = change->material.row.id,
                                       .kind = kind_of(call),
                                       .time_ms = call->now_ms,
                                       .capsule = call->capsule.id,
                                       .actor = call->capsule.caller},
                              .justification = change->justification};

    if (row.fact.kind == KW_FACT_SUSPENDED) {
        KW_TRY(kw_id_v7(&row.fact.ref, err));
    }
    KW_TRY(kw_fact_encode(&row.fact, &record, err));
    KW_TRY(kw_arena_copy(call->arena, kw_buf_bytes(&record), &row.record, err));
    *ret_row = row;
    return KW_OK;
}

/* Is there a fact that already says this? One that is said once in a key's life, or the newest
 * suspension of a key that has its last. */
static bool find_said(const struct kw_key_change *change, enum kw_fact_kind kind,
                      struct kw_fact_row *ret_row)
{
    const struct kw_fact_list *facts = &change->material.facts;

    if (kind == KW_FACT_SUSPENDED && !kw_state_full(&facts->state)) {
        return false;
    }
    for (size_t i = facts->count; i > 0; i--) {
        if (facts->rows[i - 1].fact.kind == kind) {
            *ret_row = facts->rows[i - 1];
            return true;
        }
    }
    return false;
}

/* What the officer sent goes to all cells with what it erases: none of them takes our word. Empty for
 * other kinds. */
static struct kw_result make_order(const struct kw_call *call, const struct kw_key_change *change,
                                   struct kw_buf *order, struct kw_error *err)
{
    const struct kw_destruction destruction = {
        .body = call->body,
        .signature = kw_bytes_field(call->authorization->caller_signature),
        .certificate = kw_bytes_field(call->authorization->caller_certificate)};
    struct kw_result proven;

    if (kind_of(call) != KW_FACT_DESTROYED) {
        return KW_OK;
    }
    KW_TRY(kw_destruction_encode(&destruction, order, err));
    proven = kw_destruction_prove(kw_buf_bytes(order), change->material.row.id,
                                  &call->orch->officers, err);
    KW_ENSURE(proven.reason != KW_E_ENCODING_INVALID, err, SIGNATURE_INVALID,
              "a key is destroyed by what an officer signed");
    return proven;
}

/* What there is of a stopped key for its station goes with it; a suspension may be lifted. */
static struct kw_result erase(const struct kw_feed_tx *feed_tx, const struct kw_fact *fact,
                              struct kw_bytes order, struct kw_error *err)
{
    switch ((int)fact->kind) {
    case KW_FACT_DESTROYED:
        return kw_key_destroy(feed_tx, fact->key, order, err);
    case KW_FACT_DEACTIVATED:
    case KW_FACT_COMPROMISED:
        return kw_key_erase_delivery(feed_tx, fact->key, err);
    default:
        return KW_OK;
    }
}

static struct kw_result add(struct kw_call *call, const struct kw_key_change *change,
                            struct kw_fact_row *ret_row, struct kw_error *err)
{
    KW_TRY(make_fact(call, change, ret_row, err));
    return kw_fact_state(&call->feed_tx, ret_row, err);
}

/* What is destroyed is erased also where somebody only said that it is. */
struct kw_result kw_key_disable_write(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf order = {0};
    struct kw_key_change change;
    struct kw_fact_row row;

    KW_TRY(check(call, tx, &change, err));
    KW_TRY(make_order(call, &change, &order, err));
    if (!find_said(&change, kind_of(call), &row)) {
        KW_TRY(add(call, &change, &row, err));
    }
    KW_TRY(erase(&call->feed_tx, &row.fact, kw_buf_bytes(&order), err));
    call->disabled = row.record;
    return kw_key_change_answer(call, tx, row.fact.key, row.fact.ref, err);
}
