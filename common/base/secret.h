/* Secret: the only type that key material, PINs and tokens may live in.
 *
 * Its bytes sit in a locked, no-dump region of their own, never on the heap, and are wiped when
 * released. There is no way to print one and no format for it in the logger. Code that must hand
 * the bytes to a library reads them through kw_secret_bytes, which is what a reviewer greps for.
 */
#ifndef KW_COMMON_BASE_SECRET_H
#define KW_COMMON_BASE_SECRET_H

#include "common/base/bytes.h"

#define KW_SECRET_LEN_MAX 128

/* Owned. Zero-initialise; release with kw_secret_done. Move by assignment and zeroing the source.
 */
struct kw_secret {
    uint8_t *slot;
    size_t len;
};

/* Locks the region that all secrets of this process share. Called once by main before any secret
 * exists; without it the first kw_secret_init does the same. Fails: SYSTEM (RLIMIT_MEMLOCK too
 * small). */
struct kw_result kw_secret_region_lock(struct kw_error *err);

/* A secret of `len` zero bytes. Fails: ARGUMENT_INVALID (len > KW_SECRET_LEN_MAX), LIMIT_REACHED
 * (region full), SYSTEM. Any thread. */
struct kw_result kw_secret_init(struct kw_secret *secret, size_t len, struct kw_error *err);

/* As kw_secret_init, with a copy of `bytes`, whose wiping stays the caller's business. */
struct kw_result kw_secret_copy(struct kw_secret *secret, struct kw_bytes bytes,
                                struct kw_error *err);

/* Reads a whole file (at most KW_SECRET_LEN_MAX bytes after trailing newlines are cut) into a
 * secret. Fails: CONFIG_INVALID (missing, empty, too long, or readable by group or others). */
struct kw_result kw_secret_from_file(struct kw_secret *secret, const char *path,
                                     struct kw_error *err);

/* Wipes and gives the slot back. Accepts NULL and zeroed. */
void kw_secret_done(struct kw_secret *secret);

/* The bytes, for a library call; valid until kw_secret_done. */
static inline struct kw_bytes kw_secret_bytes(const struct kw_secret *secret)
{
    return KW_BYTES(secret->slot, secret->len);
}

#endif
