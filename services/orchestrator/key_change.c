/* The common part of the key mutations. */
#include "services/orchestrator/key_change.h"

#include "common/rpc/field.h"
#include "common/rpc/messages.h"

#include <assert.h>

/* Their requests begin alike, field by field; that is checked here once, and then relied upon. */
#define SAME(type, field)                                                                          \
    (offsetof(type, field) == offsetof(Keyward__V1__ActivateKeyRequest, field))
#define ALIKE(type) (SAME(type, name) && SAME(type, etag) && SAME(type, justification))
static_assert(ALIKE(Keyward__V1__SuspendKeyRequest), "");
static_assert(ALIKE(Keyward__V1__LiftKeySuspensionsRequest), "");
static_assert(ALIKE(Keyward__V1__DeactivateKeyRequest), "");
static_assert(ALIKE(Keyward__V1__ReportKeyCompromiseRequest), "");
static_assert(ALIKE(Keyward__V1__DestroyKeyRequest), "");

/* So do their responses. */
static_assert(offsetof(Keyward__V1__SuspendKeyResponse, key) ==
                  offsetof(Keyward__V1__ActivateKeyResponse, key),
              "");

static struct kw_result check_etag(const struct kw_key_change *change, struct kw_error *err)
{
    char etag[KW_ETAG_SIZE];

    KW_TRY(kw_fact_list_etag(&change->material.facts, etag, err));
    KW_ENSURE(change->etag[0] == '\0' || strcmp(change->etag, etag) == 0, err, ETAG_MISMATCH,
              "the key has changed");
    return KW_OK;
}

struct kw_result kw_key_change_load(struct kw_call *call, struct kw_tx *tx,
                                    struct kw_key_change *ret_change, struct kw_error *err)
{
    const Keyward__V1__ActivateKeyRequest *request =
        (const Keyward__V1__ActivateKeyRequest *)call->request;
    size_t characters = kw_field_characters(request->justification);

    ret_change->name = request->name;
    ret_change->etag = request->etag;
    ret_change->justification = request->justification;
    KW_ENSURE_FIELD(characters >= 1 && characters <= KW_JUSTIFICATION_MAX, call, "justification",
                    err, "a justification has 1 to %u characters", KW_JUSTIFICATION_MAX);
    KW_TRY(kw_material_by_name(call, tx, request->name, &ret_change->material, err));
    return check_etag(ret_change, err);
}

static struct kw_result show_key(struct kw_call *call, struct kw_tx *tx, struct kw_id id,
                                 Keyward__V1__Key **ret_key, struct kw_error *err)
{
    struct kw_fact_list facts;
    struct kw_key_row row;
    bool found;

    KW_TRY(kw_key_find(tx, id, call->arena, &row, &found, err));
    KW_ENSURE(found, err, INTERNAL, "the key is gone");
    KW_TRY(kw_fact_list(tx, id, call->arena, &facts, err));
    return kw_view_key(&call->view, &row, &facts, true, ret_key, err);
}

struct kw_result kw_key_change_answer(struct kw_call *call, struct kw_tx *tx, struct kw_id key,
                                      struct kw_id suspension, struct kw_error *err)
{
    const ProtobufCMethodDescriptor *messages = kw_method_messages(call->method);
    Keyward__V1__ActivateKeyResponse *response = kw_view_message(&call->view, messages->output);

    KW_TRY(show_key(call, tx, key, &response->key, err));
    if (!kw_id_is_none(suspension)) {
        ((Keyward__V1__SuspendKeyResponse *)response)->suspension =
            kw_view_id(&call->view, KW_ID_SUSPENSION, suspension);
    }
    return kw_call_answer(call, &response->base, err);
}
