/* Credentials of which a part is changed: the other part is what it was by then, whoever else is at it. */
#include "common/pki/credentials.h"
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 25

static struct kw_error err;
static struct pki_fixture pki;
static char dir[64];
static char path[80];

/* The three texts of credentials. */
struct texts {
    struct kw_buf key;
    struct kw_buf cert;
    struct kw_buf ca;
};

static void texts_done(struct texts *t)
{
    kw_buf_done(&t->key);
    kw_buf_done(&t->cert);
    kw_buf_done(&t->ca);
}

static struct texts texts_make(const struct kw_certificate *ca)
{
    const struct kw_spiffe id = pki_caller(KW_ROLE_PARTNER, 7);
    struct pki_pair leaf = pki_leaf(&pki.issuing, &id, KW_USAGE_CLIENT);
    struct texts t = {0};

    cr_assert(kw_ok(kw_private_key_to_pem(&leaf.key, &t.key, &err)));
    pki_pem(&leaf.certificate, &t.cert);
    pki_pem(ca, &t.ca);
    pki_pair_done(&leaf);
    return t;
}

static void setup(void)
{
    KW_SCOPED(texts_done) struct texts t = {0};

    (void)snprintf(dir, sizeof(dir), "/tmp/kw-pki-test-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof(path), "%s/authz", dir);
    pki_fixture_init(&pki);
    t = texts_make(&pki.root.certificate);
    cr_assert(kw_ok(kw_credentials_write(path,
                                         &(struct kw_credentials_pem){kw_buf_bytes(&t.key),
                                                                      kw_buf_bytes(&t.cert),
                                                                      kw_buf_bytes(&t.ca)},
                                         &err)));
}

static int remove_one(const char *file, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(file);
}

static void teardown(void)
{
    pki_fixture_done(&pki);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(pki_change, .init = setup, .fini = teardown, .timeout = 60);

static struct kw_result renew(const struct texts *t)
{
    return kw_credentials_renew(path, kw_buf_bytes(&t->key), kw_buf_bytes(&t->cert), &err);
}

static struct kw_result trust(const struct texts *t)
{
    return kw_credentials_trust(path, kw_buf_bytes(&t->ca), &err);
}

/* Key and certificate are the one's, CAs the other's. */
static void expect(const struct texts *renewed, const struct texts *trusted)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials loaded = {0};

    cr_assert(kw_ok(kw_credentials_load(&loaded, path, &err)), "%s", err.message);
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.key_pem), kw_buf_bytes(&renewed->key)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.cert_pem), kw_buf_bytes(&renewed->cert)));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&loaded.ca_pem), kw_buf_bytes(&trusted->ca)));
}

Test(pki_change, what_is_not_changed_stays)
{
    KW_SCOPED(texts_done) struct texts one = texts_make(&pki.issuing.certificate);
    KW_SCOPED(texts_done) struct texts two = texts_make(&pki.root.certificate);

    cr_assert(kw_ok(renew(&one)), "%s", err.message);
    cr_assert(kw_ok(trust(&two)), "%s", err.message);
    expect(&one, &two);
    cr_assert(kw_ok(trust(&one)), "%s", err.message);
    expect(&one, &one);
    cr_assert(kw_ok(renew(&two)), "%s", err.message);
    expect(&two, &one);
}

/* In a process of its own, as a service and a tool are. */
static pid_t again_and_again(struct kw_result (*change)(const struct texts *t),
                             const struct texts *one, const struct texts *two)
{
    pid_t pid = fork();

    cr_assert(pid >= 0);
    if (pid == 0) {
        bool good = true;

        for (int i = 0; i < ROUNDS && good; i++) {
            good = kw_ok(change(one)) && kw_ok(change(two));
        }
        _exit(good ? 0 : 1);
    }
    return pid;
}

static void ended_well(pid_t pid)
{
    int status;

    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(eq(int, status, 0));
}

Test(pki_change, two_at_once_do_not_undo_one_another)
{
    KW_SCOPED(texts_done) struct texts one = texts_make(&pki.issuing.certificate);
    KW_SCOPED(texts_done) struct texts two = texts_make(&pki.root.certificate);
    pid_t renewing = again_and_again(renew, &one, &two);
    pid_t telling = again_and_again(trust, &two, &one);

    ended_well(renewing);
    ended_well(telling);
    expect(&two, &one);
}

Test(pki_change, what_is_not_there_is_not_changed)
{
    KW_SCOPED(texts_done) struct texts t = texts_make(&pki.root.certificate);
    char longer[PATH_MAX + 8];

    cr_expect(kw_credentials_trust("/nowhere/authz", kw_buf_bytes(&t.ca), &err).reason ==
              KW_E_SYSTEM);
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    cr_expect(kw_credentials_trust(longer, kw_buf_bytes(&t.ca), &err).reason ==
              KW_E_CONFIG_INVALID);
    (void)snprintf(path, sizeof(path), "%s/another", dir);
    cr_expect(trust(&t).reason == KW_E_CONFIG_INVALID);
}
