/* GetGrant, ListGrants, RevokeGrant. */
#include "services/authz/operations.h"

#include "services/authz/check.h"
#include "services/authz/page.h"
#include "services/authz/view.h"

#define PAGE_LEN_MAX  (KW_BODY_LEN_MAX - 1024) /* leaves room for the token */
#define ITEM_OVERHEAD 8                        /* tag and length of one item */
#define ANY_PARTNER   "partners/-"

static struct kw_result view(struct kw_authz_call *call, struct kw_tx *tx,
                             const struct kw_grant_row *row, Keyward__V1__Grant **ret_grant,
                             struct kw_error *err)
{
    struct kw_id *devices = NULL;
    size_t count = 0;

    if (row->scope == KW_SCOPE_BODY) {
        KW_TRY(kw_grant_devices(tx, row->id, call->arena, &devices, &count, err));
    }
    return kw_view_grant(row, devices, count, call->now_ms, call->arena, ret_grant, err);
}

/* A partner finds its own grants and no others. */
static struct kw_result grant_named(struct kw_authz_call *call, struct kw_tx *tx, const char *name,
                                    struct kw_grant_row *ret_row, struct kw_error *err)
{
    struct kw_resource_ids ids;
    bool found;

    KW_TRY(kw_authz_call_name(call, KW_RESOURCE_PARTNER_GRANT, "name", name, &ids, err));
    KW_ENSURE(call->caller.role != KW_CALLER_PARTNER || kw_id_equal(ids.id[0], call->caller.id.id),
              err, NOT_FOUND, "another partner's grant");
    KW_TRY(kw_grant_find(tx, ids.id[1], call->arena, ret_row, &found, err));
    KW_ENSURE(found && kw_id_equal(ret_row->partner, ids.id[0]), err, NOT_FOUND, "no such grant");
    return KW_OK;
}

struct kw_result kw_authz_grant_get(struct kw_authz_call *call, struct kw_tx *tx,
                                    struct kw_error *err)
{
    const Keyward__V1__GetGrantRequest *request =
        (const Keyward__V1__GetGrantRequest *)call->request;
    Keyward__V1__GetGrantResponse response = KEYWARD__V1__GET_GRANT_RESPONSE__INIT;
    struct kw_grant_row row = {0};

    KW_TRY(grant_named(call, tx, request->name, &row, err));
    KW_TRY(view(call, tx, &row, &response.grant, err));
    return kw_authz_call_respond(call, &response.base, err);
}

struct kw_result kw_authz_grant_revoke(struct kw_authz_call *call, struct kw_tx *tx,
                                       struct kw_error *err)
{
    const Keyward__V1__RevokeGrantRequest *request =
        (const Keyward__V1__RevokeGrantRequest *)call->request;
    Keyward__V1__RevokeGrantResponse response = KEYWARD__V1__REVOKE_GRANT_RESPONSE__INIT;
    const struct kw_feed_tx feed_tx = kw_authz_call_feed(call, tx);
    struct kw_grant_row row = {0};
    char etag[KW_ETAG_SIZE];

    KW_TRY(grant_named(call, tx, request->name, &row, err));
    KW_TRY(kw_check_text(call, "justification", request->justification, KW_JUSTIFICATION_MAX, err));
    KW_TRY(kw_view_grant_etag(&row, etag, err));
    KW_TRY(kw_check_etag(request->etag, etag, err));
    if (!call->validate_only && row.revoked_ms == 0) {
        row.revoked_ms = call->now_ms;
        row.revoke_justification = request->justification;
    }
    if (!call->validate_only) { /* also one that is revoked, as it was: feed.h */
        KW_TRY(kw_grant_revoke(&feed_tx, row.id, row.revoked_ms, row.revoke_justification, err));
        call->disabled = true;
    }
    KW_TRY(view(call, tx, &row, &response.grant, err));
    call->subject = response.grant->name;
    return kw_authz_call_respond(call, &response.base, err);
}

/* --- lists --- */

static struct kw_result parent_read(struct kw_authz_call *call, const char *parent,
                                    struct kw_grant_query *query, struct kw_error *err)
{
    struct kw_resource_ids ids;

    query->any_partner = strcmp(parent, ANY_PARTNER) == 0;
    if (!query->any_partner) {
        KW_TRY(kw_authz_call_name(call, KW_RESOURCE_PARTNER, "parent", parent, &ids, err));
        query->partner = ids.id[0];
    }
    KW_ENSURE(call->caller.role != KW_CALLER_PARTNER ||
                  kw_id_equal(query->partner, call->caller.id.id),
              err, NOT_FOUND, "another partner's grants");
    return KW_OK;
}

static struct kw_result page_fill(struct kw_authz_call *call, struct kw_tx *tx,
                                  const struct kw_page *page, const struct kw_grant_row *rows,
                                  size_t count, Keyward__V1__ListGrantsResponse *response,
                                  struct kw_error *err)
{
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        Keyward__V1__Grant *grant;

        KW_TRY(view(call, tx, &rows[i], &grant, err));
        used += protobuf_c_message_get_packed_size(&grant->base) + ITEM_OVERHEAD;
        if (i == page->max || (i > 0 && used > PAGE_LEN_MAX)) {
            return kw_page_token(call, page, rows[i - 1].id, &response->next_page_token, err);
        }
        response->grants[response->n_grants++] = grant;
    }
    return KW_OK;
}

static struct kw_result query_read(struct kw_authz_call *call,
                                   const Keyward__V1__ListGrantsRequest *request,
                                   struct kw_page *page, struct kw_grant_query *query,
                                   struct kw_error *err)
{
    const char *filter =
        kw_arena_printf(call->arena, "%s %u", request->parent, (unsigned)request->state);

    KW_ENSURE(filter != NULL, err, MEMORY, "a filter");
    KW_TRY(parent_read(call, request->parent, query, err));
    KW_FIELD_ENSURE(call, (unsigned)request->state <= KW_GRANT_REVOKED, "state", err, "state %u",
                    (unsigned)request->state);
    KW_TRY(kw_page_read(call, request->page_size, request->page_token, filter, page, err));
    query->after = page->after;
    query->state = (uint32_t)request->state;
    query->now_ms = call->now_ms;
    query->max = page->max + 1;
    return KW_OK;
}

struct kw_result kw_authz_grant_list(struct kw_authz_call *call, struct kw_tx *tx,
                                     struct kw_error *err)
{
    Keyward__V1__ListGrantsResponse response = KEYWARD__V1__LIST_GRANTS_RESPONSE__INIT;
    struct kw_grant_query query = {0};
    struct kw_page page;
    struct kw_grant_row *rows;
    size_t count;

    KW_TRY(query_read(call, (const Keyward__V1__ListGrantsRequest *)call->request, &page, &query,
                      err));
    rows = kw_arena_alloc(call->arena, query.max * sizeof(*rows));
    response.grants = kw_arena_alloc(call->arena, query.max * sizeof(*response.grants));
    KW_ENSURE(rows != NULL && response.grants != NULL, err, MEMORY, "%zu grants", query.max);
    KW_TRY(kw_grant_list(tx, &query, call->arena, rows, &count, err));
    KW_TRY(page_fill(call, tx, &page, rows, count, &response, err));
    return kw_authz_call_respond(call, &response.base, err);
}
