/* Certificates for tests: a root, an issuing CA, leaves of any role, and leaves that are wrong in
 * one way. Fails the running test when it cannot make them. */
#ifndef KW_TESTS_SUPPORT_PKI_FIXTURE_H
#define KW_TESTS_SUPPORT_PKI_FIXTURE_H

#include "common/pki/build.h"

#define PKI_DOMAIN "test.keyward"
#define PKI_NOW_MS UINT64_C(1800000000000) /* when the tests' certificates are valid */
#define PKI_DAY_MS UINT64_C(86400000)

/* A certificate and its key: a CA's or a leaf's. */
struct pki_pair {
    struct kw_private_key key;
    struct kw_certificate certificate;
};

struct pki_fixture {
    struct pki_pair root;
    struct pki_pair issuing; /* below the root */
};

void pki_fixture_init(struct pki_fixture *f);
void pki_fixture_done(struct pki_fixture *f);
void pki_pair_done(struct pki_pair *pair);

/* From a day before PKI_NOW_MS to a day after. */
struct kw_validity pki_validity(void);

/* An id in PKI_DOMAIN whose bytes are all `fill`. */
struct kw_spiffe pki_caller(enum kw_role role, uint8_t fill);

/* A leaf with a new key, P-384 for transport and P-256 otherwise. */
struct pki_pair pki_leaf(const struct pki_pair *issuer, const struct kw_spiffe *id, unsigned usage);

/* Lets `change` spoil a copy of the leaf's certificate and signs it again with the issuer's key and
 * `digest`. */
struct kw_certificate pki_spoil(const struct pki_pair *issuer, const struct kw_certificate *leaf,
                                void (*change)(X509 *x509), const EVP_MD *digest);

/* Replaces an extension by one in the notation of openssl's configuration; NULL only removes it. */
void pki_replace_extension(X509 *x509, int nid, const char *value);

/* Appends PEM. */
void pki_pem(const struct kw_certificate *certificate, struct kw_buf *pem);

/* Runs a program without a shell, its output discarded, and returns its exit status. `argv` ends
 * with NULL. */
int pki_run(const char *const *argv);

#endif
