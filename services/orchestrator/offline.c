/* What `keyward-orchestrator` does while it does not run: `new-life`, `orphans FILE`. */
#include "common/feed_service/new_life.h"
#include "common/feed_service/orphan_bundle.h"
#include "services/orchestrator/schema.h"
#include "services/orchestrator/service.h"

static struct kw_offline offline_of(const struct kw_orch_config *config)
{
    return (struct kw_offline){.store = {.path = config->database,
                                         .url = config->store_url,
                                         .migrations = kw_orch_migrations,
                                         .migration_count = kw_orch_migration_count},
                               .identity = kw_orch_identity_options(config),
                               .mesh = config->mesh,
                               .writer = config->writer};
}

struct kw_result kw_orch_new_life(const struct kw_orch_config *config, struct kw_error *err)
{
    const struct kw_offline offline = offline_of(config);

    return kw_new_life_begin(&offline, err);
}

struct kw_result kw_orch_orphans(const struct kw_orch_config *config, const char *file,
                                 struct kw_error *err)
{
    const struct kw_offline offline = offline_of(config);

    return kw_orphan_bundle_write(&offline, file, err);
}
