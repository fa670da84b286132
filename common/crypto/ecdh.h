/* One-pass Diffie-Hellman on P-384 (SP 800-56A C(1e, 1s)): a fresh key pair of the sender, the
 * static one of the receiver, and X9.63 with SHA-384 to make the shared secret a key. */
#ifndef KW_COMMON_CRYPTO_ECDH_H
#define KW_COMMON_CRYPTO_ECDH_H

#include "common/crypto/key.h"

/* The sender's side: makes the ephemeral key, gives its point and `len` bytes of key. Both sides
 * must use the same `info`. `ret_key` is made here. Any thread. Fails: ARGUMENT_INVALID (not P-384,
 * len out of range), LIMIT_REACHED, CRYPTO, SYSTEM, MEMORY. */
struct kw_result kw_ecdh_send(const struct kw_public_key *receiver, struct kw_bytes info,
                              size_t len, uint8_t ret_ephemeral[KW_P384_POINT_LEN],
                              struct kw_secret *ret_key, struct kw_error *err);

/* The receiver's side: the same key from the sender's point, which is checked to be on the curve.
 * Fails: as kw_ecdh_send, and ARGUMENT_INVALID (the point). */
struct kw_result kw_ecdh_receive(const struct kw_private_key *receiver, struct kw_bytes ephemeral,
                                 struct kw_bytes info, size_t len, struct kw_secret *ret_key,
                                 struct kw_error *err);

#endif
