/* The names of the sandbox modes. */
#include "services/cryptocore/hsm/sandbox_mode.h"

#include <string.h>

static const char *const names[] = {"strict", "vendor", "off"};

const char *kw_hsm_sandbox_name(enum kw_hsm_sandbox mode)
{
    return names[mode];
}

struct kw_result kw_hsm_sandbox_parse(const char *name, enum kw_hsm_sandbox *ret_mode,
                                      struct kw_error *err)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_mode = (enum kw_hsm_sandbox)i;
            return KW_OK;
        }
    }
    KW_FAIL(err, CONFIG_INVALID, "HSM sandbox %s: expected strict, vendor or off", name);
}
