/* One question for a key, whichever of the three methods asks it: reading it, looking up what may
 * allow it, deciding, trying one grant after the other.
 */
#ifndef KW_SERVICES_AUTHZ_ACCESS_ITEM_H
#define KW_SERVICES_AUTHZ_ACCESS_ITEM_H

#include "keyward/v1/device_access_service.pb-c.h"
#include "services/authz/authz.h"
#include "services/authz/policy.h"

/* Everything is in the arena of the call or chunk. */
struct kw_access_item {
    struct kw_access access;
    struct kw_grant_row *candidates;
    size_t candidate_count;
    struct kw_bytes disabled; /* as in a capsule: what authz knows about the device's keys */
    uint16_t disabled_count;
    struct kw_choice choice;
    size_t tried; /* of the choice; the present one is tried - 1 */
};

/* Read a request. `ret_field` (may be NULL) gets the name of the field that is refused. Fail:
 * ARGUMENT_INVALID. */
struct kw_result kw_access_item_get(const Keyward__V1__GetDeviceAccessRequest *request,
                                    struct kw_access_item *ret_item, const char **ret_field,
                                    struct kw_error *err);
struct kw_result kw_access_item_derive(const Keyward__V1__DeriveSessionRequest *request,
                                       struct kw_access_item *ret_item, const char **ret_field,
                                       struct kw_error *err);

/* Here, at this time, and how old what is known of other regions is. */
void kw_access_item_here(struct kw_access_item *item, const struct kw_authz *authz,
                         uint64_t now_ms);

/* Store's thread: the candidates and the disabling facts, as of access.now_ms. */
struct kw_result kw_access_item_look_up(struct kw_access_item *item, struct kw_id partner,
                                        struct kw_tx *tx, struct kw_arena *arena,
                                        struct kw_error *err);

/* Loop thread: decides. Fails: as kw_verdict_require. */
struct kw_result kw_access_item_decide(struct kw_access_item *item,
                                       const struct kw_member_row *member,
                                       const struct kw_quota_book *quotas, struct kw_error *err);

/* The next grant to try, one operation of its quota taken. Fails: NOT_FOUND (none is left),
 * QUOTA_EXCEEDED, MEMORY. */
struct kw_result kw_access_item_next(struct kw_access_item *item, struct kw_authz *authz,
                                     struct kw_error *err);

/* After QUOTA_EXCEEDED: how long until the first of the grants that allow it else has operations
 * again; 0: never, or unknown. */
uint32_t kw_access_item_retry_ms(const struct kw_access_item *item,
                                 const struct kw_member_row *member,
                                 const struct kw_quota_book *quotas);

/* The operation was not done after all. */
void kw_access_item_give_back(const struct kw_access_item *item, struct kw_authz *authz);

/* The grant that is being tried. */
const struct kw_grant_row *kw_access_item_grant(const struct kw_access_item *item);

/* Store's thread: is what was decided still so by now, and is what is known of other regions
 * young enough?
 * `member` is as of now. Fails: as
 * kw_verdict_require, KEY_STATE (a disabling fact came in), and as the tables. */
struct kw_result kw_access_item_recheck(const struct kw_access_item *item,
                                        const struct kw_authz *authz,
                                        const struct kw_member_row *member, struct kw_tx *tx,
                                        struct kw_arena *arena, struct kw_error *err);

/* Puts what the item's grant allows into a capsule for it: grant, scope, operation, epoch, version,
 * facts. Whoever adds several items sees to it that their facts fit; sealing refuses what does not.
 * Fails: MEMORY. */
struct kw_result kw_access_item_capsule(const struct kw_access_item *item,
                                        const struct kw_member_row *member,
                                        struct kw_capsule_slot *slot, struct kw_error *err);

#endif
