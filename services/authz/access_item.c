/* Reading, deciding and trying. */
#include "services/authz/access_item.h"

#include "common/base/clock.h"
#include "common/feed_service/feed_service.h"
#include "common/rpc/messages.h"
#include "common/rpc/resource.h"
#include "services/authz/disabled_table.h"

#define REFUSE(ret_field, name, err, ...)                                                          \
    do {                                                                                           \
        if ((ret_field) != NULL) {                                                                 \
            *(ret_field) = (name);                                                                 \
        }                                                                                          \
        KW_FAIL(err, ARGUMENT_INVALID, __VA_ARGS__);                                               \
    } while (0)

/* --- reading --- */

static struct kw_result device_read(const char *name, struct kw_bytes id, struct kw_id *ret_device,
                                    const char **ret_field, struct kw_error *err)
{
    struct kw_resource_ids ids = {0};

    if (name == NULL) {
        if (!kw_ok(kw_id_from_bytes(id, ret_device, NULL))) {
            REFUSE(ret_field, "device_id", err, "device_id has %zu bytes", id.len);
        }
        return KW_OK;
    }
    if (!kw_ok(kw_resource_parse(KW_RESOURCE_DEVICE, name, &ids, NULL))) {
        REFUSE(ret_field, "device", err, "not a device's name");
    }
    *ret_device = ids.id[0];
    return KW_OK;
}

static struct kw_result rest_read(struct kw_access_item *item, uint32_t epoch, const char *purpose,
                                  const char *grant, const char **ret_field, struct kw_error *err)
{
    struct kw_resource_ids ids = {0};

    if (epoch == 0) {
        REFUSE(ret_field, "epoch", err, "no epoch");
    }
    if (purpose[0] == '\0') {
        REFUSE(ret_field, "purpose", err, "no purpose");
    }
    if (grant[0] != '\0') {
        if (!kw_ok(kw_resource_parse(KW_RESOURCE_PARTNER_GRANT, grant, &ids, NULL))) {
            REFUSE(ret_field, "grant", err, "not a grant's name");
        }
        item->access.grant = ids.id[1];
    }
    item->access.purpose = purpose;
    return KW_OK;
}

struct kw_result kw_access_item_get(const Keyward__V1__GetDeviceAccessRequest *request,
                                    struct kw_access_item *ret_item, const char **ret_field,
                                    struct kw_error *err)
{
    struct kw_access_item item = {.access.operation = KW_GRANT_RELEASE};
    const char *name = NULL;
    struct kw_bytes id = KW_BYTES_NONE;

    if (request->selector_case == KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE) {
        name = request->device;
    } else if (request->selector_case ==
               KEYWARD__V1__GET_DEVICE_ACCESS_REQUEST__SELECTOR_DEVICE_ID) {
        id = kw_bytes_field(request->device_id);
    }
    KW_TRY(device_read(name, id, &item.access.device, ret_field, err));
    KW_TRY(rest_read(&item, request->epoch, request->purpose, request->grant, ret_field, err));
    *ret_item = item;
    return KW_OK;
}

struct kw_result kw_access_item_derive(const Keyward__V1__DeriveSessionRequest *request,
                                       struct kw_access_item *ret_item, const char **ret_field,
                                       struct kw_error *err)
{
    struct kw_access_item item = {.access.operation = KW_GRANT_DERIVE};
    const char *name = NULL;
    struct kw_bytes id = KW_BYTES_NONE;

    if (request->selector_case == KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE) {
        name = request->device;
    } else if (request->selector_case == KEYWARD__V1__DERIVE_SESSION_REQUEST__SELECTOR_DEVICE_ID) {
        id = kw_bytes_field(request->device_id);
    }
    KW_TRY(device_read(name, id, &item.access.device, ret_field, err));
    KW_TRY(rest_read(&item, request->epoch, request->purpose, request->grant, ret_field, err));
    if (request->nonce_app.len != KW_ID_LEN) {
        REFUSE(ret_field, "nonce_app", err, "nonce_app has %zu bytes", request->nonce_app.len);
    }
    if (request->nonce_pen.len != KW_ID_LEN) {
        REFUSE(ret_field, "nonce_pen", err, "nonce_pen has %zu bytes", request->nonce_pen.len);
    }
    *ret_item = item;
    return KW_OK;
}

/* --- looking up --- */

/* By the clock as it is now: whoever was stopped in the middle finds its knowledge aged. */
static void place(struct kw_access *access, const struct kw_authz *authz, uint64_t now_ms)
{
    const struct kw_authz_config *config = authz->config;
    bool release = access->operation == KW_GRANT_RELEASE;

    access->region = config->region;
    access->now_ms = now_ms;
    access->age_ms = kw_feed_service_age_ms(authz->feed_service, kw_clock_wall_ms());
    access->age_max_ms = 1000ULL * (release ? config->staleness_release_s : config->staleness_s);
}

void kw_access_item_here(struct kw_access_item *item, const struct kw_authz *authz, uint64_t now_ms)
{
    place(&item->access, authz, now_ms);
}

static struct kw_result facts_look_up(struct kw_access_item *item, struct kw_tx *tx,
                                      struct kw_arena *arena, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};
    struct kw_capsule facts = {0};

    KW_TRY(kw_disabled_collect(tx, item->access.device, &facts, &list, err));
    item->disabled_count = facts.disabled_count;
    return kw_arena_copy(arena, kw_buf_bytes(&list), &item->disabled, err);
}

struct kw_result kw_access_item_look_up(struct kw_access_item *item, struct kw_id partner,
                                        struct kw_tx *tx, struct kw_arena *arena,
                                        struct kw_error *err)
{
    KW_TRY(kw_grant_candidates(tx, partner, &item->access, arena, &item->candidates,
                               &item->candidate_count, err));
    return facts_look_up(item, tx, arena, err);
}

/* --- deciding and trying --- */

struct kw_result kw_access_item_decide(struct kw_access_item *item,
                                       const struct kw_member_row *member,
                                       const struct kw_quota_book *quotas, struct kw_error *err)
{
    struct kw_quota used[KW_GRANT_CANDIDATES_MAX];

    for (size_t i = 0; i < item->candidate_count; i++) {
        used[i] = kw_quota_book_get(quotas, &item->candidates[i]);
    }
    item->choice =
        kw_policy_decide(member, item->candidates, used, item->candidate_count, &item->access);
    return kw_verdict_require(item->choice.verdict, err);
}

struct kw_result kw_access_item_next(struct kw_access_item *item, struct kw_authz *authz,
                                     struct kw_error *err)
{
    struct kw_result result =
        KW_MAKE(err, NOT_FOUND, "no grant covers the device"); /* unless one is tried */

    while (item->tried < item->choice.count) {
        const struct kw_grant_row *grant = &item->candidates[item->choice.grants[item->tried]];

        item->tried++;
        result = kw_quota_book_take(&authz->diary.quotas, grant, item->access.now_ms, err);
        if (kw_ok(result)) {
            kw_diary_quotas_changed(&authz->diary);
            return KW_OK;
        }
        if (result.reason != KW_E_QUOTA_EXCEEDED) {
            break; /* used up since it was decided: the next one may have some left */
        }
    }
    return result;
}

uint32_t kw_access_item_retry_ms(const struct kw_access_item *item,
                                 const struct kw_member_row *member,
                                 const struct kw_quota_book *quotas)
{
    uint32_t soonest = 0;

    for (size_t i = 0; i < item->candidate_count; i++) {
        const struct kw_grant_row *grant = &item->candidates[i];
        struct kw_quota used = kw_quota_book_get(quotas, grant);
        uint32_t wait = 0;

        if (kw_policy_grant(member, grant, &used, &item->access) == KW_VERDICT_QUOTA) {
            wait = kw_quota_retry_ms(grant, &used, item->access.now_ms);
        }
        soonest = wait != 0 && (soonest == 0 || wait < soonest) ? wait : soonest;
    }
    return soonest;
}

const struct kw_grant_row *kw_access_item_grant(const struct kw_access_item *item)
{
    return &item->candidates[item->choice.grants[item->tried - 1]];
}

void kw_access_item_give_back(const struct kw_access_item *item, struct kw_authz *authz)
{
    kw_quota_book_give_back(&authz->diary.quotas, kw_access_item_grant(item), item->access.now_ms);
}

struct kw_result kw_access_item_recheck(const struct kw_access_item *item,
                                        const struct kw_authz *authz,
                                        const struct kw_member_row *member, struct kw_tx *tx,
                                        struct kw_arena *arena, struct kw_error *err)
{
    const struct kw_grant_row *tried = kw_access_item_grant(item);
    const struct kw_quota unused = {.grant = tried->id}; /* its operation was taken before */
    struct kw_grant_row grant;
    struct kw_access access = item->access;
    uint32_t facts;
    bool found;

    place(&access, authz, kw_clock_wall_ms());
    KW_TRY(kw_verdict_require(kw_policy_member(member, &access), err));
    KW_TRY(kw_grant_find(tx, tried->id, arena, &grant, &found, err));
    KW_ENSURE(found, err, NOT_FOUND, "the grant is gone");
    KW_TRY(kw_verdict_require(kw_policy_grant(member, &grant, &unused, &access), err));
    KW_TRY(kw_disabled_count(tx, item->access.device, &facts, err));
    KW_ENSURE(facts == item->disabled_count, err, KEY_STATE, "disabled meanwhile");
    return KW_OK;
}

struct kw_result kw_access_item_capsule(const struct kw_access_item *item,
                                        const struct kw_member_row *member,
                                        struct kw_capsule_slot *slot, struct kw_error *err)
{
    const struct kw_grant_row *grant = kw_access_item_grant(item);
    struct kw_capsule *capsule = &slot->capsule;

    capsule->grant = grant->id;
    capsule->scope = grant->scope;
    capsule->scope_id = grant->scope_id;
    capsule->operation = item->access.operation == KW_GRANT_RELEASE ? KW_OPERATION_RELEASE
                                                                    : KW_OPERATION_DERIVE_SESSION;
    capsule->epoch = member->epoch;
    capsule->ptk_version = member->confirmed_version;
    KW_TRY(kw_buf_append(&slot->disabled, item->disabled, err));
    capsule->disabled = kw_buf_bytes(&slot->disabled);
    capsule->disabled_count = (uint16_t)(capsule->disabled_count + item->disabled_count);
    return KW_OK;
}
