/* Provisioning: a pen takes its key in and proves that it did. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "tests/unit/pen_test_support.h"

static const json_t *vector(void)
{
    return json_object_get(pen_vectors("pen.json"), "provisioning");
}

Test(pen_provision, unwraps_the_key_of_the_line)
{
    struct pen_bytes wrapped = pen_hex(vector(), "wrapped");
    uint8_t key[KW_PEN_KEY_SIZE];

    cr_assert(eq(int,
                 kw_pen_key_unwrap(&pen_aes, pen_hex(vector(), "line_key").data, wrapped.data,
                                   wrapped.size, key),
                 KW_PEN_OK));
    pen_assert_bytes(key, pen_hex(vector(), "device_key"));
}

Test(pen_provision, refuses_a_wrapped_key_with_any_byte_changed)
{
    struct pen_bytes line_key = pen_hex(vector(), "line_key");
    struct pen_bytes wrapped = pen_hex(vector(), "wrapped");
    uint8_t key[KW_PEN_KEY_SIZE];

    for (size_t i = 0; i < wrapped.size; i++) {
        wrapped.data[i] ^= 0x80;
        cr_assert(eq(int,
                     kw_pen_key_unwrap(&pen_aes, line_key.data, wrapped.data, wrapped.size, key),
                     KW_PEN_E_WRAP));
        wrapped.data[i] ^= 0x80;
    }
}

Test(pen_provision, refuses_a_key_wrapped_without_padding_rules)
{
    const json_t *kat = json_object_get(pen_vectors("keyward-kat.json"), "aes_kw_rfc3394");
    struct pen_bytes wrapped = pen_hex(kat, "wrapped");
    uint8_t key[KW_PEN_KEY_SIZE];

    cr_assert(eq(
        int, kw_pen_key_unwrap(&pen_aes, pen_hex(kat, "kek").data, wrapped.data, wrapped.size, key),
        KW_PEN_E_WRAP));
}

Test(pen_provision, refuses_a_wrapped_key_of_another_size)
{
    struct pen_bytes line_key = pen_hex(vector(), "line_key");
    struct pen_bytes wrapped = pen_hex(vector(), "wrapped");
    uint8_t key[KW_PEN_KEY_SIZE];

    for (size_t size = 0; size <= wrapped.size + 1; size++) {
        if (size != wrapped.size) {
            cr_assert(eq(int, kw_pen_key_unwrap(&pen_aes, line_key.data, wrapped.data, size, key),
                         KW_PEN_E_LENGTH));
        }
    }
}

Test(pen_provision, unwraps_nothing_without_a_decrypt_hook)
{
    struct pen_bytes wrapped = pen_hex(vector(), "wrapped");
    struct kw_pen_aes aes = pen_aes;
    uint8_t key[KW_PEN_KEY_SIZE];

    aes.decrypt = NULL;
    cr_assert(eq(int,
                 kw_pen_key_unwrap(&aes, pen_hex(vector(), "line_key").data, wrapped.data,
                                   wrapped.size, key),
                 KW_PEN_E_AES));
}

Test(pen_provision, computes_the_check_value)
{
    uint8_t check_value[KW_PEN_CHECK_VALUE_SIZE];

    cr_assert(eq(int,
                 kw_pen_check_value(&pen_aes, pen_hex(vector(), "device_key").data, check_value),
                 KW_PEN_OK));
    pen_assert_bytes(check_value, pen_hex(vector(), "check_value"));
}

Test(pen_provision, proves_possession_of_its_key)
{
    struct kw_pen_device device = pen_device(vector());
    uint8_t tag[KW_PEN_TAG_SIZE];

    memcpy(device.id, pen_hex(vector(), "device_id").data, KW_PEN_ID_SIZE);
    cr_assert(eq(int, kw_pen_possession_proof(&device, pen_hex(vector(), "challenge").data, tag),
                 KW_PEN_OK));
    pen_assert_bytes(tag, pen_hex(vector(), "proof"));
}

Test(pen_provision, gives_no_proof_when_the_engine_fails)
{
    unsigned left = 0;
    struct kw_pen_device device = {.aes = pen_aes_failing_after(&left)};
    uint8_t check_value[KW_PEN_CHECK_VALUE_SIZE];
    uint8_t tag[KW_PEN_TAG_SIZE];

    cr_assert(eq(int, kw_pen_possession_proof(&device, pen_hex(vector(), "challenge").data, tag),
                 KW_PEN_E_AES));
    cr_assert(eq(int, kw_pen_check_value(&device.aes, device.key, check_value), KW_PEN_E_AES));
}
