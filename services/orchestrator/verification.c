/* GetVerificationData: everything an offline verifier needs for a stretch of time, page by page, so
 * that the memory of the call does not grow with the evidence.
 *
 *     authorities' certificates ─▶ chain by chain: receipts, checkpoints ─▶ facts ─▶ end
 *
 * The certificates of capsules' signers are in the receipts. Witnessed heads are authz's, which
 * adds them.
 */
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/page.h"
#include "services/orchestrator/time_field.h"

#include "common/base/limits.h"
#include "common/pki/certificate.h"
#include "common/rpc/messages.h"

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

enum phase {
    PHASE_CERTIFICATES,
    PHASE_CHAINS,
    PHASE_FACTS,
    PHASE_END
};

/* Where the stream stands; lives as long as the call. */
struct cursor {
    enum phase phase;
    uint64_t start_ms;
    uint64_t end_ms;
    struct kw_chain_stretch stretch; /* none yet: all zero */
    bool in_stretch;
    struct kw_chain_place place;
    struct kw_fact_cursor fact;
};

/* --- one page --- */

struct page {
    struct kw_view *view;
    Keyward__V1__GetVerificationDataResponse response;
};

static struct kw_result page_init(struct page *page, struct kw_view *view, struct kw_error *err)
{
    *page =
        (struct page){.view = view, .response = KEYWARD__V1__GET_VERIFICATION_DATA_RESPONSE__INIT};
    page->response.records = kw_view_pointers(view, KW_CHUNK_ITEMS_MAX);
    KW_ENSURE(page->response.records != NULL, err, MEMORY, "a page");
    return KW_OK;
}

static void page_add(struct page *page, Keyward__V1__VerificationRecordType type,
                     struct kw_bytes encoded)
{
    Keyward__V1__VerificationRecord *record =
        kw_view_message(page->view, &keyward__v1__verification_record__descriptor);

    record->type = type;
    record->encoded = kw_field_bytes(encoded);
    page->response.records[page->response.n_records++] = record;
}

/* --- authorities --- */

static struct kw_result add_certificate(struct page *page, const char *pem, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate certificate = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf der = {0};
    struct kw_bytes copy;

    KW_TRY(kw_certificate_from_pem(&certificate, kw_bytes_str(pem), err));
    KW_TRY(kw_certificate_to_der(&certificate, &der, err));
    KW_TRY(kw_arena_copy(page->view->arena, kw_buf_bytes(&der), &copy, err));
    page_add(page, KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CERTIFICATE,
             copy);
    return KW_OK;
}

static struct kw_result add_certificates(struct kw_call *call, struct page *page,
                                         struct kw_error *err)
{
    const char *pem = (const char *)call->orch->credentials.ca_pem.data;

    for (pem = strstr(pem, PEM_BEGIN); pem != NULL && page->response.n_records < KW_CHUNK_ITEMS_MAX;
         pem = strstr(pem + strlen(PEM_BEGIN), PEM_BEGIN)) {
        KW_TRY(add_certificate(page, pem, err));
    }
    return KW_OK;
}

/* --- chains --- */

static struct kw_result next_stretch(struct kw_tx *tx, struct cursor *cursor, struct kw_error *err)
{
    struct kw_chain_stretch next;
    size_t count;

    KW_TRY(kw_chain_list(tx, cursor->start_ms, cursor->end_ms, &cursor->stretch, 1, &next, &count,
                         err));
    if (count == 0) {
        cursor->phase = PHASE_FACTS;
        return KW_OK;
    }
    cursor->stretch = next;
    cursor->in_stretch = true;
    cursor->place = (struct kw_chain_place){.seq = next.from_seq};
    return KW_OK;
}

static struct kw_result add_chain(struct kw_call *call, struct kw_tx *tx, struct cursor *cursor,
                                  struct page *page, struct kw_error *err)
{
    struct kw_chain_record records[KW_CHUNK_ITEMS_MAX];
    const struct kw_chain_page room = {.arena = call->view.arena,
                                       .records = records,
                                       .max = KW_CHUNK_ITEMS_MAX,
                                       .len_max = KW_PAGE_BYTES_MAX};
    size_t count;

    if (!cursor->in_stretch) {
        return next_stretch(tx, cursor, err);
    }
    KW_TRY(kw_chain_walk(tx, &cursor->stretch, cursor->place, &room, &count, err));
    for (size_t i = 0; i < count; i++) {
        page_add(page,
                 records[i].place.rank == 0
                     ? KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT
                     : KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT,
                 records[i].record);
        cursor->place = records[i].place;
    }
    cursor->in_stretch = count > 0;
    return KW_OK;
}

/* --- facts --- */

/* Record and MAC, as KeyFact.encoded. */
static struct kw_result add_fact(struct kw_call *call, const struct kw_fact_row *row,
                                 struct page *page, struct kw_error *err)
{
    size_t len = row->record.len + row->mac.len;
    uint8_t *encoded = kw_arena_alloc(call->view.arena, len);

    KW_ENSURE(encoded != NULL, err, MEMORY, "a fact");
    kw_copy(encoded, row->record.data, row->record.len);
    kw_copy(encoded + row->record.len, row->mac.data, row->mac.len);
    page_add(page, KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_FACT,
             KW_BYTES(encoded, len));
    return KW_OK;
}

static struct kw_result add_facts(struct kw_call *call, struct kw_tx *tx, struct cursor *cursor,
                                  struct page *page, struct kw_error *err)
{
    struct kw_fact_row *rows = kw_arena_alloc(call->view.arena, KW_CHUNK_ITEMS_MAX * sizeof(*rows));
    size_t count;

    KW_ENSURE(rows != NULL, err, MEMORY, "a page of facts");
    KW_TRY(kw_fact_walk(tx, &cursor->fact, cursor->end_ms, KW_CHUNK_ITEMS_MAX, call->view.arena,
                        rows, &count, err));
    for (size_t i = 0; i < count; i++) {
        KW_TRY(add_fact(call, &rows[i], page, err));
    }
    if (count == 0) {
        cursor->phase = PHASE_END;
    }
    return KW_OK;
}

/* --- the stream --- */

static struct kw_result fill(struct kw_call *call, struct kw_tx *tx, struct cursor *cursor,
                             struct page *page, struct kw_error *err)
{
    switch (cursor->phase) {
    case PHASE_CERTIFICATES:
        cursor->phase = PHASE_CHAINS;
        return add_certificates(call, page, err);
    case PHASE_CHAINS:
        return add_chain(call, tx, cursor, page, err);
    case PHASE_FACTS:
        return add_facts(call, tx, cursor, page, err);
    case PHASE_END:
        break;
    }
    return KW_OK;
}

static struct kw_result start(struct kw_call *call, struct cursor **ret_cursor,
                              struct kw_error *err)
{
    const Keyward__V1__GetVerificationDataRequest *request =
        (const Keyward__V1__GetVerificationDataRequest *)call->request;
    struct cursor *cursor = kw_arena_alloc(call->arena, sizeof(*cursor));

    KW_ENSURE(cursor != NULL, err, MEMORY, "a cursor");
    KW_TRY(kw_time_field(call, "start_time", request->start_time, 0, &cursor->start_ms, err));
    KW_TRY(kw_time_field(call, "end_time", request->end_time, (uint64_t)INT64_MAX, &cursor->end_ms,
                         err));
    KW_ENSURE_FIELD(cursor->start_ms < cursor->end_ms, call, "end_time", err,
                    "the interval is empty");
    cursor->fact.time_ms = cursor->start_ms;
    *ret_cursor = cursor;
    return KW_OK;
}

/* One page. The first comes from the call's own memory, the others each from their own. */
struct kw_result kw_verification_read(struct kw_call *call, struct kw_tx *tx, struct kw_error *err)
{
    struct cursor *cursor = call->state;
    struct page page;

    if (cursor == NULL) {
        KW_TRY(start(call, &cursor, err));
        call->state = cursor;
    }
    KW_TRY(page_init(&page, &call->view, err));
    while (page.response.n_records == 0 && cursor->phase != PHASE_END) {
        KW_TRY(fill(call, tx, cursor, &page, err));
    }
    call->more = cursor->phase != PHASE_END;
    if (page.response.n_records == 0) {
        call->answered = true;
        return KW_OK;
    }
    return kw_call_answer(call, &page.response.base, err);
}
