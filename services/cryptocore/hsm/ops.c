/* What is known about each operation without running it. */
#include "services/cryptocore/hsm/ops.h"

/* Nothing of what an operation makes stays in the HSM, so running one twice does no harm there. It
 * does where each run has another result: a first one that somebody may have seen must not be
 * followed by a second. */
static const struct {
    const char *name;
    bool idempotent;
} rows[] = {
    [KW_HSM_GENERATE] = {"generate", false},
    [KW_HSM_DERIVE] = {"derive", true},
    [KW_HSM_VERIFY_POSSESSION] = {"verify_possession", true},
    [KW_HSM_MAC_FACTS] = {"mac_facts", true},
    [KW_HSM_VERIFY_FACTS] = {"verify_facts", true},
    [KW_HSM_PTK_CREATE] = {"ptk_create", false},
    [KW_HSM_PTK_CONFIRM] = {"ptk_confirm", true},
    [KW_HSM_ISSUE_CERTIFICATE] = {"issue_certificate", false},
    [KW_HSM_SIGN_CHECKPOINT] = {"sign_checkpoint", false},
    [KW_HSM_HEALTH] = {"health", true},
};

static bool known(enum kw_hsm_op op)
{
    return op >= KW_HSM_GENERATE && op <= KW_HSM_HEALTH;
}

const char *kw_hsm_op_name(enum kw_hsm_op op)
{
    return known(op) ? rows[op].name : "unknown";
}

bool kw_hsm_op_idempotent(enum kw_hsm_op op)
{
    return known(op) && rows[op].idempotent;
}

size_t kw_hsm_request_yield(const struct kw_hsm_request *request)
{
    if (request->op == KW_HSM_GENERATE) {
        return request->generate.count;
    }
    return request->op == KW_HSM_MAC_FACTS ? request->mac_facts.count : 0;
}

size_t kw_hsm_answer_yield(const struct kw_hsm_answer *answer)
{
    if (answer->op == KW_HSM_GENERATE) {
        return answer->generated.count;
    }
    return answer->op == KW_HSM_MAC_FACTS ? answer->macs.count : 0;
}
