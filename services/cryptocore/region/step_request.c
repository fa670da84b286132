/* `request`: keys on a fresh token, and the record that says so. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/region/request.h"
#include "services/cryptocore/region/steps.h"

#include <fcntl.h>
#include <unistd.h>

static struct kw_result names_take(const struct kw_request_config *config,
                                   struct kw_region_request *request, struct kw_error *err)
{
    struct kw_spiffe probe;

    KW_TRY(kw_spiffe_service(config->trust_domain, config->region, "cell", "service", &probe, err));
    kw_copy(request->trust_domain, config->trust_domain, strlen(config->trust_domain) + 1);
    kw_copy(request->region, config->region, strlen(config->region) + 1);
    KW_ENSURE(access(config->request_file, F_OK) != 0, err, CONFIG_INVALID, "%s is there already",
              config->request_file);
    return KW_OK;
}

static struct kw_result record_make(struct kw_hsm_ceremony *ceremony,
                                    struct kw_region_request *request, struct kw_buf *record,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf keys = {0};
    size_t ends[KW_REGION_KEYS];
    size_t start = 0;

    KW_TRY(kw_id_random(&request->nonce, err));
    request->time_ms = kw_clock_wall_ms();
    KW_TRY(kw_hsm_ceremony_token(ceremony, &request->token, err));
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        KW_TRY(kw_hsm_ceremony_public_key(ceremony, kw_region_signers[i], &keys, err));
        ends[i] = keys.len;
    }
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        request->keys[i] = KW_BYTES(keys.data + start, ends[i] - start);
        start = ends[i];
    }
    return kw_region_request_write(request, ceremony, record, err);
}

static struct kw_result keys_ask(const struct kw_request_config *config,
                                 struct kw_hsm_ceremony *ceremony,
                                 struct kw_region_request *request, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_hsm_ceremony_prepare(ceremony, err));
    KW_TRY(record_make(ceremony, request, &record, err));
    KW_TRY(kw_sha256(kw_buf_bytes(&record), digest, err));
    KW_TRY(kw_keyfile_write(AT_FDCWD, config->request_file, kw_buf_bytes(&record),
                            KW_KEYFILE_MODE_PUBLIC, err));
    KW_LOG(INFO, "a region asks to be of the mesh", KW_F_STR("region_name", config->region),
           KW_F_HEX("request", KW_BYTES_OF(digest)), KW_F_STR("token", request->token.serial));
    return KW_OK;
}

struct kw_result kw_core_request(const struct kw_request_config *config, struct kw_error *err)
{
    struct kw_region_request request = {.time_ms = 0};
    struct kw_hsm_ceremony *ceremony = NULL;
    struct kw_result result;

    KW_TRY(names_take(config, &request, err));
    KW_TRY(kw_region_token_open(&config->token, &ceremony, err));
    result = keys_ask(config, ceremony, &request, err);
    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(ceremony);
    }
    kw_hsm_ceremony_free(ceremony);
    return result;
}
