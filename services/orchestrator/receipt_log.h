/* The receipt log's way in: what a receipt says about itself is read from it, never taken from the
 * call that brought it. On the store's writer thread. */
#ifndef KW_SERVICES_ORCHESTRATOR_RECEIPT_LOG_H
#define KW_SERVICES_ORCHESTRATOR_RECEIPT_LOG_H

#include "services/orchestrator/receipt_table.h"
#include "services/orchestrator/receipt_window.h"

/* Stores a receipt with its caller's resource name. `parent` is who an invitation is for
 * (`partners/{prt_…}`), or NULL when that is not known. Fails: as kw_receipt_insert;
 * ENCODING_INVALID (no capsule in it). */
struct kw_result kw_receipt_log_put(struct kw_tx *tx, const struct kw_receipt_entry *entry,
                                    const char *parent, struct kw_error *err);

#endif
