/* What the mutations of KeyService have in common: the key by its name, its etag, the
 * justification. */
#ifndef KW_SERVICES_ORCHESTRATOR_KEY_CHANGE_H
#define KW_SERVICES_ORCHESTRATOR_KEY_CHANGE_H

#include "services/orchestrator/material.h"

struct kw_key_change {
    const char *name;
    const char *etag;
    const char *justification;
    struct kw_material material;
};

/* The fields and the key as it is now. Fails: ARGUMENT_INVALID, NOT_FOUND, ETAG_MISMATCH. */
struct kw_result kw_key_change_load(struct kw_call *call, struct kw_tx *tx,
                                    struct kw_key_change *ret_change, struct kw_error *err);

/* The key as it is now, as the answer. `suspension`: the one just made, or none. */
struct kw_result kw_key_change_answer(struct kw_call *call, struct kw_tx *tx, struct kw_id key,
                                      struct kw_id suspension, struct kw_error *err);

#endif
