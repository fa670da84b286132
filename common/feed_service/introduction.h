/* Who our store is, for those who do not know it: the voucher, made anew when it is not true any more. */
#ifndef KW_COMMON_FEED_SERVICE_INTRODUCTION_H
#define KW_COMMON_FEED_SERVICE_INTRODUCTION_H

#include "common/feed_service/feed_service_internal.h"

/* Vouches for our store: in its row, and to the subscriber. With `renewed`, which is taken over (or NULL), by
 * those credentials from now on. What fails is tried again by kw_feed_introduction_tend. */
void kw_feed_introduction_begin(struct kw_feed_service *service, struct kw_credentials *renewed);

/* Our present lane is of this life: is that the one we vouched for? */
void kw_feed_introduction_check(struct kw_feed_service *service, struct kw_id incarnation);

/* These are the credentials that we have. Fails: MEMORY. */
struct kw_result kw_feed_introduction_note(struct kw_feed_service *service,
                                           const struct kw_credentials *credentials,
                                           struct kw_error *err);

/* Somebody was a stranger to us: may be of a region whose CAs we have by now. They are looked at with the next
 * kw_feed_introduction_tend. */
void kw_feed_introduction_doubt(struct kw_feed_service *service);

/* Now and then: is it still owed, or is there another certificate, or another set of CAs? */
void kw_feed_introduction_tend(struct kw_feed_service *service);

#endif
