/* The services CA, asked by a test instead of by a ceremony. */
#include "tests/support/core_services.h"

#include "common/base/clock.h"
#include "common/crypto/keyfile.h"
#include "services/cryptocore/hsm/ceremony.h"

#include <fcntl.h>
#include <stdio.h>

#define MODULE      "/usr/lib/softhsm/libsofthsm2.so"
#define SERVICES    "ca-services.pem"
#define PEM_LEN_MAX 65536

static void pem_read(struct core_fixture *fx, const char *file, struct kw_buf *ret_pem)
{
    char name[64];
    char path[PATH_MAX];

    snprintf(name, sizeof(name), "region/pki/%s", file);
    MUST(kw_keyfile_read(AT_FDCWD, kw_mesh_path(&fx->dir, name, path), PEM_LEN_MAX, false, ret_pem,
                         err));
}

static void write_out(struct core_fixture *fx, const struct kw_private_key *key,
                      struct kw_bytes leaf_der, const char *ca, const char *name, char *path)
{
    KW_SCOPED(kw_certificate_done) struct kw_certificate leaf = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf key_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf issuer_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf trust_pem = {0};
    struct kw_credentials_pem credentials;

    MUST(kw_certificate_from_der(&leaf, leaf_der, err));
    MUST(kw_private_key_to_pem(key, &key_pem, err));
    MUST(kw_certificate_to_pem(&leaf, &cert_pem, err));
    pem_read(fx, ca, &issuer_pem);
    pem_read(fx, SERVICES, &trust_pem);
    MUST(kw_buf_append(&cert_pem, kw_buf_bytes(&issuer_pem), err));
    credentials = (struct kw_credentials_pem){.key = kw_buf_bytes(&key_pem),
                                              .cert = kw_buf_bytes(&cert_pem),
                                              .ca = kw_buf_bytes(&trust_pem)};
    MUST(kw_credentials_write(kw_mesh_path(&fx->dir, name, path), &credentials, err));
}

/* The answer lives in the ceremony: it is copied into the arena. */
static struct kw_bytes issue(struct core_fixture *fx, const struct kw_hsm_request *request)
{
    char pin[PATH_MAX];
    char lock[PATH_MAX];
    const struct kw_hsm_token token = {.provider = "softhsm",
                                       .module_path = MODULE,
                                       .token_label = KW_MESH_TOKEN,
                                       .pin_path = kw_mesh_path(&fx->dir, "region/secret/pin", pin),
                                       .lock_path = kw_mesh_path(&fx->dir, "run/login.lock", lock)};
    struct kw_hsm_ceremony *ceremony;
    struct kw_hsm_answer answer;
    struct kw_bytes copy;

    MUST(kw_hsm_ceremony_new(&token, &ceremony, err));
    MUST(kw_hsm_ceremony_run(ceremony, request, &answer, err));
    MUST(kw_arena_copy(fx->arena, answer.certificate, &copy, err));
    kw_hsm_ceremony_free(ceremony);
    return copy;
}

void core_service_credentials(struct core_fixture *fx, const char *spiffe_id, const char *name,
                              uint64_t age_ms, uint64_t life_ms, char *path)
{
    KW_SCOPED(kw_private_key_done) struct kw_private_key key = {0};
    KW_SCOPED(kw_public_key_done) struct kw_public_key public = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_pem = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca_der = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate ca = {0};
    uint64_t start = kw_clock_wall_ms() - age_ms;
    struct kw_hsm_request request = {.op = KW_HSM_ISSUE_CERTIFICATE};
    struct kw_spki spki;

    MUST(kw_private_key_generate(&key, KW_CURVE_P256, err));
    MUST(kw_private_key_public(&key, &public, err));
    MUST(kw_public_key_spki(&public, &spki, err));
    pem_read(fx, SERVICES, &ca_pem);
    MUST(kw_certificate_from_pem(&ca, kw_buf_bytes(&ca_pem), err));
    MUST(kw_certificate_to_der(&ca, &ca_der, err));
    request.issue = (struct kw_hsm_issue){
        .issuer = KW_HSM_CA_SERVICES,
        .issuer_certificate = kw_buf_bytes(&ca_der),
        .spki = kw_spki_bytes(&spki),
        .spiffe_id = spiffe_id,
        .validity = {.not_before_ms = start, .not_after_ms = start + life_ms},
        .usage = KW_USAGE_CLIENT | KW_USAGE_SERVER,
    };
    write_out(fx, &key, issue(fx, &request), SERVICES, name, path);
}

void core_caller_credentials(struct core_fixture *fx, const struct core_caller *caller,
                             const char *ca, const char *name, char *path)
{
    write_out(fx, &caller->key, kw_buf_bytes(&caller->certificate), ca, name, path);
}
