/* What the tour does to evidence, to show that it shows. */
#ifndef KW_CLI_TOUR_TAMPER_H
#define KW_CLI_TOUR_TAMPER_H

#include "common/base/bytes.h"

/* Takes the line of receipt number `number`, from 1, out of a file of evidence, as any editor could. Fails: STATE_CONFLICT (it has not
 * so many), CONFIG_INVALID, SYSTEM, MEMORY. */
struct kw_result kw_tour_receipt_remove(const char *path, unsigned number, struct kw_error *err);

#endif
