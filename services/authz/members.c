/* Partners and stations: create, get, list, suspend, reinstate. Both kinds alike, as far as their
 * messages let them. */
#include "services/authz/operations.h"

#include "common/rpc/field.h"
#include "services/authz/check.h"
#include "services/authz/view.h"

#define DISPLAY_NAME_MAX 128
#define CONTACT_MAX      254
#define LOCATION_MAX     128

static enum kw_member_kind kind_of(const struct kw_authz_call *call)
{
    static const enum kw_method_id of_stations[] = {
        KW_METHOD_CREATE_STATION,  KW_METHOD_GET_STATION,       KW_METHOD_LIST_STATIONS,
        KW_METHOD_SUSPEND_STATION, KW_METHOD_REINSTATE_STATION,
    };

    for (size_t i = 0; i < sizeof(of_stations) / sizeof(of_stations[0]); i++) {
        if (call->method->id == of_stations[i]) {
            return KW_MEMBER_STATION;
        }
    }
    return KW_MEMBER_PARTNER;
}

/* --- answers: every method of one member answers with that member --- */

static struct kw_result respond(struct kw_authz_call *call, const struct kw_member_row *row,
                                struct kw_error *err)
{
    char name[KW_RESOURCE_NAME_SIZE];

    if (row->kind == KW_MEMBER_PARTNER) {
        /* All responses about one partner have the same shape: it is field 1. */
        Keyward__V1__GetPartnerResponse response = KEYWARD__V1__GET_PARTNER_RESPONSE__INIT;

        KW_TRY(kw_view_partner(row, call->arena, &response.partner, err));
        (void)kw_resource_name1(KW_RESOURCE_PARTNER, row->id, name);
        KW_TRY(kw_authz_call_respond(call, &response.base, err));
    } else {
        Keyward__V1__GetStationResponse response = KEYWARD__V1__GET_STATION_RESPONSE__INIT;

        KW_TRY(kw_view_station(row, call->arena, &response.station, err));
        (void)kw_resource_name1(KW_RESOURCE_STATION, row->id, name);
        KW_TRY(kw_authz_call_respond(call, &response.base, err));
    }
    call->subject = kw_arena_text(call->arena, name, strlen(name));
    KW_ENSURE(call->subject != NULL, err, MEMORY, "a name");
    return KW_OK;
}

/* --- create --- */

static struct kw_result insert(struct kw_authz_call *call, struct kw_tx *tx,
                               struct kw_member_row *row, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    row->state = KW_MEMBER_INVITED;
    row->epoch = 1;
    row->created_ms = call->now_ms;
    row->updated_ms = call->now_ms;
    if (!call->validate_only) {
        KW_TRY(kw_id_random(&row->id, err));
        KW_TRY(kw_member_insert(&feed_tx, row, err));
    }
    return respond(call, row, err);
}

struct kw_result kw_authz_partner_create(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const Keyward__V1__Partner *partner =
        ((const Keyward__V1__CreatePartnerRequest *)call->request)->partner;
    struct kw_member_row row = {.kind = KW_MEMBER_PARTNER, .location = ""};

    KW_FIELD_ENSURE(call, partner != NULL, "partner", err, "no partner");
    KW_FIELD_ENSURE(call,
                    partner->name[0] == '\0' && partner->state == 0 &&
                        partner->transport_key_version == 0 &&
                        partner->certificate_expire_time == NULL && partner->create_time == NULL &&
                        partner->update_time == NULL && partner->etag[0] == '\0',
                    "partner", err, "an output-only field is set");
    KW_TRY(
        kw_check_text(call, "partner.display_name", partner->display_name, DISPLAY_NAME_MAX, err));
    KW_TRY(kw_check_text(call, "partner.contact", partner->contact, CONTACT_MAX, err));
    KW_TRY(kw_check_regions(call, "partner.regions", partner->regions, partner->n_regions,
                            &row.regions, err));
    row.display_name = partner->display_name;
    row.contact = partner->contact;
    return insert(call, tx, &row, err);
}

static struct kw_result products_read(struct kw_authz_call *call,
                                      const Keyward__V1__Station *station,
                                      struct kw_bytes *ret_products, struct kw_error *err)
{
    uint8_t *ids;

    KW_FIELD_ENSURE(call,
                    station->n_products >= 1 && station->n_products <= KW_STATION_PRODUCTS_MAX,
                    "station.products", err, "%zu products", station->n_products);
    ids = kw_arena_alloc(call->arena, station->n_products * KW_ID_LEN);
    KW_ENSURE(ids != NULL, err, MEMORY, "products");
    for (size_t i = 0; i < station->n_products; i++) {
        struct kw_resource_ids product;

        KW_TRY(kw_authz_call_name(call, KW_RESOURCE_PRODUCT, "station.products",
                                  station->products[i], &product, err));
        kw_copy(ids + i * KW_ID_LEN, product.id[0].bytes, KW_ID_LEN);
    }
    *ret_products = KW_BYTES(ids, station->n_products * KW_ID_LEN);
    return KW_OK;
}

struct kw_result kw_authz_station_create(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    const Keyward__V1__Station *station =
        ((const Keyward__V1__CreateStationRequest *)call->request)->station;
    struct kw_member_row row = {.kind = KW_MEMBER_STATION, .contact = "", .regions = ""};

    KW_FIELD_ENSURE(call, station != NULL, "station", err, "no station");
    KW_FIELD_ENSURE(call,
                    station->name[0] == '\0' && station->state == 0 &&
                        station->transport_key_version == 0 &&
                        station->certificate_expire_time == NULL && station->create_time == NULL &&
                        station->update_time == NULL && station->etag[0] == '\0',
                    "station", err, "an output-only field is set");
    KW_TRY(
        kw_check_text(call, "station.display_name", station->display_name, DISPLAY_NAME_MAX, err));
    KW_FIELD_ENSURE(call, kw_field_characters(station->location) <= LOCATION_MAX,
                    "station.location", err, "too long");
    KW_TRY(products_read(call, station, &row.products, err));
    row.display_name = station->display_name;
    row.location = station->location;
    return insert(call, tx, &row, err);
}

/* --- one that is there --- */

/* The member named in the request: not one of the other kind, and for a member itself alone. */
static struct kw_result member_named(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_member_row *ret_row, struct kw_error *err)
{
    const char *name = kw_authz_call_text(call, "name");
    enum kw_member_kind kind = kind_of(call);
    bool member = call->caller.role == KW_CALLER_PARTNER || call->caller.role == KW_CALLER_STATION;
    struct kw_resource_ids ids;
    bool found;

    KW_TRY(kw_authz_call_name(call,
                              kind == KW_MEMBER_PARTNER ? KW_RESOURCE_PARTNER : KW_RESOURCE_STATION,
                              "name", name, &ids, err));
    KW_ENSURE(!member || kw_id_equal(ids.id[0], call->caller.id.id), err, NOT_FOUND,
              "another member than the caller");
    KW_TRY(kw_member_find(tx, ids.id[0], call->arena, ret_row, &found, err));
    KW_ENSURE(found && ret_row->kind == kind, err, NOT_FOUND, "no such member");
    return KW_OK;
}

struct kw_result kw_authz_member_get(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err)
{
    struct kw_member_row row = {0};

    KW_TRY(member_named(call, tx, &row, err));
    return respond(call, &row, err);
}

/* --- suspend and reinstate --- */

/* Each suspension is one of its own, also of a member that is suspended: who lifts the ones he knows
 * leaves this one. */
static struct kw_result suspend(struct kw_authz_call *call, struct kw_tx *tx,
                                const struct kw_member_row *row, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_id suspension;

    KW_TRY(kw_id_random(&suspension, err));
    KW_TRY(kw_member_suspend(&feed_tx, row->id, suspension, call->now_ms, err));
    call->disabled = true;
    return KW_OK;
}

static struct kw_result reinstate(struct kw_authz_call *call, struct kw_tx *tx,
                                  const struct kw_member_row *row, struct kw_error *err)
{
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);

    KW_ENSURE(row->suspended, err, STATE_CONFLICT, "not suspended");
    if (call->validate_only) {
        return KW_OK;
    }
    return kw_member_reinstate(&feed_tx, row->id, call->now_ms, err);
}

static struct kw_result checked(struct kw_authz_call *call, struct kw_tx *tx,
                                struct kw_member_row *row, struct kw_error *err)
{
    const char *justification = kw_authz_call_text(call, "justification");
    char etag[KW_ETAG_SIZE];

    KW_TRY(member_named(call, tx, row, err));
    KW_TRY(kw_check_text(call, "justification", justification, KW_JUSTIFICATION_MAX, err));
    KW_TRY(kw_view_member_etag(row, etag, err));
    return kw_check_etag(kw_authz_call_text(call, "etag"), etag, err);
}

static struct kw_result respond_anew(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_member_row *row, struct kw_error *err)
{
    bool found;

    KW_TRY(kw_member_find(tx, row->id, call->arena, row, &found, err));
    return respond(call, row, err);
}

struct kw_result kw_authz_member_suspend(struct kw_authz_call *call, struct kw_tx *tx,
                                         struct kw_error *err)
{
    struct kw_member_row row = {0};

    KW_TRY(checked(call, tx, &row, err));
    if (!call->validate_only) {
        KW_TRY(suspend(call, tx, &row, err));
    }
    return respond_anew(call, tx, &row, err);
}

struct kw_result kw_authz_member_reinstate(struct kw_authz_call *call, struct kw_tx *tx,
                                           struct kw_error *err)
{
    struct kw_member_row row = {0};

    KW_TRY(checked(call, tx, &row, err));
    KW_TRY(reinstate(call, tx, &row, err));
    return respond_anew(call, tx, &row, err);
}
