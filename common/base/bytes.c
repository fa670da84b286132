/* Owned and borrowed bytes, constant-time comparison, wiping and hex. */
#include "common/base/bytes.h"

#include <stdlib.h>

bool kw_bytes_equal(struct kw_bytes a, struct kw_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool kw_bytes_equal_ct(struct kw_bytes a, struct kw_bytes b)
{
    volatile uint8_t difference = 0;

    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        difference = (uint8_t)(difference | (a.data[i] ^ b.data[i]));
    }
    return difference == 0;
}

void kw_copy(void *to, const void *from, size_t n)
{
    if (n > 0) {
        memcpy(to, from, n);
    }
}

void kw_wipe(void *data, size_t len)
{
    if (len > 0) {
        explicit_bzero(data, len);
    }
}

void kw_buf_done(struct kw_buf *buf)
{
    if (buf == NULL) {
        return;
    }
    kw_wipe(buf->data, buf->cap);
    free(buf->data);
    *buf = (struct kw_buf){0};
}

void kw_buf_clear(struct kw_buf *buf)
{
    kw_wipe(buf->data, buf->len);
    buf->len = 0;
}

struct kw_result kw_buf_reserve(struct kw_buf *buf, size_t more, struct kw_error *err)
{
    size_t need;
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    uint8_t *grown;

    KW_ENSURE(!__builtin_add_overflow(buf->len, more, &need), err, MEMORY, "size overflow");
    if (need <= buf->cap) {
        return KW_OK;
    }
    while (cap < need) {
        KW_ENSURE(!__builtin_mul_overflow(cap, (size_t)2, &cap), err, MEMORY, "size overflow");
    }
    /* Not realloc: the old memory may hold what must be wiped before it goes back to the heap. */
    grown = malloc(cap);
    KW_ENSURE(grown != NULL, err, MEMORY, "buffer of %zu bytes", cap);
    kw_copy(grown, buf->data, buf->len);
    kw_wipe(buf->data, buf->cap);
    free(buf->data);
    buf->data = grown;
    buf->cap = cap;
    return KW_OK;
}

struct kw_result kw_buf_append(struct kw_buf *buf, struct kw_bytes bytes, struct kw_error *err)
{
    if (bytes.len == 0) {
        return KW_OK;
    }
    KW_TRY(kw_buf_reserve(buf, bytes.len, err));
    kw_copy(buf->data + buf->len, bytes.data, bytes.len);
    buf->len += bytes.len;
    return KW_OK;
}

void kw_buf_move(struct kw_buf *to, struct kw_buf *from)
{
    kw_buf_done(to);
    *to = *from;
    *from = (struct kw_buf){0};
}

void kw_hex(struct kw_bytes bytes, char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < bytes.len; i++) {
        text[2 * i] = digits[bytes.data[i] >> 4];
        text[2 * i + 1] = digits[bytes.data[i] & 15];
    }
    text[2 * bytes.len] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

struct kw_result kw_unhex(const char *text, uint8_t *out, size_t len, struct kw_error *err)
{
    KW_ENSURE(strlen(text) == 2 * len, err, ARGUMENT_INVALID, "expected %zu hex digits", 2 * len);
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);

        KW_ENSURE(high >= 0 && low >= 0, err, ARGUMENT_INVALID, "not a hex digit at %zu", 2 * i);
        out[i] = (uint8_t)((high << 4) | low);
    }
    return KW_OK;
}
