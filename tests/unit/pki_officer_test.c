/* Who the first officer is, by the files in pki_dir. */
#include "common/pki/officer.h"

#include "common/crypto/keyfile.h"
#include "tests/support/must.h"
#include "tests/support/pki_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct pki_fixture cas;
static char dir[] = "/tmp/kw_officer_XXXXXX";

static void path_of(const char *name, char path[64])
{
    (void)snprintf(path, 64, "%s/%s", dir, name);
}

static void write_pem(const char *name, const struct kw_certificate *certificate)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    char path[64];

    path_of(name, path);
    MUST(kw_certificate_to_pem(certificate, &pem, err));
    MUST(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&pem), KW_KEYFILE_MODE_PUBLIC, err));
}

static void setup(void)
{
    REQUIRE(mkdtemp(dir) != NULL, "%s", dir);
    pki_fixture_init(&cas);
    write_pem("ca-operators.pem", &cas.issuing.certificate);
}

static void teardown(void)
{
    static const char *const names[] = {"ca-operators.pem", KW_OFFICER_FILE};
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        path_of(names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    pki_fixture_done(&cas);
}

TestSuite(pki_officer, .init = setup, .fini = teardown, .timeout = 60);

static enum kw_reason loaded(void)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    return kw_officer_load(dir, PKI_DOMAIN, &key, NULL).reason;
}

/* The officer's file holds a leaf of this role, by these CAs. */
static struct pki_pair officer_is(enum kw_role role, const struct pki_pair *issuer)
{
    struct kw_spiffe id = pki_caller(role, 7);
    struct pki_pair officer = pki_leaf(issuer, &id, KW_USAGE_CLIENT);

    write_pem(KW_OFFICER_FILE, &officer.certificate);
    return officer;
}

Test(pki_officer, its_key_is_that_of_the_certificate)
{
    struct pki_pair officer = officer_is(KW_ROLE_OPERATOR, &cas.issuing);
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key expected = {0};
    struct kw_spki a;
    struct kw_spki b;

    MUST(kw_officer_load(dir, PKI_DOMAIN, &key, err));
    MUST(kw_private_key_public(&officer.key, &expected, err));
    MUST(kw_public_key_spki(&key, &a, err));
    MUST(kw_public_key_spki(&expected, &b, err));
    cr_assert(kw_bytes_equal(kw_spki_bytes(&a), kw_spki_bytes(&b)));
    pki_pair_done(&officer);
}

Test(pki_officer, an_officer_is_an_operator_by_our_cas_in_our_domain)
{
    struct pki_fixture others;
    struct pki_pair officer = officer_is(KW_ROLE_STATION, &cas.issuing);

    cr_assert_eq(loaded(), KW_E_CONFIG_INVALID, "a station's certificate");
    pki_pair_done(&officer);
    pki_fixture_init(&others);
    officer = officer_is(KW_ROLE_OPERATOR, &others.issuing);
    cr_assert_eq(loaded(), KW_E_CONFIG_INVALID, "another CA's");
    pki_pair_done(&officer);
    pki_fixture_done(&others);
    officer = officer_is(KW_ROLE_OPERATOR, &cas.issuing);
    cr_assert_eq(loaded(), KW_E_NONE);
    cr_assert_eq(kw_officer_load(dir, "other.domain", &(struct kw_public_key){0}, NULL).reason,
                 KW_E_CONFIG_INVALID);
    pki_pair_done(&officer);
}

Test(pki_officer, without_the_files_nobody_is)
{
    char path[64];

    cr_assert_eq(loaded(), KW_E_CONFIG_INVALID, "no officer");
    write_pem(KW_OFFICER_FILE, &cas.issuing.certificate);
    cr_assert_eq(loaded(), KW_E_CONFIG_INVALID, "a CA is none");
    path_of("ca-operators.pem", path);
    REQUIRE(unlink(path) == 0, "%s", path);
    cr_assert_eq(loaded(), KW_E_CONFIG_INVALID, "no CAs");
}
