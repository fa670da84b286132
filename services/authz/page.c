/* Tokens and their MAC. */
#include "services/authz/page.h"

#include "common/base/codec.h"

#define MAC_LEN 16

/* Fields of varying length are separated by their lengths (digest.h). */
static struct kw_result mac_of(const struct kw_authz_call *call, const char *filter,
                               struct kw_id last, uint8_t *ret_mac, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    struct kw_writer w = KW_WRITER(&content);
    struct kw_bytes parts[1];
    uint8_t mac[KW_SHA256_LEN];

    kw_put_u32(&w, (uint32_t)call->method->id);
    kw_put_str(&w, call->caller.spiffe_id);
    kw_put_str(&w, filter);
    kw_put_raw(&w, kw_id_bytes(&last));
    KW_TRY(kw_writer_end(&w, err));
    parts[0] = kw_buf_bytes(&content);
    KW_TRY(kw_hmac_sha256(&call->authz->page_key, parts, 1, mac, err));
    kw_copy(ret_mac, mac, MAC_LEN);
    return KW_OK;
}

static struct kw_result token_read(const struct kw_authz_call *call, const char *token,
                                   const char *filter, struct kw_id *ret_last, struct kw_error *err)
{
    uint8_t bytes[KW_ID_LEN + MAC_LEN];
    uint8_t mac[MAC_LEN];
    struct kw_id last;

    KW_ENSURE(strlen(token) == KW_PAGE_TOKEN_SIZE - 1 &&
                  kw_ok(kw_unhex(token, bytes, sizeof(bytes), NULL)),
              err, PAGE_TOKEN_INVALID, "no token of ours");
    kw_copy(last.bytes, bytes, KW_ID_LEN);
    KW_TRY(mac_of(call, filter, last, mac, err));
    KW_ENSURE(kw_bytes_equal_ct(KW_BYTES_OF(mac), KW_BYTES(bytes + KW_ID_LEN, MAC_LEN)), err,
              PAGE_TOKEN_INVALID, "altered, of another list or of another life");
    *ret_last = last;
    return KW_OK;
}

struct kw_result kw_page_read(struct kw_authz_call *call, int32_t size, const char *token,
                              const char *filter, struct kw_page *ret_page, struct kw_error *err)
{
    struct kw_page page = {.max = (size_t)(uint32_t)size, .filter = filter};

    KW_FIELD_ENSURE(call, size >= 0, "page_size", err, "a page of %d", size);
    if (page.max == 0) {
        page.max = KW_PAGE_SIZE_DEFAULT;
    }
    page.max = page.max < KW_PAGE_SIZE_MAX ? page.max : KW_PAGE_SIZE_MAX;
    if (token[0] != '\0') {
        KW_TRY(token_read(call, token, filter, &page.after, err));
    }
    *ret_page = page;
    return KW_OK;
}

struct kw_result kw_page_token(struct kw_authz_call *call, const struct kw_page *page,
                               struct kw_id last, char **ret_token, struct kw_error *err)
{
    uint8_t bytes[KW_ID_LEN + MAC_LEN];
    char text[KW_PAGE_TOKEN_SIZE];

    kw_copy(bytes, last.bytes, KW_ID_LEN);
    KW_TRY(mac_of(call, page->filter, last, bytes + KW_ID_LEN, err));
    kw_hex(KW_BYTES_OF(bytes), text);
    *ret_token = kw_arena_text(call->arena, text, strlen(text));
    KW_ENSURE(*ret_token != NULL, err, MEMORY, "a token");
    return KW_OK;
}
