/* What certificates, requests and envelopes have in common: keys, names, and the one spelling. */
#include "common/pki/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>

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

bool kw_x509_spelled(const void *object, const ASN1_ITEM *item, struct kw_bytes der)
{
    uint8_t *again = NULL;
    int len = ASN1_item_i2d((const ASN1_VALUE *)object, &again, item);
    bool spelled = len > 0 && kw_bytes_equal(KW_BYTES(again, (size_t)len), der);

    OPENSSL_free(again);
    return spelled;
}

/* Without a callback OpenSSL would ask the terminal for the password of what says it is encrypted. */
static int no_password(char *text, int size, int writing, void *context)
{
    (void)text, (void)size, (void)writing, (void)context;
    return -1;
}

/* True when PEM reading stopped because there is nothing more, not because it is malformed. */
static bool pem_ended(void)
{
    unsigned long last = ERR_peek_last_error();
    bool ended = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;

    if (ended) {
        ERR_clear_error();
    }
    return ended;
}

struct kw_result kw_x509_pem_next(BIO *bio, struct kw_certificate *certificate,
                                  struct kw_error *err)
{
    struct kw_result result;
    uint8_t *der = NULL;
    long len = 0;

    if (PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509, bio, no_password, NULL) != 1) {
        KW_ENSURE(pem_ended(), err, ARGUMENT_INVALID, "certificate PEM: %s", kw_openssl_reason());
        return KW_OK;
    }
    result = kw_certificate_from_der(certificate, KW_BYTES(der, (size_t)len), err);
    OPENSSL_free(der);
    return result;
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
