/* The one table: state × operation × actor → allowed.
 *
 * After SP 800-57 part 1 §7 and SP 800-130 FR:6.15.
 * Compiled into authz, orchestrator, cryptocore and the offline verifier, and printed as
 * docs/key-states.md. It decides what a key's *state* and an actor's *kind* allow; grants, quotas
 * and signatures are asked elsewhere.
 *
 * A key stands in one of four columns by its enabling facts (generated, protected, ready, active)
 * and in any of four more by its disabling ones (suspended, deactivated, compromised, destroyed).
 * What uses or enables a key must be allowed by every column it stands in: so no disabling fact, in
 * whatever company, ever allows a use. What disables a key, and reading about it, is judged by the
 * last column alone: so a key that was stopped may be destroyed.
 */
#ifndef KW_COMMON_LIFECYCLE_TABLE_H
#define KW_COMMON_LIFECYCLE_TABLE_H

#include "common/lifecycle/state.h"

/* The numbers travel in capsules: append only. Generation is none of these: there is no key yet. */
enum kw_operation {
    KW_OPERATION_NONE = 0,    /* no key's state is concerned; never allowed by the table */
    KW_OPERATION_PROTECT = 1, /* state that it is durable */
    KW_OPERATION_DELIVER_TO_STATION = 2,
    KW_OPERATION_CONFIRM = 3, /* check the device's proof of possession */
    KW_OPERATION_ACTIVATE = 4,
    KW_OPERATION_RELEASE = 5,      /* derive a partner key of the present epoch and deliver it */
    KW_OPERATION_RELEASE_PAST = 6, /* the same for an epoch that is over: old data */
    KW_OPERATION_DERIVE_SESSION = 7,
    KW_OPERATION_SUSPEND = 8,
    KW_OPERATION_LIFT = 9,
    KW_OPERATION_DEACTIVATE = 10,
    KW_OPERATION_REPORT_COMPROMISE = 11,
    KW_OPERATION_DESTROY = 12,
    KW_OPERATION_READ = 13, /* metadata, facts and receipts; never key material */
    KW_OPERATION_COUNT_,
};

enum kw_actor {
    KW_ACTOR_PARTNER,
    KW_ACTOR_STATION,
    KW_ACTOR_OPERATOR,
    KW_ACTOR_AUDITOR,
    KW_ACTOR_INVITED, /* may do nothing with keys */
    KW_ACTOR_SERVICE, /* one of us, by itself: a rule, a schedule, replication */
    KW_ACTOR_COUNT_,
};

/* "release_past", "operator"; "unknown" for a number out of range. Never NULL. */
const char *kw_operation_name(enum kw_operation operation);
const char *kw_actor_name(enum kw_actor actor);

/* Decides. When the answer is no, `ret_reason` (may be NULL) is PERMISSION_DENIED if this actor may
 * do that in no state, POSSESSION_UNPROVEN if only the device's proof is missing, else KEY_STATE.
 */
bool kw_state_allows(const struct kw_key_state *state, enum kw_operation operation,
                     enum kw_actor actor, enum kw_reason *ret_reason);

/* The same as a result, with operation, actor and column in the message. Fails: the reasons above.
 */
struct kw_result kw_state_require(const struct kw_key_state *state, enum kw_operation operation,
                                  enum kw_actor actor, struct kw_error *err);

/* Appends docs/key-states.md, which is made by this and by nothing else. Fails: MEMORY. */
struct kw_result kw_table_document(struct kw_buf *out, struct kw_error *err);

#endif
