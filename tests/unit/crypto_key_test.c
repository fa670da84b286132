/* Keys on the two curves: which encodings come in, signatures, key agreement, key files. */
#include "common/crypto/ecdh.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct kw_error err;

static void fixture_make(struct kw_private_key *key, struct kw_public_key *public,
                         enum kw_curve curve)
{
    cr_assert(kw_ok(kw_private_key_generate(key, curve, NULL)));
    cr_assert(kw_ok(kw_private_key_public(key, public, NULL)));
}

/* The SPKI of a key that OpenSSL made in some other way. */
static struct kw_buf spki_of(EVP_PKEY *evp)
{
    struct kw_buf spki = {0};
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(evp, &der);

    cr_assert(len > 0);
    cr_assert(kw_ok(kw_buf_append(&spki, KW_BYTES(der, (size_t)len), NULL)));
    OPENSSL_free(der);
    return spki;
}

static enum kw_reason spki_refusal(EVP_PKEY *evp)
{
    KW_SCOPED(kw_buf_done) struct kw_buf spki = spki_of(evp);
    struct kw_public_key key = {0};

    cr_assert(evp != NULL);
    EVP_PKEY_free(evp);
    return kw_public_key_from_spki(&key, kw_buf_bytes(&spki), &err).reason;
}

static void sign_and_verify(enum kw_curve curve)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    struct kw_signature signature;

    fixture_make(&key, &public, curve);
    cr_assert(kw_ok(kw_ecdsa_sign(&key, kw_bytes_str("message"), &signature, &err)));
    cr_expect(kw_ok(
        kw_ecdsa_verify(&public, kw_bytes_str("message"), kw_signature_bytes(&signature), NULL)));
    cr_assert(kw_ok(kw_ecdsa_sign(&key, KW_BYTES_NONE, &signature, &err)));
    cr_expect(kw_ok(kw_ecdsa_verify(&public, KW_BYTES_NONE, kw_signature_bytes(&signature), NULL)));
}

Test(crypto_key, p256_signs_and_verifies)
{
    sign_and_verify(KW_CURVE_P256);
}

Test(crypto_key, p384_signs_and_verifies)
{
    sign_and_verify(KW_CURVE_P384);
}

Test(crypto_key, verify_refuses_another_message_key_or_signature)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key other_key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key other = {0};
    struct kw_bytes message = kw_bytes_str("message");
    struct kw_signature s;

    fixture_make(&key, &public, KW_CURVE_P256);
    fixture_make(&other_key, &other, KW_CURVE_P256);
    cr_assert(kw_ok(kw_ecdsa_sign(&key, message, &s, NULL)));
    cr_expect(
        kw_ecdsa_verify(&public, kw_bytes_str("massage"), kw_signature_bytes(&s), NULL).reason ==
        KW_E_SIGNATURE_INVALID);
    cr_expect(kw_ecdsa_verify(&other, message, kw_signature_bytes(&s), NULL).reason ==
              KW_E_SIGNATURE_INVALID);
    cr_expect(kw_ecdsa_verify(&public, message, KW_BYTES(s.bytes, s.len - 1), NULL).reason ==
              KW_E_SIGNATURE_INVALID);
    cr_expect(kw_ecdsa_verify(&public, message, KW_BYTES_NONE, NULL).reason ==
              KW_E_SIGNATURE_INVALID);
    s.bytes[s.len - 1] ^= 1;
    cr_expect(kw_ecdsa_verify(&public, message, kw_signature_bytes(&s), NULL).reason ==
              KW_E_SIGNATURE_INVALID);
}

Test(crypto_key, verify_refuses_bytes_after_the_signature)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    uint8_t longer[KW_SIGNATURE_LEN_MAX + 1] = {0};
    struct kw_signature s;

    fixture_make(&key, &public, KW_CURVE_P384);
    cr_assert(kw_ok(kw_ecdsa_sign(&key, kw_bytes_str("message"), &s, NULL)));
    kw_copy(longer, s.bytes, s.len);
    cr_expect(kw_ecdsa_verify(&public, kw_bytes_str("message"), KW_BYTES(longer, s.len + 1), NULL)
                  .reason == KW_E_SIGNATURE_INVALID);
}

Test(crypto_key, a_shared_key_outlives_its_first_owner)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key shared = {0};
    struct kw_public_key public = {0};
    struct kw_signature signature;

    fixture_make(&key, &public, KW_CURVE_P256);
    cr_assert(kw_ok(kw_ecdsa_sign(&key, kw_bytes_str("message"), &signature, &err)));
    cr_assert(kw_ok(kw_public_key_share(&public, &shared, &err)));
    kw_public_key_done(&public);
    cr_expect(kw_ok(
        kw_ecdsa_verify(&shared, kw_bytes_str("message"), kw_signature_bytes(&signature), NULL)));
}

Test(crypto_key, spki_round_trips)
{
    for (int curve = KW_CURVE_P256; curve <= KW_CURVE_P384; curve++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
        KW_SCOPED(kw_public_key_done) struct kw_public_key back = {0};
        struct kw_spki spki;

        fixture_make(&key, &public, (enum kw_curve)curve);
        cr_assert(kw_ok(kw_public_key_spki(&public, &spki, NULL)));
        cr_assert(kw_ok(kw_public_key_from_spki(&back, kw_spki_bytes(&spki), &err)));
        cr_expect(back.curve == (enum kw_curve)curve);
        cr_expect(kw_public_key_equal(&public, &back));
    }
}

static bool spki_is(const struct kw_private_key *key, EVP_PKEY *evp)
{
    KW_SCOPED(kw_buf_done) struct kw_buf expected = spki_of(evp);
    const struct kw_public_key public = {.evp = key->evp, .curve = key->curve};
    struct kw_spki of_private, of_public;

    cr_assert(kw_ok(kw_private_key_spki(key, &of_private, &err)));
    cr_assert(kw_ok(kw_public_key_spki(&public, &of_public, &err)));
    return kw_bytes_equal(kw_spki_bytes(&of_private), kw_buf_bytes(&expected)) &&
           kw_bytes_equal(kw_spki_bytes(&of_public), kw_buf_bytes(&expected));
}

Test(crypto_key, spki_is_what_openssl_writes)
{
    for (int curve = KW_CURVE_P256; curve <= KW_CURVE_P384; curve++) {
        KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};

        cr_assert(kw_ok(kw_private_key_generate(&key, (enum kw_curve)curve, NULL)));
        cr_expect(spki_is(&key, key.evp));
        cr_assert(EVP_PKEY_set_utf8_string_param(key.evp, "point-format", "compressed") == 1);
        cr_expect(spki_is(&key, key.evp));
    }
}

Test(crypto_key, spki_refuses_other_algorithms_and_curves)
{
    cr_expect(spki_refusal(EVP_RSA_gen(2048)) == KW_E_ARGUMENT_INVALID);
    cr_expect(spki_refusal(EVP_EC_gen("P-521")) == KW_E_ARGUMENT_INVALID);
    cr_expect(spki_refusal(EVP_EC_gen("secp256k1")) == KW_E_ARGUMENT_INVALID);
    cr_expect(spki_refusal(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")) == KW_E_ARGUMENT_INVALID);
}

Test(crypto_key, spki_refuses_a_second_spelling_of_a_good_key)
{
    EVP_PKEY *compressed = EVP_EC_gen("P-256");
    EVP_PKEY *explicit = EVP_EC_gen("P-256");

    cr_assert(EVP_PKEY_set_utf8_string_param(compressed, "point-format", "compressed") == 1);
    cr_assert(EVP_PKEY_set_utf8_string_param(explicit, "encoding", "explicit") == 1);
    cr_expect(spki_refusal(compressed) == KW_E_ARGUMENT_INVALID);
    cr_expect(spki_refusal(explicit) == KW_E_ARGUMENT_INVALID);
}

Test(crypto_key, spki_refuses_a_point_off_the_curve_and_wrong_lengths)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    struct kw_public_key back = {0};
    struct kw_spki s;

    fixture_make(&key, &public, KW_CURVE_P384);
    cr_assert(kw_ok(kw_public_key_spki(&public, &s, NULL)));
    cr_expect(kw_public_key_from_spki(&back, KW_BYTES(s.bytes, s.len - 1), NULL).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_public_key_from_spki(&back, KW_BYTES_NONE, NULL).reason == KW_E_ARGUMENT_INVALID);
    s.bytes[s.len - 1] ^= 1;
    cr_expect(kw_public_key_from_spki(&back, kw_spki_bytes(&s), &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(back.evp == NULL);
}

Test(crypto_key, private_key_from_evp_refuses_rsa)
{
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    struct kw_private_key key = {0};

    cr_expect(kw_private_key_from_evp(&key, rsa, &err).reason == KW_E_ARGUMENT_INVALID);
    EVP_PKEY_free(rsa);
}

Test(crypto_key, ecdh_gives_both_sides_the_same_key)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret sent = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret received = {0};
    KW_SCOPED(kw_secret_done) struct kw_secret other_info = {0};
    uint8_t point[KW_P384_POINT_LEN];
    struct kw_bytes info = kw_bytes_str("info");

    fixture_make(&key, &public, KW_CURVE_P384);
    cr_assert(kw_ok(kw_ecdh_send(&public, info, 32, point, &sent, &err)));
    cr_assert(kw_ok(kw_ecdh_receive(&key, KW_BYTES_OF(point), info, 32, &received, &err)));
    cr_expect(kw_bytes_equal(kw_secret_bytes(&sent), kw_secret_bytes(&received)));
    cr_assert(
        kw_ok(kw_ecdh_receive(&key, KW_BYTES_OF(point), KW_BYTES_NONE, 32, &other_info, &err)));
    cr_expect_not(kw_bytes_equal(kw_secret_bytes(&sent), kw_secret_bytes(&other_info)));
}

Test(crypto_key, ecdh_refuses_p256_and_points_off_the_curve)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key small = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key small_public = {0};
    uint8_t point[KW_P384_POINT_LEN];
    struct kw_secret derived = {0};

    fixture_make(&key, &public, KW_CURVE_P384);
    fixture_make(&small, &small_public, KW_CURVE_P256);
    cr_expect(kw_ecdh_send(&small_public, KW_BYTES_NONE, 32, point, &derived, NULL).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_assert(kw_ok(kw_public_key_to_point(&public, point, NULL)));
    cr_expect(
        kw_ecdh_receive(&small, KW_BYTES_OF(point), KW_BYTES_NONE, 32, &derived, NULL).reason ==
        KW_E_ARGUMENT_INVALID);
    point[50] ^= 1;
    cr_expect(kw_ecdh_receive(&key, KW_BYTES_OF(point), KW_BYTES_NONE, 32, &derived, NULL).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(derived.slot == NULL);
}

Test(crypto_key, a_key_without_its_private_half_is_not_written)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key half = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    fixture_make(&key, &public, KW_CURVE_P384);
    cr_assert(kw_ok(kw_private_key_from_evp(&half, public.evp, &err)));
    cr_expect(kw_private_key_to_pem(&half, &pem, &err).reason == KW_E_CRYPTO);
    cr_expect(eq(sz, pem.len, 0));
}

static char dir[] = "/tmp/kw-crypto-test-XXXXXX";
static char path[sizeof(dir) + 16];

static void dir_make(void)
{
    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/key.pem", dir);
}

static void dir_remove(void)
{
    (void)unlink(path);
    (void)rmdir(dir);
}

TestSuite(crypto_file, .init = dir_make, .fini = dir_remove);

static void key_file_make(struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    cr_assert(kw_ok(kw_private_key_generate(key, KW_CURVE_P384, NULL)));
    cr_assert(kw_ok(kw_private_key_to_pem(key, &pem, NULL)));
    cr_assert(
        kw_ok(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PRIVATE, &err)));
}

Test(crypto_file, private_key_round_trips_through_a_file_of_mode_0600)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key back = {0};
    struct stat st;

    key_file_make(&key);
    cr_assert(eq(int, stat(path, &st), 0));
    cr_expect(eq(int, (int)(st.st_mode & 07777), 0600));
    cr_assert(kw_ok(kw_private_key_from_file(&back, path, &err)), "%s", err.message);
    cr_expect(EVP_PKEY_eq(key.evp, back.evp) == 1);
}

Test(crypto_file, key_file_open_to_others_is_refused)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    struct kw_private_key back = {0};

    key_file_make(&key);
    cr_assert(eq(int, chmod(path, 0640), 0));
    cr_expect(kw_private_key_from_file(&back, path, &err).reason == KW_E_CONFIG_INVALID);
}

Test(crypto_file, missing_oversized_and_odd_files_are_refused)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    cr_expect(kw_keyfile_read(AT_FDCWD, path, 8, false, &text, NULL).reason == KW_E_CONFIG_INVALID);
    cr_expect(kw_keyfile_read(AT_FDCWD, dir, 8, false, &text, NULL).reason == KW_E_CONFIG_INVALID);
    cr_assert(kw_ok(kw_keyfile_write(AT_FDCWD, path, kw_bytes_str("123456789"), 0600, &err)));
    cr_expect(kw_keyfile_read(AT_FDCWD, path, 8, false, &text, NULL).reason == KW_E_CONFIG_INVALID);
    cr_expect(kw_ok(kw_keyfile_read(AT_FDCWD, path, 9, true, &text, NULL)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&text), kw_bytes_str("123456789")));
}

Test(crypto_file, a_failed_write_leaves_the_file_and_no_rubbish)
{
    char inside[sizeof(path) + 8];

    cr_assert(kw_ok(kw_keyfile_write(AT_FDCWD, path, kw_bytes_str("old"), 0600, &err)));
    (void)snprintf(inside, sizeof(inside), "%s/x", path);
    cr_expect(kw_keyfile_write(AT_FDCWD, inside, kw_bytes_str("new"), 0600, &err).reason ==
              KW_E_SYSTEM);
    cr_expect(kw_keyfile_write(AT_FDCWD, dir, kw_bytes_str("new"), 0600, &err).reason ==
              KW_E_SYSTEM);
    cr_expect(access(path, R_OK) == 0);
}

static enum kw_reason pem_refusal(EVP_PKEY *evp, const EVP_CIPHER *cipher)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct kw_private_key key = {0};
    char *data;
    long len;
    enum kw_reason reason;

    cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, evp, cipher, "password", 8, NULL, NULL) == 1);
    len = BIO_get_mem_data(bio, &data);
    reason = kw_private_key_from_pem(&key, KW_BYTES(data, (size_t)len), &err).reason;
    kw_private_key_done(&key);
    BIO_free(bio);
    EVP_PKEY_free(evp);
    return reason;
}

Test(crypto_key, private_key_pem_refuses_other_keys_and_encrypted_ones)
{
    struct kw_private_key key = {0};

    cr_expect(pem_refusal(EVP_RSA_gen(2048), NULL) == KW_E_ARGUMENT_INVALID);
    cr_expect(pem_refusal(EVP_EC_gen("P-521"), NULL) == KW_E_ARGUMENT_INVALID);
    cr_expect(pem_refusal(EVP_EC_gen("P-256"), EVP_aes_256_cbc()) == KW_E_ARGUMENT_INVALID);
    cr_expect(pem_refusal(EVP_EC_gen("P-256"), NULL) == KW_E_NONE);
    cr_expect(kw_private_key_from_pem(&key, kw_bytes_str("no PEM"), NULL).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_private_key_from_pem(&key, KW_BYTES_NONE, NULL).reason == KW_E_ARGUMENT_INVALID);
}
