/* Pages of lists: how many, from where on, and the tokens that say so.
 *
 * A token is opaque and authenticated: what comes back is a place this service gave out, for the
 * same method, the same filter and the same caller, less than a day ago.
 *
 *     base64url( version u8 ‖ issued u64 ‖ place ‖ HMAC-SHA-256(label ‖ method ‖ caller ‖ filter ‖
 * all before)[16] )
 */
#ifndef KW_SERVICES_ORCHESTRATOR_PAGE_H
#define KW_SERVICES_ORCHESTRATOR_PAGE_H

#include "services/orchestrator/call.h"

#define KW_PAGE_PLACE_LEN  24 /* a time and an id */
#define KW_PAGE_TOKEN_SIZE 72

struct kw_page {
    size_t size;      /* items at most */
    uint64_t time_ms; /* the place behind which it begins; zero: the beginning */
    struct kw_id id;
};

/* Reads `page_size` and `page_token` of the call's request. Fails: ARGUMENT_INVALID (a negative
 * size), PAGE_TOKEN_INVALID. */
struct kw_result kw_page_read(struct kw_call *call, struct kw_page *ret_page, struct kw_error *err);

/* The token for the page behind this place, in the call's arena. Fails: MEMORY, CRYPTO. */
struct kw_result kw_page_token(struct kw_call *call, uint64_t time_ms, struct kw_id id,
                               char **ret_token, struct kw_error *err);

#endif
