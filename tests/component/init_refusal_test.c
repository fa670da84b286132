/* What officers bring to init may be wrong: each thing is spoiled alone, and refused by name before a key is made. */
#include "tests/component/init_fixture.h"
#include "tests/support/officer_sign.h"

#include "common/crypto/keyfile.h"

#include <fcntl.h>
#include <stdio.h>

TestSuite(init_refusal, .init = init_up, .fini = init_down, .timeout = 120);

/* Bytes in a new file of the fixture, for one setting. */
static char *file_with(const char *name, struct kw_bytes content)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = kw_mesh_path(&init_fx.dir, name, paths[next++ % 4]);

    (void)remove(path);
    MUST(kw_keyfile_write(AT_FDCWD, path, content, KW_KEYFILE_MODE_PRIVATE, err));
    return path;
}

static char *file_of(const char *name, const char *text)
{
    return file_with(name, kw_bytes_str(text));
}

/* A list that says `text`, rightly signed by the first officer. */
static void list_sign(struct kw_init_config *config, const char *text)
{
    static char paths[2][PATH_MAX];

    officer_list(&init_fx.dir, "other.list", text);
    config->services_file = kw_mesh_path(&init_fx.dir, "other.list", paths[0]);
    config->services_signature_file = kw_mesh_path(&init_fx.dir, "other.list.sig", paths[1]);
}

static void no_list(struct kw_init_config *config)
{
    config->services_file = "/nowhere/services.list";
}

static void no_signature(struct kw_init_config *config)
{
    config->services_signature_file = "/nowhere/services.list.sig";
}

static void another_list(struct kw_init_config *config)
{
    config->services_file = file_of("other.list", "spiffe://keyward.test/mine\n");
}

static void not_spiffe(struct kw_init_config *config)
{
    list_sign(config, "the gateway\n");
}

static void a_partner(struct kw_init_config *config)
{
    list_sign(config, "spiffe://keyward.test/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa\n");
}

static void another_domain(struct kw_init_config *config)
{
    list_sign(config, "spiffe://example.org/region/local/cell/a/svc/gateway\n");
}

static void another_region(struct kw_init_config *config)
{
    list_sign(config, "spiffe://keyward.test/region/local/cell/a/svc/gateway\n"
                      "spiffe://keyward.test/region/far/cell/b/svc/gateway\n");
}

static void named_twice(struct kw_init_config *config)
{
    list_sign(config, "spiffe://keyward.test/region/local/cell/a/svc/gateway\n"
                      "spiffe://keyward.test/region/local/cell/a/svc/gateway\n");
}

static void too_many(struct kw_init_config *config)
{
    static char text[64 * 1024];
    size_t len = 0;

    for (unsigned i = 0; i < 1025; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                "spiffe://keyward.test/region/r/cell/c/svc/s%u\n", i);
    }
    list_sign(config, text);
}

static void no_request(struct kw_init_config *config)
{
    static char *items[] = {"/nowhere/csr.der"};

    config->officer_csr_files.items = items;
}

static void request_is_text(struct kw_init_config *config)
{
    static char *items[1];

    items[0] = file_of("csr.der", "no request");
    config->officer_csr_files.items = items;
}

static void second_officer_is_text(struct kw_init_config *config)
{
    static char *items[2];

    items[0] = init_fx.config.officer_csr_files.items[0];
    items[1] = file_of("csr.der", "no request");
    config->officer_csr_files = (struct kw_strings){.items = items, .count = 2};
}

static void no_recovery_key(struct kw_init_config *config)
{
    config->recovery_key_file = "/nowhere/public.der";
}

static void recovery_key_is_text(struct kw_init_config *config)
{
    config->recovery_key_file = file_of("public.der", "no key");
}

static void label_is_long(struct kw_init_config *config)
{
    config->hsm_token = "a label that no token can have: 33";
}

static void no_so_pin(struct kw_init_config *config)
{
    config->hsm_so_pin_file = "/nowhere/so-pin";
}

static void so_pin_is_short(struct kw_init_config *config)
{
    config->hsm_so_pin_file = file_of("so-pin", "1\n");
    config->hsm_token = "another token";
}

static void no_pin(struct kw_init_config *config)
{
    config->hsm_pin_file = "/nowhere/pin";
}

static void no_module(struct kw_init_config *config)
{
    config->hsm_module = "/nowhere/module.so";
}

static void another_library(struct kw_init_config *config)
{
    config->hsm_module = "libm.so.6";
}

static void no_pin_for_a_token(struct kw_init_config *config)
{
    config->hsm_pin_file = "/nowhere/pin";
    config->hsm_so_pin_file = NULL;
    config->hsm_token = KW_MESH_TOKEN;
}

static void another_library_for_a_token(struct kw_init_config *config)
{
    config->hsm_module = "libm.so.6";
    config->hsm_so_pin_file = NULL;
}

static void no_such_provider(struct kw_init_config *config)
{
    config->hsm_provider = "nobody's";
}

static void no_such_token(struct kw_init_config *config)
{
    config->hsm_token = "another token";
    config->hsm_so_pin_file = NULL;
}

static void no_lock_directory(struct kw_init_config *config)
{
    config->hsm_lock_file = "/nowhere/lock";
}

static const struct {
    const char *name;
    void (*spoil)(struct kw_init_config *config);
    enum kw_reason reason;
    const char *words; /* in what the officer is told */
} cases[] = {
    {"list missing", no_list, KW_E_CONFIG_INVALID, "/nowhere/services.list"},
    {"signature missing", no_signature, KW_E_CONFIG_INVALID, "/nowhere/services.list.sig"},
    {"list not signed", another_list, KW_E_SIGNATURE_INVALID, ""},
    {"list of no SPIFFE ids", not_spiffe, KW_E_IDENTITY_INVALID, ""},
    {"list with a partner", a_partner, KW_E_CONFIG_INVALID, "is not a service of keyward.test"},
    {"list of another domain", another_domain, KW_E_CONFIG_INVALID, "is not a service of"},
    {"list of two regions", another_region, KW_E_CONFIG_INVALID,
     "is not a service of region local"},
    {"service named twice", named_twice, KW_E_CONFIG_INVALID, "svc/gateway is named twice"},
    {"over 1024 services", too_many, KW_E_CONFIG_INVALID, "over 1024 services"},
    {"request missing", no_request, KW_E_CONFIG_INVALID, "/nowhere/csr.der"},
    {"request is none", request_is_text, KW_E_ARGUMENT_INVALID, ""},
    {"second officer's is none", second_officer_is_text, KW_E_ARGUMENT_INVALID, ""},
    {"recovery key missing", no_recovery_key, KW_E_CONFIG_INVALID, "/nowhere/public.der"},
    {"recovery key is none", recovery_key_is_text, KW_E_ARGUMENT_INVALID, ""},
    {"label too long", label_is_long, KW_E_CONFIG_INVALID, "token label is over 32 bytes"},
    {"SO PIN missing", no_so_pin, KW_E_CONFIG_INVALID, "/nowhere/so-pin"},
    {"SO PIN too short", so_pin_is_short, KW_E_HSM, "C_InitToken"},
    {"PIN missing", no_pin, KW_E_CONFIG_INVALID, "/nowhere/pin"},
    {"module missing", no_module, KW_E_CONFIG_INVALID, "/nowhere/module.so cannot be loaded"},
    {"module is another library", another_library, KW_E_CONFIG_INVALID, "is no PKCS#11 module"},
    {"module for a token is another", another_library_for_a_token, KW_E_CONFIG_INVALID,
     "is no PKCS#11 module"},
    {"PIN for a token missing", no_pin_for_a_token, KW_E_CONFIG_INVALID, "/nowhere/pin"},
    {"provider unknown", no_such_provider, KW_E_CONFIG_INVALID, "nobody's"},
    {"token unknown", no_such_token, KW_E_HSM_UNAVAILABLE, "no token is labelled"},
    {"lock file impossible", no_lock_directory, KW_E_CONFIG_INVALID, "lock file /nowhere/lock"},
};

Test(init_refusal, what_is_brought_wrong_is_named_and_leaves_the_token_fresh)
{
    struct kw_error err = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct kw_init_config config = init_fx.config;
        enum kw_reason reason;

        cases[i].spoil(&config);
        err = (struct kw_error){0};
        reason = init_with(&config, &err);
        cr_expect(reason == cases[i].reason && strstr(err.message, cases[i].words) != NULL,
                  "%s: %s, %s", cases[i].name, kw_reason_row(reason)->name, err.message);
    }
    cr_expect(eq(int, init_with(&init_fx.config, &err), KW_E_NONE), "then: %s", err.message);
}

Test(init_refusal, an_out_dir_that_is_used_or_impossible_is_refused)
{
    struct kw_init_config config = init_fx.config;
    struct kw_error err = {0};
    char path[PATH_MAX];

    config.out_dir = "/nowhere/region";
    cr_expect(eq(int, kw_core_init(&config, &err).reason, KW_E_SYSTEM));
    config.out_dir = memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[PATH_MAX - 1] = '\0';
    cr_expect(eq(int, kw_core_init(&config, &err).reason, KW_E_SYSTEM));
    (void)snprintf(path, sizeof(path), "%s", init_fx.dir.path);
    for (size_t len = strlen(path); len + 2 < sizeof(path) - 2; len += 2) {
        (void)snprintf(path + len, sizeof(path) - len, "/.");
    }
    cr_expect(eq(int, kw_core_init(&config, &err).reason, KW_E_CONFIG_INVALID));
    cr_expect(strstr(err.message, "too long") != NULL, "there, but nothing fits in: %s",
              err.message);
    config.out_dir = kw_mesh_path(&init_fx.dir, "region", path);
    config.hsm_module = "/nowhere/module.so";
    cr_expect(eq(int, kw_core_init(&config, &err).reason, KW_E_CONFIG_INVALID));
    config.hsm_module = init_fx.config.hsm_module;
    cr_expect(eq(int, kw_core_init(&config, &err).reason, KW_E_CONFIG_INVALID));
    cr_expect(strstr(err.message, "region/pki: File exists") != NULL, "%s", err.message);
}
