/* See the header. */
#include "tests/support/vouched_stores.h"

#include "tests/support/must.h"

#define CAS_MAX 8

static struct pki_fixture pki;
static struct pki_pair cas[CAS_MAX];
static size_t ca_count;

void vouched_init(void)
{
    pki_fixture_init(&pki);
}

void vouched_root(struct kw_buf *pem)
{
    pki_pem(&pki.root.certificate, pem);
}

const struct pki_pair *vouched_ca(const char *region, const char *name)
{
    const struct kw_issuer root = {&pki.root.certificate, &pki.root.key};
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_ca_plan plan = {
        .subject = &half, .name = name, .region = region, .validity = pki_validity()};
    struct pki_pair *ca = &cas[ca_count++];

    REQUIRE(ca_count <= CAS_MAX, "no room for a CA");
    MUST(kw_private_key_generate(&ca->key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&ca->key, &half, err));
    MUST(kw_certificate_issue_ca(&plan, &root, &ca->certificate, err));
    return ca;
}

struct voucher_owner *vouched_owner(const struct pki_pair *ca, const char *region, const char *cell,
                                    const struct kw_private_key *key)
{
    struct voucher_owner *owner;
    struct kw_spiffe self;

    MUST(kw_spiffe_service(PKI_DOMAIN, region, cell, "authz", &self, err));
    owner = voucher_owner_as(ca, &self);
    owner->trust.key = voucher_spki(key);
    return owner;
}
