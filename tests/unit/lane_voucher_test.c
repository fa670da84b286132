/* Vouchers: what is made is believed, and what anybody else could make is not. */
#include "common/sync/grow_set.h"
#include "common/sync/lww.h"
#include "tests/support/lane_fixture.h"
#include "tests/support/lane_voucher.h"
#include "tests/support/must.h"

static const struct kw_id mesh = {{0x3e, 1}};
static const struct kw_id seed = {{0x5e, 2}};
static const struct kw_id life = {{0x1c, 3}};

static struct voucher_owner *owner;

static void setup(void)
{
    owner = voucher_owner_new(voucher_ca(), "a", "authz", lane_key(0));
}

TestSuite(lane_voucher, .init = setup, .timeout = 60);

static struct kw_bytes made(void)
{
    return voucher_made(owner, mesh, seed, life, PKI_NOW_MS);
}

static enum kw_lane_verdict judged_at(struct kw_bytes record, uint64_t at_ms)
{
    struct kw_voucher voucher;
    enum kw_lane_verdict verdict;

    MUST(kw_voucher_read(record, mesh, &owner->trust, at_ms, &voucher, &verdict, err));
    return verdict;
}

static enum kw_lane_verdict judged(struct kw_bytes record)
{
    return judged_at(record, PKI_NOW_MS);
}

Test(lane_voucher, what_is_made_is_read_and_believed)
{
    struct kw_voucher voucher = voucher_read(made());

    cr_assert_eq(judged(made()), KW_LANE_NEWS);
    cr_assert(kw_id_equal(voucher.mesh, mesh));
    cr_assert(kw_id_equal(voucher.seed, seed));
    cr_assert(kw_id_equal(voucher.incarnation, life));
    cr_assert(kw_bytes_equal(voucher.region, kw_bytes_str("eu")));
    cr_assert(kw_bytes_equal(voucher.cell, kw_bytes_str("a")));
    cr_assert(kw_bytes_equal(voucher.service, kw_bytes_str("authz")));
    cr_assert(kw_bytes_equal(voucher.key, kw_spki_bytes(&owner->trust.key)));
    cr_assert_eq(voucher.issued_ms, PKI_NOW_MS);
    cr_assert_eq(voucher.chain_count, 2, "the leaf and its CA");
}

/* --- the store's id --- */

static struct kw_id store_of(struct kw_id of_mesh, const char *cell, const char *service,
                             struct kw_id of_seed)
{
    struct kw_spiffe self;
    struct kw_id store;

    MUST(kw_spiffe_service(PKI_DOMAIN, "eu", cell, service, &self, err));
    MUST(kw_voucher_store(of_mesh, &self, of_seed, &store, err));
    return store;
}

Test(lane_voucher, a_stores_id_is_that_of_its_place_and_of_no_other)
{
    struct kw_id store = store_of(mesh, "a", "authz", seed);

    cr_assert(kw_id_equal(voucher_read(made()).store, store));
    cr_assert_not(kw_id_equal(store_of(life, "a", "authz", seed), store));
    cr_assert_not(kw_id_equal(store_of(mesh, "b", "authz", seed), store));
    cr_assert_not(kw_id_equal(store_of(mesh, "a", "orchestrator", seed), store));
    cr_assert_not(kw_id_equal(store_of(mesh, "a", "authz", life), store));
}

/* --- what is not believed --- */

Test(lane_voucher, one_of_another_mesh_is_not_believed)
{
    cr_assert_eq(judged(voucher_made(owner, life, seed, life, PKI_NOW_MS)), KW_LANE_OTHER_MESH);
}

Test(lane_voucher, an_owner_believes_stores_of_its_own_service_alone)
{
    struct voucher_owner *other = voucher_owner_new(voucher_ca(), "a", "orchestrator", lane_key(0));

    cr_assert_eq(judged(voucher_made(other, mesh, seed, life, PKI_NOW_MS)), KW_LANE_STRANGER);
    other = voucher_owner_new(voucher_ca(), "b", "authz", lane_key(0));
    cr_assert_eq(judged(voucher_made(other, mesh, seed, life, PKI_NOW_MS)), KW_LANE_NEWS);
}

Test(lane_voucher, nobody_vouches_for_another_place_than_its_certificates)
{
    struct kw_voucher voucher = voucher_read(made());
    struct kw_bytes *names[] = {&voucher.region, &voucher.cell};

    for (size_t i = 0; i < 2; i++) {
        struct kw_bytes was = *names[i];

        *names[i] = kw_bytes_str("z");
        cr_assert_eq(judged(voucher_signed(&voucher, &owner->credentials.key)), KW_LANE_STRANGER,
                     "%zu", i);
        *names[i] = was;
    }
    cr_assert_eq(judged(voucher_signed(&voucher, &owner->credentials.key)), KW_LANE_NEWS);
}

Test(lane_voucher, another_services_certificate_vouches_for_none_of_authz)
{
    struct voucher_owner *gateway = voucher_owner_new(voucher_ca(), "a", "gateway", lane_key(0));
    struct kw_voucher voucher = voucher_read(made());

    voucher.chain[0] = voucher_read(voucher_made(gateway, mesh, seed, life, PKI_NOW_MS)).chain[0];
    cr_assert_eq(judged(voucher_signed(&voucher, &gateway->credentials.key)), KW_LANE_STRANGER);
}

Test(lane_voucher, a_callers_certificate_vouches_for_nothing)
{
    struct voucher_owner *caller =
        voucher_owner_new(voucher_callers_ca(), "a", "authz", lane_key(0));
    struct kw_spiffe partner = pki_caller(KW_ROLE_PARTNER, 7);
    struct kw_voucher voucher = voucher_read(made());
    struct kw_buf leaf = {0};

    cr_assert_eq(judged(voucher_made(caller, mesh, seed, life, PKI_NOW_MS)), KW_LANE_STRANGER,
                 "the right name, by the wrong CA");
    caller = voucher_owner_as(voucher_ca(), &partner);
    MUST(kw_certificate_to_der(&caller->credentials.leaf, &leaf, err));
    voucher.chain[0] = value_keep(&leaf);
    cr_assert_eq(judged(voucher_signed(&voucher, &caller->credentials.key)), KW_LANE_STRANGER,
                 "a partner's, by the right CA");
}

/* A services CA that names region "us": as it is trusted, and with a certificate that would issue anything. */
static struct pki_pair foreign;
static struct pki_pair captured;

static void captured_ca(void)
{
    KW_SCOPED(kw_public_key_done) struct kw_public_key half = {0};
    struct kw_ca_plan plan = {.subject = &half, .name = "CA", .validity = pki_validity()};

    MUST(kw_private_key_generate(&foreign.key, KW_CURVE_P384, err));
    MUST(kw_private_key_public(&foreign.key, &half, err));
    MUST(kw_certificate_issue_root(&plan, &foreign.key, &captured.certificate, err));
    plan.region = "us";
    MUST(kw_certificate_issue_root(&plan, &foreign.key, &foreign.certificate, err));
    captured.key = foreign.key;
}

static void issued_by_foreign(X509 *x509)
{
    cr_assert(X509_set_issuer_name(x509, X509_get_subject_name(foreign.certificate.x509)) == 1);
}

static struct kw_bytes der_of(const struct kw_certificate *certificate)
{
    struct kw_buf der = {0};

    MUST(kw_certificate_to_der(certificate, &der, err));
    return value_keep(&der);
}

/* As a captured region could make it of another: everything is right but whose CA it is. */
static enum kw_lane_verdict judged_under_foreign(const char *region)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_trust_done) struct kw_trust trust = {0};
    struct kw_voucher voucher = voucher_read(made());
    static struct kw_certificate leaf;
    static struct pki_pair named;
    struct kw_spiffe id;

    captured_ca();
    MUST(kw_spiffe_service(PKI_DOMAIN, region, "a", "authz", &id, err));
    named = pki_leaf(&captured, &id, KW_USAGE_CLIENT | KW_USAGE_SERVER);
    leaf = pki_spoil(&foreign, &named.certificate, issued_by_foreign, EVP_sha384());
    pki_pem(&foreign.certificate, &pem);
    MUST(kw_trust_from_pem(&trust, kw_buf_bytes(&pem), err));
    owner->trust.services = &trust;
    voucher.region = kw_bytes_str(region);
    voucher.chain[0] = der_of(&leaf);
    voucher.chain_count = 1;
    return judged(voucher_signed(&voucher, &named.key));
}

Test(lane_voucher, a_regions_ca_vouches_for_its_own_stores)
{
    cr_assert_eq(judged_under_foreign("us"), KW_LANE_NEWS);
}

Test(lane_voucher, a_regions_ca_vouches_for_no_other_region)
{
    cr_assert_eq(judged_under_foreign("eu"), KW_LANE_STRANGER);
}

static void forget_issuer(X509 *x509)
{
    cr_assert(X509_set_issuer_name(x509, X509_get_subject_name(x509)) == 1);
}

Test(lane_voucher, who_signed_its_own_certificate_is_a_stranger)
{
    struct kw_voucher voucher = voucher_read(made());
    struct pki_pair self = {.key = owner->credentials.key};
    struct kw_certificate alone =
        pki_spoil(&self, &owner->credentials.leaf, forget_issuer, EVP_sha256());
    struct kw_buf leaf = {0};

    MUST(kw_certificate_to_der(&alone, &leaf, err));
    kw_certificate_done(&alone);
    voucher.chain[0] = value_keep(&leaf);
    voucher.chain_count = 1;
    cr_assert_eq(judged(voucher_signed(&voucher, &owner->credentials.key)), KW_LANE_STRANGER);
}

Test(lane_voucher, a_certificate_is_to_be_good_when_it_is_judged)
{
    cr_assert_eq(judged_at(made(), PKI_NOW_MS + PKI_DAY_MS / 2), KW_LANE_NEWS);
    cr_assert_eq(judged_at(made(), PKI_NOW_MS + 2 * PKI_DAY_MS), KW_LANE_STRANGER, "expired");
    cr_assert_eq(judged_at(made(), PKI_NOW_MS - 2 * PKI_DAY_MS), KW_LANE_STRANGER, "not yet");
}

Test(lane_voucher, it_is_issued_by_now_and_in_its_certificates_time)
{
    const uint64_t ahead = PKI_NOW_MS + KW_STAMP_AHEAD_MS_MAX;
    const uint64_t before = PKI_NOW_MS - PKI_DAY_MS;

    cr_assert_eq(judged(voucher_made(owner, mesh, seed, life, ahead)), KW_LANE_NEWS);
    cr_assert_eq(judged(voucher_made(owner, mesh, seed, life, ahead + 1)), KW_LANE_STRANGER);
    cr_assert_eq(judged(voucher_made(owner, mesh, seed, life, before)), KW_LANE_NEWS);
    cr_assert_eq(judged(voucher_made(owner, mesh, seed, life, before - 1)), KW_LANE_STRANGER);
}

Test(lane_voucher, the_leafs_key_signs_and_no_other)
{
    struct kw_voucher voucher = voucher_read(made());

    cr_assert_eq(judged(voucher_signed(&voucher, lane_key(0))), KW_LANE_UNSIGNED,
                 "not the lanes' key");
    cr_assert_eq(judged(voucher_signed(&voucher, voucher_ca() != NULL ? &voucher_ca()->key : NULL)),
                 KW_LANE_UNSIGNED, "nor the CA's");
}

/* --- bytes --- */

/* Every bit of what is its own; of the certificates, which cost more to look at, one in 13 bytes. */
Test(lane_voucher, a_changed_bit_is_found_wherever_it_is)
{
    struct kw_bytes record = made();
    size_t head = (size_t)(voucher_read(record).chain[0].data - record.data);
    uint8_t *copy = kw_arena_alloc(values_arena(), record.len);

    REQUIRE(copy != NULL, "no room");
    kw_copy(copy, record.data, record.len);
    for (size_t i = 0; i < record.len; i += i < head ? 1 : 13) {
        for (unsigned bit = 0; bit < 8; bit += i < head ? 1 : 3) {
            copy[i] ^= (uint8_t)(1U << bit);
            cr_assert_neq(judged(KW_BYTES(copy, record.len)), KW_LANE_NEWS, "byte %zu bit %u", i,
                          bit);
            copy[i] ^= (uint8_t)(1U << bit);
        }
    }
}

Test(lane_voucher, what_is_cut_or_goes_on_is_none)
{
    struct kw_bytes record = made();
    struct kw_voucher voucher;
    struct kw_buf longer = {0};

    for (size_t len = 0; len < record.len; len++) {
        cr_assert_eq(kw_voucher_decode(KW_BYTES(record.data, len), &voucher, NULL).reason,
                     KW_E_ENCODING_INVALID, "%zu bytes", len);
    }
    MUST(kw_buf_append(&longer, record, err));
    MUST(kw_buf_append(&longer, kw_bytes_str("x"), err));
    cr_assert_eq(judged(value_keep(&longer)), KW_LANE_BROKEN);
}

static bool is_read(const struct kw_voucher *voucher)
{
    return judged(voucher_signed(voucher, &owner->credentials.key)) != KW_LANE_BROKEN;
}

/* Of this key alone. */
static void set_key(struct kw_voucher *voucher, struct kw_bytes key)
{
    uint8_t digest[KW_SHA256_LEN];
    struct kw_buf signer = {0};

    MUST(kw_sha256(key, digest, err));
    MUST(kw_buf_append(&signer, KW_BYTES_OF(digest), err));
    voucher->key = key;
    voucher->signers = lane_set_of(value_keep(&signer));
}

Test(lane_voucher, what_no_voucher_says_is_not_read)
{
    struct kw_voucher good = voucher_read(made());
    struct kw_voucher voucher = good;
    struct kw_spki p384 = voucher_spki(lane_p384());
    static const uint8_t nul[] = {'e', 0};

    cr_assert(is_read(&voucher));
    set_key(&voucher, kw_spki_bytes(&p384));
    cr_assert_not(is_read(&voucher), "a key on another curve");
    set_key(&voucher, kw_bytes_str("key"));
    cr_assert_not(is_read(&voucher), "no key");
    voucher = good;
    voucher.chain_count = 0;
    cr_assert_not(is_read(&voucher), "no certificate");
    voucher = good;
    voucher.issued_ms = 0;
    cr_assert_not(is_read(&voucher));
    voucher.issued_ms = UINT64_MAX >> 17;
    cr_assert(is_read(&voucher));
    voucher.issued_ms++;
    cr_assert_not(is_read(&voucher), "a time that is no reading of the clock");
    voucher = good;
    voucher.region = kw_bytes_str("EU");
    cr_assert_not(is_read(&voucher), "a name that no certificate has");
    voucher.region = KW_BYTES_OF(nul);
    cr_assert_not(is_read(&voucher), "a NUL");
}

/* So whatever a store is now it is by the row, too, that its voucher makes. */
Test(lane_voucher, its_key_and_its_life_are_of_those_it_had)
{
    const struct kw_voucher good = voucher_read(made());
    struct kw_voucher voucher = good;

    voucher.signers = lane_set_of(lane_signer(lane_key(1)));
    cr_assert_not(is_read(&voucher), "without its key");
    voucher = good;
    voucher.lives = lane_set_of(kw_id_bytes(&seed));
    cr_assert_not(is_read(&voucher), "without its life");
    voucher = good;
    voucher.settled = lane_set_of(kw_id_bytes(&seed));
    cr_assert_not(is_read(&voucher), "settled, and never lived");
    voucher.settled = good.lives;
    cr_assert(is_read(&voucher));
    voucher.settled = KW_BYTES(good.lives.data, good.lives.len - 1);
    cr_assert_not(is_read(&voucher), "no set");
    voucher.settled = KW_BYTES_NONE;
    voucher.lives = good.signers;
    cr_assert_not(is_read(&voucher), "lives are ids");
}

static struct kw_bytes both(struct kw_bytes a, struct kw_bytes b)
{
    struct kw_bytes set;

    MUST(kw_set_join(a, b, KW_SET_ELEMENTS_MAX, values_arena(), &set, err));
    return set;
}

Test(lane_voucher, it_names_the_keys_and_lives_before)
{
    struct kw_voucher_plan plan = {.mesh = mesh,
                                   .seed = seed,
                                   .incarnation = life,
                                   .trust = &owner->trust,
                                   .issued_ms = PKI_NOW_MS,
                                   .signers = lane_set_of(lane_signer(lane_key(1))),
                                   .lives = lane_set_of(kw_id_bytes(&seed)),
                                   .settled = lane_set_of(kw_id_bytes(&seed))};
    struct kw_bytes record = voucher_made_of(owner, &plan);
    struct kw_voucher voucher = voucher_read(record);
    struct kw_voucher first = voucher_read(made());
    struct kw_record row;

    cr_assert_eq(judged(record), KW_LANE_NEWS);
    MUST(kw_voucher_row(&voucher, values_arena(), &row, err));
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_SIGNERS),
                             both(plan.signers, lane_set_of(lane_signer(lane_key(0))))));
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS),
                             both(plan.lives, lane_set_of(kw_id_bytes(&life)))));
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_SETTLED), plan.settled));
    cr_assert(kw_voucher_covers(&voucher, &row));
    cr_assert_not(kw_voucher_covers(&first, &row));
}

Test(lane_voucher, what_a_reader_refuses_is_not_made)
{
    struct kw_voucher_plan plan = {.mesh = mesh,
                                   .seed = seed,
                                   .incarnation = life,
                                   .trust = &owner->trust,
                                   .issued_ms = PKI_NOW_MS};
    struct kw_voucher_trust other = owner->trust;
    struct kw_buf out = {0};

    other.key = voucher_spki(lane_p384());
    plan.trust = &other;
    cr_assert_eq(kw_voucher_make(&plan, &owner->credentials, &out, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
    MUST(kw_spiffe_service(PKI_DOMAIN, "eu", "b", "authz", &other.self, err));
    cr_assert_eq(kw_voucher_make(&plan, &owner->credentials, &out, NULL).reason,
                 KW_E_IDENTITY_INVALID, "the certificate is another's");
    cr_assert_eq(out.len, 0);
}

Test(lane_voucher, a_chain_has_as_many_certificates_as_fit)
{
    struct kw_voucher_plan plan = {.mesh = mesh,
                                   .seed = seed,
                                   .incarnation = life,
                                   .trust = &owner->trust,
                                   .issued_ms = PKI_NOW_MS};
    struct kw_buf out = {0};

    for (size_t count = 3; count <= KW_VOUCHER_CHAIN_MAX; count++) {
        pki_pem(&voucher_ca()->certificate, &owner->credentials.cert_pem);
        MUST(kw_voucher_make(&plan, &owner->credentials, &out, err));
        cr_assert_eq(voucher_read(value_keep(&out)).chain_count, count);
    }
    pki_pem(&voucher_ca()->certificate, &owner->credentials.cert_pem);
    cr_assert_eq(kw_voucher_make(&plan, &owner->credentials, &out, NULL).reason,
                 KW_E_ARGUMENT_INVALID);
}

/* --- what it says --- */

static struct kw_bytes row_bytes(struct kw_bytes record)
{
    struct kw_voucher voucher = voucher_read(record);
    struct kw_record row;
    struct kw_buf encoded = {0};

    MUST(kw_voucher_row(&voucher, values_arena(), &row, err));
    MUST(kw_store_record_check(&row, err));
    MUST(kw_record_encode(&row, &encoded, err));
    return value_keep(&encoded);
}

Test(lane_voucher, what_it_says_of_its_store)
{
    struct kw_bytes record = made();
    struct kw_voucher voucher = voucher_read(record);
    struct kw_record row;

    MUST(kw_voucher_row(&voucher, values_arena(), &row, err));
    cr_assert(kw_bytes_equal(row.key, kw_id_bytes(&voucher.store)));
    cr_assert_eq(kw_store_record_state(&row), KW_STORE_ACTIVE);
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_PLACE), kw_bytes_str("eu/a")));
    cr_assert(kw_bytes_equal(kw_store_record_region(&row), kw_bytes_str("eu")));
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_SIGNERS),
                             lane_set_of(lane_signer(lane_key(0)))));
    cr_assert(kw_bytes_equal(kw_record_value(&row, KW_STORE_FIELD_INCARNATIONS),
                             lane_set_of(kw_id_bytes(&life))));
    cr_assert(kw_bytes_equal(kw_voucher_of(&row), record));
    cr_assert(kw_bytes_equal(row_bytes(record), row_bytes(record)));
}

Test(lane_voucher, of_two_the_later_stays_in_the_row)
{
    struct kw_voucher early = voucher_read(made());
    struct kw_voucher late = voucher_read(voucher_made(owner, mesh, seed, seed, PKI_NOW_MS + 1));
    struct kw_record rows[2];
    struct kw_record merged;

    MUST(kw_voucher_row(&early, values_arena(), &rows[0], err));
    MUST(kw_voucher_row(&late, values_arena(), &rows[1], err));
    for (size_t i = 0; i < 2; i++) {
        MUST(kw_record_merge(&rows[i], &rows[1 - i], values_arena(), NULL, &merged, err));
        cr_assert(kw_bytes_equal(kw_voucher_of(&merged), late.record), "%zu", i);
    }
}
