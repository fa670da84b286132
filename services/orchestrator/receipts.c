/* GetReceipt and ListReceipts. Partners and stations see the receipts of their own calls; the
 * stored caller decides, which was read from the receipt's capsule. */
#include "services/orchestrator/caller_name.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/page.h"
#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/time_field.h"

static bool sees_all(const struct kw_call *call)
{
    return call->actor == KW_ACTOR_OPERATOR || call->actor == KW_ACTOR_AUDITOR;
}

/* The record holds the capsule, and with it who disabled which key when: operators' names. Members
 * are told what the record says of their call and not the record. */
static void show_for(const struct kw_call *call, Keyward__V1__Receipt *receipt)
{
    if (!sees_all(call)) {
        receipt->encoded = (ProtobufCBinaryData){0};
    }
}

struct kw_result kw_get_receipt_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    const Keyward__V1__GetReceiptRequest *request =
        (const Keyward__V1__GetReceiptRequest *)call->request;
    Keyward__V1__GetReceiptResponse response = KEYWARD__V1__GET_RECEIPT_RESPONSE__INIT;
    char self[KW_RESOURCE_NAME_SIZE];
    struct kw_receipt_found receipt;
    struct kw_resource_ids ids;
    bool found;

    KW_TRY(kw_call_name(call, "name", KW_RESOURCE_RECEIPT, request->name, &ids, err));
    KW_TRY(kw_caller_name(call->capsule.caller, NULL, self, err));
    KW_TRY(kw_receipt_find(tx, ids.id[0], call->arena, &receipt, &found, err));
    KW_ENSURE(found && (sees_all(call) || strcmp(receipt.caller, self) == 0), err, NOT_FOUND,
              "no such receipt for this caller");
    KW_TRY(kw_view_receipt(&call->view, receipt.record, receipt.caller, &response.receipt, err));
    show_for(call, response.receipt);
    return kw_call_answer(call, &response.base, err);
}

/* --- lists --- */

static struct kw_result read_filter(struct kw_call *call, struct kw_receipt_filter *ret_filter,
                                    struct kw_error *err)
{
    const Keyward__V1__ListReceiptsRequest *request =
        (const Keyward__V1__ListReceiptsRequest *)call->request;
    struct kw_receipt_filter filter = {.caller = request->caller};
    char self[KW_RESOURCE_NAME_SIZE];
    struct kw_resource_ids device;

    if (request->device[0] != '\0') {
        KW_TRY(kw_call_name(call, "device", KW_RESOURCE_DEVICE, request->device, &device, err));
        filter.device = device.id[0];
    }
    if (!sees_all(call)) {
        KW_TRY(kw_caller_name(call->capsule.caller, NULL, self, err));
        KW_ENSURE(request->caller[0] == '\0' || strcmp(request->caller, self) == 0, err, NOT_FOUND,
                  "another's receipts");
        filter.caller = kw_view_text(&call->view, kw_bytes_str(self));
    }
    KW_TRY(kw_time_field(call, "start_time", request->start_time, 0, &filter.start_ms, err));
    KW_TRY(kw_time_field(call, "end_time", request->end_time, (uint64_t)INT64_MAX, &filter.end_ms,
                         err));
    *ret_filter = filter;
    return KW_OK;
}

/* A page as it fills. */
struct listing {
    struct kw_call *call;
    size_t max;
    size_t len;
    bool more;
    struct kw_receipt_place last;
    Keyward__V1__ListReceiptsResponse response;
};

static struct kw_result take_receipt(void *context, const struct kw_receipt_found *receipt,
                                     bool *ret_more, struct kw_error *err)
{
    struct listing *listing = context;
    Keyward__V1__ListReceiptsResponse *response = &listing->response;
    Keyward__V1__Receipt *shown;
    size_t len;

    if (response->n_receipts == listing->max) {
        listing->more = true;
        *ret_more = false;
        return KW_OK;
    }
    KW_TRY(kw_view_receipt(&listing->call->view, receipt->record, receipt->caller, &shown, err));
    show_for(listing->call, shown);
    len = protobuf_c_message_get_packed_size(&shown->base);
    if (response->n_receipts > 0 && listing->len + len > KW_PAGE_BYTES_MAX) {
        listing->more = true;
        *ret_more = false;
        return KW_OK;
    }
    response->receipts[response->n_receipts++] = shown;
    listing->len += len;
    listing->last = receipt->place;
    *ret_more = true;
    return KW_OK;
}

struct kw_result kw_list_receipts_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct listing listing = {.call = call, .response = KEYWARD__V1__LIST_RECEIPTS_RESPONSE__INIT};
    struct kw_receipt_filter filter;
    struct kw_page page;

    KW_TRY(kw_page_read(call, &page, err));
    KW_TRY(read_filter(call, &filter, err));
    listing.max = page.size;
    listing.response.receipts = kw_view_pointers(&call->view, page.size);
    KW_ENSURE(listing.response.receipts != NULL, err, MEMORY, "%zu receipts", page.size);
    KW_TRY(kw_receipt_list(
        tx, &filter, (struct kw_receipt_place){.time_ms = page.place.time_ms, .id = page.place.id},
        call->arena, take_receipt, &listing, err));
    if (listing.more) {
        KW_TRY(kw_page_token(call, (struct kw_page_place){listing.last.time_ms, listing.last.id},
                             &listing.response.next_page_token, err));
    }
    return kw_call_answer(call, &listing.response.base, err);
}
