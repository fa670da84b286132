/* See the header. The encoding here is not the one that is tested. */
#include "tests/support/lane_voucher.h"

#include "common/base/codec.h"
#include "tests/support/must.h"

#define OWNERS_MAX 16

static struct voucher_owner owners[OWNERS_MAX];
static size_t owner_count;
static struct pki_fixture services;
static struct pki_fixture callers;

static const struct pki_pair *issuing(struct pki_fixture *cas)
{
    if (cas->issuing.certificate.x509 == NULL) {
        pki_fixture_init(cas);
    }
    return &cas->issuing;
}

const struct pki_pair *voucher_ca(void)
{
    return issuing(&services);
}

const struct pki_pair *voucher_callers_ca(void)
{
    return issuing(&callers);
}

struct kw_spki voucher_spki(const struct kw_private_key *key)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_spki spki;

    MUST(kw_private_key_public(key, &half, err));
    MUST(kw_public_key_spki(&half, &spki, err));
    return spki;
}

struct voucher_owner *voucher_owner_as(const struct pki_pair *issuer,
                                       const struct kw_spiffe *certified)
{
    struct voucher_owner *owner = &owners[owner_count++];
    struct pki_pair leaf = pki_leaf(issuer, certified, KW_USAGE_CLIENT | KW_USAGE_SERVER);
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf certificates = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca = {0};
    struct kw_credentials_pem pem;

    REQUIRE(owner_count <= OWNERS_MAX, "no room for an owner");
    MUST(kw_private_key_to_pem(&leaf.key, &key, err));
    pki_pem(&leaf.certificate, &certificates);
    pki_pem(&issuer->certificate, &certificates);
    pki_pem(&voucher_ca()->certificate, &ca);
    pem = (struct kw_credentials_pem){kw_buf_bytes(&key), kw_buf_bytes(&certificates),
                                      kw_buf_bytes(&ca)};
    MUST(kw_credentials_from_pem(&owner->credentials, &pem, err));
    pki_pair_done(&leaf);
    owner->trust.self = *certified;
    owner->trust.services = &owner->credentials.trust;
    return owner;
}

static struct voucher_owner *owner_of(const struct pki_pair *issuer, const char *region,
                                      const char *cell, const char *service,
                                      const struct kw_private_key *key)
{
    struct voucher_owner *owner;
    struct kw_spiffe self;

    MUST(kw_spiffe_service(PKI_DOMAIN, region, cell, service, &self, err));
    owner = voucher_owner_as(issuer, &self);
    owner->trust.key = voucher_spki(key);
    return owner;
}

struct voucher_owner *voucher_owner_new(const struct pki_pair *issuer, const char *cell,
                                        const char *service, const struct kw_private_key *key)
{
    return owner_of(issuer, "eu", cell, service, key);
}

struct voucher_owner *voucher_owner_in(const char *region, const char *cell,
                                       const struct kw_private_key *key)
{
    return owner_of(voucher_ca(), region, cell, "authz", key);
}

struct kw_bytes voucher_made(const struct voucher_owner *owner, struct kw_id mesh,
                             struct kw_id seed, struct kw_id incarnation, uint64_t issued_ms)
{
    const struct kw_voucher_plan plan = {.mesh = mesh,
                                         .seed = seed,
                                         .incarnation = incarnation,
                                         .trust = &owner->trust,
                                         .issued_ms = issued_ms};

    return voucher_made_of(owner, &plan);
}

struct kw_bytes voucher_made_of(const struct voucher_owner *owner,
                                const struct kw_voucher_plan *plan)
{
    struct kw_buf record = {0};

    MUST(kw_voucher_make(plan, &owner->credentials, &record, err));
    return value_keep(&record);
}

struct kw_voucher voucher_read(struct kw_bytes record)
{
    struct kw_voucher voucher;

    MUST(kw_voucher_decode(record, &voucher, err));
    return voucher;
}

static void put_content(struct kw_writer *w, const struct kw_voucher *voucher)
{
    kw_put_raw(w, kw_bytes_str("KWV1"));
    kw_put_raw(w, kw_id_bytes(&voucher->mesh));
    kw_put_raw(w, kw_id_bytes(&voucher->seed));
    kw_put_var(w, voucher->region);
    kw_put_var(w, voucher->cell);
    kw_put_var(w, voucher->service);
    kw_put_raw(w, kw_id_bytes(&voucher->incarnation));
    kw_put_var(w, voucher->key);
    kw_put_var(w, voucher->signers);
    kw_put_var(w, voucher->lives);
    kw_put_var(w, voucher->settled);
    kw_put_u64(w, voucher->issued_ms);
    kw_put_u8(w, (uint8_t)voucher->chain_count);
    for (size_t i = 0; i < voucher->chain_count; i++) {
        kw_put_var(w, voucher->chain[i]);
    }
}

struct kw_bytes voucher_signed(const struct kw_voucher *voucher, const struct kw_private_key *key)
{
    KW_SCOPED(kw_buf_done) struct kw_buf message = {0};
    struct kw_buf record = {0};
    struct kw_writer m = KW_WRITER(&message);
    struct kw_writer w = KW_WRITER(&record);
    struct kw_signature signature;

    kw_put_raw(&m, kw_bytes_str("KEYWARD-VOUCHER-v1"));
    put_content(&m, voucher);
    put_content(&w, voucher);
    MUST(kw_writer_end(&m, err));
    MUST(kw_ecdsa_sign(key, kw_buf_bytes(&message), &signature, err));
    kw_put_var(&w, kw_signature_bytes(&signature));
    MUST(kw_writer_end(&w, err));
    return value_keep(&record);
}
