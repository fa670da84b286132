/* The quotas in use, in memory: decided on at once, written by the diary soon after. What was used
 * within the last moments before a crash is lost; a clean stop loses nothing. Loop thread. */
#ifndef KW_SERVICES_AUTHZ_QUOTA_BOOK_H
#define KW_SERVICES_AUTHZ_QUOTA_BOOK_H

#include "services/authz/quota.h"

struct kw_quota_entry;

/* Zero-initialise; release with kw_quota_book_done. */
struct kw_quota_book {
    struct kw_quota_entry **buckets;
    struct kw_quota_entry *changed; /* not yet written */
};

struct kw_result kw_quota_book_init(struct kw_quota_book *book, struct kw_error *err);
void kw_quota_book_done(struct kw_quota_book *book);

/* Puts back what was stored, at start. Fails: MEMORY. */
struct kw_result kw_quota_book_restore(struct kw_quota_book *book, const struct kw_quota *quota,
                                       struct kw_error *err);

/* What other cells used, as it was heard: it only grows, and a later window takes the place of ours.
 * Fails: MEMORY. */
struct kw_result kw_quota_book_heard(struct kw_quota_book *book, const struct kw_quota *quota,
                                     struct kw_error *err);

/* What is used of a grant; zero for one that was never used. */
struct kw_quota kw_quota_book_get(const struct kw_quota_book *book,
                                  const struct kw_grant_row *grant);

/* Takes one operation, or gives it back; nothing happens for a grant without quota. Fails:
 * QUOTA_EXCEEDED, MEMORY. */
struct kw_result kw_quota_book_take(struct kw_quota_book *book, const struct kw_grant_row *grant,
                                    uint64_t now_ms, struct kw_error *err);
void kw_quota_book_give_back(struct kw_quota_book *book, const struct kw_grant_row *grant,
                             uint64_t taken_ms);

/* Copies out what changed since it was last copied, at most `max`; 0: nothing. */
size_t kw_quota_book_changes(struct kw_quota_book *book, struct kw_quota *quotas, size_t max);

#endif
