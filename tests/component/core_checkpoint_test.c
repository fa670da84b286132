/* Checkpoints by themselves: what becomes of one that cannot be signed or sent. The test is the HSM and the orchestrator
 * (the linker's --wrap), and a chain with one receipt is there. */
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "services/cryptocore/ledger_internal.h"
#include "tests/support/faults.h"
#include "tests/support/must.h"

#include <stdlib.h>

struct kw_result __wrap_kw_hsm_submit(struct kw_hsm_pool *pool, struct kw_hsm_call *call,
                                      const struct kw_hsm_request *requests, size_t count,
                                      struct kw_error *err);
bool __wrap_kw_hop_send(struct kw_hop_call *call, struct kw_hop_item item);

static struct kw_loop *loop;
static struct kw_ledger *ledger;
static struct kw_ledger_chain *chain;

static struct {
    struct kw_hsm_call *call; /* what it is asked, until it is answered */
    enum kw_reason refusal;   /* of the question */
    enum kw_reason failure;   /* of the answer */
} hsm;

static struct {
    bool deaf;
    unsigned heard;
} orchestrator;

struct kw_result __wrap_kw_hsm_submit(struct kw_hsm_pool *pool, struct kw_hsm_call *call,
                                      const struct kw_hsm_request *requests, size_t count,
                                      struct kw_error *err)
{
    (void)pool;
    cr_assert(count == 1 && requests[0].op == KW_HSM_SIGN_CHECKPOINT);
    if (hsm.refusal != KW_E_NONE) {
        return kw_error_make(err, hsm.refusal, __FILE__, __LINE__, "refused");
    }
    hsm.call = call;
    return KW_OK;
}

bool __wrap_kw_hop_send(struct kw_hop_call *call, struct kw_hop_item item)
{
    cr_assert(call == chain->standing && item.data.len > 0);
    orchestrator.heard += orchestrator.deaf ? 0 : 1;
    return !orchestrator.deaf;
}

static void answer(void)
{
    struct kw_hsm_call *call = hsm.call;
    struct kw_hsm_answer answer = {.op = KW_HSM_SIGN_CHECKPOINT};

    hsm.call = NULL;
    answer.result.reason = hsm.failure;
    if (hsm.failure == KW_E_NONE) {
        answer.signature = kw_bytes_str("signature");
    } else {
        (void)kw_error_make(&answer.error, hsm.failure, __FILE__, __LINE__, "failed");
    }
    call->done(call, &answer, 1);
}

static void receipt_issue(void)
{
    struct kw_receipt receipt = {.id = {{3}},
                                 .time_ms = 1,
                                 .region = kw_bytes_str("eu-1"),
                                 .cell = kw_bytes_str("a"),
                                 .capsule = kw_bytes_str("capsule"),
                                 .signer = kw_bytes_str("certificate")};
    struct kw_bytes record;

    MUST(kw_ledger_issue(ledger, (struct kw_id){{2}}, &receipt, &record, err));
}

static void up(void)
{
    static uint8_t standing;

    MUST(kw_loop_new(&loop, err));
    MUST(kw_ledger_new(loop, (struct kw_id){{1}}, NULL, &ledger, err)); /* no loop runs */
    receipt_issue();
    chain = kw_ledger_find(ledger, (struct kw_id){{2}});
    chain->standing = (struct kw_hop_call *)&standing;
}

static void down(void)
{
    if (!uv_is_closing((uv_handle_t *)&ledger->timer.uv)) { /* a test may have closed the ledger */
        kw_timer_close(&ledger->timer, NULL);
    }
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_ledger_free(ledger);
    kw_loop_free(loop);
}

TestSuite(core_checkpoint, .init = up, .fini = down, .timeout = 60);

/* A tick, long after the one before, and the HSM's answer if it was asked. Whether a checkpoint of all there is has
 * gone out then. */
static bool tick(void)
{
    chain->checkpoint_ns = 0;
    kw_ledger_checkpoint_if_due(chain);
    if (hsm.call != NULL) {
        cr_assert(chain->signing);
        answer();
    }
    cr_assert(not(chain->signing));
    return chain->checkpoint_seq == chain->chain.seq;
}

Test(core_checkpoint, goes_out_once)
{
    cr_assert(tick());
    cr_assert(tick());
    cr_assert(eq(u32, orchestrator.heard, 1));
}

Test(core_checkpoint, that_the_hsm_refuses_is_due_again)
{
    hsm.refusal = KW_E_HSM_UNAVAILABLE;
    cr_assert(not(tick()));
    hsm.refusal = KW_E_NONE;
    hsm.failure = KW_E_HSM_BUSY;
    cr_assert(not(tick()));
    cr_assert(eq(u32, orchestrator.heard, 0));
    hsm.failure = KW_E_NONE;
    cr_assert(tick());
    cr_assert(eq(u32, orchestrator.heard, 1));
}

Test(core_checkpoint, that_nobody_takes_is_due_again)
{
    orchestrator.deaf = true;
    cr_assert(not(tick()));
    orchestrator.deaf = false;
    cr_assert(tick());
}

/* The two failpoints, as failures: neither takes what has not gone out for sent. */
Test(core_checkpoint, that_fails_before_or_after_its_signature_is_due_again)
{
    cr_assert(eq(int,
                 setenv("KEYWARD_FAILPOINTS",
                        "cryptocore.before_checkpoint=error,cryptocore.after_checkpoint=error", 1),
                 0));
    MUST(kw_failpoint_load(err));
    cr_assert(not(tick()), "before");
    cr_assert(not(tick()), "after");
    cr_assert(eq(u32, orchestrator.heard, 0));
    cr_assert(tick());
    cr_assert(eq(u32, orchestrator.heard, 1));
}

/* Each step fails once (only a build with faults has any). */
Test(core_checkpoint, any_step_may_fail)
{
    unsigned failed = 0;
    bool fired;

    do {
        bool out;

        receipt_issue();
        faults_arm_at("services/cryptocore/ledger_checkpoint.c");
        out = tick();
        fired = faults_disarm();
        failed += fired && !out ? 1 : 0;
        cr_assert(out || fired);
        cr_assert(out || tick(), "%s: not made again", kw_fault_plan()->last);
    } while (fired);
    kw_ledger_acknowledge(chain, UINT64_MAX);
#ifdef KW_FAULTS_PLANTED
    cr_assert(ge(u32, failed, 3));
#else
    cr_assert(eq(u32, failed, 0));
#endif
}

static void on_closed(void *context)
{
    *(bool *)context = true;
}

/* The end comes all the same: what is not closed is seen by whoever looks at the chain. */
Test(core_checkpoint, a_process_ends_without_an_hsm)
{
    bool closed = false;

    chain->standing = NULL;
    hsm.refusal = KW_E_HSM_UNAVAILABLE;
    kw_ledger_close(ledger, on_closed, &closed);
    cr_assert(closed);
}

/* One is being signed when the end comes: the closed one follows, and only then is it the end. */
Test(core_checkpoint, an_open_one_is_followed_by_the_closed_one)
{
    bool closed = false;

    kw_ledger_checkpoint_if_due(chain);
    chain->standing = NULL;
    cr_assert(hsm.call != NULL && !chain->checkpoint.closed);
    kw_ledger_close(ledger, on_closed, &closed);
    cr_assert(not(closed));
    answer();
    cr_assert(hsm.call != NULL && chain->checkpoint.closed && !closed);
    answer();
    cr_assert(closed);
}
