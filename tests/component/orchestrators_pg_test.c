/* Three orchestrators on one PostgreSQL database, as a cell may run them: what two of them are asked for at once happens
 * once, and what any of them has acknowledged outlives the server, whose processes are killed under load. */
#include "tests/component/instances_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#ifndef INSTANCES_KILLS /* the slow binary has more of everything */
#define INSTANCES_KILLS  1
#define INSTANCES_ROUNDS 3
#define INSTANCES_LOAD   12
#endif

static struct instances in;
static struct load load = {.in = &in};

static void up(void)
{
    instances_init(&in);
}

static void down(void)
{
    instances_done(&in);
}

TestSuite(instances, .init = up, .fini = down, .timeout = 600);

/* Who was refused meanwhile asks again. */
static struct kw_buf answer_of(unsigned instance, const struct effect_wanted *wanted,
                               struct instances_try *attempt)
{
    struct kw_buf answer = attempt->answer;

    if (attempt->reason != KW_E_NONE) {
        cr_assert(instances_passes(attempt->reason), "%s", kw_reason_row(attempt->reason)->name);
        kw_buf_done(&answer);
        answer = instances_ask(&in, instance, wanted);
    }
    attempt->answer = (struct kw_buf){0};
    instances_try_done(attempt);
    return answer;
}

/* Both are asked before either has answered. */
static void race(unsigned first, const struct effect_wanted *wanted)
{
    struct instances_try tries[2];
    struct kw_buf answers[2];

    for (unsigned i = 0; i < 2; i++) {
        instances_try(&in, (first + i) % INSTANCES, wanted, &tries[i]);
    }
    INSTANCES_UNTIL(&in, tries[0].over && tries[1].over);
    for (unsigned i = 0; i < 2; i++) {
        answers[i] = answer_of((first + i) % INSTANCES, wanted, &tries[i]);
    }
    cr_assert(kw_bytes_equal(kw_buf_bytes(&answers[0]), kw_buf_bytes(&answers[1])));
    kw_buf_done(&answers[0]);
    kw_buf_done(&answers[1]);
}

/* F33 of docs/faults.md, within one cell. */
Test(instances, one_request_in_two_of_them_at_once_has_one_effect)
{
    for (unsigned round = 0; round < INSTANCES_ROUNDS; round++) {
        for (enum effect effect = MAKE_PENS; effect < EFFECTS; effect++) {
            const struct effect_wanted wanted = instances_want(&in, effect);

            race(round, &wanted);
            load_expect_once(&in, &wanted);
        }
    }
    cr_assert(lt(u64, 0, instances_verify(&in)));
}

Test(instances, what_they_acknowledged_outlives_a_killed_server_and_happened_once)
{
    load_until_done(&load, INSTANCES_LOAD);
    for (int i = 0; i < INSTANCES_KILLS; i++) {
        postgres_kill(&in.pg);
        load_until_refused(&load, LOAD_WORKERS);
        postgres_start(&in.pg, NULL);
        load_until_done(&load, INSTANCES_LOAD);
    }
    load_stop(&load);
    load_verify(&load);
}
