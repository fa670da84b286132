/* Opening. */
#include "services/cryptocore/region/token.h"

#include "services/cryptocore/hsm/fresh_token.h"

struct kw_result kw_region_token_open(const struct kw_region_token *token,
                                      struct kw_hsm_ceremony **ret_ceremony, struct kw_error *err)
{
    const struct kw_hsm_token opened = {.provider = token->hsm_provider,
                                        .module_path = token->hsm_module,
                                        .token_label = token->hsm_token,
                                        .pin_path = token->hsm_pin_file,
                                        .lock_path = token->hsm_lock_file};

    if (token->hsm_so_pin_file != NULL) {
        KW_TRY(kw_hsm_fresh_token(token->hsm_module, token->hsm_token, token->hsm_so_pin_file,
                                  token->hsm_pin_file, err));
    }
    return kw_hsm_ceremony_new(&opened, ret_ceremony, err);
}
