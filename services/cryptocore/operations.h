/* The table of what the core does: one row a method, each two steps around the HSM (call.h). */
#ifndef KW_SERVICES_CRYPTOCORE_OPERATIONS_H
#define KW_SERVICES_CRYPTOCORE_OPERATIONS_H

#include "services/cryptocore/call.h"

/* NULL: the core does not end this method. */
const struct kw_core_operation *kw_core_operation_find(uint32_t method);

/* use.c */
struct kw_result kw_core_use_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_use_complete(struct kw_core_call *call,
                                      const struct kw_hsm_answer *answers, size_t count,
                                      struct kw_error *err);

/* generate.c */
struct kw_result kw_core_generate_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_generate_complete(struct kw_core_call *call,
                                           const struct kw_hsm_answer *answers, size_t count,
                                           struct kw_error *err);

/* possession.c */
struct kw_result kw_core_possession_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_possession_complete(struct kw_core_call *call,
                                             const struct kw_hsm_answer *answers, size_t count,
                                             struct kw_error *err);

/* enable.c */
struct kw_result kw_core_activate_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_lift_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_enable_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err);

/* invite.c, enroll.c */
struct kw_result kw_core_invite_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_invite_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err);
struct kw_result kw_core_enroll_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_enroll_complete(struct kw_core_call *call,
                                         const struct kw_hsm_answer *answers, size_t count,
                                         struct kw_error *err);
struct kw_result kw_core_confirm_prepare(struct kw_core_call *call, struct kw_error *err);
struct kw_result kw_core_confirm_complete(struct kw_core_call *call,
                                          const struct kw_hsm_answer *answers, size_t count,
                                          struct kw_error *err);
struct kw_result kw_core_renew_prepare(struct kw_core_call *call, struct kw_error *err);

#endif
