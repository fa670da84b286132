/* Blobs that are none. Any cell's orchestrator may add a wrapped key to a key version, or to a transport
 * key, and only the core can tell that its MAC is wrong. So that a wrong one does not hide the right one,
 * each that was refused goes behind the others of its key, and the next use tries the next. */
#ifndef KW_SERVICES_ORCHESTRATOR_REFUSED_H
#define KW_SERVICES_ORCHESTRATOR_REFUSED_H

#include "services/orchestrator/call.h"

/* Notes which of what the core was asked with it refused, in the transaction with its answer. Nothing,
 * where it was not asked. Fails: STORE_UNAVAILABLE, INTERNAL, CRYPTO. */
struct kw_result kw_refused_note(const struct kw_call *call, struct kw_tx *tx,
                                 struct kw_error *err);

#endif
