/* CMAC, key derivation and CCM of sdk/pen against values computed elsewhere. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/unit/pen_test_support.h"

/* In pieces of `step` bytes, since the pen feeds what it has when it has it. */
static void check_cmac(const json_t *vector, size_t step)
{
    struct pen_bytes key = pen_hex(vector, "key");
    struct pen_bytes message = pen_hex(vector, "message");
    struct kw_pen_cmac mac;
    uint8_t tag[KW_PEN_TAG_SIZE];

    kw_pen_cmac_init(&mac, &pen_aes, key.data);
    for (size_t at = 0; at < message.size; at += step) {
        size_t left = message.size - at;

        kw_pen_cmac_update(&mac, message.data + at, left < step ? left : step);
    }
    cr_assert(eq(int, kw_pen_cmac_final(&mac, tag), KW_PEN_OK));
    pen_assert_bytes(tag, pen_hex(vector, "mac"));
}

Test(pen_cmac, equals_the_known_answers_in_pieces_of_any_size)
{
    const json_t *sets[] = {json_object_get(pen_vectors("keyward-kat.json"), "aes_cmac"),
                            json_object_get(pen_vectors("pen.json"), "cmac")};

    for (size_t set = 0; set < 2; set++) {
        cr_assert(lt(sz, 0, json_array_size(sets[set])));
        for (size_t i = 0; i < json_array_size(sets[set]); i++) {
            for (size_t step = 1; step <= 33; step++) {
                check_cmac(json_array_get(sets[set], i), step);
            }
        }
    }
}

Test(pen_cmac, reports_a_failing_engine_at_every_block_and_wipes_its_state)
{
    static const uint8_t key[KW_PEN_KEY_SIZE];
    static const uint8_t message[40];
    static const struct kw_pen_cmac wiped;
    uint8_t tag[KW_PEN_TAG_SIZE];

    for (unsigned works = 0; works < 4; works++) {
        unsigned left = works;
        struct kw_pen_aes aes = pen_aes_failing_after(&left);
        struct kw_pen_cmac mac;

        kw_pen_cmac_init(&mac, &aes, key);
        kw_pen_cmac_update(&mac, message, sizeof(message));
        cr_assert(eq(int, kw_pen_cmac_final(&mac, tag), KW_PEN_E_AES));
        cr_assert(eq(int, memcmp(&mac, &wiped, sizeof(mac)), 0));
    }
}

Test(pen_kdf, derives_the_known_partner_key)
{
    const json_t *kat =
        json_object_get(pen_vectors("keyward-kat.json"), "sp800_108_counter_cmac_partner_key");
    struct pen_bytes context = pen_hex(kat, "context");
    uint8_t key[KW_PEN_KEY_SIZE];

    cr_assert(eq(int,
                 kw_pen_partner_key(&pen_aes, pen_hex(kat, "device_key").data, context.data, 1,
                                    KW_PEN_SUITE_AES256, key),
                 KW_PEN_OK));
    pen_assert_bytes(key, pen_hex(kat, "partner_key"));
}

Test(pen_kdf, derives_the_known_session_keys)
{
    const json_t *kat =
        json_object_get(pen_vectors("keyward-kat.json"), "sp800_108_counter_cmac_session_keys");
    struct pen_bytes context = pen_hex(kat, "context");
    struct pen_bytes want = pen_hex(kat, "session_keys");
    struct kw_pen_session_keys keys;

    cr_assert(eq(int,
                 kw_pen_session_keys_derive(&pen_aes, pen_hex(kat, "partner_key").data,
                                            context.data, context.data + 16, 7, &keys),
                 KW_PEN_OK));
    cr_assert(eq(int, memcmp(keys.enc, want.data, 32), 0));
    cr_assert(eq(int, memcmp(keys.auth, want.data + 32, 32), 0));
    cr_assert(eq(int, memcmp(keys.salt, want.data + 64, 8), 0));
}

Test(pen_kdf, leaves_no_half_of_a_key_when_the_engine_fails)
{
    static const uint8_t zeros[KW_PEN_KEY_SIZE];
    unsigned left = 6; /* the first of two blocks succeeds */
    struct kw_pen_aes aes = pen_aes_failing_after(&left);
    uint8_t key[KW_PEN_KEY_SIZE];

    memset(key, 0xff, sizeof(key));
    cr_assert(eq(int, kw_pen_partner_key(&aes, zeros, zeros, 1, 1, key), KW_PEN_E_AES));
    cr_assert(eq(int, memcmp(key, zeros, sizeof(key)), 0));
}

/* One CCM vector with its parts as bytes. */
struct ccm_case {
    struct pen_bytes key, nonce, aad, plain, cipher, tag;
    struct kw_pen_ccm ccm;
};

static void ccm_case_load(struct ccm_case *c, size_t index)
{
    const json_t *v = json_array_get(json_object_get(pen_vectors("pen.json"), "ccm"), index);

    c->key = pen_hex(v, "key");
    c->nonce = pen_hex(v, "nonce");
    c->aad = pen_hex(v, "aad");
    c->plain = pen_hex(v, "plain");
    c->cipher = pen_hex(v, "cipher");
    c->tag = pen_hex(v, "tag");
    c->ccm = (struct kw_pen_ccm){&pen_aes, c->key.data, c->nonce.data, c->aad.data, c->aad.size};
}

static size_t ccm_cases(void)
{
    size_t count = json_array_size(json_object_get(pen_vectors("pen.json"), "ccm"));

    cr_assert(lt(sz, 0, count));
    return count;
}

Test(pen_ccm, seals_and_opens_the_known_answers_in_place)
{
    for (size_t i = 0; i < ccm_cases(); i++) {
        struct ccm_case c;
        uint8_t tag[KW_PEN_TAG_SIZE];
        uint8_t text[PEN_BYTES_MAX];

        ccm_case_load(&c, i);
        memcpy(text, c.plain.data, c.plain.size);
        cr_assert(eq(int, kw_pen_ccm_seal(&c.ccm, text, c.plain.size, text, tag), KW_PEN_OK));
        pen_assert_bytes(text, c.cipher);
        pen_assert_bytes(tag, c.tag);
        cr_assert(eq(int, kw_pen_ccm_open(&c.ccm, text, c.plain.size, tag, text), KW_PEN_OK));
        pen_assert_bytes(text, c.plain);
    }
}

/* Opens `c` as it now stands, expecting refusal and no trace of plaintext. */
static void assert_refused_and_wiped(const struct ccm_case *c)
{
    static const uint8_t zeros[PEN_BYTES_MAX];
    uint8_t text[PEN_BYTES_MAX];

    memset(text, 0xff, sizeof(text));
    cr_assert(eq(int, kw_pen_ccm_open(&c->ccm, c->cipher.data, c->cipher.size, c->tag.data, text),
                 KW_PEN_E_TAG));
    cr_assert(eq(int, memcmp(text, zeros, c->cipher.size), 0));
}

Test(pen_ccm, refuses_any_changed_byte_and_shows_no_plaintext)
{
    struct ccm_case c;

    ccm_case_load(&c, 3); /* header of 8, text of 12: a dose record's shape */
    struct pen_bytes *parts[] = {&c.key, &c.nonce, &c.aad, &c.cipher, &c.tag};
    for (size_t part = 0; part < 5; part++) {
        for (size_t i = 0; i < parts[part]->size; i++) {
            parts[part]->data[i] ^= 1;
            assert_refused_and_wiped(&c);
            parts[part]->data[i] ^= 1;
        }
    }
}

Test(pen_ccm, refuses_sizes_its_length_fields_cannot_carry)
{
    static uint8_t big[KW_PEN_CCM_TEXT_MAX + 1];
    static const uint8_t key[KW_PEN_KEY_SIZE];
    uint8_t tag[KW_PEN_TAG_SIZE] = {0};
    struct kw_pen_ccm ccm = {&pen_aes, key, key, NULL, 0};

    cr_assert(eq(int, kw_pen_ccm_seal(&ccm, big, sizeof(big), big, tag), KW_PEN_E_LENGTH));
    cr_assert(eq(int, kw_pen_ccm_open(&ccm, big, sizeof(big), tag, big), KW_PEN_E_LENGTH));
    ccm.aad = big;
    ccm.aad_size = KW_PEN_CCM_AAD_MAX + 1;
    cr_assert(eq(int, kw_pen_ccm_seal(&ccm, big, 1, big, tag), KW_PEN_E_LENGTH));
}

Test(pen_ccm, releases_nothing_when_the_engine_fails)
{
    static const uint8_t zeros[12];
    struct ccm_case c;
    uint8_t text[12];
    uint8_t tag[KW_PEN_TAG_SIZE];

    ccm_case_load(&c, 3);
    for (unsigned works = 0; works < 5; works++) {
        unsigned left = works;
        struct kw_pen_aes aes = pen_aes_failing_after(&left);

        c.ccm.aes = &aes;
        memset(text, 0xff, sizeof(text));
        cr_assert(eq(int, kw_pen_ccm_seal(&c.ccm, c.plain.data, 12, text, tag), KW_PEN_E_AES));
        cr_assert(eq(int, memcmp(text, zeros, sizeof(text)), 0));
        left = works;
        memset(text, 0xff, sizeof(text));
        cr_assert(
            eq(int, kw_pen_ccm_open(&c.ccm, c.cipher.data, 12, c.tag.data, text), KW_PEN_E_AES));
        cr_assert(eq(int, memcmp(text, zeros, sizeof(text)), 0));
    }
}
