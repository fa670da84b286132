/* The pool with real workers on a real token: dispatch, loss, deadlines, login, health. The loop
 * runs in the test's own thread until what it waits for has happened. */
#include "common/base/clock.h"
#include "common/base/metrics.h"
#include "services/cryptocore/hsm/pool_internal.h"
#include "tests/component/hsm_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#define WORKER      KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define PATIENCE_MS 60000

static struct hsm_fixture f;
static struct kw_key_binding device;
static struct kw_hsm_fact fact;
static struct kw_loop *loop;
static struct kw_hsm_pool *pool;
static struct kw_timer patience;
static bool pool_gone;

/* A call that remembers how it ended. */
struct test_call {
    struct kw_hsm_call call;
    int done; /* times */
    enum kw_reason first;
    size_t ok_count;
};

static void test_done(struct kw_hsm_call *call, const struct kw_hsm_answer *answers, size_t count)
{
    struct test_call *t = (struct test_call *)call;

    t->done++;
    t->first = answers[0].result.reason;
    for (size_t i = 0; i < count; i++) {
        t->ok_count += kw_ok(answers[i].result);
    }
}

static struct test_call test_call(unsigned seconds)
{
    return (struct test_call){
        .call = {.deadline_ns = kw_clock_mono_ns() + seconds * KW_NS_PER_S, .done = test_done}};
}

static void out_of_patience(struct kw_timer *timer)
{
    (void)timer;
    cr_assert(false, "the pool did not get there in time");
}

/* Runs the loop, turn by turn, until `condition`. */
#define RUN_UNTIL(condition)                                                                       \
    do {                                                                                           \
        while (!(condition)) {                                                                     \
            (void)uv_run(kw_loop_uv(loop), UV_RUN_ONCE);                                           \
        }                                                                                          \
    } while (0)

static void pool_start_as(const char *path, unsigned workers)
{
    struct kw_hsm_token t = softhsm_token(&f.softhsm);
    struct kw_hsm_settings settings = {path,          t.provider,           t.module_path,
                                       t.token_label, t.pin_path,           t.lock_path,
                                       workers,       KW_HSM_SANDBOX_STRICT};
    struct kw_hsm_events events = {0};
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_pool_new(loop, &settings, &events, &pool, &err)), "%s", err.message);
}

static void pool_start(unsigned workers)
{
    pool_start_as(WORKER, workers);
}

static unsigned ready_count(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < pool->worker_count; i++) {
        count += pool->workers[i].state == KW_HSM_WORKER_READY;
    }
    return count;
}

static void set_up(void)
{
    KW_SCOPED(kw_secret_done) struct kw_secret value = {0};

    hsm_fixture_init(&f);
    hsm_device(&f, &device, &value);
    kw_hsm_ceremony_free(f.ceremony);
    f.ceremony = NULL;
    cr_assert(kw_ok(kw_loop_new(&loop, NULL)));
    kw_timer_init(&patience, loop, out_of_patience);
    kw_timer_start(&patience, PATIENCE_MS, 0);
}

static void on_pool_gone(void *context)
{
    (void)context;
    pool_gone = true;
}

static void tear_down(void)
{
    if (pool != NULL) {
        kw_hsm_pool_close(pool, on_pool_gone, NULL);
        RUN_UNTIL(pool_gone);
    }
    kw_timer_close(&patience, NULL);
    kw_loop_stop(loop);
    kw_loop_run(loop);
    kw_loop_free(loop);
    hsm_fixture_done(&f);
}

TestSuite(hsm_pool, .init = set_up, .fini = tear_down);

static void submit(struct test_call *call, const struct kw_hsm_request *requests, size_t count)
{
    struct kw_error err = {0};

    cr_assert(kw_ok(kw_hsm_submit(pool, &call->call, requests, count, &err)), "%s", err.message);
}

/* `count` releases, 256 at most. */
static const struct kw_hsm_request *releases(size_t count)
{
    static struct kw_hsm_request requests[KW_HSM_ITEMS_MAX];

    for (size_t i = 0; i < count; i++) {
        requests[i] = hsm_release(&f, &device, &fact);
    }
    return requests;
}

Test(hsm_pool, workers_start_one_after_the_other_and_answer)
{
    struct test_call call;

    pool_start(2);
    RUN_UNTIL(ready_count() == 2);
    cr_assert(eq(int, kw_hsm_pool_state(pool), KW_HSM_READY));
    call = test_call(10);
    submit(&call, releases(64), 64);
    RUN_UNTIL(call.done);
    cr_assert(eq(sz, call.ok_count, 64));
}

Test(hsm_pool, a_mixed_batch_is_answered_item_by_item)
{
    struct kw_hsm_request requests[3] = {{.op = KW_HSM_HEALTH}};
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    requests[1] = releases(1)[0];
    requests[1].derive.device.mac[0] ^= 1;
    requests[2] = releases(1)[0];
    call = test_call(10);
    submit(&call, requests, 3);
    RUN_UNTIL(call.done);
    cr_assert(eq(sz, call.ok_count, 2));
}

Test(hsm_pool, pkcs11_calls_are_counted_by_function)
{
    struct kw_hsm_stats before;
    struct kw_hsm_stats after;
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    call = test_call(10);
    submit(&call, releases(1), 1);
    RUN_UNTIL(call.done);
    kw_hsm_pool_stats(pool, &before);
    call = test_call(10);
    submit(&call, releases(1), 1);
    RUN_UNTIL(call.done);
    kw_hsm_pool_stats(pool, &after);
    cr_assert(eq(u64, after.calls[KW_C_UnwrapKey] - before.calls[KW_C_UnwrapKey], 2));
    cr_assert(eq(u64, after.calls[KW_C_WrapKey] - before.calls[KW_C_WrapKey], 1));
    cr_assert(eq(u64, after.calls[KW_C_CreateObject] - before.calls[KW_C_CreateObject], 1));
    cr_assert(ge(u32, call.call.hsm_calls, 14));
    cr_assert(
        eq(i64, kw_metric_value(KW_M_HSM_CALLS, "C_WrapKey"), (int64_t)after.calls[KW_C_WrapKey]));
    cr_assert(eq(i64, kw_metric_value(KW_M_HSM_OPERATIONS, "derive"), 2));
}

Test(hsm_pool, a_worker_that_served_enough_is_replaced_and_nothing_is_lost)
{
    static struct test_call calls[40];
    struct kw_hsm_stats stats;

    pool_start(2);
    RUN_UNTIL(ready_count() == 2);
    cr_assert(eq(u64, pool->requests_max, KW_HSM_WORKER_REQUESTS_MAX));
    pool->requests_max = 4;
    for (size_t i = 0; i < 40; i++) {
        calls[i] = test_call(10);
        submit(&calls[i], releases(1), 1);
    }
    for (size_t i = 0; i < 40; i++) {
        RUN_UNTIL(calls[i].done == 1);
        cr_assert(eq(int, calls[i].first, KW_E_NONE));
    }
    RUN_UNTIL(pool->stats.workers_started >= 3 && ready_count() == 2);
    kw_hsm_pool_stats(pool, &stats);
    cr_assert(eq(u64, stats.workers_lost, 0));
    cr_assert(eq(u64, stats.retried, 0));
}

Test(hsm_pool, the_only_worker_is_not_replaced)
{
    struct kw_hsm_stats stats;
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    pool->requests_max = 1;
    for (int i = 0; i < 3; i++) {
        call = test_call(10);
        submit(&call, releases(1), 1);
        RUN_UNTIL(call.done);
    }
    kw_hsm_pool_stats(pool, &stats);
    cr_assert(eq(u64, stats.workers_started, 1));
    cr_assert(eq(int, kw_hsm_pool_state(pool), KW_HSM_READY));
}

/* Kills the worker that has something in flight. */
static void kill_busy(void)
{
    for (unsigned i = 0; i < pool->worker_count; i++) {
        if (pool->workers[i].in_flight.items > 0 && pool->workers[i].child != NULL) {
            cr_assert(eq(int, kill(kw_hsm_child_pid(pool->workers[i].child), SIGKILL), 0));
        }
    }
}

Test(hsm_pool, idempotent_work_of_a_killed_worker_runs_elsewhere)
{
    struct test_call call;
    struct kw_hsm_stats stats;

    pool_start(2);
    RUN_UNTIL(ready_count() == 2);
    call = test_call(30);
    submit(&call, releases(256), 256);
    RUN_UNTIL(pool->workers[0].in_flight.items + pool->workers[1].in_flight.items >= 256);
    kill_busy();
    RUN_UNTIL(call.done);
    kw_hsm_pool_stats(pool, &stats);
    cr_assert(eq(sz, call.ok_count, 256));
    cr_assert(ge(u64, stats.retried, 256));
    cr_assert(eq(int, call.done, 1));
}

Test(hsm_pool, generation_of_a_killed_worker_fails_and_the_worker_comes_back)
{
    struct kw_hsm_new_key keys[KW_HSM_ITEMS_MAX] = {0};
    struct kw_hsm_request request = {
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = f.ptk, .keys = keys, .count = KW_HSM_ITEMS_MAX}};
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    call = test_call(30);
    submit(&call, &request, 1);
    RUN_UNTIL(pool->workers[0].in_flight.items == 1);
    kill_busy();
    RUN_UNTIL(call.done);
    cr_assert(eq(int, call.first, KW_E_HSM_UNAVAILABLE));
    cr_assert(eq(int, kw_hsm_pool_state(pool), KW_HSM_DOWN));
    cr_assert(
        eq(int, kw_hsm_submit(pool, &call.call, &request, 1, NULL).reason, KW_E_HSM_UNAVAILABLE));
    RUN_UNTIL(ready_count() == 1);
    cr_assert(eq(int, kw_hsm_pool_state(pool), KW_HSM_READY));
}

Test(hsm_pool, a_hung_worker_is_answered_for_and_killed)
{
    struct test_call call;
    struct kw_hsm_stats stats;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    cr_assert(eq(int, kill(kw_hsm_child_pid(pool->workers[0].child), SIGSTOP), 0));
    call = test_call(0);
    call.call.deadline_ns += KW_NS_PER_S / 10;
    submit(&call, releases(1), 1);
    RUN_UNTIL(call.done);
    cr_assert(eq(int, call.first, KW_E_DEADLINE_EXCEEDED));
    cr_assert(eq(int, pool->workers[0].state, KW_HSM_WORKER_DRAINING));
    RUN_UNTIL(pool->stats.workers_lost == 1);
    RUN_UNTIL(ready_count() == 1);
    kw_hsm_pool_stats(pool, &stats);
    cr_assert(eq(u64, stats.workers_started, 2));
}

Test(hsm_pool, a_slow_worker_that_catches_up_lives_on)
{
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    cr_assert(eq(int, kill(kw_hsm_child_pid(pool->workers[0].child), SIGSTOP), 0));
    call = test_call(0);
    call.call.deadline_ns += KW_NS_PER_S / 10;
    submit(&call, releases(1), 1);
    RUN_UNTIL(call.done);
    cr_assert(eq(int, kill(kw_hsm_child_pid(pool->workers[0].child), SIGCONT), 0));
    RUN_UNTIL(ready_count() == 1);
    cr_assert(eq(u64, pool->stats.workers_lost, 0));
}

Test(hsm_pool, a_wrong_pin_is_tried_once_by_all_workers_together)
{
    softhsm_pin_write(&f.softhsm, "a wrong PIN, 16 letters");
    pool_start(4);
    RUN_UNTIL(kw_hsm_pool_state(pool) == KW_HSM_LOGIN_REFUSED);
    cr_assert(eq(u64, pool->stats.workers_started, 1));
}

Test(hsm_pool, a_vanished_token_takes_the_hsm_down_until_it_is_back)
{
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    softhsm_unplug(&f.softhsm);
    RUN_UNTIL(kw_hsm_pool_state(pool) == KW_HSM_DOWN);
    softhsm_plug(&f.softhsm);
    RUN_UNTIL(kw_hsm_pool_state(pool) == KW_HSM_READY);
    call = test_call(10);
    submit(&call, releases(1), 1);
    RUN_UNTIL(call.done);
    cr_assert(eq(sz, call.ok_count, 1));
}

Test(hsm_pool, closing_answers_what_is_in_flight)
{
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    call = test_call(10);
    submit(&call, releases(256), 256);
    RUN_UNTIL(pool->workers[0].in_flight.items >= 256);
    kw_hsm_pool_close(pool, on_pool_gone, NULL);
    pool = NULL;
    cr_assert(eq(int, call.done, 1));
    cr_assert(eq(int, call.first, KW_E_DRAINING));
    RUN_UNTIL(pool_gone);
}

Test(hsm_pool, bad_submissions_are_refused_at_once)
{
    struct kw_hsm_request request = {.op = KW_HSM_HEALTH};
    struct test_call call;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    call = test_call(10);
    cr_assert(
        eq(int, kw_hsm_submit(pool, &call.call, &request, 0, NULL).reason, KW_E_ARGUMENT_INVALID));
    call = test_call(0);
    cr_assert(
        eq(int, kw_hsm_submit(pool, &call.call, &request, 1, NULL).reason, KW_E_DEADLINE_EXCEEDED));
    cr_assert(eq(int, call.done, 0));
}

Test(hsm_pool, more_than_the_queue_holds_is_shed)
{
    struct kw_hsm_request requests[KW_HSM_ITEMS_MAX];
    struct test_call calls[KW_HSM_QUEUE_ITEMS_MAX / KW_HSM_ITEMS_MAX + 1];
    const size_t last = KW_HSM_QUEUE_ITEMS_MAX / KW_HSM_ITEMS_MAX;

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    for (size_t i = 0; i < KW_HSM_ITEMS_MAX; i++) {
        requests[i] = (struct kw_hsm_request){.op = KW_HSM_HEALTH};
    }
    for (size_t i = 0; i < last; i++) {
        calls[i] = test_call(60);
        submit(&calls[i], requests, KW_HSM_ITEMS_MAX);
    }
    calls[last] = test_call(60);
    cr_assert(
        eq(int, kw_hsm_submit(pool, &calls[last].call, requests, 1, NULL).reason, KW_E_HSM_BUSY));
    cr_assert(eq(i64, kw_metric_value(KW_M_QUEUE, "hsm"), KW_HSM_QUEUE_ITEMS_MAX));
    RUN_UNTIL(calls[last - 1].done);
    for (size_t i = 0; i < last; i++) {
        cr_assert(eq(sz, calls[i].ok_count, 256));
    }
}

Test(hsm_pool, a_worker_that_is_no_program_is_a_setting_error)
{
    struct kw_hsm_token t = softhsm_token(&f.softhsm);
    struct kw_hsm_settings settings = {
        f.softhsm.pin, t.provider, t.module_path,        t.token_label, t.pin_path,
        t.lock_path,   1,          KW_HSM_SANDBOX_STRICT};
    struct kw_hsm_events events = {0};

    cr_assert(eq(int, kw_hsm_pool_new(loop, &settings, &events, &pool, NULL).reason,
                 KW_E_CONFIG_INVALID));
}

static void on_child_closed(void *context)
{
    *(bool *)context = true;
}

/* Gone, or of another kind, after the setting was looked at: what starts it says so, and tries again. */
static void started_as(const char *interpreter, enum kw_reason reason)
{
    struct kw_hsm_child_events events = {.closed = on_child_closed};
    struct kw_hsm_child *child = NULL;
    bool closed = false;
    char path[512];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/worker", f.softhsm.dir);
    file = fopen(path, "w");
    cr_assert(file != NULL);
    cr_assert(fprintf(file, "#!%s\n", interpreter != NULL ? interpreter : path) > 0);
    cr_assert(fclose(file) == 0 && chmod(path, 0700) == 0);
    events.context = &closed;
    cr_assert(
        eq(int, kw_hsm_child_start(loop, path, KW_HSM_SANDBOX_STRICT, &events, &child, NULL).reason,
           reason));
    RUN_UNTIL(closed);
    pool_start_as(path, 1);
    cr_assert(eq(ptr, pool->workers[0].child, NULL), "no process was seen");
    RUN_UNTIL(pool->stats.workers_lost >= 2);
    cr_assert(eq(ptr, pool->workers[0].child, NULL));
}

Test(hsm_pool, a_worker_whose_interpreter_is_missing_is_tried_again)
{
    started_as("/nowhere/interpreter", KW_E_CONFIG_INVALID);
}

Test(hsm_pool, a_worker_that_is_its_own_interpreter_is_tried_again)
{
    started_as(NULL, KW_E_SYSTEM);
}

/* One request of each kind that has an answer of its own. */
static size_t every_kind(struct kw_hsm_request requests[8])
{
    static const struct kw_bytes content = {(const uint8_t *)"content", 7};
    static struct kw_hsm_new_key key;
    static struct kw_spki spki;
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    uint64_t now = kw_clock_wall_ms() / 1000 * 1000;
    size_t n = 0;

    cr_assert(kw_ok(kw_private_key_public(&f.transport, &subject, NULL)));
    cr_assert(kw_ok(kw_public_key_spki(&subject, &spki, NULL)));
    requests[n++] = (struct kw_hsm_request){
        .op = KW_HSM_GENERATE,
        .generate = {.kek_version = 1, .station = f.ptk, .keys = &key, .count = 1}};
    requests[n++] = releases(1)[0];
    requests[n++] = (struct kw_hsm_request){.op = KW_HSM_MAC_FACTS, .mac_facts = {&content, 1}};
    requests[n++] =
        (struct kw_hsm_request){.op = KW_HSM_VERIFY_FACTS, .verify_facts = {device, &fact, 1}};
    requests[n++] = (struct kw_hsm_request){
        .op = KW_HSM_PTK_CREATE, .ptk_create = {f.partner, 2, 1, kw_buf_bytes(&f.transport_cert)}};
    requests[n++] =
        (struct kw_hsm_request){.op = KW_HSM_ISSUE_CERTIFICATE,
                                .issue = {.issuer = KW_HSM_CA_PARTNERS,
                                          .issuer_certificate = kw_buf_bytes(&f.ca_partners),
                                          .spki = kw_spki_bytes(&spki),
                                          .spiffe_id = "spiffe://test/region/r/cell/c/svc/authz",
                                          .validity = {now, now + 1000000},
                                          .usage = KW_USAGE_CLIENT}};
    requests[n++] = (struct kw_hsm_request){.op = KW_HSM_SIGN_CHECKPOINT, .checkpoint = {content}};
    return n;
}

static size_t kinds_checked;

static void check_every_kind(struct kw_hsm_call *call, const struct kw_hsm_answer *a, size_t count)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};

    for (size_t i = 0; i < count; i++) {
        cr_assert(kw_ok(a[i].result), "%s: %s", kw_hsm_op_name(a[i].op), a[i].error.message);
    }
    cr_assert(eq(sz, a[0].generated.count, 1));
    cr_assert(eq(u32, a[0].generated.items[0].stored.kek_version, 1));
    cr_assert(eq(sz, a[1].derived.wrapped_len, 40));
    cr_assert(eq(sz, a[2].macs.count, 1));
    cr_assert(eq(u32, a[4].ptk.stored.version, 2));
    cr_assert(lt(sz, 100, a[4].ptk.enveloped.len));
    cr_assert(kw_ok(kw_certificate_from_der(&leaf, a[5].certificate, NULL)));
    cr_assert(lt(sz, 90, a[6].signature.len));
    kinds_checked = count;
    test_done(call, a, count);
}

Test(hsm_pool, every_kind_of_request_and_answer_crosses_the_socket)
{
    struct kw_hsm_request requests[8];
    struct test_call call;
    size_t n = every_kind(requests);

    pool_start(1);
    RUN_UNTIL(ready_count() == 1);
    call = test_call(30);
    call.call.done = check_every_kind;
    submit(&call, requests, n);
    RUN_UNTIL(call.done);
    cr_assert(eq(sz, kinds_checked, n));
}
