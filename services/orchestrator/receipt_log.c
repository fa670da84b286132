/* Receipts into their table. */
#include "services/orchestrator/receipt_log.h"

#include "common/audit/capsule.h"
#include "common/audit/seal.h"
#include "services/orchestrator/caller_name.h"

struct kw_result kw_receipt_log_put(struct kw_tx *tx, const struct kw_receipt_entry *entry,
                                    const char *parent, struct kw_error *err)
{
    char caller[KW_RESOURCE_NAME_SIZE];
    struct kw_capsule capsule;
    struct kw_sealed sealed;
    struct kw_receipt_row row = {
        .receipt = &entry->receipt, .record = entry->record, .head = entry->head, .caller = caller};

    KW_TRY(kw_sealed_decode(entry->receipt.capsule, &sealed, err));
    KW_TRY(kw_capsule_decode(sealed.capsule, &capsule, err));
    KW_TRY(kw_caller_name(capsule.caller, parent, caller, err));
    return kw_receipt_insert(tx, &row, err);
}
