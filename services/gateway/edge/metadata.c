/* Encodings of metadata values. Inputs come from clients (decoding) or from us (encoding). */
#include "services/gateway/edge/metadata.h"

#include "common/base/limits.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct kw_result kw_edge_base64_encode(struct kw_bytes value, struct kw_buf *out,
                                       struct kw_error *err)
{
    uint32_t bits = 0;
    unsigned held = 0;

    KW_TRY(kw_buf_reserve(out, value.len / 3 * 4 + 4, err));
    for (size_t i = 0; i < value.len; i++) {
        bits = (bits << 8) | value.data[i];
        for (held += 8; held >= 6; held -= 6) {
            out->data[out->len++] = (uint8_t)base64_digits[(bits >> (held - 6)) & 63];
        }
    }
    if (held > 0) {
        out->data[out->len++] = (uint8_t)base64_digits[(bits << (6 - held)) & 63];
    }
    return KW_OK;
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+') {
        return 62;
    }
    return c == '/' ? 63 : -1;
}

/* Takes the padding off; padding is right only if it fills the last group of four. */
static struct kw_result strip_padding(struct kw_bytes *text, struct kw_error *err)
{
    size_t padded_len = text->len;

    while (text->len > 0 && padded_len - text->len < 2 && text->data[text->len - 1] == '=') {
        text->len--;
    }
    KW_ENSURE(text->len == padded_len || padded_len % 4 == 0, err, METADATA_INVALID,
              "base64: padding");
    KW_ENSURE(text->len % 4 != 1, err, METADATA_INVALID, "base64: %zu digits", text->len);
    return KW_OK;
}

struct kw_result kw_edge_base64_decode(struct kw_bytes text, struct kw_buf *out,
                                       struct kw_error *err)
{
    uint32_t bits = 0;
    unsigned held = 0;

    KW_TRY(strip_padding(&text, err));
    KW_TRY(kw_buf_reserve(out, text.len / 4 * 3 + 3, err));
    for (size_t i = 0; i < text.len; i++) {
        int value = base64_value(text.data[i]);

        KW_ENSURE(value >= 0, err, METADATA_INVALID, "base64: digit at %zu", i);
        bits = (bits << 6) | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out->data[out->len++] = (uint8_t)(bits >> held);
        }
    }
    KW_ENSURE((bits & ((1U << held) - 1)) == 0, err, METADATA_INVALID, "base64: spare bits");
    return KW_OK;
}

struct kw_result kw_edge_percent_encode(struct kw_bytes text, struct kw_buf *out,
                                        struct kw_error *err)
{
    static const char digits[] = "0123456789ABCDEF";

    KW_TRY(kw_buf_reserve(out, text.len * 3, err));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];

        if (c >= 0x20 && c <= 0x7e && c != '%') {
            out->data[out->len++] = c;
        } else {
            out->data[out->len++] = '%';
            out->data[out->len++] = (uint8_t)digits[c >> 4];
            out->data[out->len++] = (uint8_t)digits[c & 15];
        }
    }
    return KW_OK;
}

bool kw_edge_name_is_binary(const char *name)
{
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, "-bin") == 0;
}

static bool is_request_id_character(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool kw_edge_request_id_valid(struct kw_bytes text)
{
    if (text.len == 0 || text.len > KW_EDGE_REQUEST_ID_LEN_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (!is_request_id_character(text.data[i])) {
            return false;
        }
    }
    return true;
}
