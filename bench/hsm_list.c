/* The list. It follows services/cryptocore/hsm/ops_derive.c step by step; hsm_load compares the
 * counts of both, so that it cannot fall behind. */
#include "bench/hsm_load.h"
#include "common/crypto/kdf.h"
#include "common/lifecycle/fact.h"

#include <stdlib.h>

#define KDF_BLOCKS (KW_PARTNER_KEY_LEN / KW_KDF_BLOCK_LEN)

struct hsm_list {
    const struct kw_hsm_derive *derive;
    uint8_t device_input[KW_KEY_BINDING_INPUT_LEN];
    uint8_t transport_input[KW_PTK_BINDING_INPUT_LEN];
    struct kw_buf fact_inputs[KW_HSM_FACTS_MAX];
    struct kw_kdf_block blocks[KDF_BLOCKS];
    struct kw_secret partner_key;
};

struct hsm_list *hsm_list_new(const struct kw_hsm_derive *derive)
{
    struct hsm_list *list = bench_must(calloc(1, sizeof(*list)));
    uint8_t context[KW_PARTNER_KEY_CONTEXT_LEN];
    const struct kw_kdf_input input = {.label = KW_KDF_LABEL_PARTNER_KEY,
                                       .context = KW_BYTES_OF(context),
                                       .bits = 8 * KW_PARTNER_KEY_LEN};
    int made = kw_ok(kw_key_binding_input(&derive->device, list->device_input, NULL)) &&
               kw_ok(kw_ptk_binding_input(&derive->transport, list->transport_input, NULL)) &&
               kw_ok(kw_secret_init(&list->partner_key, KW_PARTNER_KEY_LEN, NULL));

    list->derive = derive;
    kw_kdf_partner_key_context(derive->partner, derive->epoch, derive->suite, context);
    for (uint32_t i = 0; i < KDF_BLOCKS; i++) {
        made = made && kw_ok(kw_kdf_block_input(&input, i + 1, &list->blocks[i], NULL));
    }
    for (size_t i = 0; i < derive->fact_count; i++) {
        made =
            made && kw_ok(kw_fact_mac_input(derive->facts[i].content, &list->fact_inputs[i], NULL));
    }
    bench_require(made, "list");
    return list;
}

static struct kw_result mac_check(struct kw_hsm_session *session, struct kw_bytes input,
                                  const uint8_t mac[KW_HSM_MAC_LEN], struct kw_error *err)
{
    uint8_t own[KW_HSM_MAC_LEN];

    KW_TRY(kw_hsm_cmac(session, session->mac_key, &input, 1, own, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES_OF(own), KW_BYTES(mac, KW_HSM_MAC_LEN)), err,
              BINDING_INVALID, "MAC");
    return KW_OK;
}

/* K_dev is unwrapped, makes both blocks of K_pd, and is destroyed. */
static struct kw_result derive_key(struct hsm_list *list, struct kw_hsm_session *session,
                                   CK_OBJECT_HANDLE kek, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object device = {0};

    KW_TRY(kw_hsm_key_unwrap(session, kek, KW_BYTES_OF(list->derive->device.wrapped),
                             KW_HSM_USE_SIGN, &device, err));
    for (size_t i = 0; i < KDF_BLOCKS; i++) {
        struct kw_bytes part = KW_BYTES(list->blocks[i].bytes, list->blocks[i].len);

        KW_TRY(kw_hsm_cmac(session, device.handle, &part, 1,
                           list->partner_key.slot + i * KW_KDF_BLOCK_LEN, err));
    }
    return KW_OK;
}

/* The transport key is unwrapped, wraps K_pd; both are destroyed. */
static struct kw_result wrap_key(struct hsm_list *list, struct kw_hsm_session *session,
                                 CK_OBJECT_HANDLE kek, struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object transport = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object delivered = {0};
    uint8_t wrapped[KW_HSM_WRAPPED_LEN];

    KW_TRY(kw_hsm_key_unwrap(session, kek, KW_BYTES_OF(list->derive->transport.wrapped),
                             KW_HSM_USE_WRAP, &transport, err));
    KW_TRY(kw_hsm_key_import(session, &list->partner_key, KW_HSM_USE_EXTRACTABLE, &delivered, err));
    return kw_hsm_key_wrap(session, transport.handle, delivered.handle, wrapped, sizeof(wrapped),
                           err);
}

struct kw_result hsm_list_run(struct hsm_list *list, struct kw_hsm_session *session,
                              struct kw_error *err)
{
    const struct kw_hsm_derive *derive = list->derive;
    CK_OBJECT_HANDLE kek;

    for (size_t i = 0; i < derive->fact_count; i++) {
        KW_TRY(mac_check(session, kw_buf_bytes(&list->fact_inputs[i]), derive->facts[i].mac, err));
    }
    KW_TRY(mac_check(session, KW_BYTES_OF(list->device_input), derive->device.mac, err));
    KW_TRY(kw_hsm_session_kek(session, derive->device.kek_version, &kek, err));
    KW_TRY(derive_key(list, session, kek, err));
    KW_TRY(mac_check(session, KW_BYTES_OF(list->transport_input), derive->transport.mac, err));
    return wrap_key(list, session, kek, err);
}
