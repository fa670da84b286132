/* How tightly workers are held: a setting of the core, and the second argument of a worker. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_SANDBOX_MODE_H
#define KW_SERVICES_CRYPTOCORE_HSM_SANDBOX_MODE_H

#include "common/base/result.h"

enum kw_hsm_sandbox {
    KW_HSM_SANDBOX_STRICT, /* files and its socket: enough for a module that is a library, SoftHSM */
    KW_HSM_SANDBOX_VENDOR, /* network, threads, devices too: modules that reach for an HSM */
    KW_HSM_SANDBOX_OFF, /* whatever the kernel lets its user do: to find out what a module needs */
};

/* "strict", "vendor", "off". */
const char *kw_hsm_sandbox_name(enum kw_hsm_sandbox mode);

/* Fails: CONFIG_INVALID. */
struct kw_result kw_hsm_sandbox_parse(const char *name, enum kw_hsm_sandbox *ret_mode,
                                      struct kw_error *err);

#endif
