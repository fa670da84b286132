/* `complete`: the answer is believed, the keys come, and the region is as if init had made it. */
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/region/answer.h"
#include "services/cryptocore/region/approval.h"
#include "services/cryptocore/region/carried.h"
#include "services/cryptocore/region/compared.h"
#include "services/cryptocore/region/issue.h"
#include "services/cryptocore/region/officers.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/publish.h"
#include "services/cryptocore/region/steps.h"

#include <fcntl.h>

struct step {
    const struct kw_complete_config *config;
    struct kw_certificate root;
    struct kw_buf request_record;
    struct kw_region_request request;
    struct kw_buf answer_record;
    struct kw_region_answer answer;
    struct kw_region_set set;
    struct kw_hsm_carried carried;
    struct kw_region_list list;
    struct kw_hsm_ceremony *ceremony;
};

/* --- what is believed --- */

static struct kw_result request_load(struct step *step, struct kw_error *err)
{
    KW_TRY(kw_region_record_load(step->config->request_file, &step->request_record, err));
    KW_TRY(kw_region_request_read(kw_buf_bytes(&step->request_record), &step->request, err));
    KW_ENSURE(strcmp(step->request.trust_domain, step->config->trust_domain) == 0, err,
              CONFIG_INVALID, "a request of trust domain %s", step->request.trust_domain);
    return KW_OK;
}

static struct kw_result answer_load(struct step *step, struct kw_error *err)
{
    KW_TRY(kw_region_record_load(step->config->answer_file, &step->answer_record, err));
    KW_TRY(kw_region_answer_read(kw_buf_bytes(&step->answer_record), &step->root, &step->request,
                                 &step->answer, err));
    KW_TRY(kw_region_set_read(step->answer.set, &step->root, step->config->trust_domain, &step->set,
                              err));
    return kw_region_carried_read(step->answer.carried, step->request.digest, &step->carried, err);
}

/* Whoever approved is who must have signed the list of services, too. */
static struct kw_result officer_check(struct step *step, struct kw_error *err)
{
    const struct kw_complete_config *config = step->config;
    KW_SCOPED(kw_certificate_done) struct kw_certificate officer = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_certificate_from_der(&officer, step->answer.officers[0], err));
    KW_TRY(kw_region_approval_check(&officer, kw_buf_bytes(&step->request_record),
                                    step->answer.approval, err));
    KW_TRY(kw_certificate_public_key(&officer, &key, err));
    KW_TRY(kw_region_list_load(&step->list, config->services_file, config->services_signature_file,
                               &key, config->trust_domain, err));
    KW_ENSURE(strcmp(kw_region_list_region(&step->list), step->request.region) == 0, err,
              CONFIG_INVALID, "a list of region %s, not of %s", kw_region_list_region(&step->list),
              step->request.region);
    return KW_OK;
}

static struct kw_result ca_key_check(struct kw_bytes der, struct kw_bytes spki,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate ca = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_spki own;

    KW_TRY(kw_certificate_from_der(&ca, der, err));
    KW_TRY(kw_certificate_public_key(&ca, &key, err));
    KW_TRY(kw_public_key_spki(&key, &own, err));
    KW_ENSURE(kw_bytes_equal(kw_spki_bytes(&own), spki), err, BINDING_INVALID,
              "the answer certifies a key that was not asked for");
    return KW_OK;
}

/* The region is in the set, with the keys it asked for. */
static struct kw_result row_check(const struct step *step, struct kw_error *err)
{
    const struct kw_region_row *own = kw_region_set_find(&step->set, step->request.region);

    KW_ENSURE(own != NULL, err, BINDING_INVALID, "the answer's set has no region %s",
              step->request.region);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        KW_TRY(ca_key_check(own->cas[i], step->request.keys[KW_REGION_KEY_CA + i], err));
    }
    KW_ENSURE(kw_bytes_equal(own->checkpoint, step->request.keys[KW_REGION_CHECKPOINT]), err,
              BINDING_INVALID, "the answer has another checkpoint key");
    return KW_OK;
}

static struct kw_result believe(struct step *step, struct kw_error *err)
{
    KW_TRY(
        kw_region_root_load(step->config->root_file, step->config->root_sha256, &step->root, err));
    KW_TRY(request_load(step, err));
    KW_TRY(answer_load(step, err));
    KW_TRY(officer_check(step, err));
    return row_check(step, err);
}

/* --- the token --- */

/* Is it the token that asked? */
static struct kw_result token_check(const struct step *step, struct kw_error *err)
{
    for (size_t i = 0; i < KW_REGION_KEYS; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf spki = {0};

        KW_TRY(kw_hsm_ceremony_public_key(step->ceremony, kw_region_signers[i], &spki, err));
        KW_ENSURE(kw_bytes_equal(kw_buf_bytes(&spki), step->request.keys[i]), err, BINDING_INVALID,
                  "this token did not make the request");
    }
    return KW_OK;
}

static struct kw_result keys_take(struct step *step, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf info = {0};

    KW_TRY(kw_region_token_open(&step->config->token, &step->ceremony, err));
    KW_TRY(token_check(step, err));
    KW_TRY(kw_region_carried_info(step->request.digest, &info, err));
    return kw_hsm_ceremony_receive(step->ceremony, &step->carried, kw_buf_bytes(&info), err);
}

/* --- the files --- */

static const struct kw_region_row *own_row(const struct step *step)
{
    return kw_region_set_find(&step->set, step->request.region);
}

/* What was asked and answered is kept: it has the check values, and who approved. */
static struct kw_result records_put(const struct step *step, struct kw_error *err)
{
    const char *dir = step->config->out_dir;
    KW_SCOPED(kw_buf_done) struct kw_buf root = {0};

    KW_TRY(kw_out_put(dir, "request.kwq", kw_buf_bytes(&step->request_record), err));
    KW_TRY(kw_out_put(dir, "answer.kwa", kw_buf_bytes(&step->answer_record), err));
    KW_TRY(kw_certificate_to_der(&step->root, &root, err));
    KW_TRY(kw_out_put_certificate(dir, KW_OUT_ROOT, kw_buf_bytes(&root), err));
    return kw_region_list_put(&step->list, dir, err);
}

static struct kw_result leaves_make(const struct step *step, struct kw_error *err)
{
    const struct kw_complete_config *config = step->config;
    const struct kw_region_issuer issuer = {.ceremony = step->ceremony,
                                            .set = &step->set,
                                            .own = own_row(step),
                                            .out_dir = config->out_dir,
                                            .trust_domain = config->trust_domain,
                                            .edge_hosts = &config->edge_hosts,
                                            .service_days = config->service_days,
                                            .officer_days = config->officer_days};

    KW_TRY(kw_region_issue_services(&issuer, &step->list, err));
    KW_TRY(kw_region_officers_put(&step->answer, &step->set, config->out_dir, err));
    for (size_t i = 0; i < config->officer_csr_files.count; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

        KW_TRY(kw_region_issue_officer(&issuer, config->officer_csr_files.items[i], &pem, err));
    }
    return KW_OK;
}

static struct kw_result run(struct step *step, struct kw_error *err)
{
    const struct kw_complete_config *config = step->config;

    KW_TRY(believe(step, err));
    KW_TRY(kw_out_directories(config->out_dir, err));
    KW_TRY(keys_take(step, err));
    KW_TRY(records_put(step, err));
    KW_TRY(kw_region_publish(config->out_dir, &step->set, own_row(step), step->answer.set, err));
    KW_TRY(leaves_make(step, err));
    KW_TRY(kw_hsm_ceremony_finish(step->ceremony, err));
    KW_LOG(INFO, "region complete", KW_F_STR("region_name", step->request.region),
           KW_F_HEX("kek_check", KW_BYTES_OF(step->carried.kek.check)),
           KW_F_HEX("mac_check", KW_BYTES_OF(step->carried.mac.check)));
    return KW_OK;
}

struct kw_result kw_core_complete(const struct kw_complete_config *config, struct kw_error *err)
{
    struct step step = {.config = config};
    struct kw_result result = run(&step, err);

    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(step.ceremony);
    }
    kw_hsm_ceremony_free(step.ceremony);
    kw_certificate_done(&step.root);
    kw_buf_done(&step.request_record);
    kw_buf_done(&step.answer_record);
    kw_region_list_done(&step.list);
    return result;
}
