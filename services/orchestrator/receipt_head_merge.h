/* Heads of receipt chains as cells tell one another. Key: core ‖ stream ‖ number u64. Receipts
 * themselves are a log and are not merged; a head is what a cell without the log holds it to. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_MERGE_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_HEAD_MERGE_H

#include "common/sync/record.h"

enum kw_receipt_head_field {
    KW_RECEIPT_HEAD_FIELD_HEADS = 1, /* hashes: a chain has one at each number */
    KW_RECEIPT_HEAD_FIELD_SIGNED,    /* the checkpoints that say so, KWK1 */
    KW_RECEIPT_HEAD_FIELD_END_,
};

extern const struct kw_record_kind kw_receipt_head_record;

/* Were two heads signed for one place of the chain? Then a receipt was exchanged, or a core's state
 * was copied. */
bool kw_receipt_head_record_forked(const struct kw_record *record);

#endif
