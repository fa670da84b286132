/* Reading certificates. */
#include "common/pki/certificate.h"

#include "common/base/limits.h"
#include "common/pki/x509.h"

#include <limits.h>
#include <openssl/pem.h>
#include <time.h>

#define MS_PER_S 1000U

/* Of the signed part OpenSSL keeps the bytes and gives them back as they came: its issuer's signature
 * leaves nobody a choice there. */
struct kw_result kw_certificate_from_der(struct kw_certificate *certificate, struct kw_bytes der,
                                         struct kw_error *err)
{
    const uint8_t *at = der.data;
    KW_SCOPED(kw_x509_done) X509 *x509 = NULL;

    KW_ENSURE(der.len > 0 && der.len <= KW_CERTIFICATE_LEN_MAX, err, ARGUMENT_INVALID,
              "certificate of %zu bytes", der.len);
    x509 = d2i_X509(NULL, &at, (long)der.len);
    KW_ENSURE(x509 != NULL, err, ARGUMENT_INVALID, "certificate: %s", kw_openssl_reason());
    KW_ENSURE(at == der.data + der.len, err, ARGUMENT_INVALID, "certificate: bytes after its end");
    KW_ENSURE(kw_x509_spelled(x509, ASN1_ITEM_rptr(X509), der), err, ARGUMENT_INVALID,
              "certificate: not in DER's one spelling");
    certificate->x509 = x509;
    x509 = NULL;
    return KW_OK;
}

struct kw_result kw_certificate_from_pem(struct kw_certificate *certificate, struct kw_bytes pem,
                                         struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done) BIO *bio = NULL;

    KW_ENSURE(pem.len > 0 && pem.len <= INT_MAX, err, ARGUMENT_INVALID, "PEM of %zu bytes",
              pem.len);
    bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    KW_TRY(kw_x509_pem_next(bio, certificate, err));
    KW_ENSURE(certificate->x509 != NULL, err, ARGUMENT_INVALID, "certificate PEM: none in it");
    return KW_OK;
}

void kw_certificate_done(struct kw_certificate *certificate)
{
    if (certificate != NULL) {
        X509_free(certificate->x509);
        *certificate = (struct kw_certificate){0};
    }
}

struct kw_result kw_certificate_to_der(const struct kw_certificate *certificate,
                                       struct kw_buf *ret_der, struct kw_error *err)
{
    int len = i2d_X509(certificate->x509, NULL);
    uint8_t *at;

    KW_ENSURE(len > 0, err, CRYPTO, "certificate: %s", kw_openssl_reason());
    KW_TRY(kw_buf_reserve(ret_der, (size_t)len, err));
    at = ret_der->data + ret_der->len;
    KW_ENSURE(i2d_X509(certificate->x509, &at) == len, err, CRYPTO, "certificate: %s",
              kw_openssl_reason());
    ret_der->len += (size_t)len;
    return KW_OK;
}

struct kw_result kw_certificate_to_pem(const struct kw_certificate *certificate,
                                       struct kw_buf *ret_pem, struct kw_error *err)
{
    KW_SCOPED(kw_openssl_bio_done) BIO *bio = BIO_new(BIO_s_mem());

    KW_ENSURE(bio != NULL, err, MEMORY, "BIO");
    KW_ENSURE(PEM_write_bio_X509(bio, certificate->x509) == 1, err, CRYPTO, "certificate PEM: %s",
              kw_openssl_reason());
    return kw_openssl_take(bio, ret_pem, err);
}

struct kw_result kw_certificate_identity(const struct kw_certificate *certificate,
                                         const char *trust_domain, struct kw_spiffe *ret_id,
                                         struct kw_error *err)
{
    KW_SCOPED(kw_general_names_done) GENERAL_NAMES *names = NULL;
    const ASN1_IA5STRING *uri;
    struct kw_spiffe id;

    /* NULL also when the extension is there twice, so that no reader may choose between them. */
    names = X509_get_ext_d2i(certificate->x509, NID_subject_alt_name, NULL, NULL);
    KW_ENSURE(names != NULL, err, IDENTITY_INVALID, "certificate: not one readable SAN extension");
    uri = kw_x509_only_uri(names);
    KW_ENSURE(uri != NULL, err, IDENTITY_INVALID, "certificate: not exactly one URI SAN");
    KW_TRY(kw_spiffe_parse(KW_BYTES(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)),
                           &id, err));
    KW_ENSURE(strcmp(id.trust_domain, trust_domain) == 0, err, IDENTITY_INVALID,
              "certificate: trust domain %s is not %s", id.trust_domain, trust_domain);
    *ret_id = id;
    return KW_OK;
}

struct kw_result kw_certificate_fingerprint(const struct kw_certificate *certificate,
                                            uint8_t ret_fingerprint[KW_SHA256_LEN],
                                            struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    KW_TRY(kw_certificate_to_der(certificate, &der, err));
    return kw_sha256(kw_buf_bytes(&der), ret_fingerprint, err);
}

struct kw_result kw_certificate_serial(const struct kw_certificate *certificate,
                                       struct kw_serial *ret_serial, struct kw_error *err)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate->x509);
    size_t len = (size_t)ASN1_STRING_length(serial);
    const uint8_t *data = ASN1_STRING_get0_data(serial);

    KW_ENSURE(ASN1_STRING_type(serial) == V_ASN1_INTEGER && len > 0 && len <= KW_SERIAL_LEN_MAX &&
                  data[0] != 0,
              err, ARGUMENT_INVALID, "certificate: the serial is not positive or too long");
    kw_copy(ret_serial->bytes, data, len);
    ret_serial->len = len;
    return KW_OK;
}

static struct kw_result time_ms(const ASN1_TIME *time, uint64_t *ret_ms, struct kw_error *err)
{
    struct tm parts = {0};
    time_t seconds;

    KW_ENSURE(ASN1_TIME_to_tm(time, &parts) == 1, err, ARGUMENT_INVALID, "certificate: %s",
              kw_openssl_reason());
    seconds = timegm(&parts);
    KW_ENSURE(seconds >= 0, err, ARGUMENT_INVALID, "certificate: a date before 1970");
    *ret_ms = (uint64_t)seconds * MS_PER_S;
    return KW_OK;
}

struct kw_result kw_certificate_validity(const struct kw_certificate *certificate,
                                         struct kw_validity *ret_validity, struct kw_error *err)
{
    struct kw_validity validity;

    KW_TRY(time_ms(X509_get0_notBefore(certificate->x509), &validity.not_before_ms, err));
    KW_TRY(time_ms(X509_get0_notAfter(certificate->x509), &validity.not_after_ms, err));
    *ret_validity = validity;
    return KW_OK;
}

struct kw_result kw_certificate_public_key(const struct kw_certificate *certificate,
                                           struct kw_public_key *ret_key, struct kw_error *err)
{
    return kw_x509_pubkey_read(X509_get_X509_PUBKEY(certificate->x509), ret_key, err);
}
