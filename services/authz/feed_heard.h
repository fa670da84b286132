/* What follows here from another cell's change, beside the columns.
 *
 *     merged ──▶ does it disable?   the epoch moves once it is durable, and before that is acknowledged
 *            ──▶ an invitation      two enrolments in two cells: its member is suspended (invitation_table.h)
 *            ──▶ a quota            the book counts it, at once
 *
 * Callers are looked up in the tables each time, so for them nothing follows.
 */
#ifndef KW_SERVICES_AUTHZ_FEED_HEARD_H
#define KW_SERVICES_AUTHZ_FEED_HEARD_H

#include "services/authz/authz.h"

/* Before the feed is opened. */
void kw_authz_feed_prepare(struct kw_authz *authz);

/* `heard` of struct kw_feed_options; `context` is the authz. The store's thread. */
struct kw_result kw_authz_feed_heard(void *context, const struct kw_feed_heard *heard,
                                     struct kw_error *err);

#endif
