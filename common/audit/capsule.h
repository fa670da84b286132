/* Capsules: authz's statement that this exact request is allowed. Record `KWC1` (docs/formats.md).
 *
 * Only the record here; seal.h signs and verifies, capsule_check.h decides whether one fits a
 * request.
 */
#ifndef KW_COMMON_AUDIT_CAPSULE_H
#define KW_COMMON_AUDIT_CAPSULE_H

#include "common/crypto/digest.h"
#include "common/lifecycle/table.h"

/* A receipt chain's head, as authz has stored it. All zero: none yet. */
struct kw_witness {
    struct kw_id core;   /* boot id */
    struct kw_id stream; /* boot id of the orchestrator's stream */
    uint64_t seq;
    uint8_t head[KW_SHA256_LEN];
};

enum kw_scope {
    KW_SCOPE_NONE,    /* about no device */
    KW_SCOPE_BODY,    /* the devices named in the request */
    KW_SCOPE_BATCH,   /* any device of batch `scope_id` */
    KW_SCOPE_PRODUCT, /* any device of product `scope_id` */
    KW_SCOPE_END_,
};

/* Plain data; every kw_bytes is borrowed: from the decoded record, or from whoever filled the
 * struct. */
struct kw_capsule {
    struct kw_id id;        /* used once */
    struct kw_bytes region; /* where authz runs */
    struct kw_bytes cell;
    struct kw_bytes caller;             /* SPIFFE id */
    uint8_t fingerprint[KW_SHA256_LEN]; /* of the caller's leaf certificate */
    struct kw_id grant;                 /* none: the caller's role allows it */
    uint16_t method;                    /* enum kw_method_id */
    uint8_t body_hash[KW_SHA256_LEN];
    uint32_t first; /* range of the request's items; whole request: 0, 0 */
    uint16_t count;
    enum kw_scope scope;
    struct kw_id scope_id;
    enum kw_operation operation;
    struct kw_id owner;   /* partner or station whose transport key is used; none: nobody's */
    uint32_t epoch;       /* highest allowed */
    uint32_t ptk_version; /* 0: nothing is delivered */
    uint64_t authz_epoch;
    uint64_t issued_ms; /* wall time, since 1970 */
    uint64_t not_after_ms;
    struct kw_witness witness;
    uint16_t disabled_count;  /* disabling facts authz knows; see kw_capsule_disabled_* */
    struct kw_bytes disabled; /* `disabled_count` × var of KWF1 */
};

/* Appends the record. Fails: ARGUMENT_INVALID (fields do not go together: see kw_capsule_decode),
 * LIMIT_REACHED (over KW_CAPSULE_LEN_MAX: too many disabling facts), MEMORY. */
struct kw_result kw_capsule_encode(const struct kw_capsule *capsule, struct kw_buf *out,
                                   struct kw_error *err);

/* Reads a record strictly, each disabling fact included. `ret_capsule` borrows from `record`.
 * Fails: ENCODING_INVALID (truncated, too long, unknown operation or scope, a text that is none, a
 * scope id where none belongs, not-after before issued, or an enabling fact in the list, which
 * nothing here would vouch for). */
struct kw_result kw_capsule_decode(struct kw_bytes record, struct kw_capsule *ret_capsule,
                                   struct kw_error *err);

/* Builds the list of disabling facts in `list` (zero-initialised by the caller) and counts;
 * afterwards `capsule` borrows from `list`. Fails: ARGUMENT_INVALID (an enabling fact),
 * LIMIT_REACHED, MEMORY. */
struct kw_result kw_capsule_disabled_add(struct kw_capsule *capsule, struct kw_buf *list,
                                         const struct kw_fact *fact, struct kw_error *err);

/* Adds to `state` the capsule's disabling facts about `key`, and no others: joined with the
 * orchestrator's facts, neither side alone can hide one. The capsule is a decoded one. Fails: as
 * kw_state_add. */
struct kw_result kw_capsule_disabled_fold(const struct kw_capsule *capsule, struct kw_id key,
                                          struct kw_key_state *state, struct kw_error *err);

/* What kind of actor the caller's SPIFFE id names (an auditor is an operator here: only authz knows
 * the difference). Fails: CAPSULE_INVALID (no id of ours). */
struct kw_result kw_capsule_actor(const struct kw_capsule *capsule, enum kw_actor *ret_actor,
                                  struct kw_error *err);

#endif
