/* A core whose settings or files are spoiled does not start: it ends at once, with a failure, and says what is wrong.
 * Under tests/fault_walk.sh every step of the start fails once, too. */
#include "tests/component/init_fixture.h"
#include "tests/support/faults.h"
#include "tests/support/service_process.h"

#include "common/base/clock.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/pki_files.h"

#include <fcntl.h>
#include <stdio.h>

#define CORE        KW_BINARY_DIR "/bin/keyward-cryptocore"
#define WORKER      KW_BINARY_DIR "/bin/keyward-hsm-worker"
#define LOG_LEN_MAX 65536
#define DAY_MS      86400000ULL
#define OFFICER     "pki/" KW_CORE_LIST_OFFICER
#define ALIEN       "spiffe://keyward.test/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa"

static void config_write(void)
{
    const char *d = init_fx.dir.path;
    char path[PATH_MAX];
    FILE *file = fopen(kw_mesh_path(&init_fx.dir, "core.yaml", path), "w");

    REQUIRE(file != NULL, "core.yaml");
    fprintf(file,
            "region: " KW_MESH_REGION "\ncell: " KW_MESH_CELL
            "\ntrust_domain: " KW_MESH_TRUST_DOMAIN "\n"
            "credentials_dir: %s/credentials/" KW_MESH_CELL "/cryptocore\npki_dir: %s/pki\n"
            "hsm_token: " KW_MESH_TOKEN
            "\nhsm_pin_file: %s/region/secret/pin\nhsm_lock_file: %s/run/login.lock\n"
            "hsm_worker: " WORKER "\nhsm_workers: 1\n",
            init_fx.out_dir, init_fx.out_dir, d, d);
    fclose(file);
}

static void up(void)
{
    struct kw_error err = {0};

    init_up();
    REQUIRE(init_with(&init_fx.config, &err) == KW_E_NONE, "%s", err.message);
    config_write();
}

TestSuite(core_start, .init = up, .fini = init_down, .timeout = 500);

/* Starts a core, whose one more setting may be NULL, and ends it. True: it was READY. Otherwise `log` has its words. */
static bool start(const char *setting, struct kw_buf *log)
{
    struct service_process core = {0};
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    const char *argv[] = {CORE, config, setting, NULL};
    bool ready;

    snprintf(config, sizeof(config), "--config=%s", kw_mesh_path(&init_fx.dir, "core.yaml", path));
    (void)remove(kw_mesh_path(&init_fx.dir, "logs/core.log", path));
    ready = service_try(&core, argv, path);
    service_stop(&core);
    log->len = 0;
    MUST(kw_keyfile_read(AT_FDCWD, path, LOG_LEN_MAX, false, log, err));
    MUST(kw_buf_append(log, KW_BYTES("", 1), err));
    return ready;
}

static void refused(const char *what, const char *setting, const char *words)
{
    KW_SCOPED(kw_buf_done) struct kw_buf log = {0};
    bool ready = start(setting, &log);

    cr_expect(not(ready), "%s: started", what);
    cr_expect(strstr((const char *)log.data, "cannot go on") != NULL &&
                  strstr((const char *)log.data, words) != NULL,
              "%s: %s", what, (const char *)log.data);
}

/* --- settings --- */

static const struct {
    const char *setting;
    const char *words;
} settings[] = {
    {"--log_level=loud", "loud"},
    {"--region=Not a region/", "region"},
    {"--trust_domain=example.org", "example.org"},
    {"--credentials_dir=/nowhere", "/nowhere"},
    {"--pki_dir=/nowhere", "/nowhere/ca-services.pem"},
    {"--metrics_listen=192.0.2.1:1", "192.0.2.1"},
    {"--listen=192.0.2.1:1", "192.0.2.1"},
    {"--hsm_sandbox=loose", "loose"},
    {"--hsm_worker=/nowhere/worker", "/nowhere/worker cannot be executed"},
    {"--hsm_workers=33", "33 HSM workers"},
};

Test(core_start, a_wrong_setting_is_named)
{
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        refused(settings[i].setting, settings[i].setting, settings[i].words);
    }
}

/* What is copied into the worker's configuration has an end. */
Test(core_start, a_setting_that_is_too_long_is_named)
{
    static const struct {
        const char *name;
        const char *words;
    } rows[] = {
        {"hsm_provider", "HSM setting provider is"}, {"hsm_module", "HSM setting module is"},
        {"hsm_token", "HSM setting token is"},       {"hsm_pin_file", "HSM setting pin file is"},
        {"hsm_lock_file", "HSM setting lock file"},  {"hsm_worker", "HSM setting worker is"},
        {"pki_dir", "pki_dir is too long"},
    };
    char setting[PATH_MAX + 32];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int len = snprintf(setting, sizeof(setting), "--%s=/", rows[i].name);

        memset(setting + len, 'a', PATH_MAX);
        setting[len + PATH_MAX - 8] = '\0';
        refused(rows[i].name, setting, rows[i].words);
    }
}

/* --- files of pki_dir --- */

static const struct {
    const char *file;
    const char *content; /* NULL: missing */
    const char *words;
} files[] = {
    {"pki/ca-stations.pem", NULL, "ca-stations.pem"},
    {"pki/ca-partners.pem", "no certificate", "cannot go on"},
    {"pki/services.list", NULL, "services.list"},
    {"pki/services.list", "spiffe://keyward.test/region/local/cell/a/svc/mine\n",
     "SIGNATURE_INVALID"},
    {"pki/services.list.sig", NULL, "services.list.sig"},
    {"pki/services.list.sig", "no signature", "SIGNATURE_INVALID"},
    {OFFICER, NULL, KW_CORE_LIST_OFFICER},
    {OFFICER, "no certificate", "cannot go on"},
    {"credentials/" KW_MESH_CELL "/cryptocore/cert.pem", "no certificate", "cannot go on"},
    {"credentials/" KW_MESH_CELL "/cryptocore/key.pem", NULL, "key.pem"},
};

/* Puts something in a file's place, whatever its mode; `original` has what was there. */
static void file_replace(const char *name, struct kw_bytes content, struct kw_buf *original)
{
    char path[PATH_MAX];

    (void)init_wrote(name, path);
    original->len = 0;
    MUST(kw_keyfile_read(AT_FDCWD, path, LOG_LEN_MAX, false, original, err));
    REQUIRE(remove(path) == 0, "%s", path);
    if (content.len > 0) {
        MUST(kw_keyfile_write(AT_FDCWD, path, content, KW_KEYFILE_MODE_PRIVATE, err));
    }
}

static void file_restore(const char *name, const struct kw_buf *original)
{
    char path[PATH_MAX];

    (void)remove(init_wrote(name, path));
    MUST(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(original), KW_KEYFILE_MODE_PRIVATE, err));
}

Test(core_start, a_spoiled_file_is_named)
{
    KW_SCOPED(kw_buf_done) struct kw_buf original = {0};

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *text = files[i].content;

        file_replace(files[i].file, text != NULL ? kw_bytes_str(text) : KW_BYTES_NONE, &original);
        refused(files[i].file, NULL, files[i].words);
        file_restore(files[i].file, &original);
    }
    cr_expect(start(NULL, &original), "and whole again: %s", (const char *)original.data);
}

/* A certificate for the officer's place by one of the region's CAs, as who holds the token could make it. */
static void officer_forge(enum kw_hsm_signer ca, const char *ca_file, struct kw_buf *ret_pem)
{
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_der = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate issuer = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate made = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    const struct kw_init_config *c = &init_fx.config;
    const struct kw_hsm_token token = {c->hsm_provider, c->hsm_module, c->hsm_token,
                                       c->hsm_pin_file, c->hsm_lock_file};
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};
    uint64_t now = kw_clock_wall_ms() / 1000 * 1000;
    struct kw_hsm_ceremony *ceremony;
    struct kw_hsm_answer answer;
    struct kw_spki spki;
    char path[PATH_MAX];

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    MUST(kw_public_key_spki(&public, &spki, err));
    MUST(kw_keyfile_read(AT_FDCWD, init_wrote(ca_file, path), LOG_LEN_MAX, false, &ca_pem, err));
    MUST(kw_certificate_from_pem(&issuer, kw_buf_bytes(&ca_pem), err));
    MUST(kw_certificate_to_der(&issuer, &ca_der, err));
    request.issue = (struct kw_hsm_issue){.issuer = ca,
                                          .issuer_certificate = kw_buf_bytes(&ca_der),
                                          .spki = kw_spki_bytes(&spki),
                                          .spiffe_id = ALIEN,
                                          .validity = {now - 1000, now + DAY_MS},
                                          .usage = KW_USAGE_CLIENT};
    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    MUST(kw_hsm_ceremony_run(ceremony, &request, &answer, err));
    MUST(kw_certificate_from_der(&made, answer.certificate, err));
    MUST(kw_certificate_to_pem(&made, ret_pem, err));
    kw_hsm_ceremony_free(ceremony);
}

Test(core_start, a_list_counts_only_with_an_operator_behind_it)
{
    KW_SCOPED(kw_buf_done) struct kw_buf partner = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf by_operators = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf original = {0};

    officer_forge(KW_HSM_CA_PARTNERS, "pki/ca-partners.pem", &partner);
    officer_forge(KW_HSM_CA_OPERATORS, "pki/ca-operators.pem", &by_operators);
    file_replace(OFFICER, kw_buf_bytes(&partner), &original);
    refused("of another CA", NULL, "unable to get local issuer certificate");
    file_restore(OFFICER, &by_operators);
    refused("of another role", NULL, "an officer who is no operator");
}

/* --- every step --- */

Test(core_start, every_step_may_fail)
{
    KW_SCOPED(kw_buf_done) struct kw_buf log = {0};
    bool ready;
    bool fired;

    do {
        faults_arm();
        ready = start(NULL, &log);
        fired = faults_disarm();
        cr_expect(ready || (fired && strstr((const char *)log.data, "cannot go on") != NULL),
                  "%s: %s", kw_fault_plan()->last, (const char *)log.data);
    } while (fired);
    cr_assert(ready);
}

/* What init does before anything of it is in this process: hardening, and the lock of its secrets. */
Test(core_start, every_step_before_an_init_may_fail)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    const char *argv[] = {CORE, "init", config, NULL};

    snprintf(config, sizeof(config), "--config=%s",
             kw_mesh_path(&init_fx.dir, "region/init.yaml", path));
    for (int i = 0; i < 2 && faults_walked(); i++) {
        struct service_process init = {0};

        faults_arm();
        cr_expect(not(service_try(&init, argv, kw_mesh_path(&init_fx.dir, "logs/init.log", path))));
        cr_expect(faults_disarm());
        cr_expect(strstr(kw_fault_plan()->last, "main.c") != NULL, "%s", kw_fault_plan()->last);
    }
}
