/* Loading a PKCS#11 module and finding its token. */
#include "services/cryptocore/hsm/module.h"

#include "services/cryptocore/hsm/errors.h"

#include <dlfcn.h>
#include <string.h>

/* ISO C has no conversion from an object pointer to a function pointer; POSIX demands that this one
 * works. */
union entry {
    void *symbol;
    CK_C_GetFunctionList get_function_list;
};

static struct kw_result library_load(struct kw_hsm_module *module, struct kw_error *err)
{
    union entry entry;
    CK_FUNCTION_LIST *functions = NULL;
    CK_RV rv;

    module->library = dlopen(module->settings.module_path, RTLD_NOW | RTLD_LOCAL);
    KW_ENSURE(module->library != NULL, err, CONFIG_INVALID, "PKCS#11 module: %s", dlerror());
    entry.symbol = dlsym(module->library, "C_GetFunctionList");
    KW_ENSURE(entry.symbol != NULL, err, CONFIG_INVALID, "%s is no PKCS#11 module",
              module->settings.module_path);
    rv = entry.get_function_list(&functions);
    KW_ENSURE(rv == CKR_OK && functions != NULL, err, HSM_UNAVAILABLE,
              "C_GetFunctionList: %s 0x%lx", kw_hsm_rv_name(rv), rv);
    rv = functions->C_Initialize(NULL);
    KW_ENSURE(rv == CKR_OK, err, HSM_UNAVAILABLE, "C_Initialize: %s 0x%lx", kw_hsm_rv_name(rv), rv);
    module->functions = functions;
    return KW_OK;
}

/* libp11 finds the module initialised already, which it accepts. */
static struct kw_result libp11_load(struct kw_hsm_module *module, struct kw_error *err)
{
    PKCS11_CTX *context = PKCS11_CTX_new();

    KW_ENSURE(context != NULL, err, MEMORY, "libp11 context");
    if (PKCS11_CTX_load(context, module->settings.module_path) != 0) {
        PKCS11_CTX_free(context);
        KW_FAIL(err, HSM_UNAVAILABLE, "libp11 cannot use %s", module->settings.module_path);
    }
    module->libp11 = context;
    return KW_OK;
}

static struct kw_result token_find(struct kw_hsm_module *module, struct kw_error *err)
{
    KW_ENSURE(PKCS11_enumerate_slots(module->libp11, &module->slots, &module->slot_count) == 0, err,
              HSM_UNAVAILABLE, "the module cannot list its slots");
    for (unsigned i = 0; i < module->slot_count; i++) {
        const PKCS11_TOKEN *token = module->slots[i].token;

        if (token == NULL || !token->initialized ||
            strcmp(token->label, module->settings.token_label) != 0) {
            continue;
        }
        KW_ENSURE(module->slot == NULL, err, CONFIG_INVALID, "two tokens are labelled \"%s\"",
                  module->settings.token_label);
        module->slot = &module->slots[i];
    }
    KW_ENSURE(module->slot != NULL, err, HSM_UNAVAILABLE, "no token is labelled \"%s\"",
              module->settings.token_label);
    return KW_OK;
}

static struct kw_result module_start(struct kw_hsm_module *module, struct kw_error *err)
{
    KW_TRY(kw_hsm_provider_find(module->settings.provider, &module->provider, err));
    KW_TRY(library_load(module, err));
    KW_TRY(libp11_load(module, err));
    return token_find(module, err);
}

struct kw_result kw_hsm_module_open(struct kw_hsm_module *module,
                                    const struct kw_hsm_token_settings *settings,
                                    struct kw_error *err)
{
    struct kw_result result;

    *module = (struct kw_hsm_module){.settings = *settings};
    result = module_start(module, err);
    if (!kw_ok(result)) {
        kw_hsm_module_close(module);
    }
    return result;
}

static void slots_release(struct kw_hsm_module *module)
{
    if (module->slots != NULL) {
        PKCS11_release_all_slots(module->libp11, module->slots, module->slot_count);
    }
    module->slots = NULL;
    module->slot_count = 0;
    module->slot = NULL;
}

/* Asked first, since libp11 forgets memory of a slot that it can't read. */
static bool token_answers(const struct kw_hsm_module *module)
{
    CK_TOKEN_INFO info;

    return module->slot != NULL &&
           module->functions->C_GetTokenInfo(kw_hsm_module_slot(module), &info) == CKR_OK;
}

struct kw_result kw_hsm_module_renew(struct kw_hsm_module *module, struct kw_error *err)
{
    struct kw_result result;

    KW_ENSURE(token_answers(module), err, HSM_UNAVAILABLE, "the token is gone");
    slots_release(module);
    result = token_find(module, err);
    if (!kw_ok(result)) {
        slots_release(module);
    }
    return result;
}

void kw_hsm_module_close(struct kw_hsm_module *module)
{
    if (module == NULL) {
        return;
    }
    slots_release(module);
    if (module->libp11 != NULL) {
        PKCS11_CTX_unload(module->libp11); /* calls C_Finalize */
        PKCS11_CTX_free(module->libp11);
    } else if (module->functions != NULL) {
        (void)module->functions->C_Finalize(NULL);
    }
    if (module->library != NULL) {
        (void)dlclose(module->library);
    }
    *module = (struct kw_hsm_module){0};
}
