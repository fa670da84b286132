/* The ceremony on a fresh token: what it leaves when it fails half-way. */
#include "services/cryptocore/hsm/objects.h"
#include "tests/support/softhsm.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct softhsm softhsm;

static void set_up(void)
{
    softhsm_init(&softhsm);
}

static void tear_down(void)
{
    softhsm_done(&softhsm);
}

TestSuite(hsm_ceremony, .init = set_up, .fini = tear_down);

Test(hsm_ceremony, an_unusable_recovery_key_leaves_the_token_fresh)
{
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;
    struct kw_hsm_keys_made made = {0};

    cr_assert(kw_ok(kw_hsm_ceremony_new(&token, &ceremony, NULL)));
    for (int i = 0; i < 2; i++) {
        cr_assert(eq(int,
                     kw_hsm_ceremony_make(ceremony, kw_bytes_str("no key"), &made, NULL).reason,
                     KW_E_ARGUMENT_INVALID));
    }
    kw_hsm_ceremony_free(ceremony);
}

Test(hsm_ceremony, an_unknown_token_or_provider_or_module_is_named)
{
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_token other = token;
    struct kw_hsm_ceremony *ceremony;

    other.token_label = "another";
    cr_assert(eq(int, kw_hsm_ceremony_new(&other, &ceremony, NULL).reason, KW_E_HSM_UNAVAILABLE));
    other = token;
    other.provider = "nobody's";
    cr_assert(eq(int, kw_hsm_ceremony_new(&other, &ceremony, NULL).reason, KW_E_CONFIG_INVALID));
    other = token;
    other.module_path = softhsm.pin;
    cr_assert(eq(int, kw_hsm_ceremony_new(&other, &ceremony, NULL).reason, KW_E_CONFIG_INVALID));
}

Test(hsm_ceremony, two_tokens_of_one_label_are_none)
{
    struct kw_hsm_token token = softhsm_token(&softhsm);
    struct kw_hsm_ceremony *ceremony;
    struct kw_error err = {0};

    softhsm_another_token();
    cr_assert(eq(int, kw_hsm_ceremony_new(&token, &ceremony, &err).reason, KW_E_CONFIG_INVALID));
    cr_assert(strstr(err.message, "two tokens are labelled") != NULL, "%s", err.message);
}
