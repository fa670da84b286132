/* Taking apart, putting together. */
#include "tests/support/region_forge.h"

#include "common/crypto/keyfile.h"
#include "common/pki/credentials.h"
#include "services/cryptocore/region/issue.h"
#include "tests/support/must.h"

#include <fcntl.h>
#include <stdio.h>

static void root_load(struct region_forge *forge)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};

    MUST(kw_region_record_load(forge->fx->paths[REGION_ROOT], &pem, err));
    MUST(kw_certificate_from_pem(&forge->root, kw_buf_bytes(&pem), err));
}

void region_forge_begin(struct region_forge *forge, struct region_fixture *fx)
{
    *forge = (struct region_forge){.fx = fx};
    root_load(forge);
    MUST(kw_region_record_load(fx->paths[REGION_REQUEST], &forge->request_record, err));
    MUST(kw_region_request_read(kw_buf_bytes(&forge->request_record), &forge->request, err));
    MUST(kw_region_record_load(fx->paths[REGION_ANSWER], &forge->record, err));
    MUST(kw_region_answer_read(kw_buf_bytes(&forge->record), &forge->root, &forge->request,
                               &forge->answer, err));
    MUST(kw_region_set_read(forge->answer.set, &forge->root, KW_MESH_TRUST_DOMAIN, &forge->set,
                            err));
    MUST(
        kw_region_carried_read(forge->answer.carried, forge->request.digest, &forge->carried, err));
    MUST(kw_region_token_open(&fx->answer.token, &forge->ceremony, err));
}

static void end(struct region_forge *forge)
{
    kw_hsm_ceremony_free(forge->ceremony);
    kw_certificate_done(&forge->root);
    kw_buf_done(&forge->record);
    kw_buf_done(&forge->request_record);
    for (size_t i = 0; i < forge->made_count; i++) {
        kw_buf_done(&forge->made[i]);
    }
}

static void put(const char *path, const struct kw_buf *record)
{
    MUST(kw_keyfile_write(AT_FDCWD, path, kw_buf_bytes(record), KW_KEYFILE_MODE_PUBLIC, err));
}

void region_forge_end(struct region_forge *forge)
{
    KW_SCOPED(kw_buf_done) struct kw_buf set = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf carried = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf record = {0};

    MUST(kw_region_set_write(&forge->set, forge->ceremony, &set, err));
    MUST(kw_region_carried_write(&forge->carried, forge->request.digest, &carried, err));
    forge->answer.set = kw_buf_bytes(&set);
    forge->answer.carried = kw_buf_bytes(&carried);
    MUST(kw_region_answer_write(&forge->answer, forge->ceremony, &record, err));
    put(forge->fx->paths[REGION_ANSWER], &record);
    end(forge);
}

void region_forge_end_set(struct region_forge *forge)
{
    KW_SCOPED(kw_buf_done) struct kw_buf set = {0};

    MUST(kw_region_set_write(&forge->set, forge->ceremony, &set, err));
    put(forge->fx->paths[REGION_SET], &set);
    end(forge);
}

struct kw_bytes region_forge_ca(struct region_forge *forge, size_t ca, const char *region)
{
    KW_SCOPED(kw_buf_done) struct kw_buf root = {0};
    struct kw_buf *made = &forge->made[forge->made_count++];
    const struct kw_hsm_ca plan = {.signer = kw_core_cas[ca].signer,
                                   .name = kw_core_cas[ca].common_name,
                                   .region = region,
                                   .validity = kw_region_valid_for(10)};

    MUST(kw_certificate_to_der(&forge->root, &root, err));
    MUST(kw_hsm_ceremony_ca(forge->ceremony, &plan, kw_buf_bytes(&root), made, err));
    return kw_buf_bytes(made);
}

struct kw_bytes region_forge_partner(struct region_forge *forge)
{
    const struct kw_region_row *home = kw_region_set_find(&forge->set, KW_MESH_REGION);
    struct kw_buf *made = &forge->made[forge->made_count++];
    struct kw_hsm_request request = {
        .op = KW_HSM_ISSUE_CERTIFICATE,
        .issue = {.issuer = KW_HSM_CA_OPERATORS,
                  .issuer_certificate = home->cas[kw_core_ca_index(KW_HSM_CA_OPERATORS)],
                  .spki = forge->request.keys[0],
                  .spiffe_id =
                      "spiffe://" KW_MESH_TRUST_DOMAIN "/partner/prt_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                  .validity = kw_region_valid_for(1),
                  .usage = KW_USAGE_CLIENT}};
    struct kw_hsm_answer answer;

    MUST(kw_hsm_ceremony_run(forge->ceremony, &request, &answer, err));
    MUST(kw_buf_append(made, answer.certificate, err));
    return kw_buf_bytes(made);
}

struct kw_bytes region_forge_service(struct region_forge *forge)
{
    KW_SCOPED(kw_credentials_done) struct kw_credentials credentials = {0};
    struct kw_buf *made = &forge->made[forge->made_count++];
    char path[2 * PATH_MAX];

    snprintf(path, sizeof(path), "%s/credentials/" KW_MESH_CELL "/authz",
             forge->fx->paths[REGION_HOME]);
    MUST(kw_credentials_load(&credentials, path, err));
    MUST(kw_certificate_to_der(&credentials.leaf, made, err));
    return kw_buf_bytes(made);
}
