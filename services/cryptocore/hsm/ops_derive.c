/* DERIVE: what a partner is given. K_pd by SP 800-108 with K_dev in the HSM, the session keys from
 * it, either of them wrapped under the partner's transport key, and the envelope's MAC by the
 * delivered key itself.
 *
 * The KDF runs as one C_Sign a block on every provider, since that is what can be tested here. So
 * K_pd passes through this process, in the secret type, and an HSM's own KDF mechanism (provider
 * table) would end that.
 */
#include "common/crypto/cmac.h"
#include "common/crypto/kdf.h"
#include "services/cryptocore/hsm/operations.h"

/* K_pd: the blocks of the KDF, signed by K_dev, straight into a secret. */
static struct kw_result partner_key(struct kw_hsm_session *session, CK_OBJECT_HANDLE device_key,
                                    const struct kw_hsm_derive *d, struct kw_secret *ret_key,
                                    struct kw_error *err)
{
    uint8_t context[KW_PARTNER_KEY_CONTEXT_LEN];
    struct kw_kdf_input input = {
        .label = KW_KDF_LABEL_PARTNER_KEY,
        .context = KW_BYTES_OF(context),
        .bits = 8 * KW_PARTNER_KEY_LEN,
    };

    kw_kdf_partner_key_context(d->partner, d->epoch, d->suite, context);
    KW_TRY(kw_secret_init(ret_key, KW_PARTNER_KEY_LEN, err));
    for (uint32_t i = 1; i <= kw_kdf_block_count(input.bits); i++) {
        struct kw_kdf_block block;
        struct kw_bytes part;

        KW_TRY(kw_kdf_block_input(&input, i, &block, err));
        part = KW_BYTES(block.bytes, block.len);
        KW_TRY(kw_hsm_cmac(session, device_key, &part, 1,
                           ret_key->slot + (size_t)(i - 1) * KW_KDF_BLOCK_LEN, err));
    }
    return KW_OK;
}

static struct kw_result session_keys(const struct kw_hsm_derive *d, const struct kw_secret *key,
                                     struct kw_secret *ret_keys, struct kw_error *err)
{
    struct kw_session_context context = {.counter = d->counter};

    kw_copy(context.nonce_app, d->nonce_app, sizeof(context.nonce_app));
    kw_copy(context.nonce_pen, d->nonce_pen, sizeof(context.nonce_pen));
    return kw_kdf_session_keys(key, &context, ret_keys, err);
}

/* What is delivered, and the key that its envelope is MACed by. */
static struct kw_result derive_keys(struct kw_hsm_session *session, const struct kw_hsm_derive *d,
                                    struct kw_secret *ret_delivered, struct kw_secret *ret_auth,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object device = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_bytes auth;

    KW_TRY(kw_hsm_device_open(session, &d->device, &device, err));
    KW_TRY(partner_key(session, device.handle, d, &key, err));
    if (d->kind == KW_HSM_RELEASE) {
        KW_TRY(kw_secret_copy(ret_delivered, kw_secret_bytes(&key), err));
        return kw_secret_copy(ret_auth, kw_secret_bytes(&key), err);
    }
    KW_TRY(session_keys(d, &key, ret_delivered, err));
    auth = KW_BYTES(ret_delivered->slot + KW_SESSION_ENC_LEN, KW_SESSION_AUTH_LEN);
    return kw_secret_copy(ret_auth, auth, err);
}

static struct kw_result deliver(struct kw_hsm_session *session, const struct kw_hsm_derive *d,
                                const struct kw_secret *key, struct kw_hsm_derived *derived,
                                struct kw_error *err)
{
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object transport = {0};
    KW_SCOPED(kw_hsm_object_done) struct kw_hsm_object delivered = {0};

    derived->wrapped_len =
        d->kind == KW_HSM_RELEASE ? KW_HSM_WRAPPED_LEN : KW_HSM_SESSION_WRAPPED_LEN;
    KW_TRY(kw_hsm_ptk_open(session, &d->transport, KW_HSM_USE_WRAP, &transport, err));
    KW_TRY(kw_hsm_key_import(session, key, KW_HSM_USE_EXTRACTABLE, &delivered, err));
    return kw_hsm_key_wrap(session, transport.handle, delivered.handle, derived->wrapped,
                           derived->wrapped_len, err);
}

struct kw_result kw_hsm_op_derive(struct kw_hsm_session *session, struct kw_arena *arena,
                                  const struct kw_hsm_request *request,
                                  struct kw_hsm_answer *answer, struct kw_error *err)
{
    const struct kw_hsm_derive *d = &request->derive;
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret auth = {0};
    struct kw_hsm_derived derived = {0};

    (void)arena;
    KW_ENSURE(kw_id_equal(d->transport.owner, d->partner), err, BINDING_INVALID,
              "the transport key is another owner's");
    KW_TRY(kw_hsm_facts_verify(session, d->facts, d->fact_count, err));
    KW_TRY(derive_keys(session, d, &key, &auth, err));
    KW_TRY(deliver(session, d, &key, &derived, err));
    KW_TRY(kw_cmac_aes256(
        &auth, (struct kw_bytes[]){d->envelope, KW_BYTES(derived.wrapped, derived.wrapped_len)}, 2,
        derived.mac, err));
    answer->derived = derived;
    return KW_OK;
}
