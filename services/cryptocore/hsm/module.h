/* The PKCS#11 module in this process: loaded once, its token found by label.
 *
 * libp11 opens the module and serves signing keys as EVP_PKEY; the same module's function list
 * serves what libp11 has no call for. The module is initialised before libp11 sees it, without
 * locks: a worker has one thread. Never fork a process that has one open.
 */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_MODULE_H
#define KW_SERVICES_CRYPTOCORE_HSM_MODULE_H

#include "services/cryptocore/hsm/provider.h"

#include <libp11.h>

struct kw_hsm_token_settings {
    const char *provider;
    const char *module_path;
    const char *token_label;
    const char *pin_path;
    const char *lock_path;
};

/* Owned by the caller's storage. */
struct kw_hsm_module {
    struct kw_hsm_token_settings settings; /* borrowed strings */
    const struct kw_hsm_provider *provider;
    void *library;
    const CK_FUNCTION_LIST *functions;
    PKCS11_CTX *libp11;
    PKCS11_SLOT *slots;
    unsigned slot_count;
    PKCS11_SLOT *slot; /* the token's */
};

/* Loads and initialises the module and finds the token. `settings` strings must outlive the module.
 * Fails: CONFIG_INVALID (provider, module file, two tokens of one label), HSM_UNAVAILABLE (the
 * module or its token does not answer). On failure nothing is left open. */
struct kw_result kw_hsm_module_open(struct kw_hsm_module *module,
                                    const struct kw_hsm_token_settings *settings,
                                    struct kw_error *err);

/* Forgets what libp11 has open and found, and finds the token again: all sessions are closed. What
 * came from kw_hsm_signer_key must be gone. Fails: as kw_hsm_module_open; then `slot` may be
 * NULL. */
struct kw_result kw_hsm_module_renew(struct kw_hsm_module *module, struct kw_error *err);

/* Ends the module. Accepts NULL and zeroed. */
void kw_hsm_module_close(struct kw_hsm_module *module);

static inline CK_SLOT_ID kw_hsm_module_slot(const struct kw_hsm_module *module)
{
    return PKCS11_get_slotid_from_slot(module->slot);
}

#endif
