/* `regions`: a set that the root signed, newer than what the region has. */
#include "common/base/log.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/own.h"
#include "services/cryptocore/region/publish.h"
#include "services/cryptocore/region/steps.h"

/* The root may take a region away, but not another's place in this one's files. */
static struct kw_result own_check(const struct kw_region_own *own, const struct kw_region_set *set,
                                  struct kw_error *err)
{
    const struct kw_region_row *present = kw_region_set_find(&own->set, own->region);
    const struct kw_region_row *next = kw_region_set_find(set, own->region);

    KW_ENSURE(present != NULL && next != NULL, err, NOT_FOUND, "the set has no region %s",
              own->region);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_ENSURE(kw_bytes_equal(present->cas[i], next->cas[i]), err, BINDING_INVALID,
                  "the set has other CAs of region %s", own->region);
    }
    KW_ENSURE(set->version >= own->set.version, err, STATE_CONFLICT,
              "a set that is older than what region %s has", own->region);
    return KW_OK;
}

struct kw_result kw_core_regions(const struct kw_regions_config *config, struct kw_error *err)
{
    KW_SCOPED(kw_region_own_done) struct kw_region_own own = {.region = ""};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_region_set set;

    KW_TRY(kw_region_own_load(config->region_dir, config->trust_domain, &own, err));
    KW_TRY(kw_region_record_load(config->regions_file, &record, err));
    KW_TRY(kw_region_set_read(kw_buf_bytes(&record), &own.root, config->trust_domain, &set, err));
    KW_TRY(own_check(&own, &set, err));
    KW_TRY(kw_region_publish_credentials(config->region_dir, &set, err));
    KW_TRY(kw_region_publish(config->region_dir, &set, kw_region_set_find(&set, own.region),
                             kw_buf_bytes(&record), err));
    KW_LOG(INFO, "regions of the mesh", KW_F_STR("region_name", own.region),
           KW_F_U64("regions", set.count));
    return KW_OK;
}
