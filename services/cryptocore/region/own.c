/* Reading a region's own files. */
#include "services/cryptocore/region/own.h"

#include "common/pki/region.h"
#include "services/cryptocore/region/out.h"

static struct kw_result certificate_load(const char *dir, const char *name,
                                         struct kw_certificate *ret, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_out_get(dir, name, &pem, err));
    return kw_certificate_from_pem(ret, kw_buf_bytes(&pem), err);
}

struct kw_result kw_region_own_load(const char *dir, const char *trust_domain,
                                    struct kw_region_own *own, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate ca = {0};

    KW_TRY(certificate_load(dir, KW_OUT_ROOT, &own->root, err));
    KW_TRY(certificate_load(dir, "pki/ca-services.pem", &ca, err));
    KW_TRY(kw_certificate_region(&ca, own->region, err));
    KW_TRY(kw_out_get(dir, KW_OUT_REGIONS, &own->record, err));
    return kw_region_set_read(kw_buf_bytes(&own->record), &own->root, trust_domain, &own->set, err);
}

void kw_region_own_done(struct kw_region_own *own)
{
    if (own != NULL) {
        kw_certificate_done(&own->root);
        kw_buf_done(&own->record);
    }
}
