/* Pages of the orchestrator's lists: how many items, and where to go on. */
#ifndef KW_SERVICES_ORCHESTRATOR_PAGE_H
#define KW_SERVICES_ORCHESTRATOR_PAGE_H

#include "common/rpc/page_token.h"
#include "services/orchestrator/call.h"

struct kw_page {
    size_t size;                /* items at most */
    struct kw_page_place place; /* behind which it begins */
};

/* Reads `page_size` and `page_token` of the call's request. Fails: ARGUMENT_INVALID (a negative
 * size), PAGE_TOKEN_INVALID. */
struct kw_result kw_page_read(struct kw_call *call, struct kw_page *ret_page, struct kw_error *err);

/* The token for the page behind this place, in the call's arena. Fails: MEMORY, CRYPTO. */
struct kw_result kw_page_token(struct kw_call *call, struct kw_page_place place, char **ret_token,
                               struct kw_error *err);

#endif
