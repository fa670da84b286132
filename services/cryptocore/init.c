/* The ceremony's outer half: reads what officers brought, has the HSM make the keys, writes what
 * the services need. Certificates of CAs and leaves are made by hsm/ceremony.c; no private key of a
 * CA is ever here. */
#include "services/cryptocore/init.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "common/crypto/sign.h"
#include "common/pki/credentials.h"
#include "common/pki/csr.h"
#include "services/cryptocore/hsm/ceremony.h"
#include "services/cryptocore/hsm/fresh_token.h"
#include "services/cryptocore/pki_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_MS 86400000ULL

struct init {
    const struct kw_init_config *config;
    struct kw_hsm_ceremony *ceremony;
    struct kw_buf root; /* DER */
    struct kw_buf cas[KW_CORE_CA_COUNT];
};

static struct kw_validity valid_for(uint32_t days)
{
    uint64_t now = kw_clock_wall_ms();

    return (struct kw_validity){.not_before_ms = now - KW_CERTIFICATE_BACKDATE_MS,
                                .not_after_ms = now + days * DAY_MS};
}

static struct kw_result path_make(const struct init *init, const char *name, char path[PATH_MAX],
                                  struct kw_error *err)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", init->config->out_dir, name);

    KW_ENSURE(len > 0 && len < PATH_MAX, err, CONFIG_INVALID, "path of %s is too long", name);
    return KW_OK;
}

static struct kw_result file_put(const struct init *init, const char *name, struct kw_bytes content,
                                 struct kw_error *err)
{
    char path[PATH_MAX];

    KW_TRY(path_make(init, name, path, err));
    return kw_keyfile_write(AT_FDCWD, path, content, KW_KEYFILE_MODE_PUBLIC, err);
}

static struct kw_result certificate_put(const struct init *init, const char *name,
                                        struct kw_bytes der, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    KW_TRY(kw_core_pem_append(&pem, der, err));
    return file_put(init, name, kw_buf_bytes(&pem), err);
}

static struct kw_result directories_make(const struct init *init, struct kw_error *err)
{
    static const char *const names[] = {"pki", "credentials", "officers"};
    char path[PATH_MAX];

    KW_ENSURE(mkdir(init->config->out_dir, 0755) == 0 || errno == EEXIST, err, SYSTEM, "%s: %s",
              init->config->out_dir, strerror(errno));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        KW_TRY(path_make(init, names[i], path, err));
        KW_ENSURE(mkdir(path, 0755) == 0, err, CONFIG_INVALID, "%s: %s", path, strerror(errno));
    }
    return KW_OK;
}

/* The list of services counts only with the first officer's signature: whoever runs init can't add
 * a service. */
static struct kw_result list_load(const struct init *init, struct kw_buf *ret_list,
                                  struct kw_error *err)
{
    const struct kw_init_config *config = init->config;
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf signature = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key officer = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, config->officer_csr_files.items[0], KW_CSR_LEN_MAX, false,
                           &csr, err));
    KW_TRY(kw_csr_verify(kw_buf_bytes(&csr), &officer, err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, config->services_file, KW_CORE_LIST_LEN_MAX, false, ret_list,
                           err));
    KW_TRY(kw_keyfile_read(AT_FDCWD, config->services_signature_file, KW_SIGNATURE_LEN_MAX, false,
                           &signature, err));
    KW_TRY(kw_core_list_verify(&officer, kw_buf_bytes(ret_list), kw_buf_bytes(&signature), err));
    KW_TRY(file_put(init, "pki/services.list", kw_buf_bytes(ret_list), err));
    return file_put(init, "pki/services.list.sig", kw_buf_bytes(&signature), err);
}

static struct kw_result keys_make(const struct init *init, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf recovery = {0};
    KW_SCOPED(kw_hsm_keys_made_done) struct kw_hsm_keys_made made = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf checkpoint = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, init->config->recovery_key_file, KW_SPKI_LEN_MAX, false,
                           &recovery, err));
    KW_TRY(kw_hsm_ceremony_make(init->ceremony, kw_buf_bytes(&recovery), &made, err));
    KW_TRY(file_put(init, "ceremony.kwb", kw_buf_bytes(&made.blob), err));
    KW_TRY(kw_hsm_ceremony_public_key(init->ceremony, KW_HSM_CHECKPOINT, &checkpoint, err));
    KW_TRY(file_put(init, "pki/checkpoint.pub", kw_buf_bytes(&checkpoint), err));
    KW_LOG(INFO, "keys made: compare these check values in every region",
           KW_F_HEX("kek_check", KW_BYTES_OF(made.kek_check)),
           KW_F_HEX("mac_check", KW_BYTES_OF(made.mac_check)));
    return KW_OK;
}

/* What the edge trusts: the CAs of callers, and not the services' own. */
static struct kw_result client_bundle_put(const struct init *init, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        if (kw_core_cas[i].signer != KW_HSM_CA_SERVICES) {
            KW_TRY(kw_core_pem_append(&pem, kw_buf_bytes(&init->cas[i]), err));
        }
    }
    return file_put(init, "pki/client-ca.pem", kw_buf_bytes(&pem), err);
}

static struct kw_result cas_make(struct init *init, struct kw_error *err)
{
    struct kw_validity root_validity = valid_for(init->config->root_days);
    struct kw_validity ca_validity = valid_for(init->config->ca_days);

    KW_TRY(kw_hsm_ceremony_root(init->ceremony, "Keyward root", &root_validity, &init->root, err));
    KW_TRY(certificate_put(init, "pki/root.pem", kw_buf_bytes(&init->root), err));
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        char name[64];

        KW_TRY(kw_hsm_ceremony_ca(init->ceremony, kw_core_cas[i].signer, kw_buf_bytes(&init->root),
                                  kw_core_cas[i].common_name, &ca_validity, &init->cas[i], err));
        (void)snprintf(name, sizeof(name), "pki/%s", kw_core_cas[i].file);
        KW_TRY(certificate_put(init, name, kw_buf_bytes(&init->cas[i]), err));
    }
    return client_bundle_put(init, err);
}

static struct kw_bytes ca_certificate(const struct init *init, enum kw_hsm_signer signer)
{
    return kw_buf_bytes(&init->cas[kw_core_ca_index(signer)]);
}

static struct kw_result leaf_issue(const struct init *init, struct kw_hsm_issue *issue,
                                   struct kw_bytes *ret_der, struct kw_error *err)
{
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};
    struct kw_hsm_answer answer;

    issue->issuer_certificate = ca_certificate(init, issue->issuer);
    request.issue = *issue;
    KW_TRY(kw_hsm_ceremony_run(init->ceremony, &request, &answer, err));
    *ret_der = answer.certificate;
    return KW_OK;
}

/* Where a service's credentials go: a directory of its cell's, in which it is the only one of its
 * name. */
static struct kw_result credentials_place(const struct init *init, const struct kw_spiffe *service,
                                          char path[PATH_MAX], struct kw_error *err)
{
    char name[sizeof("credentials//") + 2 * KW_SPIFFE_SEGMENT_LEN_MAX];

    (void)snprintf(name, sizeof(name), "credentials/%s", service->cell);
    KW_TRY(path_make(init, name, path, err));
    KW_ENSURE(mkdir(path, 0755) == 0 || errno == EEXIST, err, SYSTEM, "%s: %s", path,
              strerror(errno));
    (void)snprintf(name, sizeof(name), "credentials/%s/%s", service->cell, service->service);
    KW_TRY(path_make(init, name, path, err));
    KW_ENSURE(faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) != 0, err, CONFIG_INVALID,
              "the list names %s twice", name);
    return KW_OK;
}

/* A service's first key is made here and written with its certificate; renewals make theirs in the
 * service. */
static struct kw_result service_make(const struct init *init, const struct kw_spiffe *service,
                                     const char *spiffe_id, struct kw_error *err)
{
    bool is_gateway = strcmp(service->service, "gateway") == 0;
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public_key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    struct kw_hsm_issue issue = {.issuer = KW_HSM_CA_SERVICES, .spiffe_id = spiffe_id};
    struct kw_spki spki;
    struct kw_bytes der = KW_BYTES_NONE;
    char path[PATH_MAX];

    KW_TRY(credentials_place(init, service, path, err));
    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(kw_private_key_public(&key, &public_key, err));
    KW_TRY(kw_public_key_spki(&public_key, &spki, err));
    issue.spki = kw_spki_bytes(&spki);
    issue.validity = valid_for(init->config->service_days);
    issue.usage = KW_USAGE_CLIENT | KW_USAGE_SERVER;
    issue.hosts = is_gateway ? (const char *const *)init->config->edge_hosts.items : NULL;
    issue.host_count = is_gateway ? init->config->edge_hosts.count : 0;
    KW_TRY(leaf_issue(init, &issue, &der, err));
    KW_TRY(kw_core_pem_append(&cert_pem, der, err));
    KW_TRY(kw_core_pem_append(&cert_pem, ca_certificate(init, KW_HSM_CA_SERVICES), err));
    KW_TRY(kw_core_pem_append(&ca_pem, ca_certificate(init, KW_HSM_CA_SERVICES), err));
    KW_TRY(kw_private_key_to_pem(&key, &key_pem, err));
    return kw_credentials_write(path,
                                &(struct kw_credentials_pem){.key = kw_buf_bytes(&key_pem),
                                                             .cert = kw_buf_bytes(&cert_pem),
                                                             .ca = kw_buf_bytes(&ca_pem)},
                                err);
}

/* A ceremony is one region's, the first line's: its token and its CAs are no other's. */
static struct kw_result listed_parse(const struct init *init, const char *line,
                                     char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1],
                                     struct kw_spiffe *ret_service, struct kw_error *err)
{
    KW_TRY(kw_spiffe_parse(kw_bytes_str(line), ret_service, err));
    KW_ENSURE(ret_service->role == KW_ROLE_SERVICE &&
                  strcmp(ret_service->trust_domain, init->config->trust_domain) == 0,
              err, CONFIG_INVALID, "%s is not a service of %s", line, init->config->trust_domain);
    if (*region == '\0') {
        kw_copy(region, ret_service->region, sizeof(ret_service->region));
    }
    KW_ENSURE(strcmp(region, ret_service->region) == 0, err, CONFIG_INVALID,
              "%s is not a service of region %s", line, region);
    return KW_OK;
}

static struct kw_result services_make(const struct init *init, struct kw_buf *list,
                                      struct kw_error *err)
{
    char region[KW_SPIFFE_SEGMENT_LEN_MAX + 1] = "";
    char *rest;
    char *line;

    KW_TRY(kw_buf_append(list, KW_BYTES("", 1), err)); /* a NUL, for strsep */
    rest = (char *)list->data;
    while ((line = strsep(&rest, "\n")) != NULL) {
        struct kw_spiffe service;

        if (*line != '\0') {
            KW_TRY(listed_parse(init, line, region, &service, err));
            KW_TRY(service_make(init, &service, line, err));
        }
    }
    return KW_OK;
}

/* The first officer's goes beside the list it signed, too. */
static struct kw_result officer_make(const struct init *init, size_t index, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};
    struct kw_hsm_issue issue = {.issuer = KW_HSM_CA_OPERATORS, .usage = KW_USAGE_CLIENT};
    struct kw_spki spki;
    struct kw_spiffe identity;
    struct kw_id id;
    struct kw_bytes der = KW_BYTES_NONE;
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    char id_text[KW_ID_TEXT_SIZE];
    char name[64];

    KW_TRY(kw_keyfile_read(AT_FDCWD, init->config->officer_csr_files.items[index], KW_CSR_LEN_MAX,
                           false, &csr, err));
    KW_TRY(kw_csr_verify(kw_buf_bytes(&csr), &key, err));
    KW_TRY(kw_public_key_spki(&key, &spki, err));
    KW_TRY(kw_id_random(&id, err));
    KW_TRY(kw_spiffe_caller(init->config->trust_domain, KW_ROLE_OPERATOR, id, &identity, err));
    issue.spki = kw_spki_bytes(&spki);
    issue.spiffe_id = kw_spiffe_text(&identity, spiffe_id);
    issue.validity = valid_for(init->config->officer_days);
    KW_TRY(leaf_issue(init, &issue, &der, err));
    KW_TRY(kw_core_pem_append(&pem, der, err));
    KW_TRY(kw_core_pem_append(&pem, ca_certificate(init, KW_HSM_CA_OPERATORS), err));
    if (index == 0) {
        KW_TRY(file_put(init, "pki/" KW_CORE_LIST_OFFICER, kw_buf_bytes(&pem), err));
    }
    (void)snprintf(name, sizeof(name), "officers/%s.pem", kw_id_text(KW_ID_OPERATOR, id, id_text));
    return file_put(init, name, kw_buf_bytes(&pem), err);
}

static struct kw_result run(struct init *init, struct kw_error *err)
{
    const struct kw_init_config *config = init->config;
    const struct kw_hsm_token token = {.provider = config->hsm_provider,
                                       .module_path = config->hsm_module,
                                       .token_label = config->hsm_token,
                                       .pin_path = config->hsm_pin_file,
                                       .lock_path = config->hsm_lock_file};
    KW_SCOPED(kw_buf_done) struct kw_buf list = {0};

    KW_TRY(directories_make(init, err));
    KW_TRY(list_load(init, &list, err));
    if (config->hsm_so_pin_file != NULL) {
        KW_TRY(kw_hsm_fresh_token(config->hsm_module, config->hsm_token, config->hsm_so_pin_file,
                                  config->hsm_pin_file, err));
    }
    KW_TRY(kw_hsm_ceremony_new(&token, &init->ceremony, err));
    KW_TRY(keys_make(init, err));
    KW_TRY(cas_make(init, err));
    KW_TRY(services_make(init, &list, err));
    for (size_t i = 0; i < config->officer_csr_files.count; i++) {
        KW_TRY(officer_make(init, i, err));
    }
    return KW_OK;
}

struct kw_result kw_core_init(const struct kw_init_config *config, struct kw_error *err)
{
    struct init init = {.config = config};
    struct kw_result result = run(&init, err);

    if (!kw_ok(result)) {
        kw_hsm_ceremony_unmake(init.ceremony);
    }
    kw_hsm_ceremony_free(init.ceremony);
    kw_buf_done(&init.root);
    for (size_t i = 0; i < KW_CORE_CA_COUNT; i++) {
        kw_buf_done(&init.cas[i]);
    }
    return result;
}
