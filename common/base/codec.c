/* Writer and reader for canonical binary records. */
#include "common/base/codec.h"

uint32_t kw_be32_load(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void kw_be32_store(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}

void kw_be64_store(uint8_t *p, uint64_t value)
{
    kw_be32_store(p, (uint32_t)(value >> 32));
    kw_be32_store(p + 4, (uint32_t)value);
}

void kw_put_raw(struct kw_writer *w, struct kw_bytes bytes)
{
    if (!w->failed) {
        w->failed = !kw_ok(kw_buf_append(w->out, bytes, NULL));
    }
}

void kw_put_u8(struct kw_writer *w, uint8_t value)
{
    kw_put_raw(w, KW_BYTES(&value, 1));
}

void kw_put_u16(struct kw_writer *w, uint16_t value)
{
    uint8_t b[2] = {(uint8_t)(value >> 8), (uint8_t)value};

    kw_put_raw(w, KW_BYTES_OF(b));
}

void kw_put_u32(struct kw_writer *w, uint32_t value)
{
    uint8_t b[4];

    kw_be32_store(b, value);
    kw_put_raw(w, KW_BYTES_OF(b));
}

void kw_put_u64(struct kw_writer *w, uint64_t value)
{
    uint8_t b[8];

    kw_be64_store(b, value);
    kw_put_raw(w, KW_BYTES_OF(b));
}

void kw_put_var(struct kw_writer *w, struct kw_bytes bytes)
{
    if (bytes.len > UINT16_MAX) {
        w->failed = true;
        return;
    }
    kw_put_u16(w, (uint16_t)bytes.len);
    kw_put_raw(w, bytes);
}

void kw_put_str(struct kw_writer *w, const char *text)
{
    kw_put_var(w, kw_bytes_str(text));
}

struct kw_result kw_writer_end(const struct kw_writer *w, struct kw_error *err)
{
    KW_ENSURE(!w->failed, err, MEMORY, "record could not be written");
    return KW_OK;
}

struct kw_bytes kw_get_raw(struct kw_reader *r, size_t len)
{
    struct kw_bytes taken;

    if (r->failed || r->rest.len < len) {
        r->failed = true;
        return KW_BYTES_NONE;
    }
    taken = KW_BYTES(r->rest.data, len);
    if (len > 0) {
        r->rest = KW_BYTES(r->rest.data + len, r->rest.len - len);
    }
    return taken;
}

void kw_get_copy(struct kw_reader *r, void *out, size_t len)
{
    struct kw_bytes taken = kw_get_raw(r, len);

    if (taken.len != len) {
        memset(out, 0, len);
        return;
    }
    kw_copy(out, taken.data, len);
}

uint8_t kw_get_u8(struct kw_reader *r)
{
    uint8_t value;

    kw_get_copy(r, &value, 1);
    return value;
}

uint16_t kw_get_u16(struct kw_reader *r)
{
    uint8_t b[2];

    kw_get_copy(r, b, sizeof(b));
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t kw_get_u32(struct kw_reader *r)
{
    uint8_t b[4];

    kw_get_copy(r, b, sizeof(b));
    return kw_be32_load(b);
}

uint64_t kw_get_u64(struct kw_reader *r)
{
    uint64_t high = kw_get_u32(r);

    return high << 32 | kw_get_u32(r);
}

struct kw_bytes kw_get_var(struct kw_reader *r)
{
    return kw_get_raw(r, kw_get_u16(r));
}

void kw_get_str(struct kw_reader *r, char *out, size_t size)
{
    struct kw_bytes text = kw_get_var(r);

    if (text.len >= size || (text.len > 0 && memchr(text.data, 0, text.len) != NULL)) {
        r->failed = true;
        text = KW_BYTES_NONE;
    }
    kw_copy(out, text.data, text.len);
    out[text.len] = '\0';
}

static size_t utf8_length(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Length of the well-formed UTF-8 sequence at `p` (RFC 3629 §4), 0 if there is none in `len` bytes.
 */
static size_t utf8_sequence(const uint8_t *p, size_t len)
{
    size_t n = utf8_length(p[0]);

    if (n == 0 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F)) {
        return 0;
    }
    return n;
}

bool kw_is_text(struct kw_bytes bytes)
{
    size_t at = 0;

    while (at < bytes.len) {
        size_t n = utf8_sequence(bytes.data + at, bytes.len - at);

        if (n == 0 || bytes.data[at] == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

struct kw_bytes kw_get_text(struct kw_reader *r)
{
    struct kw_bytes text = kw_get_var(r);

    if (!kw_is_text(text)) {
        r->failed = true;
        return KW_BYTES_NONE;
    }
    return text;
}

struct kw_result kw_reader_end(const struct kw_reader *r, const char *what, struct kw_error *err)
{
    KW_ENSURE(!r->failed, err, ENCODING_INVALID, "%s is truncated", what);
    KW_ENSURE(r->rest.len == 0, err, ENCODING_INVALID, "%s has %zu bytes too many", what,
              r->rest.len);
    return KW_OK;
}
