/* The first region's ceremony: reads what officers brought, has the HSM make the keys, the root and the CAs, writes what
 * the services need. No private key of a CA is ever here. */
#include "services/cryptocore/init.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"
#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/region/issue.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/publish.h"
#include "services/cryptocore/region/token.h"

#include <fcntl.h>
#include <stdio.h>

struct init {
    const struct kw_init_config *config;
    struct kw_hsm_ceremony *ceremony;
    struct kw_region_list list;
    struct kw_buf root; /* DER */
    struct kw_buf cas[KW_CORE_CA_COUNT];
    struct kw_buf checkpoint;
    struct kw_region_set set; /* of this region alone; points to what is above */
};

/* The list counts with the first officer's signature: that key is in the first request. */
static struct kw_result list_load(struct init *init, struct kw_error *err)
{
    const struct kw_init_config *config = init->config;
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key officer = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, config->officer_csr_files.items[0], KW_CSR_LEN_MAX, false,
                           &csr, err));
    KW_TRY(kw_csr_verify(kw_buf_bytes(&csr), &officer, err));
    return kw_region_list_load(&init->list, config->services_file, config->services_signature_file,
                               &officer, config->trust_domain, err);
}

static struct kw_result token_open(struct init *init, struct kw_error *err)
{
    const struct kw_init_config *config = init->config;
    const struct kw_region_token token = {.hsm_provider = config->hsm_provider,
                                          .hsm_module = config->hsm_module,
                                          .hsm_token = config->hsm_token,
                                          .hsm_pin_file = config->hsm_pin_file,
                                          .hsm_so_pin_file = config->hsm_so_pin_file,
                                          .hsm_lock_file = config->hsm_lock_file};

    return kw_region_token_open(&token, &init->ceremony, err);
}

static struct kw_result keys_make(struct init *init, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf recovery = {0};
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, init->config->recovery_key_file, KW_SPKI_LEN_MAX, false,
                           &recovery, err));
    KW_TRY(kw_hsm_ceremony_make(init->ceremony, kw_buf_bytes(&recovery), &made, err));
    KW_TRY(kw_out_put(init->config->out_dir, "ceremony.kwb", kw_buf_bytes(&made.blob), err));
    KW_TRY(kw_hsm_ceremony_public_key(init->ceremony, KW_HSM_CHECKPOINT, &init->checkpoint, err));
    KW_LOG(INFO, "keys made: compare these check values in every region",
           KW_F_HEX("kek_check", KW_BYTES_OF(made.kek_check)),
           KW_F_HEX("mac_check", KW_BYTES_OF(made.mac_check)));
    return KW_OK;
}

static struct kw_result root_make(struct init *init, struct kw_error *err)
{
    struct kw_validity validity = kw_region_valid_for(init->config->root_days);
    uint8_t digest[KW_SHA256_LEN];

    KW_TRY(kw_hsm_ceremony_root(init->ceremony, "Keyward root", &validity, &init->root, err));
    KW_TRY(
        kw_out_put_certificate(init->config->out_dir, KW_OUT_ROOT, kw_buf_bytes(&init->root), err));
    KW_TRY(kw_sha256(kw_buf_bytes(&init->root), digest, err));
    KW_LOG(INFO, "root made: by this digest other regions know it",
           KW_F_HEX("root_sha256", KW_BYTES_OF(digest)));
    return KW_OK;
}

static struct kw_result cas_make(struct init *init, struct kw_error *err)
{
    struct kw_hsm_ca ca = {.region = kw_region_list_region(&init->list),
                           .validity = kw_region_valid_for(init->config->ca_days)};

    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        ca.signer = kw_core_cas[i].signer;
        ca.name = kw_core_cas[i].common_name;
        KW_TRY(
            kw_hsm_ceremony_ca(init->ceremony, &ca, kw_buf_bytes(&init->root), &init->cas[i], err));
    }
    return KW_OK;
}

/* A mesh of one region, to which others are added. */
static struct kw_result set_make(struct init *init, struct kw_buf *ret_record, struct kw_error *err)
{
    const char *region = kw_region_list_region(&init->list);
    struct kw_region_row row = {.checkpoint = kw_buf_bytes(&init->checkpoint)};

    kw_copy(init->set.trust_domain, init->config->trust_domain,
            strlen(init->config->trust_domain) + 1);
    init->set.version = kw_clock_wall_ms();
    kw_copy(row.region, region, strlen(region) + 1);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        row.cas[i] = kw_buf_bytes(&init->cas[i]);
    }
    KW_TRY(kw_region_set_add(&init->set, &row, err));
    return kw_region_set_write(&init->set, init->ceremony, ret_record, err);
}

static struct kw_result pki_make(struct init *init, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    KW_TRY(root_make(init, err));
    KW_TRY(cas_make(init, err));
    KW_TRY(set_make(init, &record, err));
    return kw_region_publish(init->config->out_dir, &init->set, &init->set.rows[0],
                             kw_buf_bytes(&record), err);
}

/* The first officer's goes beside the list it signed, too. */
static struct kw_result officers_make(const struct kw_region_issuer *issuer,
                                      const struct kw_strings *csr_files, struct kw_error *err)
{
    for (size_t i = 0; i < csr_files->count; i++) {
        KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

        KW_TRY(kw_region_issue_officer(issuer, csr_files->items[i], &pem, err));
        if (i == 0) {
            KW_TRY(
                kw_out_put(issuer->out_dir, "pki/" KW_CORE_LIST_OFFICER, kw_buf_bytes(&pem), err));
        }
    }
    return KW_OK;
}

static struct kw_result leaves_make(struct init *init, struct kw_error *err)
{
    const struct kw_init_config *config = init->config;
    const struct kw_region_issuer issuer = {.ceremony = init->ceremony,
                                            .set = &init->set,
                                            .own = &init->set.rows[0],
                                            .out_dir = config->out_dir,
                                            .trust_domain = config->trust_domain,
                                            .edge_hosts = &config->edge_hosts,
                                            .service_days = config->service_days,
                                            .officer_days = config->officer_days};

    KW_TRY(kw_region_list_put(&init->list, config->out_dir, err));
    KW_TRY(kw_region_issue_services(&issuer, &init->list, err));
    return officers_make(&issuer, &config->officer_csr_files, err);
}

static struct kw_result run(struct init *init, struct kw_error *err)
{
    KW_TRY(kw_out_directories(init->config->out_dir, err));
    KW_TRY(list_load(init, err));
    KW_TRY(token_open(init, err));
    KW_TRY(keys_make(init, err));
    KW_TRY(pki_make(init, err));
    return leaves_make(init, err);
}

struct kw_result kw_core_init(const struct kw_init_config *config, struct kw_error *err)
{
    struct init init = {.config = config};
    struct kw_result result = run(&init, err);

    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(init.ceremony);
    }
    kw_hsm_ceremony_free(init.ceremony);
    kw_region_list_done(&init.list);
    kw_buf_done(&init.root);
    kw_buf_done(&init.checkpoint);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_buf_done(&init.cas[i]);
    }
    return result;
}
