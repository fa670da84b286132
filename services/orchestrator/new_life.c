/* `keyward-orchestrator new-life`. */
#include "common/feed_service/new_life.h"

#include "services/orchestrator/schema.h"
#include "services/orchestrator/service.h"

struct kw_result kw_orch_new_life(const struct kw_orch_config *config, struct kw_error *err)
{
    const struct kw_new_life plan = {.store = {.path = config->database,
                                               .url = config->store_url,
                                               .migrations = kw_orch_migrations,
                                               .migration_count = kw_orch_migration_count},
                                     .identity = kw_orch_identity_options(config),
                                     .mesh = config->mesh,
                                     .writer = config->writer};

    return kw_new_life_begin(&plan, err);
}
