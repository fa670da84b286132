/* A further region's ceremony: what comes of it, and each thing that may be wrong with what its steps are given, which is
 * refused by name and leaves the tokens as they were. */
#include "common/crypto/keyfile.h"
#include "common/pki/build.h"
#include "common/pki/credentials.h"
#include "common/pki/region.h"
#include "services/cryptocore/region/answer.h"
#include "services/cryptocore/region/carried.h"
#include "services/cryptocore/region/own.h"
#include "tests/component/init_fixture.h"
#include "tests/support/officer_sign.h"
#include "tests/support/region_fixture.h"

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
}

TestSuite(region, .init = up, .fini = init_down, .timeout = 200);

/* --- what comes of it --- */

static void file_load(const char *dir, const char *name, struct kw_buf *ret)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    MUST(kw_keyfile_read(AT_FDCWD, path, KW_REGION_RECORD_LEN_MAX, false, ret, err));
}

static size_t certificates_in(const char *dir, const char *name)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    const char *at;
    size_t count = 0;

    file_load(dir, name, &pem);
    MUST(kw_buf_append(&pem, KW_BYTES("", 1), err));
    for (at = (const char *)pem.data; (at = strstr(at, "BEGIN CERT")) != NULL; at++) {
        count++;
    }
    return count;
}

static void bundles_check(const char *dir)
{
    static const struct {
        const char *name;
        size_t count;
    } rows[] = {
        {"pki/root.pem", 1},        {"pki/ca-services.pem", 1},  {"pki/services-ca.pem", 2},
        {"pki/ca-partners.pem", 2}, {"pki/ca-operators.pem", 2}, {"pki/ca-stations.pem", 2},
        {"pki/client-ca.pem", 6},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_expect(eq(sz, certificates_in(dir, rows[i].name), rows[i].count), "%s/%s", dir,
                  rows[i].name);
    }
}

/* The first CA of each kind is the region's own: the one that issues. */
static void own_check(const char *dir, const char *region)
{
    static const char *const names[] = {"pki/ca-services.pem", "pki/ca-partners.pem",
                                        "pki/ca-operators.pem", "pki/ca-stations.pem"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
        KW_SCOPED(kw_certificate_done) struct kw_certificate ca = {0};
        char named[KW_SPIFFE_SEGMENT_LEN_MAX + 1];

        file_load(dir, names[i], &pem);
        MUST(kw_certificate_from_pem(&ca, kw_buf_bytes(&pem), err));
        MUST(kw_certificate_region(&ca, named, err));
        cr_expect(eq(str, named, (char *)(uintptr_t)region), "%s/%s", dir, names[i]);
    }
}

static void trusts(const char *dir, const char *credentials, const struct kw_certificate *leaf)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials loaded = {0};
    struct kw_validity validity;
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/credentials/%s", dir, credentials);
    MUST(kw_credentials_load(&loaded, path, err));
    MUST(kw_certificate_validity(leaf, &validity, err));
    MUST(
        kw_trust_verify(&loaded.trust, leaf, NULL, KW_PURPOSE_CLIENT, validity.not_before_ms, err));
}

static void credentials_load(const char *dir, const char *service, struct kw_credentials *ret)
{
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/credentials/%s", dir, service);
    MUST(kw_credentials_load(ret, path, err));
}

Test(region, both_regions_trust_one_another_and_keep_apart_what_they_issue)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials home = {0};
    KW_SCOPED(kw_credentials_done) struct kw_credentials away = {0};
    const char *dirs[] = {fx.paths[REGION_HOME], fx.paths[REGION_OUT]};

    region_fixture_run(&fx);
    bundles_check(dirs[0]);
    bundles_check(dirs[1]);
    own_check(dirs[0], KW_MESH_REGION);
    own_check(dirs[1], REGION_NEW);
    credentials_load(dirs[0], KW_MESH_CELL "/replicator", &home);
    credentials_load(dirs[1], REGION_NEW_CELL "/replicator", &away);
    trusts(dirs[0], KW_MESH_CELL "/replicator", &away.leaf);
    trusts(dirs[1], REGION_NEW_CELL "/replicator", &home.leaf);
    trusts(dirs[0], KW_MESH_CELL "/authz", &away.leaf);
}

Test(region, the_officers_of_the_mesh_are_those_of_the_new_region)
{
    KW_SCOPED(kw_core_pki_done) struct kw_core_pki home = {0};
    KW_SCOPED(kw_core_pki_done) struct kw_core_pki away = {0};
    char path[2 * PATH_MAX];

    region_fixture_run(&fx);
    MUST(kw_core_pki_load(&home, fx.paths[REGION_HOME_PKI], KW_MESH_TRUST_DOMAIN, err));
    snprintf(path, sizeof(path), "%s/pki", fx.paths[REGION_OUT]);
    MUST(kw_core_pki_load(&away, path, KW_MESH_TRUST_DOMAIN, err));
    cr_expect(kw_bytes_equal(kw_buf_bytes(&home.officer_der), kw_buf_bytes(&away.officer_der)));
    cr_expect(kw_core_pki_lists(&away, "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" REGION_NEW
                                       "/cell/" REGION_NEW_CELL "/svc/replicator"));
}

/* --- each thing spoiled --- */

static void file_put(enum region_file file, struct kw_bytes content)
{
    MUST(kw_keyfile_write(AT_FDCWD, fx.paths[file], content, KW_KEYFILE_MODE_PRIVATE, err));
}

static void bytes_load(enum region_file file, struct kw_buf *ret)
{
    MUST(kw_keyfile_read(AT_FDCWD, fx.paths[file], KW_REGION_RECORD_LEN_MAX, false, ret, err));
}

/* One bit, `at` bytes from the beginning, or from the end where it is negative. */
static void flip(enum region_file file, long at)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};

    bytes_load(file, &content);
    content.data[at >= 0 ? (size_t)at : content.len - (size_t)-at] ^= 1;
    file_put(file, kw_buf_bytes(&content));
}

/* What a step says, and that the tokens are as they were. */
#define REFUSED(step, expected, words)                                                             \
    do {                                                                                           \
        struct kw_error refused_err_ = {0};                                                        \
        uint64_t tokens_ = region_tokens(&fx);                                                     \
        enum kw_reason reason_ = kw_core_##step(&fx.step, &refused_err_).reason;                   \
        cr_expect(reason_ == (expected) && strstr(refused_err_.message, words) != NULL, "%s, %s",  \
                  kw_reason_row(reason_)->name, refused_err_.message);                             \
        cr_expect(eq(u64, region_tokens(&fx), tokens_), "%s", #step);                              \
    } while (0)

/* Spoils a bit, looks, and mends it. */
#define FLIPPED(step, file, at, expected, words)                                                   \
    do {                                                                                           \
        flip(file, at);                                                                            \
        REFUSED(step, expected, words);                                                            \
        flip(file, at);                                                                            \
    } while (0)

Test(region, a_token_that_has_keys_asks_for_none)
{
    fx.request.token.hsm_token = KW_MESH_TOKEN;
    REFUSED(request, KW_E_ALREADY_EXISTS, "the token already holds keyward-kek-v1");
    fx.request.token.hsm_token = REGION_NEW_TOKEN;
    region_request(&fx);
    REFUSED(request, KW_E_CONFIG_INVALID, "is there already");
    (void)unlink(fx.paths[REGION_REQUEST]);
    REFUSED(request, KW_E_ALREADY_EXISTS, "the token already holds keyward-ca-services");
}

Test(region, a_region_without_a_name_asks_for_nothing)
{
    fx.request.region = "Not a region";
    REFUSED(request, KW_E_ARGUMENT_INVALID, "");
    fx.request.region = REGION_NEW;
    fx.request.request_file = "/nowhere/request";
    cr_expect(eq(int, kw_core_request(&fx.request, NULL).reason, KW_E_SYSTEM));
    fx.request.request_file = fx.paths[REGION_REQUEST];
    region_request(&fx); /* the token was left fresh */
}

#define REQUEST_NONCE 4

Test(region, a_request_that_is_not_approved_carries_nothing)
{
    struct kw_signature signature;

    region_request(&fx);
    flip(REGION_REQUEST, REQUEST_NONCE);
    region_compare(&fx);
    REFUSED(carry, KW_E_SIGNATURE_INVALID, "not approved");
    flip(REGION_REQUEST, REQUEST_NONCE);
    region_compare(&fx);
    FLIPPED(carry, REGION_APPROVAL, -1, KW_E_SIGNATURE_INVALID, "not approved");
    officer_sign(&fx.dir, OFFICER_LIST_LABEL, kw_bytes_str("another thing"), &signature);
    file_put(REGION_APPROVAL, kw_signature_bytes(&signature));
    REFUSED(carry, KW_E_SIGNATURE_INVALID, "not approved");
    (void)unlink(fx.paths[REGION_APPROVAL]);
    REFUSED(carry, KW_E_CONFIG_INVALID, "far.kwq.sig");
}

/* The officer may have been talked into it: the keys themselves must have signed. */
Test(region, an_approved_request_whose_keys_did_not_sign_it_is_refused)
{
    region_request(&fx);
    flip(REGION_REQUEST, REQUEST_NONCE);
    region_approve(&fx);
    REFUSED(carry, KW_E_SIGNATURE_INVALID, "");
    flip(REGION_REQUEST, 0);
    region_approve(&fx);
    REFUSED(carry, KW_E_ENCODING_INVALID, "request of a region");
    flip(REGION_REQUEST, 0);
    flip(REGION_REQUEST, REQUEST_NONCE);
    region_approve(&fx);
    fx.carry.trust_domain = "example.org";
    REFUSED(carry, KW_E_CONFIG_INVALID, "regions of keyward.test, not of example.org");
}

#define BLOB_RECOVERY  4
#define BLOB_EPHEMERAL 60
#define BLOB_COUNT     134
#define BLOB_LABEL     140
#define BLOB_MAC       (-1)  /* the last byte of the check value */
#define BLOB_MAC_KEY   (-20) /* wrapped */
#define BLOB_KEK_CHECK (-60) /* before "keyward-mac-v1", its length, 40 bytes and 3 */

Test(region, a_blob_that_was_altered_is_not_carried)
{
    region_request(&fx);
    FLIPPED(carry, REGION_BLOB, 0, KW_E_ENCODING_INVALID, "ceremony blob");
    FLIPPED(carry, REGION_BLOB, BLOB_RECOVERY, KW_E_BINDING_INVALID, "another recovery key");
    FLIPPED(carry, REGION_BLOB, BLOB_EPHEMERAL, KW_E_ARGUMENT_INVALID, "");
    FLIPPED(carry, REGION_BLOB, BLOB_COUNT, KW_E_ENCODING_INVALID, "ceremony blob");
    FLIPPED(carry, REGION_BLOB, BLOB_LABEL, KW_E_ENCODING_INVALID, "ceremony blob");
    FLIPPED(carry, REGION_BLOB, BLOB_MAC, KW_E_BINDING_INVALID,
            "the MAC key of the blob has another check value");
    FLIPPED(carry, REGION_BLOB, BLOB_KEK_CHECK, KW_E_BINDING_INVALID,
            "the KEK of the blob has another check value");
    FLIPPED(carry, REGION_BLOB, BLOB_MAC_KEY, KW_E_BINDING_INVALID, "");
    region_carry(&fx);
    REFUSED(carry, KW_E_CONFIG_INVALID, "is there already");
}

Test(region, another_recovery_key_opens_nothing)
{
    region_request(&fx);
    fx.carry.recovery_key_file =
        kw_mesh_path(&fx.dir, "officer/key.pem", fx.paths[REGION_RECOVERY]);
    REFUSED(carry, KW_E_BINDING_INVALID, "another recovery key");
}

/* --- what the root answers --- */

/* Another ceremony with the same recovery key and officer: another mesh's KEK. */
static void other_blob(void)
{
    struct kw_init_config config = init_fx.config;
    char path[PATH_MAX];

    config.hsm_token = "another-mesh";
    config.out_dir = kw_mesh_path(&fx.dir, "another", path);
    MUST(kw_core_init(&config, err));
    fx.carry.blob_file = kw_mesh_path(&fx.dir, "another/ceremony.kwb", fx.paths[REGION_BLOB]);
}

Test(region, keys_of_another_mesh_are_not_answered_with)
{
    region_request(&fx);
    other_blob();
    region_carry(&fx);
    REFUSED(answer, KW_E_BINDING_INVALID, "keyward-mac-v1 came with another check value");
}

#define CARRIED_DIGEST 4
#define CARRIED_PROOF  (-1)

Test(region, what_was_carried_otherwise_is_not_answered_with)
{
    region_request(&fx);
    region_carry(&fx);
    FLIPPED(answer, REGION_CARRIED, 0, KW_E_ENCODING_INVALID, "carried keys");
    FLIPPED(answer, REGION_CARRIED, CARRIED_DIGEST, KW_E_BINDING_INVALID,
            "carried for another request");
    FLIPPED(answer, REGION_CARRIED, CARRIED_PROOF, KW_E_BINDING_INVALID,
            "the KEK that was carried is another one");
    FLIPPED(answer, REGION_APPROVAL, -1, KW_E_SIGNATURE_INVALID, "not approved");
    FLIPPED(answer, REGION_REQUEST, REQUEST_NONCE, KW_E_BINDING_INVALID, "the request of ");
    FLIPPED(answer, REGION_SET, -1, KW_E_SIGNATURE_INVALID, "");
    fx.answer.token.hsm_token = REGION_NEW_TOKEN; /* it has no root, and no keys yet */
    REFUSED(answer, KW_E_HSM_KEY_MISSING, "");
}

Test(region, a_request_is_answered_once)
{
    region_request(&fx);
    region_carry(&fx);
    region_answer(&fx);
    REFUSED(answer, KW_E_CONFIG_INVALID, "is there already");
    (void)unlink(fx.paths[REGION_ANSWER]);
    fx.answer.token.hsm_token = "no such token"; /* the HSM is not asked */
    REFUSED(answer, KW_E_ALREADY_EXISTS, "region far is of the mesh already");
}

/* --- files that came by any way: the recovery key believes what people compared --- */

/* From the same place of `from`. */
static void file_copy(const char *from, const char *to, const char *name)
{
    KW_SCOPED(kw_buf_done) struct kw_buf content = {0};
    char path[2 * PATH_MAX];

    file_load(from, name, &content);
    snprintf(path, sizeof(path), "%s/%s", to, name);
    MUST(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(&content), KW_KEYFILE_MODE_PUBLIC, err));
}

static void nothing_was_carried(void)
{
    cr_expect(ne(int, access(fx.paths[REGION_CARRIED], F_OK), 0), "%s", fx.paths[REGION_CARRIED]);
}

/* Its officer has the very key that approved; only that no CA of ours says so is wrong with it. */
Test(region, an_officer_of_another_mesh_opens_nothing)
{
    char path[PATH_MAX];
    char blob[PATH_MAX];

    region_request(&fx);
    kw_copy(blob, fx.paths[REGION_BLOB], PATH_MAX);
    other_blob();
    kw_copy(fx.paths[REGION_BLOB], blob, PATH_MAX);
    fx.carry.pki_dir = kw_mesh_path(&fx.dir, "another/pki", path);
    REFUSED(carry, KW_E_BINDING_INVALID, "another/pki/root.pem is ");
    file_copy(fx.paths[REGION_HOME_PKI], path, "root.pem");
    REFUSED(carry, KW_E_SIGNATURE_INVALID, "");
    file_copy(fx.paths[REGION_HOME_PKI], path, "regions.kwg");
    REFUSED(carry, KW_E_IDENTITY_INVALID, "");
    nothing_was_carried();
}

Test(region, another_root_than_the_one_compared_opens_nothing)
{
    char kept = fx.root_sha256[0];

    region_request(&fx);
    fx.root_sha256[0] = kept == '0' ? '1' : '0';
    REFUSED(carry, KW_E_BINDING_INVALID, "region/pki/root.pem is ");
    nothing_was_carried();
    fx.root_sha256[0] = kept;
    region_carry(&fx);
}

/* The officer approved both, but one was compared. */
Test(region, another_request_than_the_one_compared_is_neither_carried_nor_answered)
{
    char compared[sizeof(fx.request_sha256)];

    region_request(&fx);
    kw_copy(compared, fx.request_sha256, sizeof(compared));
    (void)unlink(fx.paths[REGION_REQUEST]);
    fx.request.token.hsm_token = "keyward-third";
    region_request(&fx);
    region_carry(&fx);
    kw_copy(fx.request_sha256, compared, sizeof(compared));
    REFUSED(answer, KW_E_BINDING_INVALID, "far.kwq is ");
    (void)unlink(fx.paths[REGION_CARRIED]);
    REFUSED(carry, KW_E_BINDING_INVALID, "far.kwq is ");
    nothing_was_carried();
}

/* What says whom to believe is another mesh's, and goes together: the token knows better. */
Test(region, a_root_signs_nothing_for_another_root_s_officer)
{
    char path[PATH_MAX];

    region_request(&fx);
    region_carry(&fx);
    other_blob();
    fx.answer.region_dir = kw_mesh_path(&fx.dir, "another", path);
    REFUSED(answer, KW_E_ARGUMENT_INVALID, "the issuer's key is not its certificate's");
    cr_expect(ne(int, access(fx.paths[REGION_ANSWER], F_OK), 0));
}

/* --- what the new region believes --- */

static void until_answer(void)
{
    region_request(&fx);
    region_carry(&fx);
    region_answer(&fx);
}

Test(region, an_answer_that_was_altered_is_not_believed)
{
    until_answer();
    FLIPPED(complete, REGION_ANSWER, 0, KW_E_ENCODING_INVALID, "answer to a region");
    for (long at = 4; at < 3000; at += 371) {
        struct kw_error err = {0};
        uint64_t tokens = region_tokens(&fx);
        enum kw_reason reason;

        flip(REGION_ANSWER, at);
        reason = kw_core_complete(&fx.complete, &err).reason;
        cr_expect(reason == KW_E_SIGNATURE_INVALID || reason == KW_E_ENCODING_INVALID,
                  "byte %ld: %s, %s", at, kw_reason_row(reason)->name, err.message);
        cr_expect(eq(u64, region_tokens(&fx), tokens));
        flip(REGION_ANSWER, at);
    }
    FLIPPED(complete, REGION_ANSWER, -1, KW_E_SIGNATURE_INVALID, "");
    region_complete(&fx);
}

Test(region, another_root_is_not_believed)
{
    char other[PATH_MAX];

    char kept = fx.root_sha256[0];

    until_answer();
    fx.root_sha256[0] = kept == '0' ? '1' : '0';
    REFUSED(complete, KW_E_BINDING_INVALID, "the root of ");
    fx.root_sha256[0] = kept;
    fx.complete.root_file = kw_mesh_path(&fx.dir, "another/pki/root.pem", other);
    other_blob();
    REFUSED(complete, KW_E_BINDING_INVALID, "another/pki/root.pem is ");
}

Test(region, a_list_that_the_officer_did_not_sign_gives_no_certificates)
{
    until_answer();
    FLIPPED(complete, REGION_LIST, 30, KW_E_SIGNATURE_INVALID, "");
    officer_list(&fx.dir, "far.list", "spiffe://keyward.test/region/near/cell/c/svc/authz\n");
    REFUSED(complete, KW_E_CONFIG_INVALID, "a list of region near, not of far");
    officer_list(&fx.dir, "far.list", "\n");
    REFUSED(complete, KW_E_CONFIG_INVALID, "a list of no services");
}

Test(region, another_token_takes_no_keys)
{
    until_answer();
    fx.complete.token.hsm_token = KW_MESH_TOKEN;
    REFUSED(complete, KW_E_HSM_KEY_MISSING, "keyward-carrier");
    (void)unlink(fx.paths[REGION_REQUEST]);
    fx.request.token.hsm_token = "keyward-third";
    region_request(&fx);
    REFUSED(complete, KW_E_BINDING_INVALID, "an answer to another request");
}

/* Two tokens that both asked; the one is answered, the other takes the answer. */
Test(region, a_token_takes_no_keys_that_another_asked_for)
{
    char third[PATH_MAX];

    until_answer();
    fx.request.token.hsm_token = "keyward-third";
    fx.request.request_file = kw_mesh_path(&fx.dir, "third.kwq", third);
    MUST(kw_core_request(&fx.request, err));
    fx.complete.token.hsm_token = "keyward-third";
    REFUSED(complete, KW_E_BINDING_INVALID, "this token did not make the request");
}

Test(region, what_is_of_another_mesh_is_named)
{
    static char *no_csr[1];

    fx.request.trust_domain = "example.org";
    region_request(&fx);
    REFUSED(carry, KW_E_CONFIG_INVALID, "a request of trust domain example.org");
    (void)unlink(fx.paths[REGION_REQUEST]);
    fx.request.trust_domain = KW_MESH_TRUST_DOMAIN;
    fx.request.token.hsm_token = "keyward-third";
    fx.complete.token.hsm_token = "keyward-third";
    until_answer();
    fx.complete.trust_domain = "example.org";
    REFUSED(complete, KW_E_CONFIG_INVALID, "a request of trust domain keyward.test");
    fx.complete.trust_domain = KW_MESH_TRUST_DOMAIN;
    no_csr[0] = fx.paths[REGION_LIST];
    fx.complete.officer_csr_files = (struct kw_strings){.items = no_csr, .count = 1};
    REFUSED(complete, KW_E_ARGUMENT_INVALID, "");
}

/* A key on another curve, in the place of the carrier. */
static void carrier_exchange(void)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf other = {0};
    struct kw_writer w = KW_WRITER(&other);
    struct kw_region_request request;
    struct kw_bytes old;
    struct kw_spki spki;
    size_t at;

    bytes_load(REGION_REQUEST, &record);
    MUST(kw_region_request_read(kw_buf_bytes(&record), &request, err));
    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    MUST(kw_public_key_spki(&public, &spki, err));
    old = request.keys[0];
    at = (size_t)(old.data - record.data);
    kw_put_raw(&w, KW_BYTES(record.data, at - 2)); /* without its length */
    kw_put_var(&w, kw_spki_bytes(&spki));
    kw_put_raw(&w, KW_BYTES(old.data + old.len, record.len - at - old.len));
    MUST(kw_writer_end(&w, err));
    file_put(REGION_REQUEST, kw_buf_bytes(&other));
}

Test(region, a_key_on_another_curve_is_not_certified)
{
    region_request(&fx);
    carrier_exchange();
    region_approve(&fx);
    REFUSED(carry, KW_E_ARGUMENT_INVALID, "a region's keys are on P-384");
}

/* Certificates of anybody: whose they are the new region looks at. */
static void officers_add(unsigned count)
{
    const struct kw_validity validity = {0, 1000000};
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    const struct kw_ca_plan plan = {.subject = &public, .name = "anybody", .validity = validity};

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    for (unsigned i = 0; i < count; i++) {
        KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
        char name[64];
        char path[PATH_MAX];

        MUST(kw_certificate_issue_root(&plan, &key, &made, err));
        MUST(kw_certificate_to_pem(&made, &pem, err));
        snprintf(name, sizeof(name), "region/officers/%u.pem", i);
        MUST(kw_keyfile_write(AT_FDCWD, kw_mesh_path(&fx.dir, name, path), kw_buf_bytes(&pem),
                              KW_KEYFILE_MODE_PUBLIC, err));
    }
}

Test(region, officers_that_are_too_many_or_nowhere_are_not_answered_with)
{
    char from[PATH_MAX];
    char to[PATH_MAX];

    region_request(&fx);
    region_carry(&fx);
    officers_add(64);
    REFUSED(answer, KW_E_LIMIT_REACHED, "over 64 officers");
    (void)rename(kw_mesh_path(&fx.dir, "region/officers", from),
                 kw_mesh_path(&fx.dir, "region/away", to));
    REFUSED(answer, KW_E_CONFIG_INVALID, "region/officers: No such file");
}

Test(region, a_region_whose_credentials_are_away_is_not_told)
{
    char from[PATH_MAX];
    char to[PATH_MAX];

    region_fixture_run(&fx);
    (void)rename(kw_mesh_path(&fx.dir, "far/credentials", from),
                 kw_mesh_path(&fx.dir, "far/away", to));
    REFUSED(regions, KW_E_CONFIG_INVALID, "far/credentials: No such file");
}

Test(region, keys_come_once)
{
    char other[PATH_MAX];

    until_answer();
    region_complete(&fx);
    fx.complete.out_dir = kw_mesh_path(&fx.dir, "far-again", other);
    REFUSED(complete, KW_E_HSM_KEY_MISSING, "keyward-carrier");
    fx.complete.out_dir = fx.paths[REGION_OUT];
    REFUSED(complete, KW_E_CONFIG_INVALID, "File exists");
}
