/* Known answers: every row of tests/vectors/keyward-kat.json, computed by common/crypto. */
#include "common/crypto/cmac.h"
#include "common/crypto/digest.h"
#include "common/crypto/kdf.h"
#include "common/crypto/keywrap.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <jansson.h>

#define VECTORS KW_SOURCE_DIR "/tests/vectors/keyward-kat.json"

static json_t *vectors;

static void vectors_load(void)
{
    json_error_t why;

    vectors = json_load_file(VECTORS, 0, &why);
    cr_assert(vectors != NULL, "%s: %s", VECTORS, why.text);
}

static void vectors_free(void)
{
    json_decref(vectors);
}

TestSuite(crypto_kat, .init = vectors_load, .fini = vectors_free);

/* A hex field of a row as bytes in a secret, which is room enough for all of them. */
static struct kw_secret field(const json_t *row, const char *name)
{
    const char *hex = json_string_value(json_object_get(row, name));
    struct kw_secret secret = {0};

    cr_assert(hex != NULL, "no field %s", name);
    cr_assert(kw_ok(kw_secret_init(&secret, strlen(hex) / 2, NULL)));
    cr_assert(kw_ok(kw_unhex(hex, secret.slot, secret.len, NULL)));
    return secret;
}

static bool equal(const struct kw_secret *a, struct kw_bytes b)
{
    return kw_bytes_equal(kw_secret_bytes(a), b);
}

Test(crypto_kat, wrapping_with_padding_both_ways)
{
    const json_t *row = json_object_get(vectors, "aes_kwp_rfc5649");
    KW_SCOPED(kw_secret_done) struct kw_secret kek = field(row, "kek");
    KW_SCOPED(kw_secret_done) struct kw_secret key = field(row, "key");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "wrapped");
    KW_SCOPED(kw_secret_done) struct kw_secret unwrapped = {0};
    struct kw_wrapped wrapped;

    cr_assert(kw_ok(kw_kwp_wrap(&kek, &key, &wrapped, NULL)));
    cr_expect(equal(&expected, kw_wrapped_bytes(&wrapped)));
    cr_assert(kw_ok(kw_kwp_unwrap(&kek, kw_secret_bytes(&expected), &unwrapped, NULL)));
    cr_expect(equal(&key, kw_secret_bytes(&unwrapped)));
}

Test(crypto_kat, wrapping_without_padding_both_ways)
{
    const json_t *row = json_object_get(vectors, "aes_kw_rfc3394");
    KW_SCOPED(kw_secret_done) struct kw_secret kek = field(row, "kek");
    KW_SCOPED(kw_secret_done) struct kw_secret key = field(row, "key");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "wrapped");
    KW_SCOPED(kw_secret_done) struct kw_secret unwrapped = {0};
    struct kw_wrapped wrapped;

    cr_assert(kw_ok(kw_kw_wrap(&kek, &key, &wrapped, NULL)));
    cr_expect(equal(&expected, kw_wrapped_bytes(&wrapped)));
    cr_assert(kw_ok(kw_kw_unwrap(&kek, kw_secret_bytes(&expected), &unwrapped, NULL)));
    cr_expect(equal(&key, kw_secret_bytes(&unwrapped)));
}

Test(crypto_kat, cmac)
{
    const json_t *rows = json_object_get(vectors, "aes_cmac");
    const json_t *row;
    size_t i;

    cr_assert(json_array_size(rows) > 0);
    json_array_foreach(rows, i, row)
    {
        KW_SCOPED(kw_secret_done) struct kw_secret key = field(row, "key");
        KW_SCOPED(kw_secret_done) struct kw_secret message = field(row, "message");
        KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "mac");
        struct kw_bytes part = kw_secret_bytes(&message);
        uint8_t mac[KW_CMAC_LEN];

        cr_assert(kw_ok(kw_cmac_aes256(&key, &part, 1, mac, NULL)));
        cr_expect(equal(&expected, KW_BYTES_OF(mac)), "row %zu", i);
    }
}

Test(crypto_kat, check_value_is_the_cmac_of_a_zero_block)
{
    const json_t *row = json_array_get(json_object_get(vectors, "aes_cmac"), 1);
    KW_SCOPED(kw_secret_done) struct kw_secret key = field(row, "key");
    KW_SCOPED(kw_secret_done) struct kw_secret mac = field(row, "mac");
    uint8_t value[KW_CHECK_VALUE_LEN];

    cr_assert(kw_ok(kw_check_value(&key, value, NULL)));
    cr_expect(kw_bytes_equal(KW_BYTES(mac.slot, KW_CHECK_VALUE_LEN), KW_BYTES_OF(value)));
}

Test(crypto_kat, partner_key)
{
    const json_t *row = json_object_get(vectors, "sp800_108_counter_cmac_partner_key");
    KW_SCOPED(kw_secret_done) struct kw_secret device_key = field(row, "device_key");
    KW_SCOPED(kw_secret_done) struct kw_secret context = field(row, "context");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "partner_key");
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    struct kw_id partner;
    uint8_t made[KW_PARTNER_KEY_CONTEXT_LEN];

    cr_assert(kw_ok(kw_id_from_bytes(KW_BYTES(context.slot, KW_ID_LEN), &partner, NULL)));
    kw_kdf_partner_key_context(partner, 1, 1, made);
    cr_expect(equal(&context, KW_BYTES_OF(made)));
    cr_assert(kw_ok(kw_kdf_partner_key(&device_key, partner, 1, 1, &key, NULL)));
    cr_expect(equal(&expected, kw_secret_bytes(&key)));
}

Test(crypto_kat, session_keys)
{
    const json_t *row = json_object_get(vectors, "sp800_108_counter_cmac_session_keys");
    KW_SCOPED(kw_secret_done) struct kw_secret partner_key = field(row, "partner_key");
    KW_SCOPED(kw_secret_done) struct kw_secret context = field(row, "context");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "session_keys");
    KW_SCOPED(kw_secret_done) struct kw_secret keys = {0};
    struct kw_session_context session = {.counter = 7};
    uint8_t made[KW_SESSION_CONTEXT_LEN];

    kw_copy(session.nonce_app, context.slot, KW_NONCE_LEN);
    kw_copy(session.nonce_pen, context.slot + KW_NONCE_LEN, KW_NONCE_LEN);
    kw_kdf_session_context(&session, made);
    cr_expect(equal(&context, KW_BYTES_OF(made)));
    cr_assert(kw_ok(kw_kdf_session_keys(&partner_key, &session, &keys, NULL)));
    cr_expect(equal(&expected, kw_secret_bytes(&keys)));
}

/* An HSM without the mechanism signs the block inputs one by one; the result must be the same. */
Test(crypto_kat, session_keys_block_by_block)
{
    const json_t *row = json_object_get(vectors, "sp800_108_counter_cmac_session_keys");
    KW_SCOPED(kw_secret_done) struct kw_secret partner_key = field(row, "partner_key");
    KW_SCOPED(kw_secret_done) struct kw_secret context = field(row, "context");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "session_keys");
    const struct kw_kdf_input input = {KW_KDF_LABEL_SESSION_KEYS, kw_secret_bytes(&context),
                                       8 * KW_SESSION_KEYS_LEN};
    uint8_t all[5 * KW_KDF_BLOCK_LEN];

    cr_assert(eq(u32, kw_kdf_block_count(input.bits), 5));
    for (uint32_t i = 1; i <= 5; i++) {
        struct kw_kdf_block block;
        struct kw_bytes part;

        cr_assert(kw_ok(kw_kdf_block_input(&input, i, &block, NULL)));
        part = KW_BYTES(block.bytes, block.len);
        cr_assert(
            kw_ok(kw_cmac_aes256(&partner_key, &part, 1, all + (i - 1) * KW_KDF_BLOCK_LEN, NULL)));
    }
    cr_expect(equal(&expected, KW_BYTES(all, KW_SESSION_KEYS_LEN)));
}

Test(crypto_kat, x963_sha384)
{
    const json_t *row = json_object_get(vectors, "ansi_x963_kdf_sha384");
    KW_SCOPED(kw_secret_done) struct kw_secret z = field(row, "z");
    KW_SCOPED(kw_secret_done) struct kw_secret expected = field(row, "key");
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    const char *info = json_string_value(json_object_get(row, "info_ascii"));

    cr_assert(kw_ok(kw_kdf_x963_sha384(&z, kw_bytes_str(info), expected.len, &key, NULL)));
    cr_expect(equal(&expected, kw_secret_bytes(&key)));
}

/* FIPS 180-4's example "abc", in one piece and in three. */
Test(crypto_kat, digests_of_abc)
{
    const struct kw_bytes parts[] = {kw_bytes_str("a"), kw_bytes_str("b"), kw_bytes_str("c")};
    uint8_t digest[KW_SHA384_LEN];
    uint8_t from_parts[KW_SHA384_LEN];
    char hex[2 * KW_SHA384_LEN + 1];

    cr_assert(kw_ok(kw_sha256(kw_bytes_str("abc"), digest, NULL)));
    cr_assert(kw_ok(kw_sha256_list(parts, 3, from_parts, NULL)));
    kw_hex(KW_BYTES(digest, KW_SHA256_LEN), hex);
    cr_expect(eq(str, hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    cr_expect(kw_bytes_equal(KW_BYTES(digest, KW_SHA256_LEN), KW_BYTES(from_parts, KW_SHA256_LEN)));

    cr_assert(kw_ok(kw_sha384(kw_bytes_str("abc"), digest, NULL)));
    cr_assert(kw_ok(kw_sha384_list(parts, 3, from_parts, NULL)));
    kw_hex(KW_BYTES_OF(digest), hex);
    cr_expect(eq(str, hex,
                 "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
                 "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"));
    cr_expect(kw_bytes_equal(KW_BYTES_OF(digest), KW_BYTES_OF(from_parts)));
}

/* RFC 4231, test case 1. */
Test(crypto_kat, hmac_sha256)
{
    const struct kw_bytes parts[] = {kw_bytes_str("Hi "), kw_bytes_str("There")};
    KW_SCOPED(kw_secret_done) struct kw_secret key = {0};
    uint8_t mac[KW_SHA256_LEN];
    char hex[2 * KW_SHA256_LEN + 1];

    cr_assert(kw_ok(kw_secret_init(&key, 20, NULL)));
    memset(key.slot, 0x0b, key.len);
    cr_assert(kw_ok(kw_hmac_sha256(&key, parts, 2, mac, NULL)));
    kw_hex(KW_BYTES_OF(mac), hex);
    cr_expect(eq(str, hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
}
