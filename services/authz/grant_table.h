/* Tables grants and grant_devices: permissions, immutable but for their revocation. All functions
 * run on the store's threads; what is said is in the feed, and the columns follow. */
#ifndef KW_SERVICES_AUTHZ_GRANT_TABLE_H
#define KW_SERVICES_AUTHZ_GRANT_TABLE_H

#include "common/audit/capsule.h"
#include "common/feed/feed.h"
#include "common/store/row.h"

/* Bits of a grant's operations, by the number of the public enum KeyOperation. */
enum kw_grant_operation {
    KW_GRANT_RELEASE = 1 << 1,
    KW_GRANT_DERIVE = 1 << 2,
};

/* Text is in the arena the row was read into, or borrowed from whoever filled it. */
struct kw_grant_row {
    struct kw_id id;
    struct kw_id partner;
    enum kw_scope scope;   /* KW_SCOPE_BODY: the devices of grant_devices */
    struct kw_id scope_id; /* of the batch or product; else none */
    unsigned operations;   /* enum kw_grant_operation */
    const char *purpose;
    uint64_t start_ms;
    uint64_t end_ms;         /* exclusive */
    uint64_t max_operations; /* 0: no quota */
    uint64_t window_ms;      /* 0: the whole life */
    const char *regions;     /* comma-separated; "" is all */
    bool strict;
    bool no_cache;
    const char *justification; /* written, not read back */
    uint64_t created_ms;
    uint64_t revoked_ms; /* 0: not */
    const char *revoke_justification;
    bool overruled; /* made without knowledge of a "revoke all" of its partner. Read only */
    struct kw_bytes
        seen; /* the partner's revoke_all, as its maker knew it. Written, not read back */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_grant_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                               struct kw_grant_row *ret_row, bool *ret_found, struct kw_error *err);

/* With its devices, ascending and different from one another. Fails: as kw_feed_change. */
struct kw_result kw_grant_insert(const struct kw_feed_tx *feed_tx, const struct kw_grant_row *row,
                                 const struct kw_id *devices, size_t device_count,
                                 struct kw_error *err);

/* For good; of two the earlier one's justification stays. Fails: as kw_feed_change. */
struct kw_result kw_grant_revoke(const struct kw_feed_tx *feed_tx, struct kw_id id, uint64_t now_ms,
                                 const char *justification, struct kw_error *err);

/* The devices named in a grant, ascending: at most KW_GRANT_DEVICES_MAX, in the arena. */
struct kw_result kw_grant_devices(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                  struct kw_id **ret_devices, size_t *ret_count,
                                  struct kw_error *err);

/* One question: may this be done with this device? Borrowed for the call. */
struct kw_access {
    struct kw_id device;
    unsigned operation; /* one of enum kw_grant_operation */
    const char *purpose;
    struct kw_id grant; /* the one named; none: any */
    const char *region; /* where we are */
    uint64_t now_ms;
    uint64_t age_ms;     /* of what is known here of other regions' revocations, and */
    uint64_t age_max_ms; /* how old it may be under a strict grant */
};

/* A partner's grants that may allow it, in the order in which they are tried: first those that name
 * the device, then those of batches and products, which may or may not cover it; each in order of
 * creation. Those that can't allow it (over, another operation, another purpose) come last, only so
 * that a denial can say why. At most KW_GRANT_CANDIDATES_MAX, in the arena. */
struct kw_result kw_grant_candidates(struct kw_tx *tx, struct kw_id partner,
                                     const struct kw_access *access, struct kw_arena *arena,
                                     struct kw_grant_row **ret_rows, size_t *ret_count,
                                     struct kw_error *err);

/* The public enum GrantState's numbers. */
enum kw_grant_state {
    KW_GRANT_PENDING = 1,
    KW_GRANT_ACTIVE,
    KW_GRANT_EXPIRED,
    KW_GRANT_REVOKED,
};

enum kw_grant_state kw_grant_state(const struct kw_grant_row *row, uint64_t now_ms);

/* One page: at most `max` rows behind `after`. */
struct kw_grant_query {
    bool any_partner;
    struct kw_id partner;
    struct kw_id after;
    uint32_t state; /* 0: any */
    uint64_t now_ms;
    size_t max;
};

struct kw_result kw_grant_list(struct kw_tx *tx, const struct kw_grant_query *query,
                               struct kw_arena *arena, struct kw_grant_row *rows, size_t *ret_count,
                               struct kw_error *err);

/* All grants of this partner were revoked so often: which of them knew of it? Only those stand. Fails: as
 * the store. */
struct kw_result kw_grant_overrule(struct kw_tx *tx, struct kw_bytes partner,
                                   struct kw_bytes revoke_all, struct kw_error *err);

/* Their row of feed_tables.c; see feed.h. */
struct kw_result kw_grant_check(const struct kw_record *record, struct kw_error *err);
bool kw_grant_disables(const struct kw_record *change);
struct kw_result kw_grant_project(struct kw_tx *tx, const struct kw_record *merged,
                                  struct kw_arena *arena, struct kw_error *err);

#endif
