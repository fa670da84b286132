/* The settings table. */
#include "cli/settings.h"

#include "common/base/limits.h"

#include <stddef.h>
#include <string.h>

#define FIELD(field) .name = #field, .offset = offsetof(struct kw_cli_settings, field)

static const struct kw_setting settings[] = {
    {FIELD(target), .type = KW_SETTING_ADDRESS, .doc = "Where a gateway listens."},
    {FIELD(ca_file), .type = KW_SETTING_PATH, .doc = "Root CA of the gateway's certificate, PEM."},
    {FIELD(peer), .type = KW_SETTING_STRING,
     .fallback = "spiffe://keyward.test/region/r1/cell/a/svc/gateway",
     .doc = "SPIFFE id the gateway must have."},
    {FIELD(cert_file), .type = KW_SETTING_PATH,
     .doc = "Our certificate, PEM, the leaf first. Transport keys are looked for beside it."},
    {FIELD(key_file), .type = KW_SETTING_SECRET_FILE, .doc = "Its private key, PEM, mode 0600."},
    {FIELD(output), .type = KW_SETTING_STRING, .fallback = "table", .doc = "table or json."},
    {FIELD(timeout_ms), .type = KW_SETTING_U32, .fallback = "60000", .min = 1,
     .max = KW_DEADLINE_MAX_MS, .doc = "How long to wait for an answer."},
};

const struct kw_settings_spec kw_cli_settings = {
    .program = "keyward",
    .summary = "Operates a Keyward mesh, and shows one.",
    .words = "NOUN VERB",
    .settings = settings,
    .count = sizeof(settings) / sizeof(settings[0]),
};

/* Dashes in a flag stand for the underscores of a name. */
static bool same_name(const char *flag, const char *name)
{
    for (; *flag != '\0' && *name != '\0'; flag++, name++) {
        if (*flag != *name && !(*flag == '-' && *name == '_')) {
            return false;
        }
    }
    return *flag == *name;
}

bool kw_cli_setting_known(const char *flag)
{
    if (strncmp(flag, "--", 2) != 0) {
        return false;
    }
    for (size_t i = 0; i < kw_cli_settings.count; i++) {
        if (same_name(flag + 2, settings[i].name)) {
            return true;
        }
    }
    return strcmp(flag, "--config") == 0;
}
