/* Tokens of list pages: opaque and authenticated. What comes back is a place this service gave out,
 * for the same method, the same filter and the same caller, less than a day ago.
 *
 *     hex( version u8 ‖ issued u64 ‖ place (time u64, id) ‖ MAC 16 )
 *     MAC: HMAC-SHA-256 over label, method, caller, filter and all before it
 */
#ifndef KW_COMMON_RPC_PAGE_TOKEN_H
#define KW_COMMON_RPC_PAGE_TOKEN_H

#include "common/base/id.h"
#include "common/base/secret.h"

#define KW_PAGE_TOKEN_SIZE 99 /* 49 bytes in hex, and a NUL */

/* Behind which item a page begins. Zero: at the beginning. */
struct kw_page_place {
    uint64_t time_ms;
    struct kw_id id;
};

/* What a token is bound to. Borrowed. */
struct kw_page_list {
    const struct kw_secret *key;
    uint32_t method;
    struct kw_bytes caller;
    struct kw_bytes filter; /* all that must be the same on every page */
    uint64_t now_ms;
};

/* Fails: MEMORY, CRYPTO. */
struct kw_result kw_page_token_make(const struct kw_page_list *list,
                                    const struct kw_page_place *place,
                                    char ret_token[KW_PAGE_TOKEN_SIZE], struct kw_error *err);

/* Fails: PAGE_TOKEN_INVALID (altered, of another list or caller, or too old), MEMORY, CRYPTO. */
struct kw_result kw_page_token_read(const struct kw_page_list *list, const char *token,
                                    struct kw_page_place *ret_place, struct kw_error *err);

/* How many items a request's page_size, not negative, means (proto/README.md). */
size_t kw_page_size(int32_t page_size);

#endif
