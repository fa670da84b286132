/* Load on three orchestrators, and what it is held against. */
#include "tests/component/instances_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define BACK_OFF_NS (20ULL * 1000000)

/* --- one client --- */

static void try_once(struct load *load, struct load_worker *worker)
{
    worker->again_ns = 0;
    worker->tries++;
    instances_try(load->in, worker->instance, &worker->wanted, &worker->attempt);
}

static void want_next(struct load *load, struct load_worker *worker)
{
    worker->wanted = instances_want(load->in, (enum effect)(load->begun % EFFECTS));
    worker->instance = (unsigned)(load->begun % INSTANCES);
    worker->tries = 0;
    load->begun++;
    try_once(load, worker);
}

static void take_answer(struct load *load, struct load_worker *worker)
{
    REQUIRE(load->done_count < LOAD_DONE_MAX, "no room");
    load->done[load->done_count++] = (struct load_done){worker->wanted, worker->attempt.answer};
    load->most_tries = worker->tries > load->most_tries ? worker->tries : load->most_tries;
    worker->attempt.answer = (struct kw_buf){0};
    instances_try_done(&worker->attempt);
    worker->wanted.body = NULL;
}

static void take_refusal(struct load *load, struct load_worker *worker)
{
    REQUIRE(instances_passes(worker->attempt.reason), "%s",
            kw_reason_row(worker->attempt.reason)->name);
    load->refused++;
    instances_try_done(&worker->attempt);
    worker->instance = (worker->instance + 1) % INSTANCES;
    worker->again_ns = kw_clock_mono_ns() + BACK_OFF_NS;
}

static void step(struct load *load, struct load_worker *worker)
{
    if (worker->wanted.body == NULL) {
        if (!load->stopping) {
            want_next(load, worker);
        }
    } else if (worker->again_ns != 0) {
        if (kw_clock_mono_ns() >= worker->again_ns) {
            try_once(load, worker);
        }
    } else if (worker->attempt.over && worker->attempt.reason == KW_E_NONE) {
        take_answer(load, worker);
    } else if (worker->attempt.over) {
        take_refusal(load, worker);
    }
}

/* --- all of them --- */

/* Does anybody wait for something? */
static bool step_all(struct load *load)
{
    bool any = false;

    for (size_t i = 0; i < LOAD_WORKERS; i++) {
        step(load, &load->workers[i]);
        any = any || load->workers[i].wanted.body != NULL;
    }
    return any;
}

void load_until_done(struct load *load, size_t more)
{
    size_t goal = load->done_count + more;

    while (load->done_count < goal) { /* each within its own time */
        size_t now = load->done_count;

        INSTANCES_UNTIL(load->in, (step_all(load), load->done_count > now));
    }
}

void load_until_refused(struct load *load, size_t more)
{
    size_t goal = load->refused + more;

    INSTANCES_UNTIL(load->in, (step_all(load), load->refused >= goal));
}

void load_stop(struct load *load)
{
    load->stopping = true;
    INSTANCES_UNTIL(load->in, !step_all(load));
}

/* --- in the end --- */

void load_expect_once(struct instances *in, const struct effect_wanted *wanted)
{
    if (wanted->effect == INVITE) {
        cr_assert(eq(
            i64,
            instances_number(in, "SELECT count(*) FROM requests WHERE request =", wanted->request),
            1));
        return;
    }
    cr_assert(eq(
        i64, instances_number(in, "SELECT count(*) FROM batches WHERE request =", wanted->request),
        1));
    cr_assert(eq(i64,
                 instances_number(in,
                                  "SELECT count(*) FROM devices d JOIN key_versions k"
                                  " ON k.device = d.id WHERE d.product =",
                                  wanted->of),
                 PENS));
}

static void expect_same_answer(struct load *load, const struct load_done *done, unsigned instance)
{
    struct kw_buf again = instances_ask(load->in, instance, &done->wanted);

    cr_assert(kw_bytes_equal(kw_buf_bytes(&again), kw_buf_bytes(&done->answer)));
    kw_buf_done(&again);
}

void load_verify(struct load *load)
{
    cr_assert(lt(u64, load->done_count, instances_verify(load->in)));
    for (size_t i = 0; i < load->done_count; i++) {
        load_expect_once(load->in, &load->done[i].wanted);
        expect_same_answer(load, &load->done[i], (unsigned)i);
        kw_buf_done(&load->done[i].answer);
    }
    cr_assert(eq(sz, load->begun, load->done_count));
    cr_assert(eq(i64,
                 postgres_sql(load->in->url, "SELECT (SELECT count(*) FROM batches) +"
                                             " (SELECT count(*) FROM requests)"),
                 (long)load->done_count));
    cr_log_info("%zu acknowledged, %zu refused and asked again, %u times at most", load->done_count,
                load->refused, load->most_tries);
}
