/* The fixture of the fault tests. */
#include "tests/component/hsm_fault.h"

#include "common/base/clock.h"
#include "common/crypto/cmac.h"
#include "services/cryptocore/hsm/self_test.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define WORKER  KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define TICK_MS 5
#define ASK_MS  30000

struct fault_fixture fault;

static const struct kw_bytes content = {(const uint8_t *)"content", 7};

static struct kw_hsm_request possession(void)
{
    struct kw_hsm_request request = {.op = KW_HSM_VERIFY_POSSESSION,
                                     .possession.device = fault.device};
    struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PROV"),
                               KW_BYTES_OF(request.possession.challenge),
                               kw_id_bytes(&fault.device.device)};

    cr_assert(kw_ok(kw_cmac_aes256(&fault.device_value, parts, 3, request.possession.tag, NULL)));
    return request;
}

static struct kw_hsm_request confirmation(void)
{
    struct kw_hsm_request request = {.op = KW_HSM_PTK_CONFIRM,
                                     .ptk_confirm.transport = fault.hsm.ptk};
    struct kw_bytes parts[] = {kw_bytes_str("KEYWARD-PTK-OK"),
                               KW_BYTES_OF(request.ptk_confirm.nonce)};

    cr_assert(
        kw_ok(kw_cmac_aes256(&fault.hsm.ptk_value, parts, 2, request.ptk_confirm.proof, NULL)));
    return request;
}

static struct kw_hsm_request leaf(void)
{
    static struct kw_spki spki;
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    uint64_t now = kw_clock_wall_ms() / 1000 * 1000;

    cr_assert(kw_ok(kw_private_key_public(&fault.hsm.transport, &subject, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&subject, &spki, NULL)));
    return (struct kw_hsm_request){
        .op = KW_HSM_ISSUE_CERTIFICATE,
        .issue = {.issuer = KW_HSM_CA_PARTNERS,
                  .issuer_certificate = kw_buf_bytes(&fault.hsm.ca_partners),
                  .spki = kw_spki_bytes(&spki),
                  .spiffe_id = "spiffe://test/region/r/cell/c/svc/authz",
                  .validity = {now, now + 1000000},
                  .usage = KW_USAGE_CLIENT}};
}

static void ops_make(void)
{
    static struct kw_hsm_new_key key;
    size_t n = 0;

    fault.ops[n++] = (struct kw_hsm_request){
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = fault.hsm.ptk, .keys = &key, .count = 1}};
    fault.ops[n++] = hsm_release(&fault.hsm, &fault.device, &fault.fact);
    fault.ops[n++] = possession();
    fault.ops[n++] = (struct kw_hsm_request){.op = KW_HSM_MAC_FACTS, .mac_facts = {&content, 1}};
    fault.ops[n++] = (struct kw_hsm_request){.op = KW_HSM_VERIFY_FACTS,
                                             .verify_facts = {fault.device, &fault.fact, 1}};
    fault.ops[n++] = (struct kw_hsm_request){
        .op = KW_HSM_PTK_CREATE,
        .ptk_create = {fault.hsm.partner, 2, 1, kw_buf_bytes(&fault.hsm.transport_cert)}};
    fault.ops[n++] = confirmation();
    fault.ops[n++] = leaf();
    fault.ops[n++] = (struct kw_hsm_request){.op = KW_HSM_SIGN_CHECKPOINT, .checkpoint = {content}};
}

static void on_tick(struct kw_timer *timer)
{
    (void)timer; /* only to have the loop turn */
}

void fault_up(void)
{
    fault = (struct fault_fixture){0};
    hsm_fixture_init(&fault.hsm);
    hsm_device(&fault.hsm, &fault.device, &fault.device_value);
    kw_hsm_ceremony_free(fault.hsm.ceremony);
    fault.hsm.ceremony = NULL;
    p11_fault_init(&fault.p11, fault.hsm.softhsm.dir,
                   softhsm_token(&fault.hsm.softhsm).module_path);
    ops_make();
    cr_assert(kw_ok(kw_loop_new(&fault.loop, NULL)));
    kw_timer_init(&fault.tick, fault.loop, on_tick);
    kw_timer_start(&fault.tick, TICK_MS, TICK_MS);
}

static void on_pool_gone(void *context)
{
    (void)context;
    fault.pool_gone = true;
}

void fault_down(void)
{
    p11_fault_clear(&fault.p11);
    if (fault.pool != NULL) {
        kw_hsm_pool_close(fault.pool, on_pool_gone, NULL);
        FAULT_UNTIL(fault.pool_gone);
    }
    kw_hsm_session_close(&fault.session);
    kw_hsm_module_close(&fault.module);
    kw_timer_close(&fault.tick, NULL);
    kw_loop_stop(fault.loop);
    kw_loop_run(fault.loop);
    kw_loop_free(fault.loop);
    p11_fault_done(&fault.p11);
    kw_secret_done(&fault.device_value);
    hsm_fixture_done(&fault.hsm);
}

/* --- in this process --- */

static struct kw_hsm_token_settings settings(void)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);

    return (struct kw_hsm_token_settings){t.provider, P11_FAULT_MODULE, t.token_label, t.pin_path,
                                          t.lock_path};
}

void fault_open(void)
{
    struct kw_hsm_token_settings s = settings();
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_module_open(&fault.module, &s, &err)), "%s", err.message);
    cr_assert(kw_ok(kw_hsm_session_open(&fault.session, &fault.module, KW_HSM_READ_ONLY, &err)),
              "%s", err.message);
    cr_assert(kw_ok(kw_hsm_session_keys(&fault.session, &err)), "%s", err.message);
    cr_assert(kw_ok(kw_hsm_self_test(&fault.session, &err)), "%s", err.message);
}

enum kw_reason fault_run(const struct kw_hsm_request *request)
{
    struct kw_arena *arena = kw_arena_new(KW_REQUEST_ARENA_MAX);
    struct kw_hsm_answer answer;

    kw_hsm_run(&fault.session, arena, request, &answer);
    kw_arena_free(arena);
    return answer.result.reason;
}

/* --- with workers --- */

unsigned fault_ready_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < fault.pool->worker_count; i++) {
        count += fault.pool->workers[i].state == KW_HSM_WORKER_READY;
    }
    return count;
}

void fault_pool_new(unsigned workers)
{
    struct kw_hsm_token t = softhsm_token(&fault.hsm.softhsm);
    struct kw_hsm_settings s = {.worker_path = WORKER,
                                .provider = t.provider,
                                .module_path = P11_FAULT_MODULE,
                                .token_label = t.token_label,
                                .pin_path = t.pin_path,
                                .lock_path = t.lock_path,
                                .workers = workers};
    struct kw_hsm_events events = {0};
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_pool_new(fault.loop, &s, &events, &fault.pool, &err)), "%s",
              err.message);
}

void fault_pool_start(unsigned workers)
{
    fault_pool_new(workers);
    FAULT_UNTIL(fault_ready_count() == workers);
}

static void on_done(struct kw_hsm_call *call, const struct kw_hsm_answer *answers, size_t count)
{
    struct fault_call *own = (struct fault_call *)call;

    (void)count;
    own->done = true;
    own->reason = answers[0].result.reason;
    if (answers[0].op == KW_HSM_DERIVE) {
        own->derived = answers[0].derived;
    }
}

void fault_submit(struct fault_call *call, const struct kw_hsm_request *request, unsigned ms)
{
    struct kw_result result;

    *call = (struct fault_call){
        .call = {.deadline_ns = kw_clock_mono_ns() + ms * KW_NS_PER_MS, .done = on_done}};
    result = kw_hsm_submit(fault.pool, &call->call, request, 1, NULL);
    if (!kw_ok(result)) {
        call->done = true;
        call->reason = result.reason;
    }
}

enum kw_reason fault_ask(const struct kw_hsm_request *request)
{
    struct fault_call call;

    fault_submit(&call, request, ASK_MS);
    FAULT_UNTIL(call.done);
    return call.reason;
}

struct p11_held fault_held(unsigned index)
{
    return p11_fault_held(&fault.p11, kw_hsm_child_pid(fault.pool->workers[index].child));
}
