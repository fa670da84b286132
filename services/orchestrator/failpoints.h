/* The failpoints of the orchestrator: before and after each step after which something is durable
 * or known outside. Armed by KEYWARD_FAILPOINTS (common/base/failpoint.h). */
#ifndef KW_SERVICES_ORCHESTRATOR_FAILPOINTS_H
#define KW_SERVICES_ORCHESTRATOR_FAILPOINTS_H

#include "common/base/failpoint.h"

#define KW_FP_BEFORE_CORE "orchestrator.before_core" /* nothing has happened yet */
#define KW_FP_AFTER_CORE                                                                           \
    "orchestrator.after_core" /* the core did it; its receipt is here, not durable */
#define KW_FP_BEFORE_EFFECT                                                                        \
    "orchestrator.before_effect" /* in the transaction, receipt written, effect not */
#define KW_FP_AFTER_EFFECT                                                                         \
    "orchestrator.after_effect" /* in the transaction, all written, not committed */
#define KW_FP_BEFORE_ANSWER                                                                        \
    "orchestrator.before_answer"                   /* durable, not acknowledged, not answered */
#define KW_FP_BEFORE_ACK "orchestrator.before_ack" /* durable; the core still keeps the receipt */

#endif
