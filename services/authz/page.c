/* Sizes, and the tokens of authz's lists. */
#include "services/authz/page.h"

#include "common/rpc/page_token.h"

static struct kw_page_list list_of(const struct kw_authz_call *call, const char *filter)
{
    return (struct kw_page_list){.key = &call->authz->page_key,
                                 .method = (uint32_t)call->method->id,
                                 .caller = kw_bytes_str(call->caller.spiffe_id),
                                 .filter = kw_bytes_str(filter),
                                 .now_ms = call->now_ms};
}

struct kw_result kw_page_read(struct kw_authz_call *call, int32_t size, const char *token,
                              const char *filter, struct kw_page *ret_page, struct kw_error *err)
{
    const struct kw_page_list list = list_of(call, filter);
    struct kw_page_place place = {0};

    KW_FIELD_ENSURE(call, size >= 0, "page_size", err, "a page of %d", size);
    if (token[0] != '\0') {
        KW_TRY(kw_page_token_read(&list, token, &place, err));
    }
    *ret_page = (struct kw_page){.after = place.id, .max = kw_page_size(size), .filter = filter};
    return KW_OK;
}

struct kw_result kw_page_token(struct kw_authz_call *call, const struct kw_page *page,
                               struct kw_id last, char **ret_token, struct kw_error *err)
{
    const struct kw_page_list list = list_of(call, page->filter);
    char text[KW_PAGE_TOKEN_SIZE];

    KW_TRY(kw_page_token_make(&list, &(struct kw_page_place){.id = last}, text, err));
    *ret_token = kw_arena_text(call->arena, text, strlen(text));
    KW_ENSURE(*ret_token != NULL, err, MEMORY, "a token");
    return KW_OK;
}
