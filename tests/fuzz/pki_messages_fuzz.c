/* What the PKI is sent: certificate requests (PKCS#10), keys in every form that comes from outside, and, behind a first
 * byte 'c', CMS EnvelopedData for the test recipient's key, read by us and by the partner SDK.
 */
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/pki/renewal.h"
#include "sdk/partner/keyward_partner.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/cms.h>

static struct kw_private_key recipient_key;
static struct kw_certificate recipient;

static void set_up(void)
{
    struct kw_buf key_pem = kw_fuzz_load("keys/recipient.key.pem");
    struct kw_buf pem = kw_fuzz_load("keys/recipient.pem");

    KW_FUZZ_MUST(kw_private_key_from_pem(&recipient_key, kw_buf_bytes(&key_pem), NULL));
    KW_FUZZ_MUST(kw_certificate_from_pem(&recipient, kw_buf_bytes(&pem), NULL));
    kw_buf_done(&key_pem);
    kw_buf_done(&pem);
}

/* DER has one spelling: what is accepted is written as it came. */
static void written_again(int len, uint8_t *bytes, struct kw_bytes der)
{
    KW_FUZZ_CHECK(len > 0 && kw_bytes_equal(KW_BYTES(bytes, (size_t)len), der));
    OPENSSL_free(bytes);
}

static void envelope_again(struct kw_bytes der)
{
    const uint8_t *at = der.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)der.len);
    uint8_t *bytes = NULL;
    int len = i2d_CMS_ContentInfo(cms, &bytes);

    written_again(len, bytes, der);
    CMS_ContentInfo_free(cms);
}

static void request_again(struct kw_bytes der)
{
    const uint8_t *at = der.data;
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    uint8_t *bytes = NULL;
    int len;

    KW_FUZZ_CHECK(i2d_re_X509_REQ_tbs(request, NULL) > 0);
    len = i2d_X509_REQ(request, &bytes);
    written_again(len, bytes, der);
    X509_REQ_free(request);
}

/* What both readers open is the same. */
static void envelope(struct kw_bytes der)
{
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};
    uint8_t transport_key[KW_PARTNER_KEY_SIZE];
    struct kw_error err = {0};
    bool ours = kw_fuzz_accepted(kw_cms_open(der, &recipient_key, &recipient, &secret, &err), &err);
    bool theirs = kw_partner_transport_open(der.data, der.len, recipient_key.evp, recipient.x509,
                                            transport_key) == KW_PARTNER_OK;

    KW_FUZZ_CHECK(!ours || (secret.len > 0 && secret.len <= KW_SECRET_LEN_MAX));
    if (ours || theirs) {
        envelope_again(der);
    }
    KW_FUZZ_CHECK(!ours || !theirs ||
                  kw_bytes_equal(kw_secret_bytes(&secret), KW_BYTES_OF(transport_key)));
}

static void request(struct kw_bytes der)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_error err = {0};
    struct kw_spki spki;

    if (kw_fuzz_accepted(kw_csr_verify(der, &key, &err), &err)) {
        request_again(der);
        KW_FUZZ_MUST(kw_public_key_spki(&key, &spki, NULL));
        KW_FUZZ_CHECK(
            !kw_fuzz_accepted(kw_renewal_verify(&key, der, kw_bytes_str("none"), &err), &err));
    }
}

/* A key has one spelling. */
static void spki(struct kw_bytes der)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_error err = {0};
    struct kw_spki again;

    if (kw_fuzz_accepted(kw_public_key_from_spki(&key, der, &err), &err)) {
        KW_FUZZ_MUST(kw_public_key_spki(&key, &again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(kw_spki_bytes(&again), der));
    }
}

static void point(struct kw_bytes bytes)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_error err = {0};
    uint8_t again[KW_P384_POINT_LEN];

    if (kw_fuzz_accepted(kw_public_key_from_point(&key, bytes, &err), &err)) {
        KW_FUZZ_MUST(kw_public_key_to_point(&key, again, NULL));
        KW_FUZZ_CHECK(kw_bytes_equal(KW_BYTES_OF(again), bytes));
    }
}

static void pem(struct kw_bytes text)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_private_key_from_pem(&key, text, &err), &err)) {
        KW_FUZZ_MUST(kw_private_key_public(&key, &half, NULL));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes bytes = KW_BYTES(data, size);

    if (recipient.x509 == NULL) {
        set_up();
    }
    if (size > 0 && data[0] == 'c') {
        envelope(KW_BYTES(data + 1, size - 1));
    } else if (size > 0 && data[0] == '-') {
        pem(bytes);
    } else {
        request(bytes);
        spki(bytes);
        point(bytes);
    }
    return 0;
}
