/* Every step of a further region's ceremony fails once at every place. A failed attempt says so and leaves the tokens as
 * they were: the next one gets as far as its own fault, and the one that has none leads on. */
#include "tests/component/init_fixture.h"
#include "tests/support/faults.h"
#include "tests/support/region_fixture.h"

#include <stdio.h>
#include <unistd.h>

/* Places that fail, and how many there are at least; all of cryptocore in the slow binary. */
#ifndef REGION_SCOPE
#define REGION_SCOPE  "services/cryptocore/region/step_complete.c"
#define REGION_PLACES 20
#endif

static struct region_fixture fx;

static void up(void)
{
    struct kw_error err = {0};

    init_up();
    REQUIRE(kw_ok(kw_core_init(&init_fx.config, &err)), "%s", err.message);
    region_fixture_init(&fx, &init_fx.dir);
}

TestSuite(region_fault, .init = up, .fini = init_down, .timeout = 1800);

/* Nothing that a failed attempt wrote is in the way of the next; out_dir is another one each time. */
static struct kw_result request_try(struct kw_error *err)
{
    (void)unlink(fx.request.request_file);
    return kw_core_request(&fx.request, err);
}

static struct kw_result carry_try(struct kw_error *err)
{
    (void)unlink(fx.carry.carried_file);
    return kw_core_carry(&fx.carry, err);
}

static struct kw_result answer_try(struct kw_error *err)
{
    (void)unlink(fx.answer.answer_file);
    return kw_core_answer(&fx.answer, err);
}

static struct kw_result complete_try(struct kw_error *err)
{
    static unsigned attempts;

    snprintf(fx.paths[REGION_OUT], PATH_MAX, "%.*s/out-%u", PATH_MAX - 64, fx.dir.path, attempts++);
    return kw_core_complete(&fx.complete, err);
}

static struct kw_result regions_try(struct kw_error *err)
{
    return kw_core_regions(&fx.regions, err);
}

/* Ends with an attempt that succeeded: nothing was left to fail, or what failed was of no
 * consequence any more (the last thing that `complete` does). */
static void walk(const char *name, struct kw_result (*attempt)(struct kw_error *err))
{
    struct kw_result result;
    uint64_t before;
    bool fired;

    do {
        struct kw_error err = {0};

        before = region_tokens(&fx);
        faults_arm_at(REGION_SCOPE);
        result = attempt(&err);
        fired = faults_disarm();
        REQUIRE(fired || kw_ok(result), "%s, after %s: %s", name, kw_fault_plan()->last,
                err.message);
        REQUIRE(kw_ok(result) || (err.message[0] != 0 && region_tokens(&fx) == before),
                "%s, %s: %s", name, kw_fault_plan()->last, err.message);
        REQUIRE(!fired || !kw_ok(result) || attempt == complete_try, "%s: %s was not told", name,
                kw_fault_plan()->last);
    } while (!kw_ok(result));
}

Test(region_fault, every_place_of_every_step_may_fail_and_the_step_is_begun_anew)
{
    walk("request", request_try);
    region_approve(&fx);
    walk("carry", carry_try);
    walk("answer", answer_try);
    walk("complete", complete_try);
    walk("regions", regions_try);
    cr_assert(ge(u32, kw_fault_plan()->fired, REGION_PLACES));
}
