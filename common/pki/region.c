/* Reading the organisational unit of a name, and holding a leaf against it. */
#include "common/pki/region.h"

#include "common/pki/x509.h"

/* NULL: the name has none. Fails: IDENTITY_INVALID (several). */
static struct kw_result unit_of(const X509_NAME *name, const ASN1_STRING **ret_unit,
                                struct kw_error *err)
{
    int at = X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, -1);

    *ret_unit = NULL;
    if (at < 0) {
        return KW_OK;
    }
    KW_ENSURE(X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, at) < 0, err,
              IDENTITY_INVALID, "a CA of several regions");
    *ret_unit = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    return KW_OK;
}

/* Types whose bytes are the text's. */
static bool text_is(const ASN1_STRING *text, const char *is)
{
    int type = ASN1_STRING_type(text);

    return (type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING) &&
           kw_bytes_equal(KW_BYTES(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)),
                          kw_bytes_str(is));
}

struct kw_result kw_certificate_region(const struct kw_certificate *ca,
                                       char ret_region[KW_SPIFFE_SEGMENT_LEN_MAX + 1],
                                       struct kw_error *err)
{
    const ASN1_STRING *unit;
    struct kw_spiffe probe;
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1] = "";

    KW_TRY(unit_of(X509_get_subject_name(ca->x509), &unit, err));
    KW_ENSURE(unit != NULL && ASN1_STRING_length(unit) <= KW_SPIFFE_SEGMENT_LEN_MAX, err,
              IDENTITY_INVALID, "a CA that names no region");
    kw_copy(region, ASN1_STRING_get0_data(unit), (size_t)ASN1_STRING_length(unit));
    KW_ENSURE(text_is(unit, region) &&
                  kw_ok(kw_spiffe_service("domain", region, "cell", "service", &probe, NULL)),
              err, IDENTITY_INVALID, "a CA whose unit is no region's name");
    kw_copy(ret_region, region, sizeof(region));
    return KW_OK;
}

/* What no code of ours takes for a service's id is nobody's business here. */
static bool is_service(const X509 *leaf, struct kw_spiffe *ret_id)
{
    KW_SCOPED(kw_general_names_done)
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    const ASN1_IA5STRING *uri = names != NULL ? kw_x509_only_uri(names) : NULL;

    return uri != NULL &&
           kw_ok(kw_spiffe_parse(
               KW_BYTES(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)), ret_id,
               NULL)) &&
           ret_id->role == KW_ROLE_SERVICE;
}

struct kw_result kw_region_check(const X509 *leaf, struct kw_error *err)
{
    const ASN1_STRING *unit;
    struct kw_spiffe id;

    KW_TRY(unit_of(X509_get_issuer_name(leaf), &unit, err));
    KW_ENSURE(unit == NULL || !is_service(leaf, &id) || text_is(unit, id.region), err,
              IDENTITY_INVALID, "a service of region %s, certified by another region's CA",
              id.region);
    return KW_OK;
}

bool kw_region_services_issued(const X509 *leaf, const char *region)
{
    const X509_NAME *issuer = X509_get_issuer_name(leaf);
    int at = X509_NAME_get_index_by_NID(issuer, NID_commonName, -1);
    const ASN1_STRING *unit;

    return at >= 0 && X509_NAME_get_index_by_NID(issuer, NID_commonName, at) < 0 &&
           text_is(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(issuer, at)),
                   KW_SERVICES_CA_NAME) &&
           kw_ok(unit_of(issuer, &unit, NULL)) && unit != NULL && text_is(unit, region);
}
