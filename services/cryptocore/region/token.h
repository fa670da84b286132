/* The HSM's settings of the steps of a ceremony, and opening the token they name. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_TOKEN_H
#define KW_SERVICES_CRYPTOCORE_REGION_TOKEN_H

#include "common/base/settings.h"
#include "services/cryptocore/hsm/ceremony.h"

#include <stddef.h>

struct kw_region_token {
    char *hsm_provider;
    char *hsm_module;
    char *hsm_token;
    char *hsm_pin_file;
    char *hsm_so_pin_file; /* NULL: the token is initialised already */
    char *hsm_lock_file;
};

/* Rows of a table of settings, for a struct whose member `token` is one of these. */
#define KW_REGION_TOKEN_FIELD(owner, field)                                                        \
    .name = #field, .offset = offsetof(owner, token) + offsetof(struct kw_region_token, field)
/* clang-format off */
#define KW_REGION_TOKEN_SETTINGS(owner)                                                            \
    {KW_REGION_TOKEN_FIELD(owner, hsm_provider), .type = KW_SETTING_STRING, .fallback = "softhsm",  \
     .doc = "Row of the provider table."},                                                         \
    {KW_REGION_TOKEN_FIELD(owner, hsm_module), .type = KW_SETTING_PATH,                             \
     .fallback = "/usr/lib/softhsm/libsofthsm2.so", .doc = "PKCS#11 module."},                     \
    {KW_REGION_TOKEN_FIELD(owner, hsm_token), .type = KW_SETTING_STRING, .required = true,          \
     .doc = "Label of the token."},                                                                \
    {KW_REGION_TOKEN_FIELD(owner, hsm_pin_file), .type = KW_SETTING_SECRET_FILE, .required = true,  \
     .doc = "File with the user PIN, mode 0600."},                                                 \
    {KW_REGION_TOKEN_FIELD(owner, hsm_lock_file), .type = KW_SETTING_PATH, .required = true,        \
     .doc = "Lock for logins to the token."}
/* clang-format on */

/* Initialises a SoftHSM token where a security officer's PIN is given, loads the module and logs in.
 * Fails: as kw_hsm_fresh_token and kw_hsm_ceremony_new. */
struct kw_result kw_region_token_open(const struct kw_region_token *token,
                                      struct kw_hsm_ceremony **ret_ceremony, struct kw_error *err);

#endif
