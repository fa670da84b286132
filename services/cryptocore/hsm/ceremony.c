/* The ceremony as a whole: a token of ours or none, all keys or none. */
#include "services/cryptocore/hsm/ceremony.h"

#include "common/base/arena.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "services/cryptocore/hsm/ceremony_keys.h"
#include "services/cryptocore/hsm/objects.h"
#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/self_test.h"
#include "services/cryptocore/hsm/signer.h"
#include "services/cryptocore/hsm/wire.h"

#include <stdlib.h>

struct kw_result kw_hsm_ceremony_new(const struct kw_hsm_token *token,
                                     struct kw_hsm_ceremony **ret_ceremony, struct kw_error *err)
{
    struct kw_hsm_token_settings settings = {token->provider, token->module_path,
                                             token->token_label, token->pin_path, token->lock_path};
    struct kw_hsm_ceremony *ceremony = calloc(1, sizeof(*ceremony));
    struct kw_result result;

    KW_ENSURE(ceremony != NULL, err, MEMORY, "ceremony");
    result = kw_hsm_module_open(&ceremony->module, &settings, err);
    if (kw_ok(result)) {
        result = kw_hsm_session_open(&ceremony->session, &ceremony->module, KW_HSM_READ_WRITE, err);
    }
    if (!kw_ok(result)) {
        kw_hsm_ceremony_free(ceremony);
        return result;
    }
    *ret_ceremony = ceremony;
    return KW_OK;
}

void kw_hsm_ceremony_free(struct kw_hsm_ceremony *ceremony)
{
    if (ceremony == NULL) {
        return;
    }
    kw_arena_free(ceremony->arena);
    kw_hsm_session_close(&ceremony->session);
    kw_hsm_module_close(&ceremony->module);
    free(ceremony);
}

struct kw_result kw_hsm_ceremony_absent(struct kw_hsm_session *session, CK_OBJECT_CLASS class,
                                        const char *label, struct kw_error *err)
{
    CK_OBJECT_HANDLE handle;
    size_t count;

    KW_TRY(kw_hsm_objects_find(session, class, label, &handle, &count, err));
    KW_ENSURE(count == 0, err, ALREADY_EXISTS, "the token already holds %s", label);
    return KW_OK;
}

static struct kw_result signer_absent(struct kw_hsm_session *session, enum kw_hsm_signer signer,
                                      struct kw_error *err)
{
    const char *label = kw_hsm_signer_label(signer);

    KW_TRY(kw_hsm_ceremony_absent(session, CKO_PRIVATE_KEY, label, err));
    return kw_hsm_ceremony_absent(session, CKO_PUBLIC_KEY, label, err);
}

struct kw_result kw_hsm_ceremony_keyless(struct kw_hsm_session *session, struct kw_error *err)
{
    char label[KW_HSM_LABEL_SIZE];

    for (uint32_t version = 1; version <= KW_HSM_KEK_VERSIONS_MAX; version++) {
        KW_TRY(
            kw_hsm_ceremony_absent(session, CKO_SECRET_KEY, kw_hsm_kek_label(version, label), err));
    }
    KW_TRY(kw_hsm_ceremony_absent(session, CKO_SECRET_KEY, KW_HSM_MAC_LABEL, err));
    KW_TRY(kw_hsm_ceremony_absent(session, CKO_SECRET_KEY, KW_HSM_CANARY_LABEL, err));
    return signer_absent(session, KW_HSM_ROOT, err);
}

/* Whatever version: a ceremony never adds to keys that are there. */
struct kw_result kw_hsm_ceremony_fresh(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_TRY(kw_hsm_ceremony_keyless(session, err));
    for (int s = KW_HSM_CA_SERVICES; s <= KW_HSM_CARRIER; s++) {
        KW_TRY(signer_absent(session, (enum kw_hsm_signer)s, err));
    }
    return KW_OK;
}

struct kw_result kw_hsm_ceremony_prove(struct kw_hsm_session *session, struct kw_error *err)
{
    KW_TRY(kw_hsm_session_keys(session, err));
    KW_TRY(kw_hsm_self_test(session, err));
    KW_ENSURE(!session->littered, err, HSM, "a key of the ceremony could not be destroyed");
    return KW_OK;
}

static struct kw_result keys_make(struct kw_hsm_session *session, struct kw_bytes recovery_spki,
                                  const struct kw_hsm_made *made, struct kw_hsm_keys_made *ret_keys,
                                  struct kw_error *err)
{
    KW_TRY(kw_hsm_ceremony_secrets(session, recovery_spki, made, ret_keys, err));
    for (int s = KW_HSM_SIGNER_FIRST; s <= KW_HSM_SIGNER_LAST; s++) {
        KW_TRY(kw_hsm_ceremony_signer(session, (enum kw_hsm_signer)s, made, err));
    }
    return kw_hsm_ceremony_prove(session, err);
}

static struct kw_result made_remove(struct kw_hsm_session *session, const uint8_t *mark,
                                    struct kw_error *err)
{
    char label[KW_HSM_LABEL_SIZE];

    KW_TRY(kw_hsm_objects_destroy(session, CKO_SECRET_KEY, kw_hsm_kek_label(1, label), mark, err));
    KW_TRY(kw_hsm_objects_destroy(session, CKO_SECRET_KEY, KW_HSM_MAC_LABEL, mark, err));
    KW_TRY(kw_hsm_objects_destroy(session, CKO_SECRET_KEY, KW_HSM_CANARY_LABEL, mark, err));
    for (int s = KW_HSM_SIGNER_FIRST; s <= KW_HSM_CARRIER; s++) {
        const char *signer = kw_hsm_signer_label((enum kw_hsm_signer)s);

        KW_TRY(kw_hsm_objects_destroy(session, CKO_PRIVATE_KEY, signer, mark, err));
        KW_TRY(kw_hsm_objects_destroy(session, CKO_PUBLIC_KEY, signer, mark, err));
    }
    return KW_OK;
}

/* A session that was lost half-way is replaced. What answers then may be another token, or hold
 * another ceremony's keys under our labels: those bear another mark. */
static struct kw_result keys_unmake(struct kw_hsm_session *session, const struct kw_hsm_made *made,
                                    struct kw_error *err)
{
    if (kw_ok(made_remove(session, made->mark, err))) {
        return KW_OK;
    }
    KW_TRY(kw_hsm_session_reconnect(session, err));
    return made_remove(session, made->mark, err);
}

void kw_hsm_ceremony_unmake(struct kw_hsm_ceremony *ceremony)
{
    struct kw_error err;

    if (ceremony == NULL || !ceremony->made.begun) {
        return;
    }
    ceremony->made.begun = false;
    if (!kw_ok(keys_unmake(&ceremony->session, &ceremony->made, &err))) {
        KW_LOG(ERROR, "keys of a ceremony that failed may be left on the token", KW_F_ERR(&err));
    }
}

struct kw_result kw_hsm_ceremony_begin(struct kw_hsm_ceremony *ceremony, struct kw_error *err)
{
    KW_TRY(kw_random(ceremony->made.mark, sizeof(ceremony->made.mark), err));
    ceremony->made.begun = true;
    return KW_OK;
}

struct kw_result kw_hsm_ceremony_make(struct kw_hsm_ceremony *ceremony,
                                      struct kw_bytes recovery_spki,
                                      struct kw_hsm_keys_made *ret_made, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made keys = {0};
    struct kw_result result;

    KW_TRY(kw_hsm_ceremony_fresh(&ceremony->session, err));
    KW_TRY(kw_hsm_ceremony_begin(ceremony, err));
    result = keys_make(&ceremony->session, recovery_spki, &ceremony->made, &keys, err);
    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(ceremony);
        return result;
    }
    *ret_made = keys;
    keys = (struct kw_hsm_keys_made){0};
    return KW_OK;
}

void kw_hsm_keys_made_done(struct kw_hsm_keys_made *made)
{
    if (made != NULL) {
        kw_buf_done(&made->blob);
    }
}

struct kw_result kw_hsm_ceremony_run(struct kw_hsm_ceremony *ceremony,
                                     const struct kw_hsm_request *request,
                                     struct kw_hsm_answer *ret_answer, struct kw_error *err)
{
    KW_TRY(kw_hsm_request_check(request, err));
    if (!ceremony->loaded && !ceremony->session.whole) {
        KW_TRY(kw_hsm_session_keys(&ceremony->session, err));
    }
    ceremony->loaded = true;
    kw_arena_free(ceremony->arena);
    ceremony->arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    KW_ENSURE(ceremony->arena != NULL, err, MEMORY, "ceremony");
    kw_hsm_run(&ceremony->session, ceremony->arena, request, ret_answer);
    if (!kw_ok(ret_answer->result) && err != NULL) {
        *err = ret_answer->error;
    }
    return ret_answer->result;
}
