/* Inside common/health: what a service says of itself on its plaintext port. */
#ifndef KW_COMMON_HEALTH_PAGE_H
#define KW_COMMON_HEALTH_PAGE_H

#include "common/base/bytes.h"

struct kw_health_wire;

/* The status of an HTTP/1 answer, and the first line of its body. Pure. Borrows. False: it is none. */
bool kw_health_page_parse(struct kw_bytes answer, unsigned *ret_status, struct kw_bytes *ret_line);

/* Asks for `page`, and takes 200 for yes. Fails: PEER_UNAVAILABLE (no answer, or another one, which the error tells), DEADLINE_EXCEEDED,
 * MEMORY. */
struct kw_result kw_health_page_check(struct kw_health_wire *wire, const char *page,
                                      struct kw_error *err);

#endif
