/* Certificate extensions, built as objects: no text that names or hosts could break out of. */
#include "common/pki/extensions.h"

#include "common/crypto/digest.h"
#include "common/pki/hosts.h"
#include "common/pki/x509.h"

#include <arpa/inet.h>

#define KEY_ID_LEN 20   /* RFC 7093 §2, method 1: the first 160 bits of SHA-256 */
#define DER_TRUE   0xff /* written as it is; DER knows no other, and Go refuses others */

KW_OPENSSL_SCOPED(basic_constraints_done, BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free)
KW_OPENSSL_SCOPED(bits_done, ASN1_BIT_STRING, ASN1_BIT_STRING_free)
KW_OPENSSL_SCOPED(octets_done, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free)
KW_OPENSSL_SCOPED(extended_usage_done, EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free)
KW_OPENSSL_SCOPED(authority_done, AUTHORITY_KEYID, AUTHORITY_KEYID_free)

/* Bit numbers of KeyUsage, RFC 5280 §4.2.1.3. */
enum key_usage_bit {
    DIGITAL_SIGNATURE = 0,
    KEY_AGREEMENT = 4,
    KEY_CERT_SIGN = 5,
    CRL_SIGN = 6,
};

static struct kw_result add(X509 *x509, int nid, void *value, bool critical, struct kw_error *err)
{
    KW_ENSURE(X509_add1_ext_i2d(x509, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1, err,
              CRYPTO, "extension %s: %s", OBJ_nid2sn(nid), kw_openssl_reason());
    return KW_OK;
}

/* `path_len` below zero: not a CA. */
static struct kw_result add_constraints(X509 *x509, int path_len, struct kw_error *err)
{
    KW_SCOPED(basic_constraints_done) BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();

    KW_ENSURE(constraints != NULL, err, MEMORY, "basic constraints");
    if (path_len >= 0) {
        constraints->ca = DER_TRUE;
        constraints->pathlen = ASN1_INTEGER_new();
        KW_ENSURE(constraints->pathlen != NULL &&
                      ASN1_INTEGER_set(constraints->pathlen, path_len) == 1,
                  err, MEMORY, "path length");
    }
    return add(x509, NID_basic_constraints, constraints, true, err);
}

static struct kw_result add_key_usage(X509 *x509, const enum key_usage_bit *usage, size_t count,
                                      struct kw_error *err)
{
    KW_SCOPED(bits_done) ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();

    KW_ENSURE(bits != NULL, err, MEMORY, "key usage");
    for (size_t i = 0; i < count; i++) {
        KW_ENSURE(ASN1_BIT_STRING_set_bit(bits, (int)usage[i], 1) == 1, err, MEMORY, "key usage");
    }
    return add(x509, NID_key_usage, bits, true, err);
}

struct kw_result kw_extensions_ca(X509 *x509, int path_len, struct kw_error *err)
{
    static const enum key_usage_bit usage[] = {KEY_CERT_SIGN, CRL_SIGN};

    KW_TRY(add_constraints(x509, path_len, err));
    return add_key_usage(x509, usage, sizeof(usage) / sizeof(usage[0]), err);
}

static struct kw_result add_extended_usage(X509 *x509, unsigned usage, struct kw_error *err)
{
    KW_SCOPED(extended_usage_done) EXTENDED_KEY_USAGE *extended = EXTENDED_KEY_USAGE_new();

    KW_ENSURE(extended != NULL, err, MEMORY, "extended key usage");
    /* The objects of OBJ_nid2obj are static: the stack's destructor knows that they are not to be
     * freed. */
    if ((usage & KW_USAGE_CLIENT) != 0) {
        KW_ENSURE(sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_client_auth)) > 0, err, MEMORY,
                  "extended key usage");
    }
    if ((usage & KW_USAGE_SERVER) != 0) {
        KW_ENSURE(sk_ASN1_OBJECT_push(extended, OBJ_nid2obj(NID_server_auth)) > 0, err, MEMORY,
                  "extended key usage");
    }
    return add(x509, NID_ext_key_usage, extended, false, err);
}

struct kw_result kw_extensions_leaf(X509 *x509, unsigned usage, struct kw_error *err)
{
    static const enum key_usage_bit signing[] = {DIGITAL_SIGNATURE};
    static const enum key_usage_bit agreeing[] = {KEY_AGREEMENT};

    KW_TRY(add_constraints(x509, -1, err));
    if (usage == KW_USAGE_TRANSPORT) {
        return add_key_usage(x509, agreeing, 1, err);
    }
    KW_TRY(add_key_usage(x509, signing, 1, err));
    return add_extended_usage(x509, usage, err);
}

/* Adds one name; `type` is GEN_URI, GEN_DNS or GEN_IPADD, which share the representation of a
 * string. */
static struct kw_result push_name(GENERAL_NAMES *names, int type, struct kw_bytes text,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_general_name_done) GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_STRING *string =
        ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

    if (name == NULL || string == NULL || ASN1_STRING_set(string, text.data, (int)text.len) != 1) {
        ASN1_STRING_free(string);
        KW_FAIL(err, MEMORY, "alternative name");
    }
    GENERAL_NAME_set0_value(name, type, string);
    KW_ENSURE(sk_GENERAL_NAME_push(names, name) > 0, err, MEMORY, "alternative names");
    name = NULL;
    return KW_OK;
}

static struct kw_result push_host(GENERAL_NAMES *names, const char *host, struct kw_error *err)
{
    uint8_t address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1) {
        return push_name(names, GEN_IPADD, KW_BYTES(address, sizeof(struct in_addr)), err);
    }
    if (inet_pton(AF_INET6, host, address) == 1) {
        return push_name(names, GEN_IPADD, KW_BYTES(address, sizeof(struct in6_addr)), err);
    }
    KW_ENSURE(kw_host_is_dns(host), err, ARGUMENT_INVALID,
              "host is neither a DNS name nor an IP address");
    return push_name(names, GEN_DNS, kw_bytes_str(host), err);
}

struct kw_result kw_extensions_names(X509 *x509, const struct kw_leaf_plan *plan,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_general_names_done) GENERAL_NAMES *names = GENERAL_NAMES_new();
    char uri[KW_SPIFFE_TEXT_SIZE];

    KW_ENSURE(names != NULL, err, MEMORY, "alternative names");
    KW_TRY(push_name(names, GEN_URI, kw_bytes_str(kw_spiffe_text(plan->identity, uri)), err));
    for (size_t i = 0; i < plan->host_count; i++) {
        KW_TRY(push_host(names, plan->hosts[i], err));
    }
    return add(x509, NID_subject_alt_name, names, false, err);
}

static struct kw_result add_subject_key_id(X509 *x509, struct kw_error *err)
{
    KW_SCOPED(octets_done) ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(x509);
    uint8_t digest[KW_SHA256_LEN];

    KW_ENSURE(id != NULL && key != NULL, err, MEMORY, "key identifier");
    KW_TRY(kw_sha256(KW_BYTES(ASN1_STRING_get0_data(key), (size_t)ASN1_STRING_length(key)), digest,
                     err));
    KW_ENSURE(ASN1_OCTET_STRING_set(id, digest, KEY_ID_LEN) == 1, err, MEMORY, "key identifier");
    return add(x509, NID_subject_key_identifier, id, false, err);
}

struct kw_result kw_extensions_key_ids(X509 *x509, X509 *issuer, struct kw_error *err)
{
    KW_SCOPED(authority_done) AUTHORITY_KEYID *authority = AUTHORITY_KEYID_new();
    KW_SCOPED(octets_done) ASN1_OCTET_STRING *issuer_id = NULL;

    KW_ENSURE(authority != NULL, err, MEMORY, "authority key identifier");
    KW_TRY(add_subject_key_id(x509, err));
    issuer_id = X509_get_ext_d2i(issuer, NID_subject_key_identifier, NULL, NULL);
    KW_ENSURE(issuer_id != NULL, err, ARGUMENT_INVALID, "the issuer has no key identifier");
    authority->keyid = issuer_id;
    issuer_id = NULL;
    return add(x509, NID_authority_key_identifier, authority, false, err);
}
