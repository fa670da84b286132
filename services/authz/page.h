/* Pages of authz's lists: how many items, and where to go on (common/rpc/page_token.h). The key of
 * the tokens lives as long as the process: after a restart a list starts anew. */
#ifndef KW_SERVICES_AUTHZ_PAGE_H
#define KW_SERVICES_AUTHZ_PAGE_H

#include "services/authz/call.h"

/* What the request asked for. */
struct kw_page {
    struct kw_id after; /* none: from the beginning */
    size_t max;
    const char *filter; /* all other fields of the request, as one text */
};

/* Reads page_size and page_token; `filter` is kept. Fails: ARGUMENT_INVALID (page_size),
 * PAGE_TOKEN_INVALID, CRYPTO, MEMORY. */
struct kw_result kw_page_read(struct kw_authz_call *call, int32_t size, const char *token,
                              const char *filter, struct kw_page *ret_page, struct kw_error *err);

/* The token that goes on behind `last`; in the arena. Fails: CRYPTO, MEMORY. */
struct kw_result kw_page_token(struct kw_authz_call *call, const struct kw_page *page,
                               struct kw_id last, char **ret_token, struct kw_error *err);

#endif
