/* Leaves, made by the ceremony and written where they are looked for. */
#include "services/cryptocore/region/issue.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/pki/credentials.h"
#include "common/pki/csr.h"
#include "services/cryptocore/region/out.h"
#include "services/cryptocore/region/publish.h"

#include <fcntl.h>
#include <stdio.h>

#define DAY_MS 86400000ULL

struct kw_validity kw_region_valid_for(uint32_t days)
{
    uint64_t now = kw_clock_wall_ms();

    return (struct kw_validity){.not_before_ms = now - KW_CERTIFICATE_BACKDATE_MS,
                                .not_after_ms = now + days * DAY_MS};
}

/* The answer lives in the ceremony until its next one. */
static struct kw_result leaf_issue(const struct kw_region_issuer *issuer,
                                   struct kw_hsm_issue *issue, struct kw_bytes *ret_der,
                                   struct kw_error *err)
{
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};
    struct kw_hsm_answer answer;

    issue->issuer_certificate = issuer->own->cas[kw_core_ca_index(issue->issuer)];
    request.issue = *issue;
    KW_TRY(kw_hsm_ceremony_run(issuer->ceremony, &request, &answer, err));
    *ret_der = answer.certificate;
    return KW_OK;
}

/* Leaf and issuing CA. */
static struct kw_result chain_issue(const struct kw_region_issuer *issuer,
                                    struct kw_hsm_issue *issue, struct kw_buf *ret_pem,
                                    struct kw_error *err)
{
    struct kw_bytes der = KW_BYTES_NONE;

    KW_TRY(leaf_issue(issuer, issue, &der, err));
    KW_TRY(kw_core_pem_append(ret_pem, der, err));
    return kw_core_pem_append(ret_pem, issue->issuer_certificate, err);
}

/* --- services --- */

static struct kw_result service_chain(const struct kw_region_issuer *issuer,
                                      const struct kw_spiffe *service,
                                      const struct kw_private_key *key, struct kw_buf *ret_pem,
                                      struct kw_error *err)
{
    bool is_gateway = strcmp(service->service, "gateway") == 0;
    KW_SCOPED(kw_public_key_done) struct kw_public_key public_key = {0};
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    struct kw_hsm_issue issue = {.issuer = KW_HSM_CA_SERVICES,
                                 .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER};
    struct kw_spki spki;

    KW_TRY(kw_private_key_public(key, &public_key, err));
    KW_TRY(kw_public_key_spki(&public_key, &spki, err));
    issue.spki = kw_spki_bytes(&spki);
    issue.spiffe_id = kw_spiffe_text(service, spiffe_id);
    issue.validity = kw_region_valid_for(issuer->service_days);
    issue.hosts = is_gateway ? (const char *const *)issuer->edge_hosts->items : NULL;
    issue.host_count = is_gateway ? issuer->edge_hosts->count : 0;
    return chain_issue(issuer, &issue, ret_pem, err);
}

/* A directory of its cell's. */
static struct kw_result place(const struct kw_region_issuer *issuer,
                              const struct kw_spiffe *service, char path[PATH_MAX],
                              struct kw_error *err)
{
    char name[sizeof("credentials//") + 2 * KW_SPIFFE_SEGMENT_LEN_MAX];

    (void)snprintf(name, sizeof(name), "credentials/%s", service->cell);
    KW_TRY(kw_out_directory(issuer->out_dir, name, true, err));
    (void)snprintf(name, sizeof(name), "credentials/%s/%s", service->cell, service->service);
    return kw_out_path(issuer->out_dir, name, path, err);
}

/* A service's first key is made here and written with its certificate; renewals make theirs in the
 * service. */
static struct kw_result service_make(const struct kw_region_issuer *issuer,
                                     const struct kw_spiffe *service, struct kw_bytes ca_pem,
                                     struct kw_error *err)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    char path[PATH_MAX];

    KW_TRY(kw_private_key_generate(&key, KW_CURVE_P256, err));
    KW_TRY(service_chain(issuer, service, &key, &cert_pem, err));
    KW_TRY(kw_private_key_to_pem(&key, &key_pem, err));
    KW_TRY(place(issuer, service, path, err));
    return kw_credentials_write(path,
                                &(struct kw_credentials_pem){.key = kw_buf_bytes(&key_pem),
                                                             .cert = kw_buf_bytes(&cert_pem),
                                                             .ca = ca_pem},
                                err);
}

struct kw_result kw_region_issue_services(const struct kw_region_issuer *issuer,
                                          const struct kw_region_list *list, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};

    KW_TRY(kw_region_services_pem(issuer->set, &ca_pem, err));
    for (size_t i = 0; i < list->count; i++) {
        KW_TRY(service_make(issuer, &list->services[i], kw_buf_bytes(&ca_pem), err));
    }
    return KW_OK;
}

/* --- officers --- */

static struct kw_result officer_key(const char *csr_path, struct kw_spki *ret_spki,
                                    struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf csr = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key key = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, csr_path, KW_CSR_LEN_MAX, false, &csr, err));
    KW_TRY(kw_csr_verify(kw_buf_bytes(&csr), &key, err));
    return kw_public_key_spki(&key, ret_spki, err);
}

struct kw_result kw_region_issue_officer(const struct kw_region_issuer *issuer,
                                         const char *csr_path, struct kw_buf *ret_pem,
                                         struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    struct kw_hsm_issue issue = {.issuer = KW_HSM_CA_OPERATORS, .usage = KW_USAGE_CLIENT};
    struct kw_spki spki;
    struct kw_spiffe identity;
    struct kw_id id;
    char spiffe_id[KW_SPIFFE_TEXT_SIZE];
    char id_text[KW_ID_TEXT_SIZE];
    char name[64];

    KW_TRY(officer_key(csr_path, &spki, err));
    KW_TRY(kw_id_random(&id, err));
    KW_TRY(kw_spiffe_caller(issuer->trust_domain, KW_ROLE_OPERATOR, id, &identity, err));
    issue.spki = kw_spki_bytes(&spki);
    issue.spiffe_id = kw_spiffe_text(&identity, spiffe_id);
    issue.validity = kw_region_valid_for(issuer->officer_days);
    KW_TRY(chain_issue(issuer, &issue, &pem, err));
    (void)snprintf(name, sizeof(name), "officers/%s.pem", kw_id_text(KW_ID_OPERATOR, id, id_text));
    KW_TRY(kw_out_put(issuer->out_dir, name, kw_buf_bytes(&pem), err));
    return kw_buf_append(ret_pem, kw_buf_bytes(&pem), err);
}
