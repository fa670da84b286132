/* What a region knows of itself and of the mesh, read from its files. */
#ifndef KW_SERVICES_CRYPTOCORE_REGION_OWN_H
#define KW_SERVICES_CRYPTOCORE_REGION_OWN_H

#include "services/cryptocore/region/set.h"

/* Release with kw_region_own_done. */
struct kw_region_own {
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1];
    struct kw_certificate root;
    struct kw_buf record;     /* KWG1 */
    struct kw_region_set set; /* points into it */
};

/* From the files below `dir` that init or complete wrote. Fails: CONFIG_INVALID, as
 * kw_region_set_read. */
struct kw_result kw_region_own_load(const char *dir, const char *trust_domain,
                                    struct kw_region_own *own, struct kw_error *err);
void kw_region_own_done(struct kw_region_own *own);

#endif
