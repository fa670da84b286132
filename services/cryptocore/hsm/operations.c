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

static struct kw_result run_once(struct kw_hsm_session *session, struct kw_arena *arena,
                                 const struct kw_hsm_request *request, struct kw_hsm_answer *answer)
{
    session->fault = KW_HSM_CLASS_NONE;
    return rows[request->op](session, arena, request, answer, &answer->error);
}

static struct kw_result run_again(struct kw_hsm_session *session, struct kw_arena *arena,
                                  const struct kw_hsm_request *request,
                                  struct kw_hsm_answer *answer)
{
    struct kw_result result = kw_hsm_session_recover(session, &answer->error);

    if (kw_ok(result)) {
        result = run_once(session, arena, request, answer);
    }
    if (!kw_ok(result) && session->fault == KW_HSM_CLASS_SESSION) {
        session->fault = KW_HSM_CLASS_DEVICE;
    }
    return result;
}

/* What could not be destroyed goes with its session. The answer stands, and so does what is known
 * of the HSM; if there is no other session now, the next request looks for one. */
static void litter_remove(struct kw_hsm_session *session)
{
    enum kw_hsm_class fault = session->fault;

    if (session->littered && fault != KW_HSM_CLASS_DEVICE) {
        KW_IGNORE(kw_hsm_session_recover(session, NULL));
        session->fault = fault;
    }
}

void kw_hsm_run(struct kw_hsm_session *session, struct kw_arena *arena,
                const struct kw_hsm_request *request, struct kw_hsm_answer *ret_answer)
{
    *ret_answer = (struct kw_hsm_answer){.op = request->op};
    if (!session->whole) {
        ret_answer->result = run_again(session, arena, request, ret_answer);
    } else {
        ret_answer->result = run_once(session, arena, request, ret_answer);
        if (!kw_ok(ret_answer->result) && repairable(session)) {
            ret_answer->result = run_again(session, arena, request, ret_answer);
        }
    }
    litter_remove(session);
}
