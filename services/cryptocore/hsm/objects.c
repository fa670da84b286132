/* Finding objects by label. A search is short: begin, one fetch, end, whatever the fetch said. */
#include "services/cryptocore/hsm/objects.h"

#include <stdio.h>
#include <string.h>

#define FETCH_MAX 64

static const char *const signer_labels[] = {
    [KW_HSM_ROOT] = "keyward-root",
    [KW_HSM_CA_SERVICES] = "keyward-ca-services",
    [KW_HSM_CA_PARTNERS] = "keyward-ca-partners",
    [KW_HSM_CA_OPERATORS] = "keyward-ca-operators",
    [KW_HSM_CA_STATIONS] = "keyward-ca-stations",
    [KW_HSM_CHECKPOINT] = "keyward-checkpoint",
    [KW_HSM_CARRIER] = "keyward-carrier",
};

const char *kw_hsm_kek_label(uint32_t version, char *label)
{
    (void)snprintf(label, KW_HSM_LABEL_SIZE, "keyward-kek-v%u", version);
    return label;
}

const char *kw_hsm_signer_label(enum kw_hsm_signer signer)
{
    return signer >= KW_HSM_SIGNER_FIRST && signer <= KW_HSM_CARRIER ? signer_labels[signer]
                                                                     : "keyward-none";
}

struct kw_hsm_object_id kw_hsm_object_id(const char *label, const uint8_t mark[KW_HSM_MARK_LEN])
{
    struct kw_hsm_object_id id = {.len = strlen(label) + KW_HSM_MARK_LEN};

    kw_copy(id.bytes, label, strlen(label));
    kw_copy(id.bytes + strlen(label), mark, KW_HSM_MARK_LEN);
    return id;
}

static struct kw_result search(struct kw_hsm_session *session, CK_ATTRIBUTE *template,
                               CK_ULONG attributes, CK_OBJECT_HANDLE *handles, CK_ULONG max,
                               CK_ULONG *ret_count, struct kw_error *err)
{
    struct kw_result result;
    CK_RV end;

    KW_TRY(KW_C(session, FindObjectsInit, template, attributes));
    result = KW_C(session, FindObjects, handles, max, ret_count);
    end = session->module->functions->C_FindObjectsFinal(session->handle);
    if (!kw_ok(result)) {
        session->calls[KW_C_FindObjectsFinal]++; /* counted; the first failure is what is told */
        return result;
    }
    return kw_hsm_session_result(session, KW_C_FindObjectsFinal, end, err);
}

struct kw_result kw_hsm_objects_find(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                     const char *label, CK_OBJECT_HANDLE *ret_handle,
                                     size_t *ret_count, struct kw_error *err)
{
    const CK_BBOOL token = CK_TRUE;
    CK_ATTRIBUTE template[] = {
        KW_CK_VALUE(CKA_CLASS, class),
        KW_CK_VALUE(CKA_TOKEN, token),
        KW_CK_BYTES(CKA_LABEL, label, strlen(label)),
    };
    CK_OBJECT_HANDLE handles[2] = {CK_INVALID_HANDLE, CK_INVALID_HANDLE};
    CK_ULONG count = 0;

    KW_TRY(search(session, template, KW_CK_COUNT(template), handles, KW_CK_COUNT(handles), &count,
                  err));
    *ret_handle = handles[0];
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_hsm_object_find(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                    const char *label, CK_OBJECT_HANDLE *ret_handle,
                                    struct kw_error *err)
{
    CK_OBJECT_HANDLE handle;
    size_t count;

    KW_TRY(kw_hsm_objects_find(session, class, label, &handle, &count, err));
    KW_ENSURE(count < 2, err, HSM_SELF_TEST, "more than one object is labelled \"%s\"", label);
    *ret_handle = count == 1 ? handle : CK_INVALID_HANDLE;
    return KW_OK;
}

struct kw_result kw_hsm_objects_count(struct kw_hsm_session *session, CK_ATTRIBUTE *template,
                                      CK_ULONG attributes, size_t max, size_t *ret_count,
                                      struct kw_error *err)
{
    CK_OBJECT_HANDLE handles[FETCH_MAX];
    CK_ULONG count = 0;

    KW_TRY(search(session, template, attributes, handles, max < FETCH_MAX ? max : FETCH_MAX, &count,
                  err));
    *ret_count = count;
    return KW_OK;
}

struct kw_result kw_hsm_objects_destroy(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                        const char *label, const uint8_t mark[KW_HSM_MARK_LEN],
                                        struct kw_error *err)
{
    const CK_BBOOL token = CK_TRUE;
    const struct kw_hsm_object_id id = kw_hsm_object_id(label, mark);
    CK_ATTRIBUTE template[] = {
        KW_CK_VALUE(CKA_CLASS, class),
        KW_CK_VALUE(CKA_TOKEN, token),
        KW_CK_BYTES(CKA_LABEL, label, strlen(label)),
        KW_CK_BYTES(CKA_ID, id.bytes, id.len),
    };
    CK_OBJECT_HANDLE handles[FETCH_MAX];
    CK_ULONG count = 0;

    KW_TRY(search(session, template, KW_CK_COUNT(template), handles, FETCH_MAX, &count, err));
    for (CK_ULONG i = 0; i < count; i++) {
        CK_RV rv = session->module->functions->C_DestroyObject(session->handle, handles[i]);

        KW_TRY(kw_hsm_session_result(session, KW_C_DestroyObject, rv, err));
    }
    return KW_OK;
}
