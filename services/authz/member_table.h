/* Table members: partners and stations, and where each is on its way. All functions run on the
 * store's threads; what is said is in the feed, and its columns follow (`project` in feed.h). */
#ifndef KW_SERVICES_AUTHZ_MEMBER_TABLE_H
#define KW_SERVICES_AUTHZ_MEMBER_TABLE_H

#include "common/feed/feed.h"
#include "common/store/row.h"

enum kw_member_kind {
    KW_MEMBER_PARTNER = 1,
    KW_MEMBER_STATION = 2,
};

/* The numbers are those of the public enum MemberState; what the other columns add up to. */
enum kw_member_state {
    KW_MEMBER_INVITED = 1,
    KW_MEMBER_ENROLLED,
    KW_MEMBER_ACTIVE,
    KW_MEMBER_SUSPENDED,
};

/* Text and bytes are in the arena the row was read into, or borrowed from whoever filled it. */
struct kw_member_row {
    struct kw_id id;
    enum kw_member_kind kind;
    enum kw_member_state state; /* read only */
    const char *display_name;
    const char *contact;      /* partners */
    const char *location;     /* stations */
    const char *regions;      /* partners: comma-separated; "" is all */
    struct kw_bytes products; /* stations: ids, one after the other */
    uint32_t epoch;           /* of the partner keys: the present one */
    uint32_t transport_version;
    uint32_t confirmed_version; /* 0: nothing may be delivered */
    uint64_t certificate_expire_ms;
    uint64_t created_ms;
    uint64_t updated_ms;
    bool suspended;             /* or revoked, in a cell of a later release */
    struct kw_bytes revoke_all; /* version vector: how often each store revoked all its grants */
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_member_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                struct kw_member_row *ret_row, bool *ret_found,
                                struct kw_error *err);

/* A new member, INVITED. Fails: as kw_feed_change. */
struct kw_result kw_member_insert(const struct kw_feed_tx *feed_tx, const struct kw_member_row *row,
                                  struct kw_error *err);

/* Changes; the caller has looked whether the member exists. Fail: as kw_feed_change. */

/* Adds a suspension; one that is there already, also lifted, changes nothing. */
struct kw_result kw_member_suspend(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                   struct kw_id suspension, uint64_t now_ms, struct kw_error *err);

/* Was it ever suspended under this id, or that lifted? Fails: as kw_feed_find. */
struct kw_result kw_member_has_suspension(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                          struct kw_id suspension, bool *ret_has,
                                          struct kw_error *err);

/* Lifts all suspensions that are in force as far as it is known here, by their ids: one that another
 * cell sets at the same time stays. */
struct kw_result kw_member_reinstate(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                     uint64_t now_ms, struct kw_error *err);

/* Versions and the end of the newest certificate only grow, so these may be repeated; 0 says
 * nothing. */
struct kw_member_keys {
    uint32_t transport_version;
    uint32_t confirmed_version;
    uint64_t certificate_expire_ms;
};

struct kw_result kw_member_raise_keys(const struct kw_feed_tx *feed_tx, struct kw_id id,
                                      const struct kw_member_keys *keys, uint64_t now_ms,
                                      struct kw_error *err);

/* One page: at most `max` rows of a kind behind `after`, of `state` or, with 0, any. */
struct kw_member_query {
    enum kw_member_kind kind;
    struct kw_id after;
    uint32_t state;
    size_t max;
};

struct kw_result kw_member_list(struct kw_tx *tx, const struct kw_member_query *query,
                                struct kw_arena *arena, struct kw_member_row *rows,
                                size_t *ret_count, struct kw_error *err);

/* Its row of feed_tables.c; see feed.h. */
struct kw_result kw_member_check(const struct kw_record *record, struct kw_error *err);
bool kw_member_disables(const struct kw_record *change);
struct kw_result kw_member_project(struct kw_tx *tx, const struct kw_record *merged,
                                   struct kw_arena *arena, struct kw_error *err);

#endif
