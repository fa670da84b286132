/* SPIFFE ids: every accepted form, and the spellings that are refused. */
#include "common/pki/spiffe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define ID "aaaqeayeaudaocajbifqydiob4" /* 00 01 … 0f */

static struct kw_error err;

static enum kw_reason parse(const char *text)
{
    struct kw_spiffe id;

    return kw_spiffe_parse(kw_bytes_str(text), &id, &err).reason;
}

static void expect_round_trip(const char *text, enum kw_role role)
{
    struct kw_spiffe id;
    char back[KW_SPIFFE_TEXT_SIZE];

    cr_assert(kw_ok(kw_spiffe_parse(kw_bytes_str(text), &id, &err)), "%s: %s", text, err.message);
    cr_expect(id.role == role);
    cr_expect(eq(str, kw_spiffe_text(&id, back), (char *)text));
}

Test(pki_spiffe, every_role_round_trips)
{
    expect_round_trip("spiffe://d.example/region/eu-1/cell/a/svc/authz", KW_ROLE_SERVICE);
    expect_round_trip("spiffe://d.example/partner/prt_" ID, KW_ROLE_PARTNER);
    expect_round_trip("spiffe://d.example/operator/opr_" ID, KW_ROLE_OPERATOR);
    expect_round_trip("spiffe://d.example/station/sta_" ID, KW_ROLE_STATION);
    expect_round_trip("spiffe://d.example/invite/inv_" ID, KW_ROLE_INVITATION);
}

Test(pki_spiffe, parts_come_out)
{
    const char *text = "spiffe://d.example/region/eu-1/cell/a.b_c/svc/authz";
    struct kw_spiffe id;

    cr_assert(kw_ok(kw_spiffe_parse(kw_bytes_str(text), &id, &err)));
    cr_expect(eq(str, id.trust_domain, "d.example"));
    cr_expect(eq(str, id.region, "eu-1"));
    cr_expect(eq(str, id.cell, "a.b_c"));
    cr_expect(eq(str, id.service, "authz"));
    cr_expect(kw_id_is_none(id.id));
}

Test(pki_spiffe, other_spellings_are_refused)
{
    static const char *const spellings[] = {
        "",
        "spiffe://",
        "spiffe://d",
        "spiffe://d/",
        "SPIFFE://d/partner/prt_" ID,
        "spiffe:/d/partner/prt_" ID,
        "https://d/partner/prt_" ID,
        "spiffe://D/partner/prt_" ID,
        "spiffe:///partner/prt_" ID,
        "spiffe://u@d/partner/prt_" ID,
        "spiffe://d:443/partner/prt_" ID,
        "spiffe://d/Partner/prt_" ID,
        "spiffe://d/p%61rtner/prt_" ID,
        "spiffe://d/partner/prt_" ID "/",
        "spiffe://d//partner/prt_" ID,
        "spiffe://d/partner//prt_" ID,
        "spiffe://d/./partner/prt_" ID,
        "spiffe://d/partner/prt_" ID "?a=b",
        "spiffe://d/partner/prt_" ID "#f",
        " spiffe://d/partner/prt_" ID,
        "spiffe://d/partner/prt_" ID " ",
        "spiffe://d/partner/opr_" ID,
        "spiffe://d/partner/PRT_" ID,
        "spiffe://d/partner/prt_aaaqeayeaudaocajbifqydiob5", /* the same id, padding bits set */
        "spiffe://d/partner/prt_AAAQEAYEAUDAOCAJBIFQYDIOB4",
        "spiffe://d/partner/prt_aaaq",
        "spiffe://d/service/prt_" ID,
        "spiffe://d/unknown/prt_" ID,
    };

    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        cr_expect(parse(spellings[i]) == KW_E_IDENTITY_INVALID, "accepted: %s", spellings[i]);
    }
}

Test(pki_spiffe, other_service_paths_are_refused)
{
    static const char *const spellings[] = {
        "spiffe://d/region/r/cell/c/svc",        "spiffe://d/region/r/cell/c/svc/",
        "spiffe://d/region/r/cell/c/svc/n/more", "spiffe://d/region//cell/c/svc/n",
        "spiffe://d/region/r/cell/../svc/n",     "spiffe://d/region/r/cell/./svc/n",
        "spiffe://d/region/r/cell/c/svc/Authz",  "spiffe://d/region/r/cell/c/svc/a~b",
        "spiffe://d/cell/c/region/r/svc/n",      "spiffe://d/region/r/zone/c/svc/n",
        "spiffe://d/region/r/cell/c/service/n",
    };

    for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
        cr_expect(parse(spellings[i]) == KW_E_IDENTITY_INVALID, "accepted: %s", spellings[i]);
    }
}

Test(pki_spiffe, a_nul_inside_is_refused)
{
    static const char text[] = "spiffe://d/partner/prt_" ID "\0.evil";
    struct kw_spiffe id;

    cr_expect(kw_spiffe_parse(KW_BYTES(text, sizeof(text) - 1), &id, &err).reason ==
              KW_E_IDENTITY_INVALID);
}

Test(pki_spiffe, long_ids_are_refused_and_the_longest_fits)
{
    char text[KW_SPIFFE_LEN_MAX + 2];
    struct kw_spiffe id;
    char name[KW_SPIFFE_DOMAIN_LEN_MAX + 2];

    memset(text, 'a', sizeof(text));
    kw_copy(text, "spiffe://", 9);
    cr_expect(kw_spiffe_parse(KW_BYTES_OF(text), &id, &err).reason == KW_E_IDENTITY_INVALID);
    memset(name, 'a', sizeof(name));
    name[KW_SPIFFE_DOMAIN_LEN_MAX + 1] = '\0';
    cr_expect(kw_spiffe_service(name, "r", "c", "s", &id, &err).reason == KW_E_ARGUMENT_INVALID);
    name[KW_SPIFFE_DOMAIN_LEN_MAX] = '\0';
    cr_expect(kw_spiffe_service("d", "r", "c", name, &id, &err).reason == KW_E_ARGUMENT_INVALID);
    {
        const char *segment = name + KW_SPIFFE_DOMAIN_LEN_MAX - KW_SPIFFE_SEGMENT_LEN_MAX;

        cr_assert(kw_ok(kw_spiffe_service(name, segment, segment, segment, &id, &err)));
        cr_expect(kw_ok(kw_spiffe_parse(kw_bytes_str(kw_spiffe_text(&id, text)), &id, &err)));
    }
}

Test(pki_spiffe, ids_are_made_only_of_good_parts)
{
    struct kw_spiffe id;

    cr_expect(kw_spiffe_service("d", "r/x", "c", "s", &id, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_spiffe_service("d", "", "c", "s", &id, &err).reason == KW_E_ARGUMENT_INVALID);
    cr_expect(kw_spiffe_caller("D", KW_ROLE_PARTNER, KW_ID_NONE, &id, &err).reason ==
              KW_E_ARGUMENT_INVALID);
    cr_expect(kw_spiffe_caller("d", KW_ROLE_SERVICE, KW_ID_NONE, &id, &err).reason ==
              KW_E_ARGUMENT_INVALID);
}

Test(pki_spiffe, equality_is_that_of_the_text)
{
    const struct kw_id one = {{1}};
    struct kw_spiffe a;
    struct kw_spiffe b;

    cr_assert(kw_ok(kw_spiffe_caller("d", KW_ROLE_PARTNER, one, &a, &err)));
    cr_assert(kw_ok(kw_spiffe_caller("d", KW_ROLE_PARTNER, one, &b, &err)));
    cr_expect(kw_spiffe_equal(&a, &b));
    cr_assert(kw_ok(kw_spiffe_caller("d", KW_ROLE_STATION, one, &b, &err)));
    cr_expect_not(kw_spiffe_equal(&a, &b));
    cr_assert(kw_ok(kw_spiffe_caller("e", KW_ROLE_PARTNER, one, &b, &err)));
    cr_expect_not(kw_spiffe_equal(&a, &b));
}
