/* What a new region holds against an answer though the root signed it, and what a region that runs holds against a set: each
 * refused by name, with the tokens as they were. */
#include "tests/component/init_fixture.h"
#include "tests/support/region_fixture.h"
#include "tests/support/region_forge.h"

#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct region_fixture fx;

static void up(void)
{
    struct kw_error err = {0};

    init_up();
    REQUIRE(kw_ok(kw_core_init(&init_fx.config, &err)), "%s", err.message);
    region_fixture_init(&fx, &init_fx.dir);
    region_request(&fx);
    region_carry(&fx);
    region_answer(&fx);
}

TestSuite(region_forged, .init = up, .fini = init_down, .timeout = 200);

static struct kw_region_row *row_of(struct region_forge *forge, const char *region)
{
    return (struct kw_region_row *)(uintptr_t)kw_region_set_find(&forge->set, region);
}

/* --- answers --- */

static void kek_check(struct region_forge *forge)
{
    forge->carried.kek.check[0] ^= 1;
}

static void mac_check(struct region_forge *forge)
{
    forge->carried.mac.check[2] ^= 1;
}

static void kek_wrapped(struct region_forge *forge)
{
    forge->carried.kek.wrapped[20] ^= 1;
}

static void kek_is_the_mac_key(struct region_forge *forge)
{
    forge->carried.kek = forge->carried.mac;
}

static void proof(struct region_forge *forge)
{
    forge->carried.kek_proof[39] ^= 1;
}

/* A point on the curve, but another one. */
static void ephemeral(struct region_forge *forge)
{
    struct kw_public_key key = {0};

    MUST(kw_public_key_from_spki(&key, forge->request.keys[1], err));
    MUST(kw_public_key_to_point(&key, forge->carried.ephemeral, err));
    kw_public_key_done(&key);
}

static void not_approved(struct region_forge *forge)
{
    forge->answer.approval = KW_BYTES_NONE;
}

static void approved_by_another(struct region_forge *forge)
{
    forge->answer.officers[0] = region_forge_service(forge);
}

static void another_officer_is_a_service(struct region_forge *forge)
{
    forge->answer.officers[forge->answer.officer_count++] = region_forge_service(forge);
}

static void another_officer_is_a_partner(struct region_forge *forge)
{
    forge->answer.officers[forge->answer.officer_count++] = region_forge_partner(forge);
}

static void region_missing(struct region_forge *forge)
{
    struct kw_region_row home = *row_of(forge, KW_MESH_REGION);

    forge->set.rows[0] = home;
    forge->set.count = 1;
}

static void cas_of_another_region(struct region_forge *forge)
{
    kw_copy(row_of(forge, REGION_NEW)->cas, row_of(forge, KW_MESH_REGION)->cas,
            sizeof(forge->set.rows[0].cas));
}

static void ca_for_another_key(struct region_forge *forge)
{
    row_of(forge, REGION_NEW)->cas[2] = region_forge_ca(forge, 2, REGION_NEW);
}

static void ca_is_a_leaf(struct region_forge *forge)
{
    row_of(forge, REGION_NEW)->cas[0] = region_forge_service(forge);
}

static void another_checkpoint_key(struct region_forge *forge)
{
    row_of(forge, REGION_NEW)->checkpoint = forge->request.keys[1];
}

static void checkpoint_key_is_none(struct region_forge *forge)
{
    row_of(forge, REGION_NEW)->checkpoint = kw_bytes_str("no key");
}

static void another_domain(struct region_forge *forge)
{
    kw_copy(forge->set.trust_domain, "example.org", sizeof("example.org"));
}

static void a_region_twice(struct region_forge *forge)
{
    forge->set.rows[forge->set.count] = forge->set.rows[forge->set.count - 1];
    forge->set.count++;
}

static const struct {
    const char *name;
    void (*forge)(struct region_forge *forge);
    enum kw_reason reason;
    const char *words;
} cases[] = {
    {"KEK's check value", kek_check, KW_E_BINDING_INVALID,
     "keyward-kek-v1 came with another check value"},
    {"MAC key's check value", mac_check, KW_E_BINDING_INVALID,
     "keyward-mac-v1 came with another check value"},
    {"KEK altered", kek_wrapped, KW_E_BINDING_INVALID, "does not unwrap"},
    {"KEK is the MAC key", kek_is_the_mac_key, KW_E_BINDING_INVALID,
     "the KEK that was carried is another one"},
    {"KEK's proof", proof, KW_E_BINDING_INVALID, "the KEK that was carried is another one"},
    {"agreed with another", ephemeral, KW_E_BINDING_INVALID, "does not unwrap"},
    {"not approved", not_approved, KW_E_SIGNATURE_INVALID, "not approved"},
    {"approved by another", approved_by_another, KW_E_SIGNATURE_INVALID, "not approved"},
    {"officer is a service", another_officer_is_a_service, KW_E_IDENTITY_INVALID, ""},
    {"officer is a partner", another_officer_is_a_partner, KW_E_IDENTITY_INVALID,
     "an officer who is no operator"},
    {"region missing", region_missing, KW_E_BINDING_INVALID, "has no region far"},
    {"CAs of another region", cas_of_another_region, KW_E_IDENTITY_INVALID,
     "in the place of one of far"},
    {"CA for another key", ca_for_another_key, KW_E_BINDING_INVALID,
     "certifies a key that was not asked for"},
    {"CA is a leaf", ca_is_a_leaf, KW_E_IDENTITY_INVALID, "no issuing CA's"},
    {"another checkpoint key", another_checkpoint_key, KW_E_BINDING_INVALID,
     "another checkpoint key"},
    {"checkpoint key is none", checkpoint_key_is_none, KW_E_ARGUMENT_INVALID, ""},
    {"another domain", another_domain, KW_E_CONFIG_INVALID, "regions of example.org"},
    {"a region twice", a_region_twice, KW_E_ENCODING_INVALID, "set of regions"},
};

static void answer_put(const struct kw_buf *record)
{
    MUST(kw_keyfile_write(AT_FDCWD, fx.paths[REGION_ANSWER], kw_buf_bytes(record),
                          KW_KEYFILE_MODE_PUBLIC, err));
}

Test(region_forged, an_answer_that_is_wrong_is_refused_though_the_root_signed_it)
{
    KW_SCOPED(kw_buf_done) struct kw_buf right = {0};

    MUST(kw_region_record_load(fx.paths[REGION_ANSWER], &right, err));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct region_forge forge;
        struct kw_error err = {0};
        uint64_t before = region_tokens(&fx);
        enum kw_reason reason;

        region_forge_begin(&forge, &fx);
        cases[i].forge(&forge);
        region_forge_end(&forge);
        snprintf(fx.paths[REGION_OUT], PATH_MAX, "%.*s/out-%zu", PATH_MAX - 64, fx.dir.path, i);
        reason = kw_core_complete(&fx.complete, &err).reason;
        cr_expect(reason == cases[i].reason && strstr(err.message, cases[i].words) != NULL,
                  "%s: %s, %s", cases[i].name, kw_reason_row(reason)->name, err.message);
        cr_expect(eq(u64, region_tokens(&fx), before), "%s", cases[i].name);
        answer_put(&right);
    }
    snprintf(fx.paths[REGION_OUT], PATH_MAX, "%.*s/far", PATH_MAX - 64, fx.dir.path);
    region_complete(&fx);
}

/* --- sets --- */

Test(region_forged, a_set_has_a_region_once_and_sixteen_at_most)
{
    static struct kw_region_set set;
    struct kw_region_row row = {.checkpoint = KW_BYTES_NONE};

    for (unsigned i = 0; i < KW_REGIONS_MAX; i++) {
        snprintf(row.region, sizeof(row.region), "r%u", (7 * i) % KW_REGIONS_MAX);
        MUST(kw_region_set_add(&set, &row, err));
        cr_expect(i == 0 || strcmp(set.rows[i - 1].region, set.rows[i].region) < 0);
    }
    cr_expect(eq(int, kw_region_set_add(&set, &row, NULL).reason, KW_E_ALREADY_EXISTS));
    snprintf(row.region, sizeof(row.region), "one more");
    cr_expect(eq(int, kw_region_set_add(&set, &row, NULL).reason, KW_E_LIMIT_REACHED));
}

/* A running core reads the CAs of callers again: all or none. */
Test(region_forged, callers_that_cannot_be_read_are_as_they_were)
{
    struct kw_core_pki pki = {0};
    char path[PATH_MAX];
    X509_STORE *before;

    MUST(kw_core_pki_load(&pki, fx.paths[REGION_HOME_PKI], KW_MESH_TRUST_DOMAIN, err));
    before = pki.trust[1].store;
    cr_expect(eq(int, kw_core_pki_callers(&pki, "/nowhere", NULL).reason, KW_E_CONFIG_INVALID));
    MUST(kw_keyfile_write(AT_FDCWD, kw_mesh_path(&fx.dir, "region/pki/ca-stations.pem", path),
                          kw_bytes_str("no certificate"), KW_KEYFILE_MODE_PUBLIC, err));
    cr_expect(eq(int, kw_core_pki_callers(&pki, fx.paths[REGION_HOME_PKI], NULL).reason,
                 KW_E_CONFIG_INVALID));
    cr_expect(eq(ptr, before, pki.trust[1].store));
    kw_core_pki_done(&pki);
}

static void third_region(struct region_forge *forge)
{
    struct kw_region_row row = {.region = "third", .checkpoint = forge->request.keys[1]};

    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        row.cas[i] = region_forge_ca(forge, i, row.region);
    }
    MUST(kw_region_set_add(&forge->set, &row, err));
    forge->set.version++;
}

static void older(struct region_forge *forge)
{
    forge->set.version--;
}

static void own_ca_another(struct region_forge *forge)
{
    ca_for_another_key(forge);
    forge->set.version += 2;
}

static void set_forge(void (*change)(struct region_forge *forge))
{
    struct region_forge forge;

    region_forge_begin(&forge, &fx);
    change(&forge);
    region_forge_end_set(&forge);
}

static enum kw_reason regions(struct kw_error *err)
{
    *err = (struct kw_error){0};
    return kw_core_regions(&fx.regions, err).reason;
}

static void link_read(char *ret_target, size_t size)
{
    char path[2 * PATH_MAX];
    ssize_t len;

    snprintf(path, sizeof(path), "%s/credentials/" REGION_NEW_CELL "/replicator",
             fx.paths[REGION_OUT]);
    len = readlink(path, ret_target, size - 1);
    REQUIRE(len > 0, "%s", path);
    ret_target[len] = '\0';
}

Test(region_forged, a_region_that_runs_takes_a_newer_set_of_the_root_and_no_other)
{
    char before[64];
    char after[64];
    struct kw_error err;

    region_complete(&fx);
    link_read(before, sizeof(before));
    set_forge(older);
    cr_expect(eq(int, regions(&err), KW_E_STATE_CONFLICT), "%s", err.message);
    set_forge(own_ca_another);
    cr_expect(eq(int, regions(&err), KW_E_BINDING_INVALID), "%s", err.message);
    set_forge(region_missing);
    cr_expect(eq(int, regions(&err), KW_E_NOT_FOUND), "%s", err.message);
    link_read(after, sizeof(after));
    cr_expect(eq(str, before, after));
    set_forge(third_region);
    cr_expect(eq(int, regions(&err), KW_E_NONE), "%s", err.message);
    link_read(after, sizeof(after));
    cr_expect(ne(str, before, after));
    set_forge(older);
    cr_expect(eq(int, regions(&err), KW_E_STATE_CONFLICT), "%s", err.message);
}
