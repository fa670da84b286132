/* The dispatcher: one row for each operation, and the one place where a lost session is repaired.
 */
#include "services/cryptocore/hsm/operations.h"

static kw_hsm_operation *const rows[] = {
    [KW_HSM_GENERATE] = kw_hsm_op_generate,
    [KW_HSM_DERIVE] = kw_hsm_op_derive,
    [KW_HSM_VERIFY_POSSESSION] = kw_hsm_op_verify_possession,
    [KW_HSM_MAC_FACTS] = kw_hsm_op_mac_facts,
    [KW_HSM_VERIFY_FACTS] = kw_hsm_op_verify_facts,
    [KW_HSM_PTK_CREATE] = kw_hsm_op_ptk_create,
    [KW_HSM_PTK_CONFIRM] = kw_hsm_op_ptk_confirm,
    [KW_HSM_ISSUE_CERTIFICATE] = kw_hsm_op_issue_certificate,
    [KW_HSM_SIGN_CHECKPOINT] = kw_hsm_op_sign_checkpoint,
    [KW_HSM_HEALTH] = kw_hsm_op_health,
};

struct kw_result kw_hsm_op_health(struct kw_hsm_session *session, struct kw_arena *arena,
                                  const struct kw_hsm_request *request,
                                  struct kw_hsm_answer *answer, struct kw_error *err)
{
    (void)arena;
    (void)request;
    (void)answer;
    return kw_hsm_session_probe(session, err);
}

static bool repairable(const struct kw_hsm_session *session)
{
    return session->fault == KW_HSM_CLASS_SESSION || session->fault == KW_HSM_CLASS_HANDLE;
}

void kw_hsm_run(struct kw_hsm_session *session, struct kw_arena *arena,
                const struct kw_hsm_request *request, struct kw_hsm_answer *ret_answer)
{
    *ret_answer = (struct kw_hsm_answer){.op = request->op};
    session->fault = KW_HSM_CLASS_NONE;
    ret_answer->result = rows[request->op](session, arena, request, ret_answer, &ret_answer->error);
    if (kw_ok(ret_answer->result) || !repairable(session)) {
        return;
    }
    ret_answer->result = kw_hsm_session_recover(session, &ret_answer->error);
    if (kw_ok(ret_answer->result)) {
        ret_answer->result =
            rows[request->op](session, arena, request, ret_answer, &ret_answer->error);
    }
}
