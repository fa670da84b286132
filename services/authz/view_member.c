/* Partners and stations. */
#include "services/authz/view.h"

#include "common/rpc/messages.h"

/* What both messages have. */
struct common {
    char *name;
    char *etag;
    Google__Protobuf__Timestamp *certificate_expire;
    Google__Protobuf__Timestamp *created;
    Google__Protobuf__Timestamp *updated;
};

static struct kw_result common_make(const struct kw_member_row *row, enum kw_resource kind,
                                    struct kw_arena *arena, struct common *common,
                                    struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];
    char etag[KW_ETAG_SIZE];

    KW_TRY(kw_view_member_etag(row, etag, err));
    (void)kw_resource_name1(kind, row->id, name);
    common->name = kw_arena_text(arena, name, kw_id_is_none(row->id) ? 0 : strlen(name));
    common->etag = kw_arena_text(arena, etag, strlen(etag));
    KW_ENSURE(common->name != NULL && common->etag != NULL, err, MEMORY, "a member");
    KW_TRY(kw_view_time(row->certificate_expire_ms, arena, &common->certificate_expire, err));
    KW_TRY(kw_view_time(row->created_ms, arena, &common->created, err));
    return kw_view_time(row->updated_ms, arena, &common->updated, err);
}

struct kw_result kw_view_partner(const struct kw_member_row *row, struct kw_arena *arena,
                                 Keyward__V1__Partner **ret_partner, struct kw_error *err)
{
    Keyward__V1__Partner *partner = kw_arena_alloc(arena, sizeof(*partner));
    struct common common;

    KW_ENSURE(partner != NULL, err, MEMORY, "a partner");
    keyward__v1__partner__init(partner);
    KW_TRY(common_make(row, KW_RESOURCE_PARTNER, arena, &common, err));
    KW_TRY(kw_view_list(row->regions, arena, &partner->regions, &partner->n_regions, err));
    partner->name = common.name;
    partner->display_name = kw_field_text(row->display_name);
    partner->contact = kw_field_text(row->contact);
    partner->state = (Keyward__V1__MemberState)row->state;
    partner->transport_key_version = row->transport_version;
    partner->certificate_expire_time = common.certificate_expire;
    partner->create_time = common.created;
    partner->update_time = common.updated;
    partner->etag = common.etag;
    *ret_partner = partner;
    return KW_OK;
}

static struct kw_result products_make(const struct kw_member_row *row, struct kw_arena *arena,
                                      Keyward__V1__Station *station, struct kw_error *err)
{
    size_t count = row->products.len / KW_ID_LEN;
    char **names = kw_arena_alloc(arena, (count + 1) * sizeof(*names));

    KW_ENSURE(names != NULL, err, MEMORY, "%zu products", count);
    for (size_t i = 0; i < count; i++) {
        char name[KW_RESOURCE_NAME_SIZE];
        struct kw_id id;

        kw_copy(id.bytes, row->products.data + i * KW_ID_LEN, KW_ID_LEN);
        (void)kw_resource_name1(KW_RESOURCE_PRODUCT, id, name);
        names[i] = kw_arena_text(arena, name, strlen(name));
        KW_ENSURE(names[i] != NULL, err, MEMORY, "%zu products", count);
    }
    station->products = names;
    station->n_products = count;
    return KW_OK;
}

struct kw_result kw_view_station(const struct kw_member_row *row, struct kw_arena *arena,
                                 Keyward__V1__Station **ret_station, struct kw_error *err)
{
    Keyward__V1__Station *station = kw_arena_alloc(arena, sizeof(*station));
    struct common common;

    KW_ENSURE(station != NULL, err, MEMORY, "a station");
    keyward__v1__station__init(station);
    KW_TRY(common_make(row, KW_RESOURCE_STATION, arena, &common, err));
    KW_TRY(products_make(row, arena, station, err));
    station->name = common.name;
    station->display_name = kw_field_text(row->display_name);
    station->location = kw_field_text(row->location);
    station->state = (Keyward__V1__MemberState)row->state;
    station->transport_key_version = row->transport_version;
    station->certificate_expire_time = common.certificate_expire;
    station->create_time = common.created;
    station->update_time = common.updated;
    station->etag = common.etag;
    *ret_station = station;
    return KW_OK;
}
