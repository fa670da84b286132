/* Bytes: a reference that never frees (`kw_bytes`) and a buffer that owns (`kw_buf`). The type says
 * who frees. */
#ifndef KW_COMMON_BASE_BYTES_H
#define KW_COMMON_BASE_BYTES_H

#include "common/base/result.h"

#include <stdint.h>
#include <string.h>

/* Borrowed bytes: valid as long as their owner says. `data` may be NULL only when `len` is 0. */
struct kw_bytes {
    const uint8_t *data;
    size_t len;
};

/* Owned, growable bytes. Zero-initialise; release with kw_buf_done. */
struct kw_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

#define KW_BYTES(ptr, n)   ((struct kw_bytes){(const uint8_t *)(ptr), (n)})
#define KW_BYTES_OF(array) KW_BYTES((array), sizeof(array))
#define KW_BYTES_NONE      ((struct kw_bytes){NULL, 0})

static inline struct kw_bytes kw_bytes_str(const char *text)
{
    return KW_BYTES(text, strlen(text));
}

static inline struct kw_bytes kw_buf_bytes(const struct kw_buf *buf)
{
    return KW_BYTES(buf->data, buf->len);
}

/* Equality of public values; stops at the first difference. */
bool kw_bytes_equal(struct kw_bytes a, struct kw_bytes b);

/* Equality in time that depends on the lengths alone: for MACs and anything derived from a key. */
bool kw_bytes_equal_ct(struct kw_bytes a, struct kw_bytes b);

/* Copies exactly `n` bytes; n may be 0 with NULL pointers. The ranges do not overlap. */
void kw_copy(void *to, const void *from, size_t n);

/* Frees; accepts NULL and zeroed. Content is wiped first, so a buffer that met a secret leaves
 * nothing. */
void kw_buf_done(struct kw_buf *buf);

/* Keeps the memory, forgets (and wipes) the content. */
void kw_buf_clear(struct kw_buf *buf);

/* Makes room for `more` further bytes. Fails: MEMORY. On failure nothing changed. */
struct kw_result kw_buf_reserve(struct kw_buf *buf, size_t more, struct kw_error *err);

/* Appends a copy. Fails: MEMORY. On failure nothing changed. `bytes` must not lie in `buf`. */
struct kw_result kw_buf_append(struct kw_buf *buf, struct kw_bytes bytes, struct kw_error *err);

/* Replaces `to` (which is released) by `from`'s memory; `from` is empty afterwards. */
void kw_buf_move(struct kw_buf *to, struct kw_buf *from);

/* Overwrites memory in a way the compiler must keep. */
void kw_wipe(void *data, size_t len);

/* Lower-case hex; `text` has room for 2 * bytes.len + 1. */
void kw_hex(struct kw_bytes bytes, char *text);

/* Reads lower- or upper-case hex of exactly 2 * len digits. Fails: ARGUMENT_INVALID. */
struct kw_result kw_unhex(const char *text, uint8_t *out, size_t len, struct kw_error *err);

#endif
