/* Table members: partners and stations, and where each is on its way. All functions run on the
 * store's threads. */
#ifndef KW_SERVICES_AUTHZ_MEMBER_TABLE_H
#define KW_SERVICES_AUTHZ_MEMBER_TABLE_H

#include "common/store/row.h"
#include "common/sync/stamp.h"

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
    bool suspended;
};

/* `*ret_found` false: there is none, and `ret_row` is untouched. Fails: STORE_UNAVAILABLE,
 * INTERNAL, MEMORY. */
struct kw_result kw_member_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                struct kw_member_row *ret_row, bool *ret_found,
                                struct kw_error *err);

/* A new member, INVITED. Fails: ALREADY_EXISTS, STORE_UNAVAILABLE. */
struct kw_result kw_member_insert(struct kw_tx *tx, const struct kw_member_row *row,
                                  const struct kw_stamp *stamp, struct kw_error *err);

/* Changes; the caller has looked whether the member exists. Fail: STORE_UNAVAILABLE. */
struct kw_result kw_member_set_suspended(struct kw_tx *tx, struct kw_id id, bool suspended,
                                         uint64_t now_ms, const struct kw_stamp *stamp,
                                         struct kw_error *err);

/* Versions and the end of the newest certificate only grow, so these may be repeated; 0 leaves a
 * column as it is. */
struct kw_member_keys {
    uint32_t transport_version;
    uint32_t confirmed_version;
    uint64_t certificate_expire_ms;
};

struct kw_result kw_member_raise_keys(struct kw_tx *tx, struct kw_id id,
                                      const struct kw_member_keys *keys, uint64_t now_ms,
                                      const struct kw_stamp *stamp, struct kw_error *err);

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

#endif
