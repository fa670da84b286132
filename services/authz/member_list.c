/* ListPartners and ListStations: one page at a time, at most 256 KiB of it. */
#include "services/authz/operations.h"

#include "services/authz/page.h"
#include "services/authz/view.h"

#define PAGE_LEN_MAX  (KW_BODY_LEN_MAX - 1024) /* leaves room for the token */
#define ITEM_OVERHEAD 8                        /* tag and length of one item */

/* What was asked for, and the rows behind it: one more than fits, to see whether there are more. */
struct list {
    struct kw_page page;
    struct kw_member_row *rows;
    size_t count;
    size_t shown;
};

static struct kw_result rows_read(struct kw_authz_call *call, struct kw_tx *tx,
                                  enum kw_member_kind kind, uint32_t state, struct list *list,
                                  struct kw_error *err)
{
    const struct kw_member_query query = {
        .kind = kind, .after = list->page.after, .state = state, .max = list->page.max + 1};

    KW_FIELD_ENSURE(call, state <= KW_MEMBER_SUSPENDED, "state", err, "state %u", state);
    list->rows = kw_arena_alloc(call->arena, query.max * sizeof(*list->rows));
    KW_ENSURE(list->rows != NULL, err, MEMORY, "%zu members", query.max);
    return kw_member_list(tx, &query, call->arena, list->rows, &list->count, err);
}

/* Another item of `len` bytes still fits. */
static bool fits(const struct list *list, size_t *used, size_t len)
{
    *used += len + ITEM_OVERHEAD;
    return list->shown < list->page.max && (list->shown == 0 || *used <= PAGE_LEN_MAX);
}

static struct kw_result token_make(struct kw_authz_call *call, const struct list *list,
                                   char **ret_token, struct kw_error *err)
{
    if (list->shown == list->count) {
        return KW_OK;
    }
    return kw_page_token(call, &list->page, list->rows[list->shown - 1].id, ret_token, err);
}

static struct kw_result partners_respond(struct kw_authz_call *call, struct list *list,
                                         struct kw_error *err)
{
    Keyward__V1__ListPartnersResponse response = KEYWARD__V1__LIST_PARTNERS_RESPONSE__INIT;
    size_t used = 0;

    response.partners = kw_arena_alloc(call->arena, (list->count + 1) * sizeof(*response.partners));
    KW_ENSURE(response.partners != NULL, err, MEMORY, "%zu partners", list->count);
    for (; list->shown < list->count; list->shown++) {
        Keyward__V1__Partner *partner;

        KW_TRY(kw_view_partner(&list->rows[list->shown], call->arena, &partner, err));
        if (!fits(list, &used, protobuf_c_message_get_packed_size(&partner->base))) {
            break;
        }
        response.partners[response.n_partners++] = partner;
    }
    KW_TRY(token_make(call, list, &response.next_page_token, err));
    return kw_authz_call_respond(call, &response.base, err);
}

static struct kw_result stations_respond(struct kw_authz_call *call, struct list *list,
                                         struct kw_error *err)
{
    Keyward__V1__ListStationsResponse response = KEYWARD__V1__LIST_STATIONS_RESPONSE__INIT;
    size_t used = 0;

    response.stations = kw_arena_alloc(call->arena, (list->count + 1) * sizeof(*response.stations));
    KW_ENSURE(response.stations != NULL, err, MEMORY, "%zu stations", list->count);
    for (; list->shown < list->count; list->shown++) {
        Keyward__V1__Station *station;

        KW_TRY(kw_view_station(&list->rows[list->shown], call->arena, &station, err));
        if (!fits(list, &used, protobuf_c_message_get_packed_size(&station->base))) {
            break;
        }
        response.stations[response.n_stations++] = station;
    }
    KW_TRY(token_make(call, list, &response.next_page_token, err));
    return kw_authz_call_respond(call, &response.base, err);
}

struct kw_result kw_authz_member_list(struct kw_authz_call *call, struct kw_tx *tx,
                                      struct kw_error *err)
{
    const Keyward__V1__ListPartnersRequest *partners =
        (const Keyward__V1__ListPartnersRequest *)call->request;
    const Keyward__V1__ListStationsRequest *stations =
        (const Keyward__V1__ListStationsRequest *)call->request;
    bool of_partners = call->method->id == KW_METHOD_LIST_PARTNERS;
    uint32_t state = of_partners ? (uint32_t)partners->state : (uint32_t)stations->state;
    const char *filter = kw_arena_printf(call->arena, "%u", state);
    struct list list = {0};

    KW_ENSURE(filter != NULL, err, MEMORY, "a filter");
    KW_TRY(kw_page_read(call, of_partners ? partners->page_size : stations->page_size,
                        of_partners ? partners->page_token : stations->page_token, filter,
                        &list.page, err));
    if (of_partners) {
        KW_TRY(rows_read(call, tx, KW_MEMBER_PARTNER, state, &list, err));
        return partners_respond(call, &list, err);
    }
    KW_TRY(rows_read(call, tx, KW_MEMBER_STATION, state, &list, err));
    return stations_respond(call, &list, err);
}
