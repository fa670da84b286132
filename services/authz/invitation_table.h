/* Table invitations: the operator's signed request, and what has become of it. All functions run on
 * the store's threads. */
#ifndef KW_SERVICES_AUTHZ_INVITATION_TABLE_H
#define KW_SERVICES_AUTHZ_INVITATION_TABLE_H

#include "common/crypto/digest.h"
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
    bool held;
    bool ended; /* the member enrolled under a later one */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_invitation_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                    struct kw_invitation_row *ret_row, bool *ret_found,
                                    struct kw_error *err);

/* An open one; one that is there already stays as it is. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_invitation_insert(struct kw_tx *tx, const struct kw_invitation_row *row,
                                      struct kw_error *err);

/* Binds it to the enrolment with this digest: the first one stays. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_invitation_claim(struct kw_tx *tx, struct kw_id id,
                                     const uint8_t enrolment[KW_SHA256_LEN], struct kw_error *err);

/* Two different enrolments: nobody gets anything by it any more. Fails: STORE_UNAVAILABLE. */
struct kw_result kw_invitation_hold(struct kw_tx *tx, struct kw_id id, uint64_t now_ms,
                                    struct kw_error *err);

/* Ends the member's invitations that were made before this one, or in the same millisecond. Fails:
 * STORE_UNAVAILABLE. */
struct kw_result kw_invitation_end_earlier(struct kw_tx *tx, const struct kw_invitation_row *than,
                                           uint64_t now_ms, struct kw_error *err);

/* Keeps what the enrolment was answered and its receipt: the first answer stays. Fails:
 * STORE_UNAVAILABLE. */
struct kw_result kw_invitation_answer(struct kw_tx *tx, struct kw_id id, struct kw_bytes response,
                                      struct kw_bytes receipt, struct kw_error *err);

#endif
