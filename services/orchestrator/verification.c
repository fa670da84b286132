/* GetVerificationData: everything an offline verifier needs for a stretch of time, page by page, so
 * that the memory of the call does not grow with the evidence.
 *
 *     authorities' certificates ─▶ chain by chain: receipts, checkpoints ─▶ facts ─▶ end
 *
 * The certificates of capsules' signers are in the receipts. Witnessed heads are authz's, which
 * adds them. Of another cell the chains are those that are kept here (kept_walk.h), and nobody here witnessed any.
 */
#include "services/orchestrator/chain_table.h"
#include "services/orchestrator/handlers.h"
#include "services/orchestrator/kept_table.h"
#include "services/orchestrator/kept_walk.h"
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
    bool of_another;
    struct kw_kept_cursor kept;
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

static void add_records(struct page *page, const struct kw_chain_record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        page_add(page,
                 records[i].place.rank == 0
                     ? KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_RECEIPT
                     : KEYWARD__V1__VERIFICATION_RECORD_TYPE__VERIFICATION_RECORD_TYPE_CHECKPOINT,
                 records[i].record);
    }
}

static struct kw_result add_kept(struct kw_tx *tx, struct cursor *cursor,
                                 const struct kw_chain_page *room, struct page *page,
                                 struct kw_error *err)
{
    size_t count;

    KW_TRY(kw_kept_walk(tx, &cursor->kept, room, &count, err));
    add_records(page, room->records, count);
    cursor->phase = count > 0 ? PHASE_CHAINS : PHASE_FACTS;
    return KW_OK;
}

static struct kw_result add_own(struct kw_tx *tx, struct cursor *cursor,
                                const struct kw_chain_page *room, struct page *page,
                                struct kw_error *err)
{
    size_t count;

    if (!cursor->in_stretch) {
        return next_stretch(tx, cursor, err);
    }
    KW_TRY(kw_chain_walk(tx, &cursor->stretch, cursor->place, room, &count, err));
    add_records(page, room->records, count);
    cursor->in_stretch = count > 0;
    if (count > 0) {
        cursor->place = room->records[count - 1].place;
    }
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

    return cursor->of_another ? add_kept(tx, cursor, &room, page, err)
                              : add_own(tx, cursor, &room, page, err);
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

static bool is_ours(const struct kw_call *call, struct kw_bytes place)
{
    struct kw_bytes region = kw_bytes_str(call->orch->config->region);
    struct kw_bytes cell = kw_bytes_str(call->orch->config->cell);

    return place.len == region.len + 1 + cell.len && place.data[region.len] == '/' &&
           kw_bytes_equal(KW_BYTES(place.data, region.len), region) &&
           kw_bytes_equal(KW_BYTES(place.data + region.len + 1, cell.len), cell);
}

/* Whose chains? Of another they are whole. */
static struct kw_result start_of(struct kw_call *call, struct kw_tx *tx,
                                 const Keyward__V1__GetVerificationDataRequest *request,
                                 struct cursor *cursor, struct kw_error *err)
{
    const struct kw_bytes place = kw_bytes_str(request->of);
    struct kw_kept_chain first;
    bool any;

    cursor->of_another = place.len > 0;
    if (!cursor->of_another) {
        return KW_OK;
    }
    KW_ENSURE_FIELD(request->start_time == NULL && request->end_time == NULL, call, "of", err,
                    "another cell's chains are whole: without start_time and end_time");
    KW_ENSURE_FIELD(!is_ours(call, place), call, "of", err, "that is this cell: leave it out");
    KW_TRY(kw_kept_next(tx, place, KW_ID_NONE, KW_ID_NONE, &first, &any, err));
    KW_ENSURE(any, err, NOT_FOUND, "nothing is kept here of that cell's receipts");
    return kw_arena_copy(call->arena, place, &cursor->kept.place, err);
}

static struct kw_result start(struct kw_call *call, struct kw_tx *tx, struct cursor **ret_cursor,
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
    KW_TRY(start_of(call, tx, request, cursor, err));
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
        KW_TRY(start(call, tx, &cursor, err));
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
