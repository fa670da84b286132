/* `keyward-authz new-life`. */
#include "common/feed_service/new_life.h"

#include "services/authz/schema.h"
#include "services/authz/service.h"

struct kw_result kw_authz_new_life(const struct kw_authz_config *config, struct kw_error *err)
{
    const struct kw_new_life plan = {.store = {.path = config->database,
                                               .url = config->store_url,
                                               .migrations = kw_authz_migrations,
                                               .migration_count = kw_authz_migration_count},
                                     .identity = kw_authz_identity_options(config),
                                     .mesh = config->mesh,
                                     .writer = config->writer};

    return kw_new_life_begin(&plan, err);
}
