/* Requests and answers as bytes, with the canonical codec: one writer and one reader for each
 * operation.
 *
 * A reader checks every count against limits.h before it takes memory for it, and takes it from the
 * arena.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_WIRE_H
#define KW_SERVICES_CRYPTOCORE_HSM_WIRE_H

#include "common/base/arena.h"
#include "services/cryptocore/hsm/ops.h"

/* Checks the request's counts and lengths, which the other side will refuse beyond their limits.
 * Fails: ARGUMENT_INVALID. */
struct kw_result kw_hsm_request_check(const struct kw_hsm_request *request, struct kw_error *err);

/* Appends the request, which kw_hsm_request_check accepts. Failures stick to the writer. */
void kw_hsm_request_put(struct kw_writer *w, const struct kw_hsm_request *request);

/* Reads one request; what it points to lies in the input or in `arena`.
 * Fails: ENCODING_INVALID, MEMORY. */
struct kw_result kw_hsm_request_get(struct kw_reader *r, struct kw_arena *arena,
                                    struct kw_hsm_request *ret_request, struct kw_error *err);

/* The same for answers, failed ones included. */
void kw_hsm_answer_put(struct kw_writer *w, const struct kw_hsm_answer *answer);
struct kw_result kw_hsm_answer_get(struct kw_reader *r, struct kw_arena *arena,
                                   struct kw_hsm_answer *ret_answer, struct kw_error *err);

#endif
