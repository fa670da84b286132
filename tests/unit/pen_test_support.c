/* Shared by the pen tests; see the header. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <openssl/evp.h>
#include <string.h>

#include "tests/unit/pen_test_support.h"

static int aes_block(const uint8_t *key, const uint8_t *in, uint8_t *ret_out, int encrypt)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size = 0;
    int ok = cipher != NULL &&
             EVP_CipherInit_ex(cipher, EVP_aes_256_ecb(), NULL, key, NULL, encrypt) == 1 &&
             EVP_CIPHER_CTX_set_padding(cipher, 0) == 1 &&
             EVP_CipherUpdate(cipher, ret_out, &size, in, KW_PEN_BLOCK_SIZE) == 1 &&
             size == KW_PEN_BLOCK_SIZE;

    EVP_CIPHER_CTX_free(cipher);
    return ok ? 0 : -1;
}

static int aes_encrypt(void *ctx, const uint8_t *key, const uint8_t *in, uint8_t *ret_out)
{
    unsigned *blocks_left = ctx;

    if (blocks_left != NULL && (*blocks_left)-- == 0) {
        *blocks_left = 0;
        return -1;
    }
    return aes_block(key, in, ret_out, 1);
}

static int aes_decrypt(void *ctx, const uint8_t *key, const uint8_t *in, uint8_t *ret_out)
{
    (void)ctx;
    return aes_block(key, in, ret_out, 0);
}

const struct kw_pen_aes pen_aes = {aes_encrypt, aes_decrypt, NULL};

struct kw_pen_aes pen_aes_failing_after(unsigned *blocks_left)
{
    return (struct kw_pen_aes){aes_encrypt, aes_decrypt, blocks_left};
}

const json_t *pen_vectors(const char *file)
{
    static json_t *pen;
    static json_t *kat;
    json_t **cached = strcmp(file, "pen.json") == 0 ? &pen : &kat;
    char path[1024];

    if (*cached == NULL) {
        snprintf(path, sizeof(path), "%s/tests/vectors/%s", KW_SOURCE_DIR, file);
        *cached = json_load_file(path, 0, NULL);
        cr_assert(ne(ptr, *cached, NULL), "%s", path);
    }
    return *cached;
}

struct pen_bytes pen_hex(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    struct pen_bytes bytes = {.size = 0};

    cr_assert(ne(ptr, (void *)text, NULL), "%s", name);
    if (text[0] != '\0') {
        cr_assert(eq(int,
                     OPENSSL_hexstr2buf_ex(bytes.data, sizeof(bytes.data), &bytes.size, text, '\0'),
                     1),
                  "%s", name);
    }
    return bytes;
}

uint32_t pen_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    cr_assert(eq(int, json_is_integer(value), 1), "%s", name);
    return (uint32_t)json_integer_value(value);
}

void pen_assert_bytes(const uint8_t *got, struct pen_bytes want)
{
    struct cr_mem got_mem = {got, want.size};
    struct cr_mem want_mem = {want.data, want.size};

    cr_assert(eq(mem, got_mem, want_mem));
}

const json_t *pen_handshake(size_t index)
{
    const json_t *all = json_object_get(pen_vectors("pen.json"), "handshakes");

    cr_assert(lt(sz, index, json_array_size(all)));
    return json_array_get(all, index);
}

struct kw_pen_device pen_device(const json_t *handshake)
{
    struct kw_pen_device device = {.aes = pen_aes};

    memcpy(device.key, pen_hex(handshake, "device_key").data, KW_PEN_KEY_SIZE);
    return device;
}

void pen_session_await(struct kw_pen_session *session, struct kw_pen_device *device,
                       const json_t *handshake)
{
    struct pen_bytes m1 = pen_hex(handshake, "m1");
    struct pen_bytes nonce = pen_hex(handshake, "nonce_pen");
    uint8_t m2[KW_PEN_M2_SIZE];

    cr_assert(eq(int,
                 kw_pen_handshake_answer(session, device, m1.data, m1.size, nonce.data,
                                         pen_number(handshake, "session_counter"), m2),
                 KW_PEN_OK));
    pen_assert_bytes(m2, pen_hex(handshake, "m2"));
}

void pen_session_open(struct kw_pen_session *session, struct kw_pen_device *device,
                      const json_t *handshake)
{
    struct pen_bytes m3 = pen_hex(handshake, "m3");

    pen_session_await(session, device, handshake);
    cr_assert(eq(int, kw_pen_handshake_finish(session, m3.data, m3.size), KW_PEN_OK));
}
