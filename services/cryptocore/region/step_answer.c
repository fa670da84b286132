/* `answer`: the root certifies what an approved request asks for. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/region/answer.h"
#include "services/cryptocore/region/approval.h"
#include "services/cryptocore/region/carried.h"
#include "services/cryptocore/region/issue.h"
#include "services/cryptocore/region/officers.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/own.h"
#include "services/cryptocore/region/publish.h"
#include "services/cryptocore/region/steps.h"

#include <fcntl.h>
#include <unistd.h>

struct step {
    const struct kw_answer_config *config;
    struct kw_region_approved approved;
    struct kw_region_own own;
    struct kw_buf carried;
    struct kw_hsm_ceremony *ceremony;
    struct kw_buf root; /* DER */
    struct kw_buf cas[KW_CORE_CA_COUNT];
    struct kw_buf set; /* KWG1, with the new region */
    struct kw_region_officers officers;
};

static struct kw_result approved_load(struct step *step, struct kw_error *err)
{
    const struct kw_answer_config *config = step->config;
    char pki_dir[PATH_MAX];
    const struct kw_region_approval_source from = {.pki_dir = pki_dir,
                                                   .request_file = config->request_file,
                                                   .request_sha256 = config->request_sha256,
                                                   .approval_file = config->approval_file};

    KW_TRY(kw_out_path(config->region_dir, "pki", pki_dir, err));
    return kw_region_approved_load(&from, &step->own.set, &step->approved, err);
}

/* All that can be said before the HSM is asked. */
static struct kw_result read_all(struct step *step, struct kw_hsm_carried *ret_carried,
                                 struct kw_error *err)
{
    const struct kw_answer_config *config = step->config;

    KW_ENSURE(access(config->answer_file, F_OK) != 0, err, CONFIG_INVALID, "%s is there already",
              config->answer_file);
    KW_TRY(kw_region_own_load(config->region_dir, config->trust_domain, &step->own, err));
    KW_TRY(approved_load(step, err));
    KW_ENSURE(kw_region_set_find(&step->own.set, step->approved.request.region) == NULL, err,
              ALREADY_EXISTS, "region %s is of the mesh already", step->approved.request.region);
    KW_TRY(kw_region_record_load(config->carried_file, &step->carried, err));
    return kw_region_carried_read(kw_buf_bytes(&step->carried), step->approved.request.digest,
                                  ret_carried, err);
}

static struct kw_result cas_make(struct step *step, struct kw_region_row *row, struct kw_error *err)
{
    const struct kw_region_request *request = &step->approved.request;
    struct kw_hsm_ca ca = {.region = request->region,
                           .validity = kw_region_valid_for(step->config->ca_days)};

    KW_TRY(kw_certificate_to_der(&step->own.root, &step->root, err));
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        ca.signer = kw_core_cas[i].signer;
        ca.name = kw_core_cas[i].common_name;
        ca.spki = request->keys[KW_REGION_KEY_CA + i];
        KW_TRY(
            kw_hsm_ceremony_ca(step->ceremony, &ca, kw_buf_bytes(&step->root), &step->cas[i], err));
        row->cas[i] = kw_buf_bytes(&step->cas[i]);
    }
    return KW_OK;
}

static struct kw_result set_make(struct step *step, struct kw_error *err)
{
    const struct kw_region_request *request = &step->approved.request;
    struct kw_region_row row = {.checkpoint = request->keys[KW_REGION_CHECKPOINT]};
    uint64_t now = kw_clock_wall_ms();

    kw_copy(row.region, request->region, sizeof(row.region));
    KW_TRY(cas_make(step, &row, err));
    KW_TRY(kw_region_set_add(&step->own.set, &row, err));
    step->own.set.version = now > step->own.set.version ? now : step->own.set.version + 1;
    return kw_region_set_write(&step->own.set, step->ceremony, &step->set, err);
}

static struct kw_result officers_load(struct step *step, struct kw_error *err)
{
    KW_SCOPED(kw_core_pki_done) struct kw_core_pki pki = {0};
    char pki_dir[PATH_MAX];

    KW_TRY(kw_out_path(step->config->region_dir, "pki", pki_dir, err));
    KW_TRY(kw_core_pki_load(&pki, pki_dir, step->config->trust_domain, err));
    return kw_region_officers_load(step->config->region_dir, kw_buf_bytes(&pki.officer_der),
                                   &step->officers, err);
}

static struct kw_result answer_put(struct step *step, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};
    struct kw_region_answer answer = {.time_ms = kw_clock_wall_ms(),
                                      .approval = kw_buf_bytes(&step->approved.approval),
                                      .set = kw_buf_bytes(&step->set),
                                      .carried = kw_buf_bytes(&step->carried),
                                      .officer_count = step->officers.count};

    kw_copy(answer.request_digest, step->approved.request.digest, sizeof(answer.request_digest));
    for (size_t i = 0; i < step->officers.count; i++) {
        answer.officers[i] = kw_buf_bytes(&step->officers.ders[i]);
    }
    KW_TRY(kw_region_answer_write(&answer, step->ceremony, &record, err));
    return kw_keyfile_write(AT_FDCWD, step->config->answer_file, kw_buf_bytes(&record),
                            KW_KEYFILE_MODE_PUBLIC, err);
}

/* The new region's answer first: a region that is of the mesh in our files was answered. */
static struct kw_result tell(struct step *step, struct kw_error *err)
{
    const char *dir = step->config->region_dir;

    KW_TRY(officers_load(step, err));
    KW_TRY(answer_put(step, err));
    KW_TRY(kw_region_publish_credentials(dir, &step->own.set, err));
    return kw_region_publish(dir, &step->own.set,
                             kw_region_set_find(&step->own.set, step->own.region),
                             kw_buf_bytes(&step->set), err);
}

static struct kw_result run(struct step *step, struct kw_error *err)
{
    const struct kw_region_request *request = &step->approved.request;
    struct kw_hsm_carried carried;

    KW_TRY(read_all(step, &carried, err));
    KW_TRY(kw_region_token_open(&step->config->token, &step->ceremony, err));
    KW_TRY(kw_hsm_ceremony_compare(step->ceremony, &carried, err));
    KW_TRY(set_make(step, err));
    KW_TRY(tell(step, err));
    KW_LOG(INFO, "a region is of the mesh: compare these check values there",
           KW_F_STR("region_name", request->region),
           KW_F_HEX("request", KW_BYTES_OF(request->digest)),
           KW_F_STR("token", request->token.serial),
           KW_F_HEX("kek_check", KW_BYTES_OF(carried.kek.check)),
           KW_F_HEX("mac_check", KW_BYTES_OF(carried.mac.check)));
    return KW_OK;
}

struct kw_result kw_core_answer(const struct kw_answer_config *config, struct kw_error *err)
{
    struct step step = {.config = config};
    struct kw_result result = run(&step, err);

    kw_hsm_ceremony_free(step.ceremony);
    kw_region_approved_done(&step.approved);
    kw_region_own_done(&step.own);
    kw_region_officers_done(&step.officers);
    kw_buf_done(&step.carried);
    kw_buf_done(&step.root);
    kw_buf_done(&step.set);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_buf_done(&step.cas[i]);
    }
    return result;
}
