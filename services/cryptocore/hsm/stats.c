/* Names of the PKCS#11 functions that are counted. */
#include "services/cryptocore/hsm/stats.h"

static const char *const names[] = {
#define FUNCTION_NAME(name) [KW_C_##name] = "C_" #name,
    KW_HSM_FUNCTIONS(FUNCTION_NAME)
#undef FUNCTION_NAME
};

const char *kw_hsm_function_name(enum kw_hsm_function function)
{
    return function < KW_C_COUNT_ ? names[function] : "unknown";
}
