/* The station's work: a batch's keys delivered, and each pen's proof brought back. */
#ifndef KW_CLI_BATCH_H
#define KW_CLI_BATCH_H

#include "cli/connection.h"
#include "cli/pen_sim.h"

/* Calls CreateBatch and collects everything. With `file` (may be NULL) each line goes there as it
 * comes. While other cells do not have the keys (KEY_UNPROTECTED) it is asked for what is missing,
 * ever more seldom, within the connection's timeout; a line on stderr says so. `request` is a
 * CreateBatchRequest, whose `start_index` may be another afterwards. Fails: as
 * kw_connection_stream; STATE_CONFLICT (the stream ended without totals: again with the same
 * request_id). */
struct kw_result kw_batch_create(struct kw_connection *station, ProtobufCMessage *request,
                                 struct kw_arena *arena, FILE *file,
                                 struct kw_deliveries *deliveries, struct kw_error *err);

/* Programs a simulated pen with each delivery; `dir` holds the station's transport keys. `ret_pens`
 * has deliveries->count pens, which the caller wipes and frees. Fails: as kw_pen_sim_program;
 * CONFIG_INVALID, MEMORY. */
struct kw_result kw_batch_program(const struct kw_deliveries *deliveries, const char *dir,
                                  struct kw_pen_sim **ret_pens, struct kw_error *err);

struct kw_confirm_plan {
    const struct kw_client_options *options; /* the station's */
    uint64_t timeout_ms;
    const struct kw_deliveries *deliveries;
    const struct kw_pen_sim *pens; /* one for each delivery */
    size_t workers;                /* connections at work at one time */
};

/* Has every pen prove that it took its key, by ConfirmDevice. `ret_confirmed` counts those that
 * did, also when it fails. Who is told to come again does, within the timeout; the first failure ends it, with the refusal in `refusal`. Fails: as
 * kw_connection_call, SYSTEM (threads). */
struct kw_result kw_batch_confirm(const struct kw_confirm_plan *plan, struct kw_refusal *refusal,
                                  size_t *ret_confirmed, struct kw_error *err);

#endif
