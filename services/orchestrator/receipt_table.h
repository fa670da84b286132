/* Tables receipts and receipt_devices: the receipt log, seen receipt by receipt. All functions run
 * on the store's threads. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_TABLE_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_TABLE_H

#include "common/audit/receipt.h"
#include "common/store/row.h"

/* What is stored beside the record. */
struct kw_receipt_row {
    const struct kw_receipt *receipt; /* `record`, decoded */
    struct kw_bytes record;           /* KWR1 */
    struct kw_hash head;              /* after it */
    const char *caller;               /* resource name: whose call it was */
};

/* Stores a receipt. One that is stored already, byte for byte, is fine. Fails: STORE_CONFLICT (another
 * has its place or id), STORE_UNAVAILABLE (the one before it in its chain is not stored yet, too).
 */
struct kw_result kw_receipt_insert(struct kw_tx *tx, const struct kw_receipt_row *row,
                                   struct kw_error *err);

/* A page's place: receipts are listed by time and id. Zeroed: the beginning. */
struct kw_receipt_place {
    uint64_t time_ms;
    struct kw_id id;
};

/* What a list shows. */
struct kw_receipt_filter {
    const char *caller;  /* resource name; "": anybody's */
    struct kw_id device; /* none: any */
    uint64_t start_ms;
    uint64_t end_ms; /* exclusive */
};

/* A stored record with its place, in the arena it was read into. */
struct kw_receipt_found {
    struct kw_bytes record;
    const char *caller;
    struct kw_receipt_place place;
};

/* `*ret_found` false: there is none. Fails: STORE_UNAVAILABLE, INTERNAL, MEMORY. */
struct kw_result kw_receipt_find(struct kw_tx *tx, struct kw_id id, struct kw_arena *arena,
                                 struct kw_receipt_found *ret_receipt, bool *ret_found,
                                 struct kw_error *err);

/* Takes receipts behind `after`, oldest first, until `take` says no or there are no more. */
struct kw_result kw_receipt_list(struct kw_tx *tx, const struct kw_receipt_filter *filter,
                                 struct kw_receipt_place after, struct kw_arena *arena,
                                 struct kw_result (*take)(void *context,
                                                          const struct kw_receipt_found *receipt,
                                                          bool *ret_more, struct kw_error *err),
                                 void *context, struct kw_error *err);

#endif
