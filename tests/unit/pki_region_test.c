/* A CA that names its region certifies services of that region alone, whoever holds its key. */
#include "common/pki/region.h"
#include "common/pki/trust.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct kw_error err;
static struct pki_fixture pki;
static struct pki_pair ca; /* the services CA of region "north", below the root */

static void ca_make(const char *region)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    const struct kw_issuer issuer = {&pki.root.certificate, &pki.root.key};

    cr_assert(kw_ok(kw_private_key_generate(&ca.key, KW_CURVE_P384, &err)));
    cr_assert(kw_ok(kw_private_key_public(&ca.key, &subject, &err)));
    cr_assert(kw_ok(kw_certificate_issue_ca(&(struct kw_ca_plan){.subject = &subject,
                                                                 .name = "services CA",
                                                                 .validity = pki_validity(),
                                                                 .region = region},
                                            &issuer, &ca.certificate, &err)),
              "%s", err.message);
}

static void setup(void)
{
    pki_fixture_init(&pki);
    ca_make("north");
}

static void teardown(void)
{
    pki_pair_done(&ca);
    pki_fixture_done(&pki);
}

TestSuite(pki_region, .init = setup, .fini = teardown);

static struct kw_spiffe service_of(const char *region)
{
    struct kw_spiffe id;

    cr_assert(kw_ok(kw_spiffe_service(PKI_DOMAIN, region, "a", "authz", &id, &err)));
    return id;
}

static enum kw_reason verify(const struct kw_certificate *leaf)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};

    pki_pem(&ca.certificate, &pem);
    cr_assert(kw_ok(kw_trust_from_pem(&trust, kw_buf_bytes(&pem), &err)));
    return kw_trust_verify(&trust, leaf, NULL, KW_PURPOSE_CLIENT, PKI_NOW_MS, &err).reason;
}

static enum kw_reason issue(const char *region)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
    const struct kw_spiffe id = service_of(region);
    const struct kw_leaf_plan plan = {
        .subject = &subject, .identity = &id, .validity = pki_validity(), .usage = KW_USAGE_CLIENT};
    const struct kw_issuer issuer = {&ca.certificate, &ca.key};

    cr_assert(kw_ok(kw_private_key_generate(&key, KW_CURVE_P256, &err)));
    cr_assert(kw_ok(kw_private_key_public(&key, &subject, &err)));
    return kw_certificate_issue(&plan, &issuer, &made, &err).reason;
}

Test(pki_region, a_ca_names_its_region)
{
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

    cr_assert(kw_ok(kw_certificate_region(&ca.certificate, region, &err)), "%s", err.message);
    cr_expect(eq(str, region, "north"));
    cr_expect(kw_certificate_region(&pki.root.certificate, region, &err).reason ==
              KW_E_IDENTITY_INVALID);
}

Test(pki_region, services_of_other_regions_are_not_issued)
{
    cr_expect(eq(int, issue("north"), KW_E_NONE), "%s", err.message);
    cr_expect(eq(int, issue("south"), KW_E_IDENTITY_INVALID));
    cr_expect(eq(int, issue("northern"), KW_E_IDENTITY_INVALID));
}

/* What whoever stole the CA's key would make. */
static void name_south(X509 *x509)
{
    pki_replace_extension(x509, NID_subject_alt_name,
                          "URI:spiffe://" PKI_DOMAIN "/region/south/cell/a/svc/authz");
}

static void issuer_unit(X509 *x509, const char *unit)
{
    X509_NAME *name = X509_NAME_dup(X509_get_issuer_name(x509));

    cr_assert(name != NULL);
    cr_assert(X509_NAME_add_entry_by_NID(name, NID_organizationalUnitName, MBSTRING_UTF8,
                                         (const uint8_t *)unit, -1, -1, 0) == 1);
    cr_assert(X509_set_issuer_name(x509, name) == 1);
    X509_NAME_free(name);
}

static void name_south_twice(X509 *x509)
{
    name_south(x509);
    issuer_unit(x509, "south");
}

Test(pki_region, a_forged_leaf_of_another_region_is_not_believed)
{
    const struct kw_spiffe north = service_of("north");
    struct pki_pair leaf = pki_leaf(&ca, &north, KW_USAGE_CLIENT);
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate south = pki_spoil(&ca, &leaf.certificate, name_south, EVP_sha384());
    KW_SCOPED(kw_certificate_done)
    struct kw_certificate both = pki_spoil(&ca, &leaf.certificate, name_south_twice, EVP_sha384());

    cr_expect(eq(int, verify(&leaf.certificate), KW_E_NONE), "%s", err.message);
    cr_expect(eq(int, verify(&south), KW_E_IDENTITY_INVALID));
    cr_expect(strstr(err.message, "another region's CA") != NULL, "%s", err.message);
    cr_expect(eq(int, verify(&both), KW_E_IDENTITY_INVALID));
    cr_expect(eq(int, kw_region_check(both.x509, &err).reason, KW_E_IDENTITY_INVALID));
    pki_pair_done(&leaf);
}

/* Whoever is no service belongs to no region. */
Test(pki_region, callers_are_certified_wherever_they_are)
{
    const struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 1);
    struct pki_pair leaf = pki_leaf(&ca, &partner, KW_USAGE_CLIENT);

    cr_expect(eq(int, verify(&leaf.certificate), KW_E_NONE), "%s", err.message);
    pki_pair_done(&leaf);
}

#define SIXTEEN "abcdefghijklmnop"

static enum kw_reason region_read(const char *name)
{
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

    pki_pair_done(&ca);
    ca = (struct pki_pair){0};
    ca_make(name);
    return kw_certificate_region(&ca.certificate, region, &err).reason;
}

Test(pki_region, what_is_no_name_of_a_region_is_refused)
{
    cr_expect(eq(int, region_read("eu-north.1_x"), KW_E_NONE), "%s", err.message);
    cr_expect(eq(int, region_read("North"), KW_E_IDENTITY_INVALID));
    cr_expect(eq(int, region_read("no/rth"), KW_E_IDENTITY_INVALID));
    cr_expect(eq(int, region_read(SIXTEEN SIXTEEN SIXTEEN SIXTEEN), KW_E_IDENTITY_INVALID));
    cr_expect(eq(int, region_read("r\xc3\xa9gion"), KW_E_IDENTITY_INVALID));
}
