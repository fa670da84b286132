/* Settings: every source, their order, every refusal, and the pages printed from the table. */
#include "common/base/settings.h"

#include "common/base/bytes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <unistd.h>

struct config {
    char *name;
    char *data_dir;
    char *pin_file;
    char *listen;
    uint32_t port;
    uint64_t bytes_max;
    bool strict;
    struct kw_strings regions;
};

#define ROW(field, kind, ...)                                                                      \
    {                                                                                              \
        .name = #field, .type = KW_SETTING_##kind, .offset = offsetof(struct config, field),       \
        __VA_ARGS__                                                                                \
    }

static const struct kw_setting rows[] = {
    ROW(name, STRING, .fallback = "a \"b\" \\ c", .max = 20, .doc = "A name."),
    ROW(data_dir, PATH, .required = true, .doc = "Where data lives."),
    ROW(pin_file, SECRET_FILE, .doc = "The PIN."),
    ROW(listen, ADDRESS, .fallback = "[::1]:0", .doc = "Where to listen."),
    ROW(port, U32, .fallback = "7443", .min = 1, .max = 65535, .reloadable = true,
        .doc = "A port."),
    ROW(bytes_max, U64, .fallback = "18446744073709551615", .doc = "A lot."),
    ROW(strict, BOOL, .fallback = "true", .doc = "Whether."),
    ROW(regions, LIST, .fallback = "eu,us", .max = 3, .doc = "Where."),
};

static const struct kw_settings_spec spec = {.program = "keyward-test",
                                             .summary = "A service for tests.",
                                             .settings = rows,
                                             .count = sizeof(rows) / sizeof(rows[0])};

static struct config config;
static struct kw_error err;
static enum kw_settings_outcome outcome;
static char file_flag[64];

/* Loads with the flags given; data_dir, which is required, comes along. */
#define LOAD(...) load((const char *[]){"test", "--data_dir=/d", __VA_ARGS__ __VA_OPT__(, ) NULL})

static enum kw_reason load(const char **argv)
{
    int argc = 0;

    while (argv[argc] != NULL) {
        argc++;
    }
    return kw_settings_load(&spec, argc, (char **)argv, &config, &outcome, &err).reason;
}

static void file_remove(void)
{
    if (file_flag[0] != '\0') {
        (void)unlink(strchr(file_flag, '=') + 1);
        file_flag[0] = '\0';
    }
}

/* Writes `text` to a file; returns the flag that names it. */
static char *file_with(const char *text)
{
    char path[] = "/tmp/keyward-settings-XXXXXX";
    int fd = mkstemp(path);

    file_remove();
    cr_assert(ge(int, fd, 0));
    cr_assert(eq(long, write(fd, text, strlen(text)), (long)strlen(text)));
    (void)close(fd);
    (void)snprintf(file_flag, sizeof(file_flag), "--config=%s", path);
    return file_flag;
}

static void cleanup(void)
{
    kw_settings_done(&spec, &config);
    file_remove();
}

TestSuite(settings, .fini = cleanup);

Test(settings, fallbacks_fill_every_field)
{
    cr_assert(eq(int, LOAD(), KW_E_NONE), "%s", err.message);
    cr_assert(eq(int, outcome, KW_SETTINGS_RUN));
    cr_assert(eq(str, config.name, "a \"b\" \\ c"));
    cr_assert(eq(str, config.listen, "[::1]:0"));
    cr_assert(eq(u32, config.port, 7443));
    cr_assert(eq(u64, config.bytes_max, UINT64_MAX));
    cr_assert(config.strict);
    cr_assert(eq(sz, config.regions.count, 2));
    cr_assert(eq(str, config.regions.items[1], "us"));
    cr_assert(eq(ptr, config.pin_file, NULL));
}

Test(settings, file_gives_values)
{
    cr_assert(
        eq(int,
           LOAD(file_with("port: 99\nstrict: false\nregions:\n  - \"a,b\"\n  - c\nname: x y\n")),
           KW_E_NONE),
        "%s", err.message);
    cr_assert(eq(u32, config.port, 99));
    cr_assert(not(config.strict));
    cr_assert(eq(sz, config.regions.count, 2));
    cr_assert(eq(str, config.regions.items[0], "a,b"));
    cr_assert(eq(str, config.name, "x y"));
}

Test(settings, environment_wins_over_file_and_flag_over_environment)
{
    cr_assert(eq(int, setenv("KEYWARD_PORT", "2", 1), 0));
    cr_assert(eq(int, setenv("KEYWARD_NAME", "env", 1), 0));
    cr_assert(eq(int, setenv("KEYWARD_REGIONS", "x,y,z", 1), 0));
    cr_assert(
        eq(int, LOAD(file_with("port: 1\nname: file\nstrict: false\n"), "--port=3"), KW_E_NONE));
    cr_assert(eq(u32, config.port, 3));
    cr_assert(eq(str, config.name, "env"));
    cr_assert(not(config.strict));
    cr_assert(eq(str, config.regions.items[2], "z"));
}

Test(settings, environment_names_the_file)
{
    cr_assert(eq(int, setenv("KEYWARD_CONFIG", strchr(file_with("port: 5\n"), '=') + 1, 1), 0));
    cr_assert(eq(int, LOAD(), KW_E_NONE));
    cr_assert(eq(u32, config.port, 5));
}

Test(settings, flags_take_dashes)
{
    cr_assert(eq(int, LOAD("--pin-file=/p", "--bytes-max=7"), KW_E_NONE));
    cr_assert(eq(str, config.pin_file, "/p"));
    cr_assert(eq(u64, config.bytes_max, 7));
}

Test(settings, the_last_flag_wins)
{
    cr_assert(eq(int, LOAD("--port=1", "--port=2"), KW_E_NONE));
    cr_assert(eq(u32, config.port, 2));
}

Test(settings, empty_text_overrides_a_fallback)
{
    cr_assert(eq(int, LOAD("--name=", "--regions="), KW_E_NONE));
    cr_assert(eq(ptr, config.name, NULL));
    cr_assert(eq(sz, config.regions.count, 0));
}

Test(settings, empty_file_is_all_fallbacks)
{
    cr_assert(eq(int, LOAD(file_with("# nothing\n")), KW_E_NONE));
    cr_assert(eq(u32, config.port, 7443));
}

Test(settings, unknown_key_is_refused_with_its_place)
{
    cr_assert(eq(int, LOAD(file_with("name: x\nregions: [a, {b: c}]\n")), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, LOAD(file_with("name: port\nregions: [a]\nport: 5\n\n  \nprot: 9\n")),
                 KW_E_CONFIG_INVALID));
    cr_assert(ne(ptr, strstr(err.message, "unknown setting prot (line 6, column 1)"), NULL), "%s",
              err.message);
    cr_assert(eq(ptr, config.data_dir, NULL), "nothing is left behind");
}

Test(settings, unknown_flag_is_refused_without_its_value)
{
    cr_assert(eq(int, LOAD("--pin=1234"), KW_E_CONFIG_INVALID));
    cr_assert(ne(ptr, strstr(err.message, "unknown flag --pin:"), NULL), "%s", err.message);
    cr_assert(eq(ptr, strstr(err.message, "1234"), NULL));
    cr_assert(eq(int, LOAD("port=1"), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, LOAD("--port"), KW_E_CONFIG_INVALID));
}

Test(settings, required_value_must_be_given)
{
    cr_assert(eq(int, load((const char *[]){"test", NULL}), KW_E_CONFIG_INVALID));
    cr_assert(eq(str, err.message, "setting data_dir is required"));
    cr_assert(eq(int, LOAD("--data_dir="), KW_E_CONFIG_INVALID));
}

Test(settings, malformed_values_are_refused)
{
    const char *bad[] = {"--port=0",
                         "--port=65536",
                         "--port=",
                         "--port=-1",
                         "--port= 1",
                         "--port=0x10",
                         "--port=1 ",
                         "--strict=yes",
                         "--strict=",
                         "--listen=here",
                         "--listen=:1",
                         "--listen=a:65536",
                         "--listen=a:b",
                         "--listen=::1:5",
                         "--listen=[::1]",
                         "--listen=a:",
                         "--regions=a,b,c,d",
                         "--name=123456789012345678901",
                         "--port=99999999999999999999999",
                         "--bytes_max=18446744073709551616"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(eq(int, LOAD(bad[i]), KW_E_CONFIG_INVALID), "%s", bad[i]);
    }
}

Test(settings, error_names_setting_and_source)
{
    cr_assert(eq(int, LOAD(file_with("port: 70000\n")), KW_E_CONFIG_INVALID));
    cr_assert(eq(str, err.message,
                 "setting port, from the configuration file: value 70000 is not in 1..65535"));
}

Test(settings, secret_given_by_value_is_refused_and_not_repeated)
{
    cr_assert(eq(int, LOAD("--pin_file=4711"), KW_E_CONFIG_INVALID));
    cr_assert(eq(ptr, strstr(err.message, "4711"), NULL), "%s", err.message);
}

Test(settings, files_that_are_not_a_flat_mapping_are_refused)
{
    const char *bad[] = {"[]",           "name: a\nname: b\n",      "name: [x]\n",
                         "regions: a\n", "regions: []\n",           "name: a\n\tb",
                         "name: &x a\n", "name: x\n---\nport: 1\n", "a: {b: [}"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        bool anchor_only = strchr(bad[i], '&') != NULL; /* an anchor nobody uses is harmless */

        cr_assert(eq(int, LOAD(file_with(bad[i])), anchor_only ? KW_E_NONE : KW_E_CONFIG_INVALID),
                  "%s", bad[i]);
        cleanup();
    }
}

Test(settings, file_that_cannot_be_read_is_refused)
{
    cr_assert(eq(int, LOAD("--config=/nonexistent/x.yaml"), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, LOAD("--config=/"), KW_E_CONFIG_INVALID));
    cr_assert(eq(int, LOAD("--config=/dev/zero"), KW_E_CONFIG_INVALID));
}

/* The page as text. */
static char *page_of(enum kw_settings_page page)
{
    static char text[8192];
    FILE *out = fmemopen(text, sizeof(text), "w");

    cr_assert(ne(ptr, out, NULL));
    kw_settings_print(&spec, page, out);
    (void)fclose(out);
    return text;
}

Test(settings, default_file_loads_again)
{
    cr_assert(eq(int, LOAD(file_with(page_of(KW_SETTINGS_DEFAULT_CONFIG))), KW_E_NONE), "%s",
              err.message);
    cr_assert(eq(str, config.name, "a \"b\" \\ c"));
    cr_assert(eq(u64, config.bytes_max, UINT64_MAX));
    cr_assert(eq(str, config.regions.items[0], "eu"));
    cr_assert(eq(sz, config.regions.count, 2));
}

Test(settings, help_promises_pages_only_where_they_are)
{
    static char text[8192];
    struct kw_settings_spec command = spec;
    FILE *out = fmemopen(text, sizeof(text), "w");

    command.words = "NOUN VERB";
    kw_settings_print(&command, KW_SETTINGS_HELP, out);
    (void)fclose(out);
    cr_assert(ne(ptr, strstr(text, "Usage: keyward-test NOUN VERB [--config=FILE]"), NULL));
    cr_assert(eq(ptr, strstr(text, "--print-"), NULL));
    cr_assert(ne(ptr, strstr(page_of(KW_SETTINGS_HELP), "--print-default-config"), NULL));
}

Test(settings, pages_name_every_setting)
{
    for (size_t i = 0; i < spec.count; i++) {
        cr_assert(ne(ptr, strstr(page_of(KW_SETTINGS_HELP), rows[i].doc), NULL));
        cr_assert(ne(ptr, strstr(page_of(KW_SETTINGS_DOC), rows[i].name), NULL));
        cr_assert(ne(ptr, strstr(page_of(KW_SETTINGS_DEFAULT_CONFIG), rows[i].name), NULL));
    }
    cr_assert(ne(ptr, strstr(page_of(KW_SETTINGS_DOC), "`KEYWARD_BYTES_MAX`"), NULL));
}

Test(settings, help_is_printed_instead_of_running)
{
    cr_assert(eq(int, load((const char *[]){"test", "--nonsense", "--help", NULL}), KW_E_NONE));
    cr_assert(eq(int, outcome, KW_SETTINGS_PRINTED));
    cr_assert(eq(ptr, config.name, NULL));
}

Test(settings, done_accepts_a_zeroed_config)
{
    kw_settings_done(&spec, &config);
    cr_assert(eq(ptr, config.regions.items, NULL));
}
