/* Settings: one table per service, from which come loading, checking, --help, the default file and
 * the docs.
 *
 *     static const struct kw_setting settings[] = {
 *         {.name = "listen", .type = KW_SETTING_ADDRESS, .offset = offsetof(struct config, listen),
 *          .fallback = "127.0.0.1:7443", .doc = "Where partners connect."},
 *         {.name = "hsm_pin_file", .type = KW_SETTING_SECRET_FILE, .required = true, …
 *
 * A value is taken from the last of these that gives one: the fallback in the table, the YAML file
 * named by
 * --config (or KEYWARD_CONFIG), the environment (KEYWARD_LISTEN), the command line (--listen=…). A
 * key that the table does not know is an error. The result is an immutable value; a reload makes a
 * second one.
 *
 * Secrets come by the path of a file only, so that none is ever in a process list, an environment
 * or a log.
 */
#ifndef KW_COMMON_BASE_SETTINGS_H
#define KW_COMMON_BASE_SETTINGS_H

#include "common/base/result.h"

#include <stdint.h>
#include <stdio.h>

/* The type of a setting, and of the field of the config struct that takes it. An empty text is no
 * value. */
enum kw_setting_type {
    KW_SETTING_STRING,      /* char *, NULL when not given; min and max are lengths */
    KW_SETTING_PATH,        /* char *, as above */
    KW_SETTING_SECRET_FILE, /* char *, the path of a file; must contain a slash, and is never
                               repeated in errors */
    KW_SETTING_ADDRESS,     /* char *, "host:port" or "[v6]:port" */
    KW_SETTING_U32,         /* uint32_t, decimal; min and max are inclusive */
    KW_SETTING_U64,         /* uint64_t, likewise */
    KW_SETTING_BOOL,        /* bool, true or false */
    KW_SETTING_LIST,        /* struct kw_strings; min and max are counts */
};

/* A list of strings, owned by the config. */
struct kw_strings {
    char **items;
    size_t count;
};

struct kw_setting {
    const char *name; /* snake_case */
    enum kw_setting_type type;
    size_t offset;        /* of the field in the config struct */
    const char *fallback; /* the default, as it would be written on the command line; NULL: none */
    uint64_t min;
    uint64_t max; /* 0: no bound but the type's */
    bool required;
    bool reloadable; /* takes effect without a restart */
    const char *doc; /* a sentence or two, for operators */
};

struct kw_settings_spec {
    const char *program; /* e.g. "keyward-authz" */
    const char *summary; /* one sentence */
    const char *words;   /* what its arguments begin with, when settings are not all it takes: it
                            prints no pages but this help; NULL for services */
    const struct kw_setting *settings;
    size_t count; /* at most KW_SETTINGS_MAX */
};

enum kw_settings_outcome {
    KW_SETTINGS_RUN,     /* the config is complete: go on */
    KW_SETTINGS_PRINTED, /* --help or the like was answered on stdout: exit with 0 */
};

enum kw_settings_page {
    KW_SETTINGS_HELP,           /* --help */
    KW_SETTINGS_DEFAULT_CONFIG, /* --print-default-config: a YAML file that loads again */
    KW_SETTINGS_DOC,            /* --print-settings-doc: a Markdown page */
};

/* Fills `config`, which the caller has zeroed, from all sources. argv[0] is not looked at.
 *
 * Ownership: strings and lists in `config` are the caller's; release them by kw_settings_done.
 * Thread: any, but the environment must not change meanwhile.
 * Fails: CONFIG_INVALID (unknown name, with line and column if in the file; wrong type; out of
 * range; missing; file unreadable or not YAML), MEMORY. On failure `config` is zero again. */
struct kw_result kw_settings_load(const struct kw_settings_spec *spec, int argc, char **argv,
                                  void *config, enum kw_settings_outcome *ret_outcome,
                                  struct kw_error *err);

/* Frees what kw_settings_load allocated and zeroes those fields. Accepts a zeroed config. */
void kw_settings_done(const struct kw_settings_spec *spec, void *config);

/* Writes one of the pages that come from the table. */
void kw_settings_print(const struct kw_settings_spec *spec, enum kw_settings_page page, FILE *out);

#endif
