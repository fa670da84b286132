/* AES-256-CMAC (SP 800-38B, RFC 4493) and the check value that identifies a key without revealing
 * it. */
#ifndef KW_COMMON_CRYPTO_CMAC_H
#define KW_COMMON_CRYPTO_CMAC_H

#include "common/base/secret.h"

#define KW_AES256_LEN 32
#define KW_CMAC_LEN   16
#define KW_CHECK_VALUE_LEN                                                                         \
    3 /* as CKA_CHECK_VALUE: enough to tell keys apart, useless to an attacker */

/* The MAC over `count` pieces, one after the other. `parts` may be NULL when `count` is 0. Any
 * thread. Fails: ARGUMENT_INVALID (the key is not 32 bytes), CRYPTO, MEMORY. */
struct kw_result kw_cmac_aes256(const struct kw_secret *key, const struct kw_bytes *parts,
                                size_t count, uint8_t ret_mac[KW_CMAC_LEN], struct kw_error *err);

/* Succeeds when `mac` is the whole 16-byte MAC over the pieces; compares in constant time. Any
 * thread. A caller that names the failure otherwise asks kw_ok() of it with `err` NULL. Fails:
 * BINDING_INVALID (another MAC, or another length), ARGUMENT_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_cmac_aes256_verify(const struct kw_secret *key, const struct kw_bytes *parts,
                                       size_t count, struct kw_bytes mac, struct kw_error *err);

/* The first three bytes of the CMAC over 16 zero bytes. Any thread. Fails: as kw_cmac_aes256. */
struct kw_result kw_check_value(const struct kw_secret *key, uint8_t ret_value[KW_CHECK_VALUE_LEN],
                                struct kw_error *err);

#endif
