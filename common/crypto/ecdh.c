/* ECDH on P-384 by OpenSSL's EVP_PKEY_derive; the shared secret goes from its buffer into the KDF
 * and no further. */
#include "common/crypto/ecdh.h"

#include "common/crypto/kdf.h"
#include "common/crypto/openssl.h"

#define P384_SHARED_LEN 48

static struct kw_result shared_secret(const struct kw_private_key *own,
                                      const struct kw_public_key *peer, struct kw_secret *ret_z,
                                      struct kw_error *err)
{
    KW_SCOPED(kw_openssl_pkey_ctx_done) EVP_PKEY_CTX *context = NULL;
    size_t len = P384_SHARED_LEN;

    KW_ENSURE(own->curve == KW_CURVE_P384 && peer->curve == KW_CURVE_P384, err, ARGUMENT_INVALID,
              "ECDH keys must be on P-384");
    context = EVP_PKEY_CTX_new_from_pkey(NULL, own->evp, NULL);
    KW_ENSURE(context != NULL, err, MEMORY, "ECDH context");
    KW_TRY(kw_secret_init(ret_z, P384_SHARED_LEN, err));
    KW_ENSURE(EVP_PKEY_derive_init(context) == 1 &&
                  EVP_PKEY_derive_set_peer(context, peer->evp) == 1 &&
                  EVP_PKEY_derive(context, ret_z->slot, &len) == 1 && len == P384_SHARED_LEN,
              err, CRYPTO, "ECDH: %s", kw_openssl_reason());
    return KW_OK;
}

struct kw_result kw_ecdh_send(const struct kw_public_key *receiver, struct kw_bytes info,
                              size_t len, uint8_t ret_ephemeral[KW_P384_POINT_LEN],
                              struct kw_secret *ret_key, struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key ephemeral = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret z = {0};

    KW_TRY(kw_private_key_generate(&ephemeral, KW_CURVE_P384, err));
    KW_TRY(kw_private_key_public(&ephemeral, &public, err));
    KW_TRY(shared_secret(&ephemeral, receiver, &z, err));
    KW_TRY(kw_public_key_to_point(&public, ret_ephemeral, err));
    return kw_kdf_x963_sha384(&z, info, len, ret_key, err);
}

struct kw_result kw_ecdh_receive(const struct kw_private_key *receiver, struct kw_bytes ephemeral,
                                 struct kw_bytes info, size_t len, struct kw_secret *ret_key,
                                 struct kw_error *err)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key sender = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret z = {0};

    KW_TRY(kw_public_key_from_point(&sender, ephemeral, err));
    KW_TRY(shared_secret(receiver, &sender, &z, err));
    return kw_kdf_x963_sha384(&z, info, len, ret_key, err);
}
