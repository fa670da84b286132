/* CreateGrant: reading a permission strictly, and keeping it. */
#include "services/authz/operations.h"

#include "services/authz/check.h"
#include "services/authz/view.h"

#include <stdlib.h>

#define PURPOSE_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789-"
#define PURPOSE_MAX     64
#define MS_PER_S        1000

/* What was read. */
struct plan {
    struct kw_grant_row row;
    struct kw_id *devices;
    size_t device_count;
};

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, KW_ID_LEN); /* public ids, for sorting */
}

static struct kw_result devices_read(struct kw_authz_call *call,
                                     const Keyward__V1__DeviceList *list, struct plan *plan,
                                     struct kw_error *err)
{
    const char *field = "grant.devices";

    KW_FIELD_ENSURE(call, list->n_devices >= 1 && list->n_devices <= KW_GRANT_DEVICES_MAX, field,
                    err, "%zu devices", list->n_devices);
    plan->devices = kw_arena_alloc(call->arena, list->n_devices * sizeof(*plan->devices));
    KW_ENSURE(plan->devices != NULL, err, MEMORY, "%zu devices", list->n_devices);
    for (size_t i = 0; i < list->n_devices; i++) {
        struct kw_resource_ids ids;

        KW_TRY(kw_authz_call_name(call, KW_RESOURCE_DEVICE, field, list->devices[i], &ids, err));
        plan->devices[i] = ids.id[0];
    }
    qsort(plan->devices, list->n_devices, sizeof(*plan->devices), compare_ids);
    for (size_t i = 1; i < list->n_devices; i++) {
        KW_FIELD_ENSURE(call, !kw_id_equal(plan->devices[i - 1], plan->devices[i]), field, err,
                        "a device is named twice");
    }
    plan->device_count = list->n_devices;
    return KW_OK;
}

static struct kw_result scope_read(struct kw_authz_call *call, const Keyward__V1__Grant *grant,
                                   struct plan *plan, struct kw_error *err)
{
    struct kw_resource_ids ids = {0};

    switch (grant->scope_case) {
    case KEYWARD__V1__GRANT__SCOPE_DEVICES:
        plan->row.scope = KW_SCOPE_BODY;
        return devices_read(call, grant->devices, plan, err);
    case KEYWARD__V1__GRANT__SCOPE_BATCH:
        plan->row.scope = KW_SCOPE_BATCH;
        KW_TRY(kw_authz_call_name(call, KW_RESOURCE_BATCH, "grant.batch", grant->batch, &ids, err));
        break;
    case KEYWARD__V1__GRANT__SCOPE_PRODUCT:
        plan->row.scope = KW_SCOPE_PRODUCT;
        KW_TRY(kw_authz_call_name(call, KW_RESOURCE_PRODUCT, "grant.product", grant->product, &ids,
                                  err));
        break;
    case KEYWARD__V1__GRANT__SCOPE__NOT_SET:
    case _KEYWARD__V1__GRANT__SCOPE__CASE_IS_INT_SIZE:
        KW_FIELD_ENSURE(call, false, "grant.scope", err, "no scope");
    }
    plan->row.scope_id = ids.id[0];
    return KW_OK;
}

static struct kw_result operations_read(struct kw_authz_call *call, const Keyward__V1__Grant *grant,
                                        struct kw_grant_row *row, struct kw_error *err)
{
    KW_FIELD_ENSURE(call, grant->n_operations >= 1, "grant.operations", err, "no operation");
    for (size_t i = 0; i < grant->n_operations; i++) {
        Keyward__V1__KeyOperation operation = grant->operations[i];

        KW_FIELD_ENSURE(call,
                        operation == KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_RELEASE_KEY ||
                            operation == KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_DERIVE_SESSION,
                        "grant.operations", err, "operation %d", (int)operation);
        KW_FIELD_ENSURE(call, (row->operations & 1U << operation) == 0, "grant.operations", err,
                        "an operation is named twice");
        row->operations |= 1U << operation;
    }
    return KW_OK;
}

static struct kw_result times_read(struct kw_authz_call *call, const Keyward__V1__Grant *grant,
                                   struct kw_grant_row *row, struct kw_error *err)
{
    row->start_ms = call->now_ms;
    if (grant->start_time != NULL) {
        KW_TRY(kw_check_time(call, "grant.start_time", grant->start_time, &row->start_ms, err));
    }
    KW_FIELD_ENSURE(call, grant->end_time != NULL, "grant.end_time", err, "no end");
    KW_TRY(kw_check_time(call, "grant.end_time", grant->end_time, &row->end_ms, err));
    KW_FIELD_ENSURE(call,
                    row->end_ms > row->start_ms && row->end_ms > call->now_ms &&
                        row->end_ms - row->start_ms <= KW_GRANT_LIFE_MS_MAX,
                    "grant.end_time", err, "an interval that is empty, past or too long");
    return KW_OK;
}

static struct kw_result quota_read(struct kw_authz_call *call, const Keyward__V1__GrantQuota *quota,
                                   struct kw_grant_row *row, struct kw_error *err)
{
    if (quota == NULL) {
        return KW_OK;
    }
    KW_FIELD_ENSURE(call, quota->max_operations >= 1 && quota->max_operations <= INT64_MAX,
                    "grant.quota.max_operations", err, "out of range");
    row->max_operations = quota->max_operations;
    if (quota->window != NULL) {
        KW_FIELD_ENSURE(call,
                        quota->window->seconds >= 1 &&
                            (uint64_t)quota->window->seconds <= KW_GRANT_WINDOW_S_MAX &&
                            quota->window->nanos == 0,
                        "grant.quota.window", err, "out of range, or not whole seconds");
        row->window_ms = (uint64_t)quota->window->seconds * MS_PER_S;
    }
    return KW_OK;
}

static struct kw_result purpose_check(struct kw_authz_call *call, const char *purpose,
                                      struct kw_error *err)
{
    size_t len = strlen(purpose);

    KW_FIELD_ENSURE(call, len >= 1 && len <= PURPOSE_MAX && strspn(purpose, PURPOSE_LETTERS) == len,
                    "grant.purpose", err, "not 1 to %d of a-z 0-9 -", PURPOSE_MAX);
    return KW_OK;
}

static struct kw_result grant_read(struct kw_authz_call *call, const Keyward__V1__Grant *grant,
                                   struct plan *plan, struct kw_error *err)
{
    KW_FIELD_ENSURE(call, grant != NULL, "grant", err, "no grant");
    KW_FIELD_ENSURE(call,
                    grant->name[0] == '\0' && grant->state == 0 && grant->create_time == NULL &&
                        grant->revoke_time == NULL && grant->revoke_justification[0] == '\0' &&
                        grant->etag[0] == '\0',
                    "grant", err, "an output-only field is set");
    KW_TRY(scope_read(call, grant, plan, err));
    KW_TRY(operations_read(call, grant, &plan->row, err));
    KW_TRY(purpose_check(call, grant->purpose, err));
    KW_TRY(times_read(call, grant, &plan->row, err));
    KW_TRY(quota_read(call, grant->quota, &plan->row, err));
    KW_TRY(kw_check_regions(call, "grant.regions", grant->regions, grant->n_regions,
                            &plan->row.regions, err));
    plan->row.purpose = grant->purpose;
    plan->row.strict = grant->strict;
    plan->row.no_cache = grant->no_cache;
    return KW_OK;
}

/* What the grant is made in knowledge of is in it. */
static struct kw_result partner_check(struct kw_authz_call *call, struct kw_tx *tx,
                                      const char *parent, struct kw_grant_row *row,
                                      struct kw_error *err)
{
    struct kw_resource_ids ids;
    struct kw_member_row partner;
    bool found;

    KW_TRY(kw_authz_call_name(call, KW_RESOURCE_PARTNER, "parent", parent, &ids, err));
    KW_TRY(kw_member_find(tx, ids.id[0], call->arena, &partner, &found, err));
    KW_ENSURE(found && partner.kind == KW_MEMBER_PARTNER, err, NOT_FOUND, "no such partner");
    row->partner = partner.id;
    row->seen = partner.revoke_all;
    return KW_OK;
}

static struct kw_result respond(struct kw_authz_call *call, const struct plan *plan,
                                struct kw_error *err)
{
    Keyward__V1__CreateGrantResponse response = KEYWARD__V1__CREATE_GRANT_RESPONSE__INIT;

    KW_TRY(kw_view_grant(&plan->row, plan->devices, plan->device_count, call->now_ms, call->arena,
                         &response.grant, err));
    call->subject = response.grant->name;
    return kw_authz_call_respond(call, &response.base, err);
}

struct kw_result kw_authz_grant_create(struct kw_authz_call *call, struct kw_tx *tx,
                                       struct kw_error *err)
{
    const Keyward__V1__CreateGrantRequest *request =
        (const Keyward__V1__CreateGrantRequest *)call->request;
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct plan plan = {.row = {.created_ms = call->now_ms, .revoke_justification = ""}};

    KW_TRY(partner_check(call, tx, request->parent, &plan.row, err));
    KW_TRY(kw_check_text(call, "justification", request->justification, KW_JUSTIFICATION_MAX, err));
    KW_TRY(grant_read(call, request->grant, &plan, err));
    plan.row.justification = request->justification;
    if (!call->validate_only) {
        KW_TRY(kw_id_v7(&plan.row.id, err));
        KW_TRY(kw_grant_insert(&feed_tx, &plan.row, plan.devices, plan.device_count, err));
    }
    return respond(call, &plan, err);
}
