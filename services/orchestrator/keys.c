/* GetKey and ListKeys. Authz lets operators and auditors in only. */
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/material.h"
#include "services/orchestrator/page.h"

#define ALL_DEVICES "devices/-"

struct kw_result kw_get_key_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const Keyward__V1__GetKeyRequest *request = (const Keyward__V1__GetKeyRequest *)call->request;
    Keyward__V1__GetKeyResponse response = KEYWARD__V1__GET_KEY_RESPONSE__INIT;
    struct kw_material material;

    KW_TRY(kw_material_by_name(call, tx, request->name, &material, err));
    KW_TRY(kw_view_key(&call->view, &material.row, &material.facts, true, &response.key, err));
    return kw_call_answer(call, &response.base, err);
}

static struct kw_result list_rows(struct kw_call *call, struct kw_tx *tx,
                                  const struct kw_page *page, struct kw_key_row **ret_rows,
                                  size_t *ret_count, struct kw_error *err)
{
    const Keyward__V1__ListKeysRequest *request =
        (const Keyward__V1__ListKeysRequest *)call->request;
    struct kw_key_row *rows = kw_arena_alloc(call->arena, (page->size + 1) * sizeof(*rows));
    struct kw_resource_ids parent = {0};

    KW_ENSURE(rows != NULL, err, MEMORY, "%zu keys", page->size);
    if (strcmp(request->parent, ALL_DEVICES) != 0) {
        KW_TRY(kw_call_name(call, "parent", KW_RESOURCE_DEVICE, request->parent, &parent, err));
    }
    KW_TRY(kw_key_list(tx, parent.id[0], page->place.id, page->size + 1, call->arena, rows,
                       ret_count, err));
    *ret_rows = rows;
    return KW_OK;
}

static struct kw_result show_row(struct kw_call *call, struct kw_tx *tx,
                                 const struct kw_key_row *row, Keyward__V1__Key **ret_key,
                                 struct kw_error *err)
{
    struct kw_fact_list facts;

    KW_TRY(kw_fact_list(tx, row->id, call->arena, &facts, err));
    return kw_view_key(&call->view, row, &facts, false, ret_key, err);
}

struct kw_result kw_list_keys_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    Keyward__V1__ListKeysResponse response = KEYWARD__V1__LIST_KEYS_RESPONSE__INIT;
    struct kw_key_row *rows;
    struct kw_page page;
    size_t count;
    size_t len = 0;

    KW_TRY(kw_page_read(call, &page, err));
    KW_TRY(list_rows(call, tx, &page, &rows, &count, err));
    response.keys = kw_view_pointers(&call->view, count);
    KW_ENSURE(response.keys != NULL, err, MEMORY, "%zu keys", count);
    for (size_t i = 0; i < count && i < page.size && len < KW_PAGE_BYTES_MAX; i++) {
        KW_TRY(show_row(call, tx, &rows[i], &response.keys[i], err));
        len += protobuf_c_message_get_packed_size(&response.keys[i]->base);
        response.n_keys++;
    }
    if (response.n_keys < count) {
        KW_TRY(kw_page_token(call, (struct kw_page_place){.id = rows[response.n_keys - 1].id},
                             &response.next_page_token, err));
    }
    return kw_call_answer(call, &response.base, err);
}
