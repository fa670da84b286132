/* Throw-away certificates for tests: a CA and leaves with any URI SANs, written as a credentials
 * directory. */
#ifndef KW_TESTS_SUPPORT_CERTS_H
#define KW_TESTS_SUPPORT_CERTS_H

#include <openssl/evp.h>
#include <openssl/x509.h>

struct test_ca {
    EVP_PKEY *key;
    X509 *cert;
};

/* A self-signed P-256 CA. Aborts when OpenSSL fails, like everything here. */
void test_ca_init(struct test_ca *ca, const char *name);
/* One that names its region (common/pki/region.h). */
void test_ca_init_region(struct test_ca *ca, const char *name, const char *region);
void test_ca_done(struct test_ca *ca);

/* Makes `dir` with key.pem, cert.pem (a leaf by `issuer` with the URI SANs, NULL-terminated) and
 * ca.pem (`trust`). */
void test_credentials(const char *dir, const struct test_ca *issuer, const struct test_ca *trust,
                      const char *const *uris);

/* The same, good from so many seconds from now to as many. */
void test_credentials_valid(const char *dir, const struct test_ca *issuer,
                            const struct test_ca *trust, const char *const *uris, long from_s,
                            long to_s);

/* Removes the three files and the directory. */
void test_credentials_remove(const char *dir);

#endif
