/* Making and reading tokens. */
#include "common/rpc/page_token.h"

#include "common/base/codec.h"
#include "common/base/limits.h"
#include "common/crypto/digest.h"

#define LABEL       "KEYWARD-PAGE-v1"
#define VERSION     1U
#define CONTENT_LEN (1 + 8 + 8 + KW_ID_LEN)
#define MAC_LEN     16
#define TOKEN_LEN   (CONTENT_LEN + MAC_LEN)

_Static_assert(KW_PAGE_TOKEN_SIZE == 2 * TOKEN_LEN + 1, "a token in hex");

static struct kw_result mac_make(const struct kw_page_list *list, struct kw_bytes content,
                                 uint8_t ret_mac[KW_SHA256_LEN], struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf input = {0};
    struct kw_writer w = KW_WRITER(&input);
    struct kw_bytes all;

    kw_put_str(&w, LABEL);
    kw_put_u32(&w, list->method);
    kw_put_u32(&w, (uint32_t)list->caller.len);
    kw_put_raw(&w, list->caller);
    kw_put_u32(&w, (uint32_t)list->filter.len);
    kw_put_raw(&w, list->filter);
    kw_put_raw(&w, content);
    KW_TRY(kw_writer_end(&w, err));
    all = kw_buf_bytes(&input);
    return kw_hmac_sha256(list->key, &all, 1, ret_mac, err);
}

struct kw_result kw_page_token_make(const struct kw_page_list *list,
                                    const struct kw_page_place *place,
                                    char ret_token[KW_PAGE_TOKEN_SIZE], struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    struct kw_writer w = KW_WRITER(&content);
    uint8_t bytes[TOKEN_LEN];
    uint8_t mac[KW_SHA256_LEN];

    kw_put_u8(&w, VERSION);
    kw_put_u64(&w, list->now_ms);
    kw_put_u64(&w, place->time_ms);
    kw_put_raw(&w, kw_id_bytes(&place->id));
    KW_TRY(kw_writer_end(&w, err));
    KW_TRY(mac_make(list, kw_buf_bytes(&content), mac, err));
    kw_copy(bytes, content.data, CONTENT_LEN);
    kw_copy(bytes + CONTENT_LEN, mac, MAC_LEN);
    kw_hex(KW_BYTES_OF(bytes), ret_token);
    return KW_OK;
}

struct kw_result kw_page_token_read(const struct kw_page_list *list, const char *token,
                                    struct kw_page_place *ret_place, struct kw_error *err)
{
    uint8_t bytes[TOKEN_LEN];
    uint8_t mac[KW_SHA256_LEN];
    struct kw_reader r = KW_READER(KW_BYTES(bytes, CONTENT_LEN));
    struct kw_page_place place;
    char spelled[KW_PAGE_TOKEN_SIZE];
    uint64_t issued_ms;

    KW_ENSURE(strlen(token) == KW_PAGE_TOKEN_SIZE - 1 &&
                  kw_ok(kw_unhex(token, bytes, TOKEN_LEN, NULL)),
              err, PAGE_TOKEN_INVALID, "no token of ours");
    kw_hex(KW_BYTES_OF(bytes), spelled);
    KW_ENSURE(strcmp(spelled, token) == 0, err, PAGE_TOKEN_INVALID, "not as we spell it");
    KW_TRY(mac_make(list, KW_BYTES(bytes, CONTENT_LEN), mac, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES(mac, MAC_LEN), KW_BYTES(bytes + CONTENT_LEN, MAC_LEN)),
              err, PAGE_TOKEN_INVALID, "altered, or of another list, caller or life");
    KW_ENSURE(kw_get_u8(&r) == VERSION, err, PAGE_TOKEN_INVALID, "another version");
    issued_ms = kw_get_u64(&r);
    place.time_ms = kw_get_u64(&r);
    kw_get_copy(&r, place.id.bytes, KW_ID_LEN);
    KW_TRY(kw_reader_end(&r, "page token", err));
    KW_ENSURE(list->now_ms < issued_ms + KW_PAGE_LIFETIME_MS, err, PAGE_TOKEN_INVALID, "too old");
    *ret_place = place;
    return KW_OK;
}

size_t kw_page_size(int32_t page_size)
{
    if (page_size == 0) {
        return KW_PAGE_SIZE_DEFAULT;
    }
    return page_size < KW_PAGE_SIZE_MAX ? (size_t)page_size : KW_PAGE_SIZE_MAX;
}
