/* `carry`: the blob is opened and wrapped anew, where the recovery key is, and nowhere else. */
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/region/approval.h"
#include "services/cryptocore/region/carried.h"
#include "services/cryptocore/region/compared.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/steps.h"

#include <fcntl.h>
#include <unistd.h>

static struct kw_result blob_carry(const struct kw_carry_config *config,
                                   const struct kw_region_request *request,
                                   struct kw_hsm_carried *ret_carried, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf blob = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf info = {0};
    KW_SCOPED(kw_private_key_done) struct kw_private_key recovery = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key carrier = {0};

    KW_TRY(kw_region_record_load(config->blob_file, &blob, err));
    KW_TRY(kw_region_carried_info(request->digest, &info, err));
    KW_TRY(kw_public_key_from_spki(&carrier, request->keys[0], err));
    KW_TRY(kw_private_key_from_file(&recovery, config->recovery_key_file, err));
    return kw_hsm_carry(&recovery, kw_buf_bytes(&blob), &carrier, kw_buf_bytes(&info), ret_carried,
                        err);
}

/* The directory may be a copy, that came by any way: what is in it is the root's, or nobody's. */
static struct kw_result set_load(const struct kw_carry_config *config, struct kw_buf *record,
                                 struct kw_region_set *set, struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate root = {0};
    char path[PATH_MAX];

    KW_TRY(kw_out_path(config->pki_dir, "root.pem", path, err));
    KW_TRY(kw_region_root_load(path, config->root_sha256, &root, err));
    KW_TRY(kw_out_get(config->pki_dir, "regions.kwg", record, err));
    return kw_region_set_read(kw_buf_bytes(record), &root, config->trust_domain, set, err);
}

static struct kw_result approved_load(const struct kw_carry_config *config,
                                      struct kw_region_approved *ret, struct kw_error *err)
{
    const struct kw_region_approval_source from = {.pki_dir = config->pki_dir,
                                                   .request_file = config->request_file,
                                                   .request_sha256 = config->request_sha256,
                                                   .approval_file = config->approval_file};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_region_set set;

    KW_TRY(set_load(config, &record, &set, err));
    return kw_region_approved_load(&from, &set, ret, err);
}

struct kw_result kw_core_carry(const struct kw_carry_config *config, struct kw_error *err)
{
    KW_SCOPED(kw_region_approved_done) struct kw_region_approved approved = {.record = {0}};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_hsm_carried carried;

    KW_ENSURE(access(config->carried_file, F_OK) != 0, err, CONFIG_INVALID, "%s is there already",
              config->carried_file);
    KW_TRY(approved_load(config, &approved, err));
    KW_TRY(blob_carry(config, &approved.request, &carried, err));
    KW_TRY(kw_region_carried_write(&carried, approved.request.digest, &record, err));
    KW_TRY(kw_keyfile_write(AT_FDCWD, config->carried_file, kw_buf_bytes(&record),
                            KW_KEYFILE_MODE_PUBLIC, err));
    KW_LOG(INFO, "keys wrapped for a region: compare these check values there",
           KW_F_STR("region_name", approved.request.region),
           KW_F_HEX("request", KW_BYTES_OF(approved.request.digest)),
           KW_F_HEX("kek_check", KW_BYTES_OF(carried.kek.check)),
           KW_F_HEX("mac_check", KW_BYTES_OF(carried.mac.check)));
    return KW_OK;
}
