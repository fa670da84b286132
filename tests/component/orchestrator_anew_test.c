/* A receipt chain that broke: the process is asked to end, so that another life begins another chain. */
#include "services/orchestrator/core_link_internal.h"
#include "tests/component/orchestrator_fixture.h"
#include "tests/support/faults.h"

#include <keyward/v1/key_service.pb-c.h>

#define HOUR_NS (3600ULL * 1000 * 1000 * 1000)
#define TURNS   50

#define ORCHESTRATOR "spiffe://test/region/" REGION "/cell/" CELL "/svc/orchestrator"

static struct orch_fixture fx;
static unsigned ends; /* how often the process would have ended */

static void on_broken(void *context)
{
    (void)context;
    ends++;
}

/* As if this life had begun long ago, or will only begin. */
static void born_at(uint64_t ns)
{
    fx.orch.link->born_ns = ns;
}

static void init(void)
{
    orch_fixture_init(&fx);
    fx.orch.broken = on_broken;
    ends = 0;
    born_at(0);
}

static void done(void)
{
    orch_fixture_done(&fx);
}

TestSuite(orchestrator_anew, .init = init, .fini = done, .timeout = 60);

static void break_chain(void)
{
    core_send_checkpoint(&fx.core, false);
    EVENTUALLY(&fx, !kw_core_link_ready(fx.orch.link));
}

static void set_flag(void *context)
{
    *(bool *)context = true;
}

static void turn_some(void)
{
    for (int i = 0; i < TURNS; i++) {
        orch_turn(&fx);
    }
}

Test(orchestrator_anew, ends_when_its_chain_is_broken)
{
    (void)orch_released_device(&fx);
    turn_some();
    cr_assert(eq(uint, ends, 0));
    break_chain();
    EVENTUALLY(&fx, ends == 1);
}

Test(orchestrator_anew, ends_when_the_core_has_given_its_stream_up)
{
    kw_hop_finish(fx.core.standing, &(struct kw_hop_status){.reason = KW_E_STATE_CONFLICT},
                  KW_BYTES_NONE);
    fx.core.standing = NULL;
    EVENTUALLY(&fx, ends == 1);
}

/* The core is lost, or has no time: that passes. */
Test(orchestrator_anew, lives_when_the_standing_call_ends_for_another_reason)
{
    struct kw_hop_call *standing = fx.core.standing;

    fx.core.standing = NULL;
    kw_hop_finish(standing, &(struct kw_hop_status){.reason = KW_E_PEER_UNAVAILABLE},
                  KW_BYTES_NONE);
    EVENTUALLY(&fx, fx.core.standing != NULL);
    turn_some();
    cr_assert(eq(uint, ends, 0));
}

/* No storm of restarts; and what needs no core is done meanwhile. */
Test(orchestrator_anew, a_young_one_waits_and_stops_keys)
{
    Keyward__V1__SuspendKeyRequest body = KEYWARD__V1__SUSPEND_KEY_REQUEST__INIT;
    const struct asking asking = {.method = KW_METHOD_SUSPEND_KEY,
                                  .body = &body.base,
                                  .role = KW_ROLE_OPERATOR,
                                  .caller = fx.operator_id};

    body.name = (char *)(uintptr_t)orch_released_device(&fx)->key;
    body.request_id = orch_request_id(&fx);
    body.justification = (char *)(uintptr_t) "lost";
    born_at(kw_clock_mono_ns() + HOUR_NS);
    break_chain();
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_NONE));
    turn_some();
    cr_assert(eq(uint, ends, 0));
    born_at(0);
    kw_core_anew_watch(fx.orch.link);
    EVENTUALLY(&fx, ends == 1);
}

/* Another one listens, where nobody looks for it. */
static void lose_core(void)
{
    char credentials[sizeof(fx.dir) + 16];
    bool closed = false;

    kw_hop_server_close(fx.core.server, set_flag, &closed);
    EVENTUALLY(&fx, closed);
    (void)snprintf(credentials, sizeof(credentials), "%s/cryptocore", fx.dir);
    core_peer_start(&fx.core, fx.rpc, credentials, "test", ORCHESTRATOR);
}

/* It comes back, with a chain of its own, or not at all: neither is cured by ending. */
Test(orchestrator_anew, lives_when_the_core_is_lost_meanwhile)
{
    born_at(kw_clock_mono_ns() + HOUR_NS);
    (void)orch_released_device(&fx);
    break_chain();
    lose_core();
    EVENTUALLY(&fx, !fx.orch.link->connected);
    born_at(0);
    kw_core_anew_watch(fx.orch.link);
    turn_some();
    cr_assert(eq(uint, ends, 0));
}

#ifdef KW_FAULTS_PLANTED
static void start_alone(void)
{
    orch_fixture_start(&fx, "/tmp");
    ends = 0;
}

TestSuite(orchestrator_alone, .init = start_alone, .fini = done, .timeout = 60);

/* It connects without memory for the core's chain: then it asks nothing of it, and ends in its time. */
Test(orchestrator_alone, ends_when_it_cannot_keep_the_cores_chain)
{
    Keyward__V1__CreateBatchRequest body;
    struct asking asking;

    faults_arm_at("services/orchestrator/core_receipts.c");
    fx.orch.broken = on_broken;
    orch_fixture_connect(&fx);
    EVENTUALLY(&fx, fx.core.standing != NULL);
    cr_assert(faults_disarm());
    cr_assert(not(kw_core_link_ready(fx.orch.link)));
    orch_transport_key(&fx, fx.station);
    asking = orch_batch_ask(&fx, &body, 1);
    cr_assert(eq(int, orch_ask(&fx, &asking).reason, KW_E_PEER_UNAVAILABLE));
    cr_assert(eq(u32, fx.core.calls, 0));
    born_at(0);
    kw_core_anew_watch(fx.orch.link);
    EVENTUALLY(&fx, ends == 1);
}
#endif
