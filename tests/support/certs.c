/* Certificates made with OpenSSL as the test needs them, good for an hour. */
#include "tests/support/certs.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIFETIME_S 3600
#define BACKDATE_S 60

/* Criterion is left out, so that the benches can use this too. */
static void must(bool true_enough, const char *what)
{
    if (!true_enough) {
        (void)fprintf(stderr, "test certificates: %s\n", what);
        abort();
    }
}

static X509 *cert_new(EVP_PKEY *key, const char *name)
{
    static long serial;
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    must(cert != NULL, "no memory");
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S);
    X509_gmtime_adj(X509_getm_notAfter(cert), LIFETIME_S);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_pubkey(cert, key);
    return cert;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static void add_uris(X509 *cert, const char *const *uris)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    for (; *uris != NULL; uris++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *uri = ASN1_IA5STRING_new();

        ASN1_STRING_set(uri, *uris, -1);
        GENERAL_NAME_set0_value(name, GEN_URI, uri);
        sk_GENERAL_NAME_push(names, name);
    }
    must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1, "names");
    GENERAL_NAMES_free(names);
}

static void ca_init(struct test_ca *ca, const char *name, const char *region)
{
    ca->key = EVP_EC_gen("P-256");
    ca->cert = cert_new(ca->key, name);
    if (region != NULL) {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(ca->cert), "OU", MBSTRING_ASC,
                                   (const unsigned char *)region, -1, -1, 0);
    }
    X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert));
    add_extension(ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(ca->cert, NID_key_usage, "critical,keyCertSign");
    must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0, "signing");
}

void test_ca_init(struct test_ca *ca, const char *name)
{
    ca_init(ca, name, NULL);
}

void test_ca_init_region(struct test_ca *ca, const char *name, const char *region)
{
    ca_init(ca, name, region);
}

void test_ca_done(struct test_ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static FILE *open_in(const char *dir, const char *name)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    file = fopen(path, "w");
    must(file != NULL, path);
    return file;
}

static void write_cert(const char *dir, const char *name, X509 *cert)
{
    FILE *file = open_in(dir, name);

    must(PEM_write_X509(file, cert) == 1, name);
    fclose(file);
}

static void write_key(const char *dir, EVP_PKEY *key)
{
    FILE *file = open_in(dir, "key.pem");

    must(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1, "key");
    fclose(file);
}

void test_credentials(const char *dir, const struct test_ca *issuer, const struct test_ca *trust,
                      const char *const *uris)
{
    test_credentials_valid(dir, issuer, trust, uris, -BACKDATE_S, LIFETIME_S);
}

void test_credentials_valid(const char *dir, const struct test_ca *issuer,
                            const struct test_ca *trust, const char *const *uris, long from_s,
                            long to_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = cert_new(key, "leaf");

    mkdir(dir, S_IRWXU);
    X509_gmtime_adj(X509_getm_notBefore(cert), from_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), to_s);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer->cert));
    add_extension(cert, NID_basic_constraints, "critical,CA:FALSE");
    add_uris(cert, uris);
    must(X509_sign(cert, issuer->key, EVP_sha256()) > 0, "signing");
    write_key(dir, key);
    write_cert(dir, "cert.pem", cert);
    write_cert(dir, "ca.pem", trust->cert);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void test_credentials_remove(const char *dir)
{
    static const char *const names[] = {"key.pem", "cert.pem", "ca.pem"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}
