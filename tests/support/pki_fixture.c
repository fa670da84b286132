/* Certificates for tests. */
#include "tests/support/pki_fixture.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <openssl/x509v3.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static struct kw_error err;

struct kw_validity pki_validity(void)
{
    return (struct kw_validity){PKI_NOW_MS - PKI_DAY_MS, PKI_NOW_MS + PKI_DAY_MS};
}

struct kw_spiffe pki_caller(enum kw_role role, uint8_t fill)
{
    struct kw_spiffe id;
    struct kw_id caller;

    memset(caller.bytes, fill, sizeof(caller.bytes));
    cr_assert(kw_ok(kw_spiffe_caller(PKI_DOMAIN, role, caller, &id, &err)), "%s", err.message);
    return id;
}

void pki_fixture_init(struct pki_fixture *f)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key root = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key issuing = {0};
    struct kw_ca_plan plan = {&root, "test root", pki_validity(), 1, NULL};
    const struct kw_issuer issuer = {&f->root.certificate, &f->root.key};

    *f = (struct pki_fixture){0};
    cr_assert(kw_ok(kw_private_key_generate(&f->root.key, KW_CURVE_P384, &err)));
    cr_assert(kw_ok(kw_private_key_generate(&f->issuing.key, KW_CURVE_P384, &err)));
    cr_assert(kw_ok(kw_private_key_public(&f->root.key, &root, &err)));
    cr_assert(kw_ok(kw_private_key_public(&f->issuing.key, &issuing, &err)));
    cr_assert(kw_ok(kw_certificate_issue_root(&plan, &f->root.key, &f->root.certificate, &err)),
              "%s", err.message);
    plan = (struct kw_ca_plan){&issuing, "test issuing CA", pki_validity(), 0, NULL};
    cr_assert(kw_ok(kw_certificate_issue_ca(&plan, &issuer, &f->issuing.certificate, &err)), "%s",
              err.message);
}

void pki_pair_done(struct pki_pair *pair)
{
    kw_private_key_done(&pair->key);
    kw_certificate_done(&pair->certificate);
}

void pki_fixture_done(struct pki_fixture *f)
{
    pki_pair_done(&f->root);
    pki_pair_done(&f->issuing);
}

struct pki_pair pki_leaf(const struct pki_pair *issuer, const struct kw_spiffe *id, unsigned usage)
{
    enum kw_curve curve = usage == KW_USAGE_TRANSPORT ? KW_CURVE_P384 : KW_CURVE_P256;
    KW_SCOPED(kw_public_key_done) struct kw_public_key subject = {0};
    const struct kw_leaf_plan plan = {
        .subject = &subject, .identity = id, .validity = pki_validity(), .usage = usage};
    const struct kw_issuer signer = {&issuer->certificate, &issuer->key};
    struct pki_pair leaf = {0};

    cr_assert(kw_ok(kw_private_key_generate(&leaf.key, curve, &err)));
    cr_assert(kw_ok(kw_private_key_public(&leaf.key, &subject, &err)));
    cr_assert(kw_ok(kw_certificate_issue(&plan, &signer, &leaf.certificate, &err)), "%s",
              err.message);
    return leaf;
}

struct kw_certificate pki_spoil(const struct pki_pair *issuer, const struct kw_certificate *leaf,
                                void (*change)(X509 *x509), const EVP_MD *digest)
{
    X509 *copy = X509_dup(leaf->x509);

    cr_assert(copy != NULL);
    change(copy);
    cr_assert(X509_sign(copy, issuer->key.evp, digest) > 0);
    return (struct kw_certificate){copy};
}

void pki_replace_extension(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION *extension;

    X509_EXTENSION_free(X509_delete_ext(x509, X509_get_ext_by_NID(x509, nid, -1)));
    if (value == NULL) {
        return;
    }
    extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);
    cr_assert(extension != NULL, "extension %s", value);
    cr_assert(X509_add_ext(x509, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

void pki_pem(const struct kw_certificate *certificate, struct kw_buf *pem)
{
    cr_assert(kw_ok(kw_certificate_to_pem(certificate, pem, &err)));
}

int pki_run(const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;

    cr_assert(posix_spawn_file_actions_init(&actions) == 0);
    cr_assert(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) ==
              0);
    cr_assert(posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) ==
              0);
    /* posix_spawn's argv is not const for old callers' sake; it is not written. */
    cr_assert(
        posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    cr_assert(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
