/* One block at a time by EVP: slow, and the same everywhere. The contexts are made once. */
#include "tests/fuzz/pen_aes.h"

#include "tests/fuzz/fuzz.h"

#include <openssl/evp.h>

static int run_block(EVP_CIPHER_CTX *context, const uint8_t *key, const uint8_t *in, uint8_t *out,
                     int encrypt)
{
    int len;

    return EVP_CipherInit_ex2(context, EVP_aes_256_ecb(), key, NULL, encrypt, NULL) == 1 &&
                   EVP_CIPHER_CTX_set_padding(context, 0) == 1 &&
                   EVP_CipherUpdate(context, out, &len, in, KW_PEN_BLOCK_SIZE) == 1
               ? 0
               : -1;
}

static int encrypt_block(void *context, const uint8_t key[KW_PEN_KEY_SIZE],
                         const uint8_t in[KW_PEN_BLOCK_SIZE], uint8_t ret_out[KW_PEN_BLOCK_SIZE])
{
    return run_block(context, key, in, ret_out, 1);
}

static int decrypt_block(void *context, const uint8_t key[KW_PEN_KEY_SIZE],
                         const uint8_t in[KW_PEN_BLOCK_SIZE], uint8_t ret_out[KW_PEN_BLOCK_SIZE])
{
    return run_block(context, key, in, ret_out, 0);
}

struct kw_pen_aes kw_fuzz_pen_aes(void)
{
    static EVP_CIPHER_CTX *context;

    if (context == NULL) {
        context = EVP_CIPHER_CTX_new();
        KW_FUZZ_CHECK(context != NULL);
    }
    return (struct kw_pen_aes){.encrypt = encrypt_block, .decrypt = decrypt_block, .ctx = context};
}
