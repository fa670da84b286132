/* A token after its ceremony behind the fault shim, and one request of each operation: what the fault tests share.
 *
 * Either in this process (fault_open) or behind a pool of workers (fault_pool_start).
 */
#ifndef KW_TESTS_COMPONENT_HSM_FAULT_H
#define KW_TESTS_COMPONENT_HSM_FAULT_H

#include "services/cryptocore/hsm/operations.h"
#include "services/cryptocore/hsm/pool_internal.h"
#include "tests/component/hsm_fixture.h"
#include "tests/support/p11/fault.h"

#define FAULT_OPS 9

struct fault_fixture {
    struct hsm_fixture hsm;
    struct p11_fault p11;
    struct kw_key_binding device;
    struct kw_secret device_value;
    struct kw_hsm_fact fact;
    struct kw_hsm_request ops[FAULT_OPS]; /* each right */
    /* in this process */
    struct kw_hsm_module module;
    struct kw_hsm_session session;
    /* with workers */
    struct kw_loop *loop;
    struct kw_hsm_pool *pool;
    struct kw_timer tick;
    bool pool_gone;
};

extern struct fault_fixture fault;

/* For TestSuite's init and fini. */
void fault_up(void);
void fault_down(void);

/* Opens the token in this process, as a worker does, self-test included. */
void fault_open(void);

/* Runs one request in this process. What became of it, KW_E_NONE when it succeeded; the answer is gone. */
enum kw_reason fault_run(const struct kw_hsm_request *request);

/* Starts workers; fault_pool_start waits until all are ready. */
void fault_pool_new(unsigned workers);
void fault_pool_start(unsigned workers);
unsigned fault_ready_count(void);

/* One submission's end. */
struct fault_call {
    struct kw_hsm_call call;
    bool done;
    enum kw_reason reason;
    struct kw_hsm_derived derived; /* of the first answer, when it is a derivation */
};

/* Submits one request; `call` must stay until it is done. The reason of a refusal is in it, too. */
void fault_submit(struct fault_call *call, const struct kw_hsm_request *request, unsigned ms);

/* Submits and waits. */
enum kw_reason fault_ask(const struct kw_hsm_request *request);

/* Turns the loop until `condition` holds; ends the test when it does not in a minute. */
#define FAULT_UNTIL(condition)                                                                     \
    do {                                                                                           \
        uint64_t end_ = kw_clock_mono_ns() + 60ULL * 1000000000;                                   \
        while (!(condition) && kw_clock_mono_ns() < end_) {                                        \
            (void)uv_run(kw_loop_uv(fault.loop), UV_RUN_ONCE);                                     \
        }                                                                                          \
        cr_assert(condition, "not in time: %s", #condition);                                       \
    } while (0)

/* Adds a rule. */
#define FAULT(...) p11_fault_set(&fault.p11, &(struct p11_plan){__VA_ARGS__})

/* What is open and made in worker `index`'s process. */
struct p11_held fault_held(unsigned index);

#endif
