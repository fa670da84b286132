/* The public key of a certificate or request. */
#include "common/pki/x509.h"

struct kw_result kw_x509_pubkey_read(X509_PUBKEY *spki, struct kw_public_key *ret_key,
                                     struct kw_error *err)
{
    struct kw_spki key = {0};
    uint8_t *at = key.bytes;
    int len = i2d_X509_PUBKEY(spki, NULL);

    KW_ENSURE(len > 0 && len <= KW_SPKI_LEN_MAX, err, ARGUMENT_INVALID,
              "public key of %d bytes is not on P-256 or P-384", len);
    key.len = (size_t)i2d_X509_PUBKEY(spki, &at);
    return kw_public_key_from_spki(ret_key, kw_spki_bytes(&key), err);
}

const ASN1_IA5STRING *kw_x509_only_uri(const GENERAL_NAMES *names)
{
    const ASN1_IA5STRING *found = NULL;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != GEN_URI) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = name->d.uniformResourceIdentifier;
    }
    return found;
}
