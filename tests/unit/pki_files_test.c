/* CMS envelopes and credentials directories, with the openssl command as an outside witness. */
#include "common/crypto/keyfile.h"
#include "common/pki/cms.h"
#include "common/pki/credentials.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/cms.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_LEN 32

static struct kw_error err;
static struct pki_fixture pki;
static struct kw_spiffe partner;
static struct pki_pair transport;
static struct kw_secret secret;
static char dir[64];

static void setup(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/kw-pki-test-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL);
    pki_fixture_init(&pki);
    partner = pki_caller(KW_ROLE_PARTNER, 7);
    transport = pki_leaf(&pki.issuing, &partner, KW_USAGE_TRANSPORT);
    cr_assert(kw_ok(kw_secret_init(&secret, SECRET_LEN, &err)));
    memset(secret.slot, 0xa5, secret.len);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void teardown(void)
{
    kw_secret_done(&secret);
    pki_pair_done(&transport);
    pki_fixture_done(&pki);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(pki_files, .init = setup, .fini = teardown);

/* A file's path in the test's directory; sixteen can be in use at once. */
static const char *in_dir(const char *name)
{
    static char paths[16][128];
    static unsigned next;
    char *path = paths[next++ % 16];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const struct kw_buf *text)
{
    cr_assert(kw_ok(kw_keyfile_write(AT_FDCWD, in_dir(name), kw_buf_bytes(text),
                                     KW_KEYFILE_MODE_PRIVATE, &err)),
              "%s", err.message);
}

static void put_certificate(const char *name, const struct kw_certificate *certificate)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    pki_pem(certificate, &pem);
    put(name, &pem);
}

static void put_key(const char *name, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    cr_assert(kw_ok(kw_private_key_to_pem(key, &pem, &err)));
    put(name, &pem);
}

Test(pki_files, cms_opens_what_it_sealed)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret opened = {0};

    cr_assert(kw_ok(kw_cms_seal(&secret, &transport.certificate, &der, &err)), "%s", err.message);
    cr_assert(kw_ok(kw_cms_open(kw_buf_bytes(&der), &transport.key, &transport.certificate, &opened,
                                &err)),
              "%s", err.message);
    cr_expect(kw_bytes_equal(kw_secret_bytes(&secret), kw_secret_bytes(&opened)));
}

Test(pki_files, openssl_command_opens_the_envelope)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf out = {0};
    const char *argv[] = {"openssl",  "cms",
                          "-decrypt", "-binary",
                          "-inform",  "DER",
                          "-in",      in_dir("cms.der"),
                          "-inkey",   in_dir("key.pem"),
                          "-recip",   in_dir("cert.pem"),
                          "-out",     in_dir("out.bin"),
                          NULL};

    cr_assert(kw_ok(kw_cms_seal(&secret, &transport.certificate, &der, &err)));
    put("cms.der", &der);
    put_key("key.pem", &transport.key);
    put_certificate("cert.pem", &transport.certificate);
    cr_assert(eq(int, pki_run(argv), 0));
    cr_assert(kw_ok(kw_keyfile_read(AT_FDCWD, in_dir("out.bin"), 64, false, &out, &err)));
    cr_expect(kw_bytes_equal(kw_secret_bytes(&secret), kw_buf_bytes(&out)));
}

Test(pki_files, cms_is_refused_by_another_key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct pki_pair other = pki_leaf(&pki.issuing, &partner, KW_USAGE_TRANSPORT);
    struct kw_secret opened = {0};

    cr_assert(kw_ok(kw_cms_seal(&secret, &transport.certificate, &der, &err)));
    cr_expect(
        kw_cms_open(kw_buf_bytes(&der), &other.key, &other.certificate, &opened, &err).reason ==
        KW_E_BINDING_INVALID);
    cr_expect(
        kw_cms_open(kw_buf_bytes(&der), &other.key, &transport.certificate, &opened, &err).reason ==
        KW_E_BINDING_INVALID);
    cr_expect(opened.slot == NULL);
    pki_pair_done(&other);
}

/* Found by fuzzing (crash-empty-content): an envelope of nothing was opened as a secret of no bytes. */
Test(pki_files, cms_without_content_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    const struct kw_secret nothing = {.slot = secret.slot, .len = 0};
    struct kw_secret opened = {0};

    cr_assert(kw_ok(kw_cms_seal(&nothing, &transport.certificate, &der, &err)));
    cr_expect(kw_cms_open(kw_buf_bytes(&der), &transport.key, &transport.certificate, &opened, &err)
                  .reason == KW_E_ARGUMENT_INVALID);
    cr_expect(opened.slot == NULL);
}

Test(pki_files, cms_needs_a_p384_recipient)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct pki_pair client = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);

    cr_expect(kw_cms_seal(&secret, &client.certificate, &der, &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(eq(sz, der.len, 0));
    pki_pair_done(&client);
}

/* An envelope as OpenSSL makes it with other choices than ours. */
static void cms_otherwise(const EVP_CIPHER *cipher, const EVP_MD *kdf_digest, struct kw_buf *der)
{
    const unsigned flags = CMS_BINARY | CMS_PARTIAL;
    BIO *content = BIO_new_mem_buf(secret.slot, (int)secret.len);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, flags);
    CMS_RecipientInfo *info =
        CMS_add1_recipient_cert(cms, transport.certificate.x509, CMS_KEY_PARAM);
    uint8_t *bytes = NULL;
    int len;

    cr_assert(EVP_PKEY_CTX_set_ecdh_kdf_md(CMS_RecipientInfo_get0_pkey_ctx(info), kdf_digest) > 0);
    cr_assert(CMS_final(cms, content, NULL, flags) == 1);
    len = i2d_CMS_ContentInfo(cms, &bytes);
    cr_assert(kw_ok(kw_buf_append(der, KW_BYTES(bytes, (size_t)len), &err)));
    OPENSSL_free(bytes);
    CMS_ContentInfo_free(cms);
    BIO_free(content);
}

static enum kw_reason open_otherwise(const EVP_CIPHER *cipher, const EVP_MD *kdf_digest)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret opened = {0};

    cms_otherwise(cipher, kdf_digest, &der);
    return kw_cms_open(kw_buf_bytes(&der), &transport.key, &transport.certificate, &opened, &err)
        .reason;
}

/* The default of OpenSSL is SHA-1: this is also the proof that kw_cms_seal does not use it. */
Test(pki_files, cms_with_other_algorithms_is_refused)
{
    cr_expect(open_otherwise(EVP_aes_256_cbc(), EVP_sha384()) == KW_E_NONE);
    cr_expect(open_otherwise(EVP_aes_256_cbc(), EVP_sha1()) == KW_E_ARGUMENT_INVALID);
    cr_expect(open_otherwise(EVP_aes_256_cbc(), EVP_sha256()) == KW_E_ARGUMENT_INVALID);
    cr_expect(open_otherwise(EVP_aes_128_cbc(), EVP_sha384()) == KW_E_ARGUMENT_INVALID);
    cr_expect(open_otherwise(EVP_aes_256_gcm(), EVP_sha384()) == KW_E_ARGUMENT_INVALID);
}

Test(pki_files, malformed_cms_is_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_secret opened = {0};

    cr_assert(kw_ok(kw_cms_seal(&secret, &transport.certificate, &der, &err)));
    for (size_t len = 0; len < der.len; len += 7) {
        cr_expect(kw_cms_open(KW_BYTES(der.data, len), &transport.key, &transport.certificate,
                              &opened, &err)
                      .reason == KW_E_ARGUMENT_INVALID);
    }
    cr_expect(opened.slot == NULL);
}

Test(pki_files, openssl_command_verifies_our_chain)
{
    struct pki_pair leaf = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
    const char *good[] = {"openssl",
                          "verify",
                          "-x509_strict",
                          "-attime",
                          "1800000000",
                          "-purpose",
                          "sslclient",
                          "-CAfile",
                          in_dir("root.pem"),
                          "-untrusted",
                          in_dir("issuing.pem"),
                          in_dir("leaf.pem"),
                          NULL};
    const char *without_issuer[] = {"openssl", "verify", "-attime", "1800000000",
                                    "-CAfile", good[8],  good[11],  NULL};

    put_certificate("root.pem", &pki.root.certificate);
    put_certificate("issuing.pem", &pki.issuing.certificate);
    put_certificate("leaf.pem", &leaf.certificate);
    cr_expect(eq(int, pki_run(good), 0));
    cr_expect(ne(int, pki_run(without_issuer), 0));
    pki_pair_done(&leaf);
}

/* The three texts of credentials. */
struct texts {
    struct kw_buf key;
    struct kw_buf cert;
    struct kw_buf ca;
};

static void texts_done(struct texts *t)
{
    kw_buf_done(&t->key);
    kw_buf_done(&t->cert);
    kw_buf_done(&t->ca);
}

static struct texts texts_make(void)
{
    struct pki_pair leaf = pki_leaf(&pki.issuing, &partner, KW_USAGE_CLIENT);
    struct texts t = {0};

    cr_assert(kw_ok(kw_private_key_to_pem(&leaf.key, &t.key, &err)));
    pki_pem(&leaf.certificate, &t.cert);
    pki_pem(&pki.issuing.certificate, &t.cert);
    pki_pem(&pki.root.certificate, &t.ca);
    pki_pair_done(&leaf);
    return t;
}

static struct kw_result texts_write(const struct texts *t)
{
    const struct kw_credentials_pem pem = {kw_buf_bytes(&t->key), kw_buf_bytes(&t->cert),
                                           kw_buf_bytes(&t->ca)};

    return kw_credentials_write(in_dir("authz"), &pem, &err);
}

static void expect_loads(const struct texts *t)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials loaded = {0};

    cr_assert(kw_ok(kw_credentials_load(&loaded, in_dir("authz"), &err)), "%s", err.message);
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.key_pem), kw_buf_bytes(&t->key)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.cert_pem), kw_buf_bytes(&t->cert)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.ca_pem), kw_buf_bytes(&t->ca)));
    cr_expect(eq(sz, strlen((const char *)loaded.cert_pem.data), loaded.cert_pem.len));
}

Test(pki_files, credentials_are_replaced_generation_by_generation)
{
    static const char *const targets[] = {"authz.a", "authz.b", "authz.a", "authz.b"};

    for (size_t i = 0; i < 4; i++) {
        KW_SCOPED(texts_done) struct texts t = texts_make();
        char target[32] = {0};

        cr_assert(kw_ok(texts_write(&t)), "%s", err.message);
        expect_loads(&t);
        cr_assert(readlink(in_dir("authz"), target, sizeof(target) - 1) > 0);
        cr_expect(eq(str, target, (char *)targets[i]));
    }
}

Test(pki_files, credentials_keep_the_key_private)
{
    KW_SCOPED(texts_done) struct texts t = texts_make();
    struct kw_credentials loaded = {0};
    struct stat st;

    cr_assert(kw_ok(texts_write(&t)));
    cr_assert(eq(int, stat(in_dir("authz/key.pem"), &st), 0));
    cr_expect(eq(int, (int)(st.st_mode & 07777), 0600));
    cr_assert(eq(int, stat(in_dir("authz/"), &st), 0));
    cr_expect(eq(int, (int)(st.st_mode & 07777), 0700));
    cr_assert(eq(int, chmod(in_dir("authz/key.pem"), 0644), 0));
    cr_expect(kw_credentials_load(&loaded, in_dir("authz"), &err).reason == KW_E_CONFIG_INVALID);
}

Test(pki_files, bad_credentials_are_not_written_and_the_old_stay)
{
    KW_SCOPED(texts_done) struct texts good = texts_make();
    KW_SCOPED(texts_done) struct texts other = texts_make();
    struct kw_buf key = other.key;

    cr_assert(kw_ok(texts_write(&good)));
    other.key = good.key; /* not the key of the other's certificate */
    cr_expect(texts_write(&other).reason == KW_E_CONFIG_INVALID);
    other.key = (struct kw_buf){0};
    cr_expect(texts_write(&other).reason == KW_E_CONFIG_INVALID);
    other.key = key;
    kw_buf_clear(&other.ca);
    cr_expect(texts_write(&other).reason == KW_E_CONFIG_INVALID);
    expect_loads(&good);
}

Test(pki_files, leftovers_of_a_crash_do_not_stop_the_next_write)
{
    KW_SCOPED(texts_done) struct texts t = texts_make();
    KW_SCOPED(kw_buf_done) struct kw_buf rubbish = {0};

    cr_assert(kw_ok(texts_write(&t)));
    cr_assert(eq(int, mkdir(in_dir("authz.b"), 0700), 0));
    put("authz.b/key.pem.0123456789abcdef", &rubbish);
    cr_assert(eq(int, symlink("authz.b", in_dir("authz.new")), 0));
    cr_assert(kw_ok(texts_write(&t)), "%s", err.message);
    expect_loads(&t);
    cr_expect(ne(int, access(in_dir("authz/key.pem.0123456789abcdef"), F_OK), 0));
}

Test(pki_files, a_plain_directory_is_read_but_never_replaced)
{
    KW_SCOPED(texts_done) struct texts t = texts_make();

    cr_assert(eq(int, mkdir(in_dir("authz"), 0700), 0));
    put("authz/key.pem", &t.key);
    put("authz/cert.pem", &t.cert);
    put("authz/ca.pem", &t.ca);
    expect_loads(&t);
    cr_expect(texts_write(&t).reason == KW_E_CONFIG_INVALID);
    expect_loads(&t);
}

Test(pki_files, missing_credentials_are_refused)
{
    struct kw_credentials loaded = {0};

    cr_expect(kw_credentials_load(&loaded, in_dir("authz"), &err).reason == KW_E_CONFIG_INVALID);
    cr_expect(loaded.key.evp == NULL);
    kw_credentials_done(&loaded);
    kw_credentials_done(NULL);
}
