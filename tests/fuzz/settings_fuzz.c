/* Settings: the YAML file, over a table with one setting of each type. A file that loads gives values within the
 * table's bounds; one that does not leaves nothing behind. The command line (after the first NUL) is read too.
 */
#include "common/base/log.h"
#include "common/base/settings.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define ARGUMENTS_MAX 8

struct config {
    char *text;
    char *path;
    char *secret_file;
    char *address;
    uint32_t small;
    uint64_t large;
    bool yes;
    struct kw_strings list;
};

static const struct kw_setting settings[] = {
    {.name = "text", .type = KW_SETTING_STRING, .offset = offsetof(struct config, text), .max = 16},
    {.name = "path", .type = KW_SETTING_PATH, .offset = offsetof(struct config, path)},
    {.name = "secret_file",
     .type = KW_SETTING_SECRET_FILE,
     .offset = offsetof(struct config, secret_file)},
    {.name = "address", .type = KW_SETTING_ADDRESS, .offset = offsetof(struct config, address)},
    {.name = "small",
     .type = KW_SETTING_U32,
     .offset = offsetof(struct config, small),
     .fallback = "5",
     .min = 2,
     .max = 9},
    {.name = "large", .type = KW_SETTING_U64, .offset = offsetof(struct config, large)},
    {.name = "yes", .type = KW_SETTING_BOOL, .offset = offsetof(struct config, yes)},
    {.name = "list", .type = KW_SETTING_LIST, .offset = offsetof(struct config, list), .max = 3},
};

static const struct kw_settings_spec spec = {.program = "fuzz",
                                             .summary = "Fuzz.",
                                             .settings = settings,
                                             .count = sizeof(settings) / sizeof(settings[0])};

static void check(const struct config *config)
{
    KW_FUZZ_CHECK(config->small >= 2 && config->small <= 9);
    KW_FUZZ_CHECK(config->text == NULL || (config->text[0] != '\0' && strlen(config->text) <= 16));
    KW_FUZZ_CHECK(config->secret_file == NULL || strchr(config->secret_file, '/') != NULL);
    KW_FUZZ_CHECK(config->address == NULL || strrchr(config->address, ':') != NULL);
    KW_FUZZ_CHECK(config->list.count <= 3);
    for (size_t i = 0; i < config->list.count; i++) {
        KW_FUZZ_CHECK(config->list.items[i] != NULL);
    }
}

/* Words of the command line, each behind a NUL; those that print a page are left out. */
static int add_arguments(struct kw_bytes words, char **argv, int argc)
{
    while (words.len > 0 && argc < ARGUMENTS_MAX) {
        const uint8_t *end = memchr(words.data, 0, words.len);
        size_t len = end != NULL ? (size_t)(end - words.data) : words.len;
        char *word = kw_fuzz_text(KW_BYTES(words.data, len));

        words = KW_BYTES(words.data + len, words.len - len);
        words = words.len > 0 ? KW_BYTES(words.data + 1, words.len - 1) : words;
        if (strcmp(word, "-h") == 0 || strncmp(word, "--help", 3) == 0 ||
            strncmp(word, "--print", 3) == 0 || strncmp(word, "--version", 3) == 0) {
            free(word);
        } else {
            argv[argc++] = word;
        }
    }
    return argc;
}

static void load(int argc, char **argv)
{
    enum kw_settings_outcome outcome = KW_SETTINGS_PRINTED;
    struct config config = {0};
    struct kw_error err = {0};

    if (kw_fuzz_accepted(kw_settings_load(&spec, argc, argv, &config, &outcome, &err), &err)) {
        KW_FUZZ_CHECK(outcome == KW_SETTINGS_RUN);
        check(&config);
        kw_settings_done(&spec, &config);
    }
    KW_FUZZ_CHECK(config.text == NULL && config.path == NULL && config.secret_file == NULL &&
                  config.address == NULL && config.list.items == NULL && config.list.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kw_bytes file = KW_BYTES(data, size);
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    struct kw_bytes words = KW_BYTES_NONE;
    char option[512];
    char program[] = "fuzz";
    char *argv[ARGUMENTS_MAX + 1] = {program, option};
    int argc = 2;

    if (end != NULL) {
        file.len = (size_t)(end - data);
        words = KW_BYTES(end + 1, size - file.len - 1);
    }
    (void)snprintf(option, sizeof(option), "--config=%s", kw_fuzz_file("settings.yaml", file));
    argc = add_arguments(words, argv, argc);
    load(argc, argv);
    while (argc > 2) {
        free(argv[--argc]);
    }
    return 0;
}
