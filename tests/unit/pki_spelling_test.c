/* What comes in DER has one spelling: OpenSSL reads others too, and a second spelling of one certificate would be a second
 * certificate to whoever compares bytes or fingerprints. */
#include "common/pki/cms.h"
#include "common/pki/csr.h"
#include "common/pki/trust.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/pem.h>

#define LONG_FORM       0x80
#define BIT_STRING      0x03
#define CONTENT_END_LEN 2

static struct kw_error err;
static struct pki_fixture pki;
static struct pki_pair transport;

static void setup(void)
{
    struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 7);

    pki_fixture_init(&pki);
    transport = pki_leaf(&pki.issuing, &partner, KW_USAGE_TRANSPORT);
}

static void teardown(void)
{
    pki_pair_done(&transport);
    pki_fixture_done(&pki);
}

TestSuite(pki_spelling, .init = setup, .fini = teardown);

static void put(struct kw_buf *der, struct kw_bytes bytes)
{
    cr_assert(kw_ok(kw_buf_append(der, bytes, &err)));
}

/* `der` with the length at `at` one byte longer than it need be. */
static void lengthen(struct kw_bytes der, size_t at, struct kw_buf *ret_other)
{
    static const uint8_t zero[] = {0};
    const uint8_t first = der.data[at];
    const uint8_t longer = first < LONG_FORM ? LONG_FORM + 1 : first + 1;
    const size_t behind = first < LONG_FORM ? at : at + 1;

    put(ret_other, KW_BYTES(der.data, at));
    put(ret_other, KW_BYTES(&longer, 1));
    put(ret_other, KW_BYTES(zero, first < LONG_FORM ? 0 : 1));
    put(ret_other, KW_BYTES(der.data + behind, der.len - behind));
}

/* `der`, whose outermost length has one or two bytes, with an end instead of that length. */
static void end_by_mark(struct kw_bytes der, struct kw_buf *ret_other)
{
    static const uint8_t unknown[] = {LONG_FORM};
    static const uint8_t end[CONTENT_END_LEN] = {0};
    const size_t content = 2 + (der.data[1] - LONG_FORM);

    put(ret_other, KW_BYTES(der.data, 1));
    put(ret_other, KW_BYTES_OF(unknown));
    put(ret_other, KW_BYTES(der.data + content, der.len - content));
    put(ret_other, KW_BYTES_OF(end));
}

typedef enum kw_reason reader(struct kw_bytes der);

/* Both other spellings of the outermost length, and the honest one. */
static void expect_one_spelling(reader *read, struct kw_bytes der)
{
    KW_SCOPED(kw_buf_done) struct kw_buf longer = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf marked = {0};

    lengthen(der, 1, &longer);
    end_by_mark(der, &marked);
    cr_expect(read(der) == KW_E_NONE, "%s", err.message);
    cr_expect(read(kw_buf_bytes(&longer)) == KW_E_ARGUMENT_INVALID);
    cr_expect(read(kw_buf_bytes(&marked)) == KW_E_ARGUMENT_INVALID);
}

static enum kw_reason read_certificate(struct kw_bytes der)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};

    return kw_certificate_from_der(&certificate, der, &err).reason;
}

static enum kw_reason read_request(struct kw_bytes der)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    return kw_csr_verify(der, &key, &err).reason;
}

static enum kw_reason read_envelope(struct kw_bytes der)
{
    KW_SCOPED(kw_secret_done) struct kw_secret opened = {0};

    return kw_cms_open(der, &transport.key, &transport.certificate, &opened, &err).reason;
}

Test(pki_spelling, a_certificate_has_one)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    cr_assert(kw_ok(kw_certificate_to_der(&transport.certificate, &der, &err)));
    expect_one_spelling(read_certificate, kw_buf_bytes(&der));
}

/* As a PEM text. */
static void armour(struct kw_bytes der, struct kw_buf *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    cr_assert(PEM_write_bio(bio, PEM_STRING_X509, "", der.data, (long)der.len) > 0);
    len = BIO_get_mem_data(bio, &text);
    put(ret_pem, KW_BYTES(text, (size_t)len));
    BIO_free(bio);
}

static enum kw_reason read_pem(struct kw_bytes der)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    armour(der, &pem);
    return kw_certificate_from_pem(&certificate, kw_buf_bytes(&pem), &err).reason;
}

static enum kw_reason read_bundle(struct kw_bytes der)
{
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    enum kw_reason reason;

    armour(der, &pem);
    reason = kw_trust_from_pem(&trust, kw_buf_bytes(&pem), &err).reason;
    return reason == KW_E_CONFIG_INVALID ? KW_E_ARGUMENT_INVALID : reason;
}

Test(pki_spelling, a_certificate_in_pem_has_one)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    cr_assert(kw_ok(kw_certificate_to_der(&pki.root.certificate, &der, &err)));
    expect_one_spelling(read_pem, kw_buf_bytes(&der));
    expect_one_spelling(read_bundle, kw_buf_bytes(&der));
}

Test(pki_spelling, a_request_has_one)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    cr_assert(kw_ok(kw_csr_build(&transport.key, &der, &err)));
    expect_one_spelling(read_request, kw_buf_bytes(&der));
}

Test(pki_spelling, an_envelope_has_one)
{
    KW_SCOPED(kw_secret_done) struct kw_secret secret = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};

    cr_assert(kw_ok(kw_secret_init(&secret, 32, &err)));
    memset(secret.slot, 0xa5, secret.len);
    cr_assert(kw_ok(kw_cms_seal(&secret, &transport.certificate, &der, &err)));
    expect_one_spelling(read_envelope, kw_buf_bytes(&der));
}

/* Found by tests/fuzz/certificate_fuzz.c, corpus/certificate/crash-unused-bits-of-the-signature: DER wants the bits that
 * a BIT STRING does not use to be zero, OpenSSL makes them so. */
Test(pki_spelling, unused_bits_of_the_signature_are_zero)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    size_t at;

    cr_assert(kw_ok(kw_certificate_to_der(&transport.certificate, &der, &err)));
    /* The last but two tag: BIT STRING, its length, the count of its unused bits, SEQUENCE. */
    for (at = der.len - 80; der.data[at] != BIT_STRING || der.data[at + 1] != der.len - at - 2;) {
        at--;
    }
    der.data[at + 2] = 2;
    der.data[der.len - 1] |= 1;
    cr_expect(read_certificate(kw_buf_bytes(&der)) == KW_E_ARGUMENT_INVALID);
    der.data[der.len - 1] &= 0xfc;
    cr_expect(read_certificate(kw_buf_bytes(&der)) == KW_E_NONE, "%s", err.message);
}

/* `der` with a longer length of what is in it first: the part whose bytes OpenSSL keeps for its signature, and gives back
 * as they came. */
static void lengthen_signed(struct kw_bytes der, struct kw_buf *ret_other)
{
    const size_t signed_at = 2 + (der.data[1] - LONG_FORM);
    uint8_t *last = NULL;

    lengthen(der, signed_at + 1, ret_other);
    last = &ret_other->data[signed_at - 1];
    *last += 1;
    if (*last == 0) {
        cr_assert(der.data[1] == LONG_FORM + 2);
        last[-1] += 1;
    }
}

Test(pki_spelling, the_signed_part_of_a_request_has_one_too)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};

    cr_assert(kw_ok(kw_csr_build(&transport.key, &der, &err)));
    lengthen_signed(kw_buf_bytes(&der), &other);
    cr_expect(read_request(kw_buf_bytes(&other)) == KW_E_ARGUMENT_INVALID);
}

/* What is signed in a certificate stays as it came, so that whoever spells it otherwise has broken its signature. */
Test(pki_spelling, the_signed_part_of_a_certificate_is_held_by_its_signature)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf again = {0};

    cr_assert(kw_ok(kw_certificate_to_der(&transport.certificate, &der, &err)));
    lengthen_signed(kw_buf_bytes(&der), &other);
    cr_assert(kw_ok(kw_certificate_from_der(&certificate, kw_buf_bytes(&other), &err)));
    cr_assert(kw_ok(kw_certificate_to_der(&certificate, &again, &err)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&again), kw_buf_bytes(&other)));
    cr_expect(X509_verify(transport.certificate.x509, pki.issuing.key.evp) == 1);
    cr_expect(X509_verify(certificate.x509, pki.issuing.key.evp) != 1);
}
