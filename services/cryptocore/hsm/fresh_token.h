/* A fresh token: what softhsm2-util would do, without a PIN on a command line. For SoftHSM, in
 * development and tests: a real HSM's token is initialised by its own tools. */
#ifndef KW_SERVICES_CRYPTOCORE_HSM_FRESH_TOKEN_H
#define KW_SERVICES_CRYPTOCORE_HSM_FRESH_TOKEN_H

#include "common/base/result.h"

/* Initialises the first free slot of the module as a token of this label, with the security
 * officer's and the user's PIN from files of mode 0600. A token that has this label and a user PIN
 * already is left as it is: the ceremony sees whether it holds keys. Blocking; the module must not be open in
 * this process, and is closed again. Fails: CONFIG_INVALID (module, PIN files, label over 32
 * bytes), HSM_UNAVAILABLE, HSM. */
struct kw_result kw_hsm_fresh_token(const char *module_path, const char *label,
                                    const char *so_pin_path, const char *pin_path,
                                    struct kw_error *err);

#endif
