/* Key derivation: the key schedule of docs/formats.md.
 *
 *     K(i) = CMAC(K_in, i_be32 ‖ label ‖ 0x00 ‖ context ‖ bits_be32)   SP 800-108r1 §4.1
 *
 *     K_dev ── "KEYWARD-PD-v1", partner ‖ epoch ‖ suite ──▶ K_pd (32)
 *     K_pd  ── "KEYWARD-SS-v1", nonce_app ‖ nonce_pen ‖ counter ──▶ session keys (72),
 *                                                       k_enc 32 ‖ k_auth 32 ‖ nonce_salt 8
 *
 * Whoever knows K_in can steer a CMAC's output (SP 800-108r1 §4.1); here that is the HSM and the
 * pen alone, and contexts have a fixed form, so nobody can gain by it. An HSM without this
 * mechanism computes the same with C_Sign over the inputs that kw_kdf_block_input writes.
 */
#ifndef KW_COMMON_CRYPTO_KDF_H
#define KW_COMMON_CRYPTO_KDF_H

#include "common/base/id.h"
#include "common/base/secret.h"

#define KW_KDF_LABEL_PARTNER_KEY  "KEYWARD-PD-v1"
#define KW_KDF_LABEL_SESSION_KEYS "KEYWARD-SS-v1"

#define KW_KDF_BLOCK_LEN           16 /* one CMAC */
#define KW_KDF_LABEL_LEN_MAX       32
#define KW_KDF_CONTEXT_LEN_MAX     64
#define KW_KDF_BLOCK_INPUT_LEN_MAX (4 + KW_KDF_LABEL_LEN_MAX + 1 + KW_KDF_CONTEXT_LEN_MAX + 4)

#define KW_NONCE_LEN               16
#define KW_PARTNER_KEY_LEN         32
#define KW_PARTNER_KEY_CONTEXT_LEN (KW_ID_LEN + 4 + 2)
#define KW_SESSION_CONTEXT_LEN     (2 * KW_NONCE_LEN + 4)
#define KW_SESSION_ENC_LEN         32
#define KW_SESSION_AUTH_LEN        32
#define KW_SESSION_SALT_LEN        8
#define KW_SESSION_KEYS_LEN        (KW_SESSION_ENC_LEN + KW_SESSION_AUTH_LEN + KW_SESSION_SALT_LEN)

/* What goes into every block of one derivation. All borrowed. */
struct kw_kdf_input {
    const char *label;       /* at most KW_KDF_LABEL_LEN_MAX bytes */
    struct kw_bytes context; /* at most KW_KDF_CONTEXT_LEN_MAX bytes */
    uint32_t bits;           /* of the whole output; a multiple of 8 */
};

/* The message whose CMAC is one block of output. */
struct kw_kdf_block {
    uint8_t bytes[KW_KDF_BLOCK_INPUT_LEN_MAX];
    size_t len;
};

/* Both sides' contributions to one connection between phone and pen. */
struct kw_session_context {
    uint8_t nonce_app[KW_NONCE_LEN];
    uint8_t nonce_pen[KW_NONCE_LEN];
    uint32_t counter;
};

/* How many blocks an output of `bits` takes. */
static inline uint32_t kw_kdf_block_count(uint32_t bits)
{
    return bits / (8 * KW_KDF_BLOCK_LEN) + (bits % (8 * KW_KDF_BLOCK_LEN) != 0 ? 1 : 0);
}

/* Writes the message of block `index`, which counts from 1. For HSMs, which sign it with K_in.
 * Fails: ARGUMENT_INVALID (label or context too long, index outside 1..kw_kdf_block_count, odd
 * bits). */
struct kw_result kw_kdf_block_input(const struct kw_kdf_input *input, uint32_t index,
                                    struct kw_kdf_block *ret_block, struct kw_error *err);

/* The two contexts of the key schedule. */
void kw_kdf_partner_key_context(struct kw_id partner, uint32_t epoch, uint16_t suite,
                                uint8_t ret_context[KW_PARTNER_KEY_CONTEXT_LEN]);
void kw_kdf_session_context(const struct kw_session_context *session,
                            uint8_t ret_context[KW_SESSION_CONTEXT_LEN]);

/* SP 800-108 in counter mode with CMAC-AES-256. `ret_key` is made here; release with
 * kw_secret_done. Any thread. Fails: ARGUMENT_INVALID (as kw_kdf_block_input, or the output is over
 * KW_SECRET_LEN_MAX), LIMIT_REACHED, CRYPTO, MEMORY, SYSTEM. */
struct kw_result kw_kdf_counter_cmac(const struct kw_secret *key, const struct kw_kdf_input *input,
                                     struct kw_secret *ret_key, struct kw_error *err);

/* K_pd from K_dev. Ownership, thread, failures: as kw_kdf_counter_cmac. */
struct kw_result kw_kdf_partner_key(const struct kw_secret *device_key, struct kw_id partner,
                                    uint32_t epoch, uint16_t suite, struct kw_secret *ret_key,
                                    struct kw_error *err);

/* The 72 bytes of session keys, k_enc ‖ k_auth ‖ nonce_salt, from K_pd. As kw_kdf_counter_cmac. */
struct kw_result kw_kdf_session_keys(const struct kw_secret *partner_key,
                                     const struct kw_session_context *session,
                                     struct kw_secret *ret_keys, struct kw_error *err);

/* ANSI X9.63 KDF with SHA-384: `len` bytes from the shared secret `z`. `ret_key` as above. Any
 * thread. Fails: ARGUMENT_INVALID (len is 0 or over KW_SECRET_LEN_MAX), LIMIT_REACHED, CRYPTO,
 * MEMORY, SYSTEM. */
struct kw_result kw_kdf_x963_sha384(const struct kw_secret *z, struct kw_bytes info, size_t len,
                                    struct kw_secret *ret_key, struct kw_error *err);

#endif
