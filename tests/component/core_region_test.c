/* Two regions of one mesh, a core each: what the one's HSM wrapped and MACed, the other's opens and verifies; and the one
 * that was there first takes the other's callers while it runs. */
#include "tests/support/core_fixture.h"
#include "tests/support/must.h"
#include "tests/support/region_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct core_fixture home;
static struct core_fixture away;
static struct region_fixture region;

static void up(void)
{
    core_fixture_init(&home);
    region_fixture_init(&region, &home.dir);
    region_fixture_run(&region);
    core_fixture_beside(&away, &home,
                        &(struct core_place){.region = REGION_NEW,
                                             .cell = REGION_NEW_CELL,
                                             .out = REGION_NEW,
                                             .token = REGION_NEW_TOKEN});
}

static void down(void)
{
    core_fixture_done(&away);
    core_fixture_done(&home);
}

TestSuite(core_region, .init = up, .fini = down, .timeout = 200);

/* A partner asks for a key of a pen. */
static enum kw_reason key_ask(struct core_fixture *fx, const struct core_device *device,
                              const struct core_caller *partner)
{
    struct core_ask ask;

    core_access_ask(fx, &ask, device, partner);
    return core_ask(fx, &ask).reason;
}

Test(core_region, what_one_region_s_core_wrapped_and_stated_the_other_s_opens_and_believes)
{
    struct core_caller station;
    struct core_caller partner;
    struct core_device device;

    core_member(&home, KW_ROLE_STATION, &station);
    core_member(&home, KW_ROLE_PARTNER, &partner);
    core_device(&home, &station, &device);
    cr_expect(eq(int, key_ask(&home, &device, &partner), KW_E_NONE));
    cr_expect(eq(int, key_ask(&away, &device, &partner), KW_E_NONE));
    device.key->facts[0]->mac.data[0] ^= 1;
    cr_expect(eq(int, key_ask(&away, &device, &partner), KW_E_BINDING_INVALID));
    core_device_done(&device);
    core_caller_done(&station);
    core_caller_done(&partner);
}

/* The signature of a caller whose certificate the other region issued. */
static enum kw_reason batch(struct core_fixture *fx, const struct core_caller *station)
{
    struct core_device device = {0};
    struct core_ask ask;

    core_batch_ask(fx, &ask, station, &device);
    return core_ask(fx, &ask).reason;
}

Test(core_region, a_region_that_ran_before_takes_the_other_s_callers)
{
    struct core_caller station;

    core_member(&away, KW_ROLE_STATION, &station);
    cr_expect(eq(int, batch(&away, &station), KW_E_NONE));
    EVENTUALLY(&home, batch(&home, &station) == KW_E_NONE);
    core_caller_done(&station);
}

/* Its own region's authz is all that a core believes: the other's capsules are no capsules. */
Test(core_region, another_region_s_capsule_is_none)
{
    struct core_caller station;
    struct core_device device = {0};
    struct core_ask ask;

    core_member(&away, KW_ROLE_STATION, &station);
    core_batch_ask(&away, &ask, &station, &device);
    ask.seal_key = &home.authz.key;
    ask.seal_certificate = kw_buf_bytes(&home.authz_der);
    cr_expect(eq(int, core_ask(&away, &ask).reason, KW_E_CAPSULE_INVALID));
    core_caller_done(&station);
}
