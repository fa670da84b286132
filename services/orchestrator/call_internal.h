/* Inside the common path: admit.c, repeat.c (exactly once) and answer.c, driven by call.c. */
#ifndef KW_SERVICES_ORCHESTRATOR_CALL_INTERNAL_H
#define KW_SERVICES_ORCHESTRATOR_CALL_INTERNAL_H

#include "services/orchestrator/call.h"

/* --- admit.c: loop thread --- */

/* Copies what the hop lends, checks the capsule, unpacks the request. Fails: METHOD_UNKNOWN,
 * CAPSULE_*, ENCODING_INVALID, ARGUMENT_INVALID, MEMORY. */
struct kw_result kw_call_admit(struct kw_call *call, const struct kw_hop_open *open,
                               struct kw_error *err);

/* --- repeat.c: in a transaction --- */

/* Was this request id used before? Then its stored outcome becomes the answer. Fails:
 * REQUEST_ID_REUSED, or what the handler says. */
struct kw_result kw_call_find_repeat(struct kw_call *call, struct kw_tx *tx, struct kw_error *err);

/* Keeps the answer under the request id, by the call's feed_tx. */
struct kw_result kw_call_keep(struct kw_call *call, struct kw_error *err);

/* --- answer.c: loop thread --- */

/* The Outcome that goes with the answer, packed into `arena`. Fails: MEMORY. */
struct kw_result kw_call_outcome(struct kw_call *call, struct kw_arena *arena,
                                 struct kw_bytes *ret_outcome, struct kw_error *err);

/* Sends what there is of the answer. True: all of it, the call is over; false: `writable` will
 * come, or `read` is to run again for more. */
bool kw_call_send(struct kw_call *call);

/* Ends the outer call with the call's error. Logs, once. */
void kw_call_refuse(struct kw_call *call);

#endif
