/* sdk/partner opens what the core seals: CMS by common/pki, made for a transport certificate. */
#include "common/pki/cms.h"
#include "sdk/partner/keyward_partner.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/cms.h>
#include <openssl/err.h>

static struct kw_error err;
static struct pki_fixture pki;
static struct pki_pair member; /* the owner of the transport key */
static struct kw_buf cms;
static const uint8_t transport_key[KW_PARTNER_KEY_SIZE] = {1, 2, 3};

static void seal(struct kw_bytes secret_bytes)
{
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};

    kw_buf_clear(&cms);
    cr_assert(kw_ok(kw_secret_copy(&secret, secret_bytes, &err)));
    cr_assert(kw_ok(kw_cms_seal(&secret, &member.certificate, &cms, &err)), "%s", err.message);
}

static void setup(void)
{
    struct kw_spiffe id = pki_caller(KW_ROLE_PARTNER, 1);

    pki_fixture_init(&pki);
    member = pki_leaf(&pki.issuing, &id, KW_USAGE_TRANSPORT);
    seal(KW_BYTES_OF(transport_key));
}

static void teardown(void)
{
    kw_buf_done(&cms);
    pki_pair_done(&member);
    pki_fixture_done(&pki);
}

TestSuite(partner_cms, .init = setup, .fini = teardown);

static enum kw_partner_result open_by(const struct pki_pair *pair, size_t size)
{
    uint8_t opened[KW_PARTNER_KEY_SIZE] = {0};
    enum kw_partner_result result =
        kw_partner_transport_open(cms.data, size, pair->key.evp, pair->certificate.x509, opened);

    if (result == KW_PARTNER_OK) {
        cr_assert_eq(memcmp(opened, transport_key, sizeof(opened)), 0);
    } else {
        cr_assert_eq(opened[0], 0, "written on a refusal");
    }
    cr_assert_eq(ERR_peek_error(), 0, "left in OpenSSL's queue");
    return result;
}

Test(partner_cms, opens_with_its_own_key)
{
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_OK);
}

Test(partner_cms, does_not_open_with_anothers)
{
    struct kw_spiffe id = pki_caller(KW_ROLE_PARTNER, 2);
    struct pki_pair other = pki_leaf(&pki.issuing, &id, KW_USAGE_TRANSPORT);

    cr_assert_eq(open_by(&other, cms.len), KW_PARTNER_E_AUTHENTIC);
    pki_pair_done(&other);
}

Test(partner_cms, refuses_truncated_and_extended)
{
    for (size_t size = 0; size < cms.len; size += 7) {
        cr_assert_eq(open_by(&member, size), KW_PARTNER_E_FORMAT, "%zu bytes", size);
    }
    cr_assert(kw_ok(kw_buf_append(&cms, kw_bytes_str("x"), &err)));
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_E_FORMAT);
}

/* BER, which OpenSSL reads too: the outermost length a byte longer than need be. */
Test(partner_cms, refuses_another_spelling)
{
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};
    static const uint8_t head[] = {0x30, 0x83, 0x00};

    cr_assert_eq(cms.data[1], 0x82);
    cr_assert(kw_ok(kw_buf_append(&other, KW_BYTES_OF(head), &err)));
    cr_assert(kw_ok(kw_buf_append(&other, KW_BYTES(cms.data + 2, cms.len - 2), &err)));
    kw_buf_clear(&cms);
    cr_assert(kw_ok(kw_buf_append(&cms, kw_buf_bytes(&other), &err)));
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_E_FORMAT);
}

Test(partner_cms, refuses_a_content_that_is_no_key)
{
    static const uint8_t shorter[16] = {1};
    static const uint8_t longer[40] = {1};

    seal(KW_BYTES_OF(shorter));
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_E_FORMAT);
    seal(KW_BYTES_OF(longer));
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_E_FORMAT);
}

/* The wrapped content key stands near the end, before the content; a change there must show. */
Test(partner_cms, refuses_an_altered_content_key)
{
    cms.data[cms.len / 2 + 40] ^= 1;
    cr_assert_neq(open_by(&member, cms.len), KW_PARTNER_OK);
}

/* PKCS#7 data, which nobody has encrypted for anybody. */
Test(partner_cms, refuses_what_is_not_enveloped)
{
    BIO *in = BIO_new_mem_buf(transport_key, sizeof(transport_key));
    CMS_ContentInfo *data = CMS_data_create(in, CMS_BINARY);
    uint8_t *der = NULL;
    int len = i2d_CMS_ContentInfo(data, &der);

    cr_assert_gt(len, 0);
    kw_buf_clear(&cms);
    cr_assert(kw_ok(kw_buf_append(&cms, KW_BYTES(der, (size_t)len), &err)));
    cr_assert_eq(open_by(&member, cms.len), KW_PARTNER_E_FORMAT);
    OPENSSL_free(der);
    CMS_ContentInfo_free(data);
    BIO_free(in);
}
