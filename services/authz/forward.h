/* Calls that end further in: the way there and the way back.
 *
 *     start ─▶ inner call ─▶ returned ─┬─▶ effect and disabling facts (one write) ─▶ epoch moves
 *                                      └─▶ still allowed? (again when the epoch moved) ─▶ answer
 *
 * What happened inside is kept, whatever becomes of the answer.
 */
#ifndef KW_SERVICES_AUTHZ_FORWARD_H
#define KW_SERVICES_AUTHZ_FORWARD_H

#include "services/authz/call.h"

/* Fills what every inner call of `call` has in common; the capsule's decision is kept. */
void kw_forward_prepare(struct kw_authz_call *call, struct kw_inner *inner);

/* The capsule for a call of this caller: who and what; no device, no grant, nothing delivered. */
struct kw_capsule kw_forward_capsule(const struct kw_authz_call *call);

/* Starts call->inner, whose capsule is made; the rest goes by itself. */
void kw_forward_start(struct kw_authz_call *call);

/* The way back of call->inner, which succeeded with call->response; `next` instead of answering,
 * when it may go on. */
void kw_forward_returned(struct kw_authz_call *call, void (*next)(struct kw_authz_call *call));

/* Decided not so long ago that what it was decided by must be looked at again, whatever moved: a process that was
 * stopped in the middle goes on with old knowledge. `decided_ns`: monotonic. */
bool kw_authz_decision_holds(uint64_t decided_ns);

/* Is it still allowed? Asked again as often as something was disabled meanwhile; then `next`. */
void kw_forward_go_on(struct kw_authz_call *call, void (*next)(struct kw_authz_call *call));

#endif
