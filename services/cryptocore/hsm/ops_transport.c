/* PTK_CREATE: a transport key, made in the HSM, stored under the KEK, and enveloped for its owner.
 *
 * CMS wants the key's value, and no mechanism that both SoftHSM and CloudHSM have puts it into a
 * CMS message inside the HSM. So the value comes out once, wrapped under a key of one use that this
 * process knows, into the secret type, from there into the CMS message, and is wiped. It is the one
 * plaintext key of ours a worker sees whole besides derived keys; docs/security.md says so.
 */
#include "common/crypto/keywrap.h"
#include "common/pki/cms.h"
#include "services/cryptocore/hsm/entropy.h"
#include "services/cryptocore/hsm/operations.h"

#define KEY_LEN 32

/* A key of one use. */
static struct kw_result one_time_key(struct kw_hsm_session *session, struct kw_secret *ret_key,
                                     struct kw_error *err)
{
    KW_TRY(kw_secret_init(ret_key, KEY_LEN, err));
    return kw_hsm_random(session, ret_key->slot, KEY_LEN, err);
}

/* The value of an extractable session key. */
static struct kw_result value_of(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                 struct kw_secret *ret_value, struct kw_error *err)
{
    KW_SCOPED(kw_secret_done) struct kw_secret once = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object wrapping = {0};
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    KW_TRY(one_time_key(session, &once, err));
    KW_TRY(kw_hsm_key_import(session, &once, KW_HSM_USE_WRAP, &wrapping, err));
    KW_TRY(kw_hsm_key_wrap(session, wrapping.handle, key, wrapped, sizeof(wrapped), err));
    return kw_kwp_unwrap(&once, KW_BYTES_OF(wrapped), ret_value, err);
}

static struct kw_result envelope(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                 struct kw_bytes certificate, struct kw_buf *ret_der,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate recipient = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};

    KW_TRY(kw_certificate_from_der(&recipient, certificate, err));
    KW_TRY(value_of(session, key, &value, err));
    return kw_cms_seal(&value, &recipient, ret_der, err);
}

static struct kw_result store(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                              const struct kw_hsm_ptk_create *p, struct kw_ptk_binding *ret_stored,
                              struct kw_error *err)
{
    CK_OBJECT_HANDLE kek;

    *ret_stored = (struct kw_ptk_binding){
        .owner = p->owner, .version = p->version, .kek_version = p->kek_version};
    KW_TRY(kw_hsm_session_kek(session, p->kek_version, &kek, err));
    KW_TRY(kw_hsm_check_value(session, key, ret_stored->check, err));
    KW_TRY(kw_hsm_key_wrap(session, kek, key, ret_stored->wrapped, KW_HSM_WRAPPED_LEN, err));
    KW_TRY(kw_hsm_session_probe(session, err)); /* an HSM may be wrong the same way each time */
    KW_TRY(kw_hsm_ptk_binding_seal(session, ret_stored, err));
    return kw_hsm_ptk_prove(session, ret_stored, err);
}

struct kw_result kw_hsm_op_ptk_create(struct kw_hsm_session *session, struct kw_arena *arena,
                                      const struct kw_hsm_request *request,
                                      struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_ptk_create *p = &request->ptk_create;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_hsm_ptk_created created;

    KW_TRY(kw_hsm_key_generate(session, KW_HSM_USE_SIGN | KW_HSM_USE_EXTRACTABLE, &key, err));
    KW_TRY(store(session, key.handle, p, &created.stored, err));
    KW_TRY(envelope(session, key.handle, p->certificate, &der, err));
    KW_TRY(kw_arena_copy(arena, kw_buf_bytes(&der), &created.enveloped, err));
    answer->ptk = created;
    return KW_OK;
}
