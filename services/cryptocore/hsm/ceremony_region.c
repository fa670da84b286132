/* The ceremony of a further region, in two steps, and what the first region is asked meanwhile.
 *
 *     prepare: CAs, checkpoint key, carrier      receive: carrier ─▶ KEK, MAC key; canary
 *                                                finish:  the carrier goes
 */
#include "common/base/log.h"
#include "services/cryptocore/hsm/agree.h"
#include "services/cryptocore/hsm/ceremony_keys.h"
#include "services/cryptocore/hsm/template.h"

#include <string.h>

/* --- the first step --- */

static struct kw_result prepare(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    for (int s = KW_HSM_CA_SERVICES; s <= KW_HSM_CARRIER; s++) {
        KW_TRY(kw_hsm_ceremony_signer(&ceremony->session, (enum kw_hsm_signer)s, &ceremony->made,
                                      err));
    }
    return KW_OK;
}

struct kw_result kw_hsm_ceremony_prepare(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    struct kw_result result;

    KW_TRY(kw_hsm_ceremony_fresh(&ceremony->session, err));
    KW_TRY(kw_hsm_ceremony_begin(ceremony, err));
    result = prepare(ceremony, err);
    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(ceremony);
    }
    return result;
}

/* --- the second --- */

/* An unwrapping that is refused is held against the canary, so that comes first. */
static struct kw_result canary_make(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    struct kw_hsm_session *session = &ceremony->session;

    KW_TRY(kw_hsm_ceremony_canary(session, &ceremony->made, err));
    KW_TRY(kw_hsm_object_find(session, CKO_SECRET_KEY, KW_HSM_CANARY_LABEL, &session->canary, err));
    return kw_hsm_session_probe(session, err);
}

static struct kw_result carrier_find(struct kw_hsm_session *session, CK_OBJECT_HANDLE *ret_carrier,
                                     struct kw_error *err)
{
    const char *label = kw_hsm_signer_label(KW_HSM_CARRIER);

    KW_TRY(kw_hsm_object_find(session, CKO_PRIVATE_KEY, label, ret_carrier, err));
    KW_ENSURE(*ret_carrier != CK_INVALID_HANDLE, err, HSM_KEY_MISSING,
              "%s: the token waits for no keys", label);
    return KW_OK;
}

static struct kw_result check_compare(struct kw_hsm_session *session, CK_OBJECT_HANDLE key,
                                      const struct kw_hsm_carried_key *carried, const char *label,
                                      struct kw_error *err)
{
    uint8_t check[KW_HSM_CHECK_LEN];

    KW_TRY(kw_hsm_check_value(session, key, check, err));
    KW_LOG(INFO, "check values: as carried, and of the key that came", KW_F_STR("key", label),
           KW_F_HEX("carried", KW_BYTES_OF(carried->check)),
           KW_F_HEX("key_check", KW_BYTES_OF(check)));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(check), KW_BYTES_OF(carried->check)), err, BINDING_INVALID,
              "%s came with another check value", label);
    return KW_OK;
}

static struct kw_result mac_take(struct kw_hsm_ceremony *ceremony, CK_OBJECT_HANDLE wrapping,
                                 const struct kw_hsm_carried_key *carried, struct kw_error *err)
{
    struct kw_hsm_session *session = &ceremony->session;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};

    KW_TRY(kw_hsm_key_unwrap(session, wrapping, KW_BYTES_OF(carried->wrapped), KW_HSM_USE_SIGN,
                             &key, err));
    KW_TRY(check_compare(session, key.handle, carried, KW_HSM_MAC_LABEL, err));
    return kw_hsm_ceremony_settle(session, &key, KW_HSM_MAC_LABEL, KW_HSM_SETTLE_SIGNS,
                                  &ceremony->made, err);
}

static struct kw_result kek_take(struct kw_hsm_ceremony *ceremony, CK_OBJECT_HANDLE wrapping,
                                 const struct kw_hsm_carried_key *carried, struct kw_error *err)
{
    struct kw_hsm_session *session = &ceremony->session;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object key = {0};
    struct kw_hsm_template template;
    struct kw_hsm_template unwrapped;
    char label[KW_HSM_LABEL_SIZE];

    kw_hsm_template_kek(&template, &unwrapped, 0);
    KW_TRY(kw_hsm_key_unwrap_as(session, wrapping, KW_BYTES_OF(carried->wrapped), &template, &key,
                                err));
    KW_TRY(check_compare(session, key.handle, carried, kw_hsm_kek_label(1, label), err));
    return kw_hsm_ceremony_settle(session, &key, label, 0, &ceremony->made, err);
}

/* The canary's key under the KEK: 40 bytes by which two KEKs are told apart for certain. */
static struct kw_result proof_make(struct kw_hsm_session *session,
                                   uint8_t ret_proof[KW_HSM_WRAPPED_LEN], struct kw_error *err)
{
    static const uint8_t value[] = KW_HSM_CANARY_KEY;
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object known = {0};
    CK_OBJECT_HANDLE kek;

    KW_TRY(kw_hsm_session_kek(session, 1, &kek, err));
    KW_TRY(kw_secret_copy(&secret, KW_BYTES_OF(value), err));
    KW_TRY(kw_hsm_key_import(session, &secret, KW_HSM_USE_EXTRACTABLE, &known, err));
    return kw_hsm_key_wrap(session, kek, known.handle, ret_proof, KW_HSM_WRAPPED_LEN, err);
}

static struct kw_result proof_compare(struct kw_hsm_session *session,
                                      const struct kw_hsm_carried *carried, struct kw_error *err)
{
    uint8_t proof[KW_HSM_WRAPPED_LEN];

    KW_TRY(proof_make(session, proof, err));
    KW_ENSURE(kw_bytes_equal(KW_BYTES_OF(proof), KW_BYTES_OF(carried->kek_proof)), err,
              BINDING_INVALID, "the KEK that was carried is another one");
    return KW_OK;
}

static struct kw_result receive(struct kw_hsm_ceremony *ceremony, CK_OBJECT_HANDLE carrier,
                                const struct kw_hsm_carried *carried, struct kw_bytes info,
                                struct kw_error *err)
{
    struct kw_hsm_session *session = &ceremony->session;
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object wrapping = {0};

    KW_TRY(canary_make(ceremony, err));
    KW_TRY(kw_hsm_agree(session, carrier, KW_BYTES_OF(carried->ephemeral), info, &wrapping, err));
    KW_TRY(kek_take(ceremony, wrapping.handle, &carried->kek, err));
    KW_TRY(mac_take(ceremony, wrapping.handle, &carried->mac, err));
    KW_TRY(kw_hsm_ceremony_prove(session, err));
    return proof_compare(session, carried, err);
}

struct kw_result kw_hsm_ceremony_receive(struct kw_hsm_ceremony *ceremony,
                                         const struct kw_hsm_carried *carried, struct kw_bytes info,
                                         struct kw_error *err)
{
    CK_OBJECT_HANDLE carrier;
    struct kw_result result;

    KW_TRY(kw_hsm_ceremony_keyless(&ceremony->session, err));
    KW_TRY(carrier_find(&ceremony->session, &carrier, err));
    KW_TRY(kw_hsm_ceremony_begin(ceremony, err));
    result = receive(ceremony, carrier, carried, info, err);
    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(ceremony);
    }
    return result;
}

static struct kw_result carrier_destroy(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                        struct kw_error *err)
{
    CK_OBJECT_HANDLE handle;
    CK_RV rv;

    KW_TRY(kw_hsm_object_find(session, class, kw_hsm_signer_label(KW_HSM_CARRIER), &handle, err));
    if (handle == CK_INVALID_HANDLE) {
        return KW_OK;
    }
    rv = session->module->functions->C_DestroyObject(session->handle, handle);
    return kw_hsm_session_result(session, KW_C_DestroyObject, rv, err);
}

/* With the private half gone it is over, and nothing can be undone: a public half opens nothing. */
struct kw_result kw_hsm_ceremony_finish(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    struct kw_error left;

    KW_TRY(carrier_destroy(&ceremony->session, CKO_PRIVATE_KEY, err));
    if (!kw_ok(carrier_destroy(&ceremony->session, CKO_PUBLIC_KEY, &left))) {
        KW_LOG(WARN, "the carrier's public half is left on the token", KW_F_ERR(&left));
    }
    return KW_OK;
}

/* --- the first region, asked what it has --- */

struct kw_result kw_hsm_ceremony_compare(struct kw_hsm_ceremony *ceremony,
                                         const struct kw_hsm_carried *carried, struct kw_error *err)
{
    struct kw_hsm_session *session = &ceremony->session;

    KW_TRY(kw_hsm_session_keys(session, err));
    KW_TRY(check_compare(session, session->mac_key, &carried->mac, KW_HSM_MAC_LABEL, err));
    return proof_compare(session, carried, err);
}

/* --- which token it is --- */

/* PKCS#11 pads with blanks. */
static void text_take(char *text, size_t size, const unsigned char *padded, size_t len)
{
    while (len > 0 && padded[len - 1] == ' ') {
        len--;
    }
    memcpy(text, padded, len < size ? len : size - 1);
    text[len < size ? len : size - 1] = '\0';
}

struct kw_result kw_hsm_ceremony_token(struct kw_hsm_ceremony *ceremony,
                                       struct kw_hsm_token_info *ret_info, struct kw_error *err)
{
    CK_TOKEN_INFO info;
    CK_RV rv =
        ceremony->module.functions->C_GetTokenInfo(kw_hsm_module_slot(&ceremony->module), &info);

    KW_ENSURE(rv == CKR_OK, err, HSM_UNAVAILABLE, "C_GetTokenInfo: 0x%lx", rv);
    *ret_info = (struct kw_hsm_token_info){.label = ""};
    text_take(ret_info->label, sizeof(ret_info->label), info.label, sizeof(info.label));
    text_take(ret_info->maker, sizeof(ret_info->maker), info.manufacturerID,
              sizeof(info.manufacturerID));
    text_take(ret_info->model, sizeof(ret_info->model), info.model, sizeof(info.model));
    text_take(ret_info->serial, sizeof(ret_info->serial), info.serialNumber,
              sizeof(info.serialNumber));
    return KW_OK;
}
