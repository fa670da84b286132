/* Grants. */
#include "services/authz/view.h"

#include "common/rpc/messages.h"

#define MS_PER_S 1000U

static struct kw_result name_make(enum kw_resource kind, const struct kw_resource_ids *ids,
                                  struct kw_arena *arena, char **ret_name, struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];

    (void)kw_resource_name(kind, ids, name);
    *ret_name = kw_arena_text(arena, name, strlen(name));
    KW_ENSURE(*ret_name != NULL, err, MEMORY, "a name");
    return KW_OK;
}

static struct kw_result devices_make(const struct kw_id *devices, size_t count,
                                     struct kw_arena *arena, Keyward__V1__Grant *grant,
                                     struct kw_error *err)
{
    Keyward__V1__DeviceList *list = kw_arena_alloc(arena, sizeof(*list));
    char **names = kw_arena_alloc(arena, (count + 1) * sizeof(*names));

    KW_ENSURE(list != NULL && names != NULL, err, MEMORY, "%zu devices", count);
    keyward__v1__device_list__init(list);
    for (size_t i = 0; i < count; i++) {
        const struct kw_resource_ids ids = {.id = {devices[i]}};

        KW_TRY(name_make(KW_RESOURCE_DEVICE, &ids, arena, &names[i], err));
    }
    list->devices = names;
    list->n_devices = count;
    grant->scope_case = KEYWARD__V1__GRANT__SCOPE_DEVICES;
    grant->devices = list;
    return KW_OK;
}

static struct kw_result scope_make(const struct kw_grant_row *row, const struct kw_id *devices,
                                   size_t count, struct kw_arena *arena, Keyward__V1__Grant *grant,
                                   struct kw_error *err)
{
    const struct kw_resource_ids ids = {.id = {row->scope_id}};

    if (row->scope == KW_SCOPE_BATCH) {
        grant->scope_case = KEYWARD__V1__GRANT__SCOPE_BATCH;
        return name_make(KW_RESOURCE_BATCH, &ids, arena, &grant->batch, err);
    }
    if (row->scope == KW_SCOPE_PRODUCT) {
        grant->scope_case = KEYWARD__V1__GRANT__SCOPE_PRODUCT;
        return name_make(KW_RESOURCE_PRODUCT, &ids, arena, &grant->product, err);
    }
    return devices_make(devices, count, arena, grant, err);
}

static struct kw_result operations_make(const struct kw_grant_row *row, struct kw_arena *arena,
                                        Keyward__V1__Grant *grant, struct kw_error *err)
{
    static const Keyward__V1__KeyOperation all[] = {
        KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_RELEASE_KEY,
        KEYWARD__V1__KEY_OPERATION__KEY_OPERATION_DERIVE_SESSION,
    };

    grant->operations = kw_arena_alloc(arena, sizeof(all));
    KW_ENSURE(grant->operations != NULL, err, MEMORY, "operations");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if ((row->operations & 1U << all[i]) != 0) {
            grant->operations[grant->n_operations++] = all[i];
        }
    }
    return KW_OK;
}

static struct kw_result quota_make(const struct kw_grant_row *row, struct kw_arena *arena,
                                   Keyward__V1__Grant *grant, struct kw_error *err)
{
    Keyward__V1__GrantQuota *quota;

    if (row->max_operations == 0) {
        return KW_OK;
    }
    quota = kw_arena_alloc(arena, sizeof(*quota));
    KW_ENSURE(quota != NULL, err, MEMORY, "a quota");
    keyward__v1__grant_quota__init(quota);
    quota->max_operations = row->max_operations;
    if (row->window_ms != 0) {
        quota->window = kw_arena_alloc(arena, sizeof(*quota->window));
        KW_ENSURE(quota->window != NULL, err, MEMORY, "a window");
        google__protobuf__duration__init(quota->window);
        quota->window->seconds = (int64_t)(row->window_ms / MS_PER_S);
    }
    grant->quota = quota;
    return KW_OK;
}

static struct kw_result times_make(const struct kw_grant_row *row, struct kw_arena *arena,
                                   Keyward__V1__Grant *grant, struct kw_error *err)
{
    KW_TRY(kw_view_time(row->start_ms, arena, &grant->start_time, err));
    KW_TRY(kw_view_time(row->end_ms, arena, &grant->end_time, err));
    KW_TRY(kw_view_time(row->created_ms, arena, &grant->create_time, err));
    return kw_view_time(row->revoked_ms, arena, &grant->revoke_time, err);
}

static struct kw_result labels_make(const struct kw_grant_row *row, struct kw_arena *arena,
                                    Keyward__V1__Grant *grant, struct kw_error *err)
{
    const struct kw_resource_ids ids = {.id = {row->partner, row->id}};
    char etag[KW_ETAG_SIZE];

    if (!kw_id_is_none(row->id)) {
        KW_TRY(name_make(KW_RESOURCE_PARTNER_GRANT, &ids, arena, &grant->name, err));
    }
    KW_TRY(kw_view_grant_etag(row, etag, err));
    grant->etag = kw_arena_text(arena, etag, strlen(etag));
    KW_ENSURE(grant->etag != NULL, err, MEMORY, "an etag");
    return KW_OK;
}

struct kw_result kw_view_grant(const struct kw_grant_row *row, const struct kw_id *devices,
                               size_t device_count, uint64_t now_ms, struct kw_arena *arena,
                               Keyward__V1__Grant **ret_grant, struct kw_error *err)
{
    Keyward__V1__Grant *grant = kw_arena_alloc(arena, sizeof(*grant));

    KW_ENSURE(grant != NULL, err, MEMORY, "a grant");
    keyward__v1__grant__init(grant);
    KW_TRY(labels_make(row, arena, grant, err));
    KW_TRY(scope_make(row, devices, device_count, arena, grant, err));
    KW_TRY(operations_make(row, arena, grant, err));
    KW_TRY(quota_make(row, arena, grant, err));
    KW_TRY(times_make(row, arena, grant, err));
    KW_TRY(kw_view_list(row->regions, arena, &grant->regions, &grant->n_regions, err));
    grant->purpose = kw_field_text(row->purpose);
    grant->strict = row->strict;
    grant->no_cache = row->no_cache;
    grant->state = (Keyward__V1__GrantState)kw_grant_state(row, now_ms);
    grant->revoke_justification = kw_field_text(row->revoke_justification);
    *ret_grant = grant;
    return KW_OK;
}
