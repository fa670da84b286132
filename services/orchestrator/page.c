/* Sizes, and the tokens of the orchestrator's lists. */
#include "services/orchestrator/page.h"

#include "common/rpc/page_token.h"

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

static struct kw_result list_of(struct kw_call *call, struct kw_page_list *ret_list,
                                struct kw_error *err)
{
    *ret_list = (struct kw_page_list){.key = &call->orch->page_key,
                                      .method = (uint32_t)call->method->id,
                                      .caller = kw_bytes_str(call->caller_id),
                                      .now_ms = call->now_ms};
    return filter_of(call, &ret_list->filter, err);
}

struct kw_result kw_page_read(struct kw_call *call, struct kw_page *ret_page, struct kw_error *err)
{
    const int32_t *size = field_of(call, "page_size");
    char *const *token = field_of(call, "page_token");
    struct kw_page_list list;

    KW_ENSURE(size != NULL && token != NULL, err, INTERNAL, "%s is no list", call->method->path);
    KW_ENSURE_FIELD(*size >= 0, call, "page_size", err, "a page size is not negative");
    *ret_page = (struct kw_page){.size = kw_page_size(*size)};
    if ((*token)[0] == '\0') {
        return KW_OK;
    }
    KW_TRY(list_of(call, &list, err));
    return kw_page_token_read(&list, *token, &ret_page->place, err);
}

struct kw_result kw_page_token(struct kw_call *call, struct kw_page_place place, char **ret_token,
                               struct kw_error *err)
{
    struct kw_page_list list;
    char text[KW_PAGE_TOKEN_SIZE];

    KW_TRY(list_of(call, &list, err));
    KW_TRY(kw_page_token_make(&list, &place, text, err));
    *ret_token = kw_view_text(&call->view, kw_bytes_str(text));
    return KW_OK;
}
