/* Page sizes and page tokens. */
#include "services/orchestrator/page.h"

#include "common/base/codec.h"
#include "common/base/limits.h"

#define LABEL        "KEYWARD-PAGE-v1"
#define VERSION      1U
#define CONTENT_LEN  (1 + 8 + KW_PAGE_PLACE_LEN)
#define MAC_LEN      16
#define TOKEN_LEN    (CONTENT_LEN + MAC_LEN) /* 49 bytes: 66 digits */
#define BITS_A_DIGIT 6U
#define BITS_A_BYTE  8U

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* --- base64url, of exactly TOKEN_LEN bytes --- */

static void encode(const uint8_t bytes[TOKEN_LEN], char text[KW_PAGE_TOKEN_SIZE])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t out = 0;

    for (size_t i = 0; i < TOKEN_LEN; i++) {
        bits = bits << BITS_A_BYTE | bytes[i];
        held += BITS_A_BYTE;
        while (held >= BITS_A_DIGIT) {
            held -= BITS_A_DIGIT;
            text[out++] = digits[bits >> held & 0x3fU];
        }
    }
    text[out++] = digits[bits << (BITS_A_DIGIT - held) & 0x3fU];
    text[out] = '\0';
}

static bool decode(const char *text, uint8_t bytes[TOKEN_LEN])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t out = 0;

    for (; *text != '\0'; text++) {
        const char *digit = strchr(digits, *text);

        if (digit == NULL) {
            return false;
        }
        bits = bits << BITS_A_DIGIT | (uint32_t)(digit - digits);
        held += BITS_A_DIGIT;
        if (held >= BITS_A_BYTE) {
            held -= BITS_A_BYTE;
            if (out == TOKEN_LEN) {
                return false;
            }
            bytes[out++] = (uint8_t)(bits >> held);
        }
    }
    return out == TOKEN_LEN && held < BITS_A_DIGIT;
}

/* --- what a token is for --- */

/* The field of the request with this name. Every List request has these two. */
static const void *field_of(const struct kw_call *call, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(call->request->descriptor, name);

    return field != NULL ? (const uint8_t *)call->request + field->offset : NULL;
}

/* The request without size and token: all that must be the same on every page. */
static struct kw_result filter_of(struct kw_call *call, struct kw_bytes *ret_filter,
                                  struct kw_error *err)
{
    size_t size = call->request->descriptor->sizeof_message;
    uint8_t *copy = kw_arena_alloc(call->arena, size);
    const uint8_t *original = (const uint8_t *)call->request;

    KW_ENSURE(copy != NULL, err, MEMORY, "a filter");
    kw_copy(copy, original, size);
    *(int32_t *)(void *)(copy + ((const uint8_t *)field_of(call, "page_size") - original)) = 0;
    *(char **)(void *)(copy + ((const uint8_t *)field_of(call, "page_token") - original)) = NULL;
    return kw_view_pack(&call->view, (const ProtobufCMessage *)(const void *)copy, ret_filter, err);
}

static struct kw_result mac_of(struct kw_call *call, const uint8_t content[CONTENT_LEN],
                               uint8_t ret_mac[KW_SHA256_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};
    struct kw_writer w = KW_WRITER(&input);
    struct kw_bytes filter;
    struct kw_bytes all;

    KW_TRY(filter_of(call, &filter, err));
    kw_put_str(&w, LABEL);
    kw_put_u16(&w, (uint16_t)call->method->id);
    kw_put_str(&w, call->caller_id);
    kw_put_u32(&w, (uint32_t)filter.len);
    kw_put_raw(&w, filter);
    kw_put_raw(&w, KW_BYTES(content, CONTENT_LEN));
    KW_TRY(kw_writer_end(&w, err));
    all = kw_buf_bytes(&input);
    return kw_hmac_sha256(&call->orch->page_key, &all, 1, ret_mac, err);
}

/* --- the two directions --- */

static struct kw_result read_token(struct kw_call *call, const char *token,
                                   struct kw_page *ret_page, struct kw_error *err)
{
    uint8_t bytes[TOKEN_LEN];
    uint8_t mac[KW_SHA256_LEN];
    struct kw_reader r = KW_READER(KW_BYTES(bytes, CONTENT_LEN));
    uint64_t issued_ms;

    KW_ENSURE(decode(token, bytes), err, PAGE_TOKEN_INVALID, "no token of ours");
    KW_TRY(mac_of(call, bytes, mac, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES(mac, MAC_LEN), KW_BYTES(bytes + CONTENT_LEN, MAC_LEN)),
              err, PAGE_TOKEN_INVALID, "the token is altered, or of another list or caller");
    KW_ENSURE(kw_get_u8(&r) == VERSION, err, PAGE_TOKEN_INVALID, "another version");
    issued_ms = kw_get_u64(&r);
    ret_page->time_ms = kw_get_u64(&r);
    kw_get_copy(&r, ret_page->id.bytes, KW_ID_LEN);
    KW_ENSURE(call->now_ms < issued_ms + KW_PAGE_LIFETIME_MS, err, PAGE_TOKEN_INVALID,
              "the token is too old");
    return kw_reader_end(&r, "page token", err);
}

struct kw_result kw_page_read(struct kw_call *call, struct kw_page *ret_page, struct kw_error *err)
{
    const int32_t *size = field_of(call, "page_size");
    char *const *token = field_of(call, "page_token");

    KW_ENSURE(size != NULL && token != NULL, err, INTERNAL, "%s is no list", call->method->path);
    KW_ENSURE_FIELD(*size >= 0, call, "page_size", err, "a page size is not negative");
    *ret_page = (struct kw_page){.size = *size == 0 ? KW_PAGE_SIZE_DEFAULT : (size_t)*size};
    if (ret_page->size > KW_PAGE_SIZE_MAX) {
        ret_page->size = KW_PAGE_SIZE_MAX;
    }
    return (*token)[0] == '\0' ? KW_OK : read_token(call, *token, ret_page, err);
}

struct kw_result kw_page_token(struct kw_call *call, uint64_t time_ms, struct kw_id id,
                               char **ret_token, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    struct kw_writer w = KW_WRITER(&content);
    uint8_t bytes[TOKEN_LEN];
    uint8_t mac[KW_SHA256_LEN];
    char text[KW_PAGE_TOKEN_SIZE];

    kw_put_u8(&w, VERSION);
    kw_put_u64(&w, call->now_ms);
    kw_put_u64(&w, time_ms);
    kw_put_raw(&w, kw_id_bytes(&id));
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(mac_of(call, content.data, mac, err));
    kw_copy(bytes, content.data, CONTENT_LEN);
    kw_copy(bytes + CONTENT_LEN, mac, MAC_LEN);
    encode(bytes, text);
    *ret_token = kw_view_text(&call->view, kw_bytes_str(text));
    return KW_OK;
}
