/* Table invitations: the operator's signed request, and what has become of it. All functions run on
 * the store's threads; what is said is in the feed, and its columns follow. */
#ifndef KW_SERVICES_AUTHZ_INVITATION_TABLE_H
#define KW_SERVICES_AUTHZ_INVITATION_TABLE_H

#include "common/crypto/digest.h"
#include "common/feed/feed.h"
#include "common/store/row.h"

struct kw_invitation_row {
    struct kw_id id;
    struct kw_id member;
    struct kw_bytes record; /* KWI1 */
    uint64_t created_ms;
    uint64_t expire_ms;
    bool claimed; /* by `enrolment` */
    uint8_t enrolment[KW_SHA256_LEN];
    struct kw_bytes response; /* of that enrolment; empty: it has not succeeded yet */
    struct kw_bytes receipt;  /* of that answer, its id */
    bool held;                /* two enrolments, here or in two cells */
    bool ended;               /* the member enrolled under a later one */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_invitation_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                    struct kw_invitation_row *ret_row, bool *ret_found,
                                    struct kw_error *err);

/* Changes. All fail as kw_feed_change. */

/* An open one; one that is there already stays as it is. */
struct kw_result kw_invitation_insert(const struct kw_feed_tx *feed_tx,
                                      const struct kw_invitation_row *row, struct kw_error *err);

/* The enrolment with this digest claims it; so it is held if another has, here or in another cell. */
struct kw_result kw_invitation_claim(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                     const uint8_t enrolment[KW_SHA256_LEN], struct kw_error *err);

/* Another one came than has claimed it: nobody gets anything by it any more. */
struct kw_result kw_invitation_hold(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                    const uint8_t enrolment[KW_SHA256_LEN], uint64_t now_ms,
                                    struct kw_error *err);

/* Ends the member's invitations that were made before this one, or in the same millisecond. */
struct kw_result kw_invitation_end_earlier(const struct kw_feed_tx *feed_tx,
                                           const struct kw_invitation_row *than, uint64_t now_ms,
                                           struct kw_error *err);

/* Keeps what the enrolment was answered and its receipt: the first answer stays. */
struct kw_result kw_invitation_answer(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                      struct kw_bytes response, struct kw_bytes receipt,
                                      uint64_t now_ms, struct kw_error *err);

/* Two cells met: what each of them knew of this invitation is now one row. If it is held and somebody
 * was answered, its member is suspended, under the invitation's own id, so that all cells do it as one.
 * Fails: as kw_feed_change. */
struct kw_result kw_invitation_react(const struct kw_feed_tx *feed_tx,
                                     const struct kw_record *merged, struct kw_error *err);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_invitation_check(const struct kw_record *record, struct kw_error *err);
bool kw_invitation_disables(const struct kw_record *change);
struct kw_result kw_invitation_project(struct kw_tx *tx, const struct kw_record *merged,
                                       struct kw_arena *arena, struct kw_error *err);

#endif
