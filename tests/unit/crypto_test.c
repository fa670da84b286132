/* What common/crypto refuses, and what its operations promise each other. */
#include "common/crypto/cmac.h"
#include "common/crypto/digest.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>

#define THREADS 4
#define ROUNDS  200

static struct kw_error err;

static struct kw_secret secret_of(size_t len, uint8_t first)
{
    struct kw_secret secret = {0};

    cr_assert(kw_ok(kw_secret_init(&secret, len, NULL)));
    for (size_t i = 0; i < len; i++) {
        secret.slot[i] = (uint8_t)(first + i);
    }
    return secret;
}

Test(crypto, digest_object_serves_one_message_after_another)
{
    KW_SCOPED(kw_digest_done) struct kw_digest digest = {0};
    uint8_t expected[KW_SHA256_LEN];
    uint8_t got[KW_SHA256_LEN];

    cr_assert(kw_ok(kw_digest_init(&digest, KW_DIGEST_SHA256, NULL)));
    for (int round = 0; round < 2; round++) {
        cr_assert(kw_ok(kw_digest_update(&digest, kw_bytes_str("ab"), NULL)));
        cr_assert(kw_ok(kw_digest_update(&digest, kw_bytes_str("c"), NULL)));
        cr_assert(kw_ok(kw_digest_final(&digest, got, NULL)));
        cr_assert(kw_ok(kw_sha256(kw_bytes_str("abc"), expected, NULL)));
        cr_expect(kw_bytes_equal(KW_BYTES_OF(got), KW_BYTES_OF(expected)), "round %d", round);
    }
}

Test(crypto, digest_of_nothing_is_that_of_an_empty_message)
{
    uint8_t none[KW_SHA256_LEN];
    uint8_t empty[KW_SHA256_LEN];

    cr_assert(kw_ok(kw_sha256_list(NULL, 0, none, NULL)));
    cr_assert(kw_ok(kw_sha256(KW_BYTES_NONE, empty, NULL)));
    cr_expect(kw_bytes_equal(KW_BYTES_OF(none), KW_BYTES_OF(empty)));
}

Test(crypto, destructors_accept_null_and_zeroed)
{
    struct kw_digest digest = {0};

    kw_digest_done(NULL);
    kw_digest_done(&digest);
    cr_expect(digest.context == NULL);
}

Test(crypto, cmac_does_not_depend_on_how_the_message_is_cut)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 1);
    const struct kw_bytes whole = kw_bytes_str("an example of more than one block");
    const struct kw_bytes parts[] = {KW_BYTES(whole.data, 1), KW_BYTES_NONE,
                                     KW_BYTES(whole.data + 1, whole.len - 1)};
    uint8_t mac[KW_CMAC_LEN];

    cr_assert(kw_ok(kw_cmac_aes256(&key, &whole, 1, mac, NULL)));
    cr_expect(kw_ok(kw_cmac_aes256_verify(&key, parts, 3, KW_BYTES_OF(mac), NULL)));
}

Test(crypto, cmac_refuses_another_mac_key_or_length)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 1);
    KW_SCOPED(kw_secret_done) struct kw_secret other = secret_of(KW_AES256_LEN, 2);
    struct kw_bytes message = kw_bytes_str("message");
    uint8_t mac[KW_CMAC_LEN];

    cr_assert(kw_ok(kw_cmac_aes256(&key, &message, 1, mac, NULL)));
    cr_expect(kw_cmac_aes256_verify(&other, &message, 1, KW_BYTES_OF(mac), NULL).reason ==
              KW_E_BINDING_INVALID);
    cr_expect(kw_cmac_aes256_verify(&key, &message, 1, KW_BYTES(mac, 15), NULL).reason ==
              KW_E_BINDING_INVALID);
    mac[KW_CMAC_LEN - 1] ^= 1;
    cr_expect(kw_cmac_aes256_verify(&key, &message, 1, KW_BYTES_OF(mac), &err).reason ==
              KW_E_BINDING_INVALID);
}

Test(crypto, cmac_refuses_a_short_key)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(16, 1);
    uint8_t mac[KW_CMAC_LEN];

    cr_expect(kw_cmac_aes256(&key, NULL, 0, mac, &err).reason == KW_E_ARGUMENT_INVALID);
}

Test(crypto, wrapping_round_trips_at_every_length)
{
    KW_SCOPED(kw_secret_done) struct kw_secret kek = secret_of(KW_AES256_LEN, 7);

    for (size_t len = 1; len <= KW_SECRET_LEN_MAX; len++) {
        KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(len, 3);
        KW_SCOPED(kw_secret_done) struct kw_secret back = {0};
        struct kw_wrapped wrapped;

        cr_assert(kw_ok(kw_kwp_wrap(&kek, &key, &wrapped, NULL)));
        cr_expect(eq(sz, wrapped.len, (len + 7) / 8 * 8 + KW_WRAP_OVERHEAD));
        cr_assert(kw_ok(kw_kwp_unwrap(&kek, kw_wrapped_bytes(&wrapped), &back, NULL)));
        cr_expect(kw_bytes_equal(kw_secret_bytes(&key), kw_secret_bytes(&back)), "%zu bytes", len);
    }
}

Test(crypto, unwrapping_refuses_every_altered_byte)
{
    KW_SCOPED(kw_secret_done) struct kw_secret kek = secret_of(KW_AES256_LEN, 7);
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 3);
    KW_SCOPED(kw_secret_done) struct kw_secret back = {0};
    struct kw_wrapped wrapped;

    cr_assert(kw_ok(kw_kwp_wrap(&kek, &key, &wrapped, NULL)));
    for (size_t i = 0; i < wrapped.len; i++) {
        wrapped.bytes[i] ^= 0x80;
        cr_expect(kw_kwp_unwrap(&kek, kw_wrapped_bytes(&wrapped), &back, NULL).reason ==
                  KW_E_BINDING_INVALID);
        wrapped.bytes[i] ^= 0x80;
    }
    cr_expect(back.slot == NULL, "an out parameter was written on failure");
}

Test(crypto, unwrapping_refuses_another_kek_and_the_other_mode)
{
    KW_SCOPED(kw_secret_done) struct kw_secret kek = secret_of(KW_AES256_LEN, 7);
    KW_SCOPED(kw_secret_done) struct kw_secret other = secret_of(KW_AES256_LEN, 8);
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 3);
    KW_SCOPED(kw_secret_done) struct kw_secret back = {0};
    struct kw_wrapped wrapped;

    cr_assert(kw_ok(kw_kwp_wrap(&kek, &key, &wrapped, NULL)));
    cr_expect(kw_kwp_unwrap(&other, kw_wrapped_bytes(&wrapped), &back, NULL).reason ==
              KW_E_BINDING_INVALID);
    cr_expect(kw_kw_unwrap(&kek, kw_wrapped_bytes(&wrapped), &back, NULL).reason ==
              KW_E_BINDING_INVALID);
}

Test(crypto, unwrapping_refuses_impossible_lengths)
{
    static const uint8_t zeros[KW_WRAPPED_LEN_MAX + 8];
    static const size_t lengths[] = {0, 1, 8, 15, 39, KW_WRAPPED_LEN_MAX + 8};
    KW_SCOPED(kw_secret_done) struct kw_secret kek = secret_of(KW_AES256_LEN, 7);
    KW_SCOPED(kw_secret_done) struct kw_secret back = {0};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        cr_expect(kw_kwp_unwrap(&kek, KW_BYTES(zeros, lengths[i]), &back, NULL).reason ==
                  KW_E_BINDING_INVALID);
    }
}

Test(crypto, wrapping_refuses_a_short_kek_and_nothing_to_wrap)
{
    KW_SCOPED(kw_secret_done) struct kw_secret kek = secret_of(KW_AES256_LEN, 7);
    KW_SCOPED(kw_secret_done) struct kw_secret short_kek = secret_of(16, 7);
    KW_SCOPED(kw_secret_done) struct kw_secret empty = secret_of(0, 0);
    KW_SCOPED(kw_secret_done) struct kw_secret odd = secret_of(17, 0);
    struct kw_wrapped wrapped;

    cr_expect(kw_kwp_wrap(&short_kek, &kek, &wrapped, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kwp_wrap(&kek, &empty, &wrapped, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kw_wrap(&kek, &odd, &wrapped, NULL).reason == KW_E_ARGUMENT_INVALID);
}

Test(crypto, kdf_separates_partners_epochs_and_suites)
{
    const struct kw_id partners[] = {{{1}}, {{2}}};
    KW_SCOPED(kw_secret_done) struct kw_secret device_key = secret_of(KW_AES256_LEN, 9);
    KW_SCOPED(kw_secret_done) struct kw_secret base = {0};
    struct kw_secret others[3] = {{0}};

    cr_assert(kw_ok(kw_kdf_partner_key(&device_key, partners[0], 1, 1, &base, NULL)));
    cr_assert(kw_ok(kw_kdf_partner_key(&device_key, partners[1], 1, 1, &others[0], NULL)));
    cr_assert(kw_ok(kw_kdf_partner_key(&device_key, partners[0], 2, 1, &others[1], NULL)));
    cr_assert(kw_ok(kw_kdf_partner_key(&device_key, partners[0], 1, 2, &others[2], NULL)));
    for (size_t i = 0; i < 3; i++) {
        cr_expect_not(kw_bytes_equal(kw_secret_bytes(&base), kw_secret_bytes(&others[i])));
        kw_secret_done(&others[i]);
    }
}

Test(crypto, kdf_refuses_what_does_not_fit)
{
    static const uint8_t context[KW_KDF_CONTEXT_LEN_MAX + 1];
    const struct kw_kdf_input long_label = {"a label that is longer than any label", KW_BYTES_NONE,
                                            256};
    const struct kw_kdf_input long_context = {"label", KW_BYTES_OF(context), 256};
    const struct kw_kdf_input odd_bits = {"label", KW_BYTES_NONE, 255};
    const struct kw_kdf_input good = {"label", KW_BYTES_NONE, 256};
    struct kw_kdf_block block;

    cr_expect(kw_kdf_block_input(&long_label, 1, &block, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_block_input(&long_context, 1, &block, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_block_input(&odd_bits, 1, &block, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_block_input(&good, 0, &block, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_block_input(&good, 3, &block, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_ok(kw_kdf_block_input(&good, 2, &block, NULL)));
}

Test(crypto, kdf_refuses_outputs_of_no_or_too_many_bits)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 9);
    const struct kw_kdf_input none = {"label", KW_BYTES_NONE, 0};
    const struct kw_kdf_input many = {"label", KW_BYTES_NONE, 8 * (KW_SECRET_LEN_MAX + 1)};
    struct kw_secret derived = {0};

    cr_expect(kw_kdf_counter_cmac(&key, &none, &derived, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_counter_cmac(&key, &many, &derived, NULL).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_kdf_x963_sha384(&key, KW_BYTES_NONE, 0, &derived, NULL).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(derived.slot == NULL);
}

static void *derive_often(void *context)
{
    const struct kw_secret *key = context;
    uintptr_t failures = 0;

    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct kw_secret derived = {0};

        failures += kw_ok(kw_kdf_partner_key(key, KW_ID_NONE, i, 1, &derived, NULL)) ? 0U : 1U;
        kw_secret_done(&derived);
    }
    return (void *)failures;
}

/* The first use fetches the algorithms: threads that start together must all find them. */
Test(crypto, operations_run_in_many_threads_at_once)
{
    KW_SCOPED(kw_secret_done) struct kw_secret key = secret_of(KW_AES256_LEN, 9);
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(eq(int, pthread_create(&threads[i], NULL, derive_often, &key), 0));
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *failures;

        cr_assert(eq(int, pthread_join(threads[i], &failures), 0));
        cr_expect(failures == NULL);
    }
}
