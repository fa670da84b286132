/* Paths, settings, steps. */
#include "tests/support/region_fixture.h"

#include "common/crypto/keyfile.h"
#include "common/pki/certificate.h"
#include "services/cryptocore/region/record.h"
#include "tests/support/must.h"
#include "tests/support/officer_sign.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#define TOKEN_HOME "keyward-dev"
#define MODULE     "/usr/lib/softhsm/libsofthsm2.so"

static const char *const names[REGION_FILES] = {
    [REGION_HOME] = "region",
    [REGION_HOME_PKI] = "region/pki",
    [REGION_REQUEST] = "far.kwq",
    [REGION_APPROVAL] = "far.kwq.sig",
    [REGION_BLOB] = "region/ceremony.kwb",
    [REGION_RECOVERY] = "recovery/key.pem",
    [REGION_CARRIED] = "far.kwt",
    [REGION_ANSWER] = "far.kwa",
    [REGION_ROOT] = "region/pki/root.pem",
    [REGION_LIST] = "far.list",
    [REGION_LIST_SIGNATURE] = "far.list.sig",
    [REGION_OUT] = "far",
    [REGION_SET] = "region/pki/regions.kwg",
    [REGION_PIN] = "region/secret/pin",
    [REGION_SO_PIN] = "region/secret/so-pin",
    [REGION_LOCK] = "run/login.lock",
};

static void root_digest(struct region_fixture *fx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate root = {0};
    uint8_t digest[KW_SHA256_LEN];

    MUST(kw_region_record_load(fx->paths[REGION_ROOT], &pem, err));
    MUST(kw_certificate_from_pem(&root, kw_buf_bytes(&pem), err));
    MUST(kw_certificate_fingerprint(&root, digest, err));
    kw_hex(KW_BYTES_OF(digest), fx->root_sha256);
}

static struct kw_region_token token(struct region_fixture *fx, char *label, char *so_pin)
{
    return (struct kw_region_token){.hsm_provider = "softhsm",
                                    .hsm_module = MODULE,
                                    .hsm_token = label,
                                    .hsm_pin_file = fx->paths[REGION_PIN],
                                    .hsm_so_pin_file = so_pin,
                                    .hsm_lock_file = fx->paths[REGION_LOCK]};
}

static void first_steps(struct region_fixture *fx)
{
    char(*p)[PATH_MAX] = fx->paths;

    fx->request = (struct kw_request_config){
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .region = REGION_NEW,
        .request_file = p[REGION_REQUEST],
        .token = token(fx, REGION_NEW_TOKEN, p[REGION_SO_PIN]),
    };
    fx->carry = (struct kw_carry_config){
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .pki_dir = p[REGION_HOME_PKI],
        .root_sha256 = fx->root_sha256,
        .request_file = p[REGION_REQUEST],
        .request_sha256 = fx->request_sha256,
        .approval_file = p[REGION_APPROVAL],
        .blob_file = p[REGION_BLOB],
        .recovery_key_file = p[REGION_RECOVERY],
        .carried_file = p[REGION_CARRIED],
    };
}

static void last_steps(struct region_fixture *fx)
{
    char(*p)[PATH_MAX] = fx->paths;

    fx->answer = (struct kw_answer_config){
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .region_dir = p[REGION_HOME],
        .request_file = p[REGION_REQUEST],
        .request_sha256 = fx->request_sha256,
        .approval_file = p[REGION_APPROVAL],
        .carried_file = p[REGION_CARRIED],
        .answer_file = p[REGION_ANSWER],
        .ca_days = 100,
        .token = token(fx, TOKEN_HOME, NULL),
    };
    fx->complete = (struct kw_complete_config){
        .trust_domain = KW_MESH_TRUST_DOMAIN,
        .out_dir = p[REGION_OUT],
        .request_file = p[REGION_REQUEST],
        .answer_file = p[REGION_ANSWER],
        .root_file = p[REGION_ROOT],
        .root_sha256 = fx->root_sha256,
        .services_file = p[REGION_LIST],
        .services_signature_file = p[REGION_LIST_SIGNATURE],
        .edge_hosts = {.items = fx->hosts, .count = 1},
        .service_days = 30,
        .officer_days = 90,
        .token = token(fx, REGION_NEW_TOKEN, NULL),
    };
    fx->regions = (struct kw_regions_config){.trust_domain = KW_MESH_TRUST_DOMAIN,
                                             .region_dir = p[REGION_OUT],
                                             .regions_file = p[REGION_SET]};
}

void region_fixture_init(struct region_fixture *fx, const struct kw_mesh_dir *dir)
{
    static const char prefix[] =
        "spiffe://" KW_MESH_TRUST_DOMAIN "/region/" REGION_NEW "/cell/" REGION_NEW_CELL "/svc/";
    char list[1024];

    *fx = (struct region_fixture){.dir = *dir, .hosts = {"localhost"}};
    for (size_t i = 0; i < REGION_FILES; i++) {
        (void)kw_mesh_path(dir, names[i], fx->paths[i]);
    }
    snprintf(list, sizeof(list), "%sgateway\n%sauthz\n%sorchestrator\n%scryptocore\n%sreplicator\n",
             prefix, prefix, prefix, prefix, prefix);
    officer_list(dir, names[REGION_LIST], list);
    root_digest(fx);
    first_steps(fx);
    last_steps(fx);
}

void region_compare(struct region_fixture *fx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf request = {0};
    uint8_t digest[KW_SHA256_LEN];

    MUST(kw_region_record_load(fx->paths[REGION_REQUEST], &request, err));
    MUST(kw_sha256(kw_buf_bytes(&request), digest, err));
    kw_hex(KW_BYTES_OF(digest), fx->request_sha256);
}

void region_approve(struct region_fixture *fx)
{
    KW_SCOPED(kw_buf_done) struct kw_buf request = {0};
    struct kw_signature signature;

    region_compare(fx);
    MUST(kw_region_record_load(fx->paths[REGION_REQUEST], &request, err));
    officer_sign(&fx->dir, KW_REGION_APPROVAL_LABEL, kw_buf_bytes(&request), &signature);
    MUST(kw_keyfile_write(AT_FDCWD, fx->paths[REGION_APPROVAL], kw_signature_bytes(&signature),
                          KW_KEYFILE_MODE_PUBLIC, err));
}

void region_request(struct region_fixture *fx)
{
    MUST(kw_core_request(&fx->request, err));
    region_approve(fx);
}

void region_carry(struct region_fixture *fx)
{
    MUST(kw_core_carry(&fx->carry, err));
}

void region_answer(struct region_fixture *fx)
{
    MUST(kw_core_answer(&fx->answer, err));
}

void region_complete(struct region_fixture *fx)
{
    MUST(kw_core_complete(&fx->complete, err));
}

void region_fixture_run(struct region_fixture *fx)
{
    region_request(fx);
    region_carry(fx);
    region_answer(fx);
    region_complete(fx);
}

/* --- what is on the tokens --- */

#define PRIME                                                                                      \
    UINT64_C(1099511628211) /* FNV-1a's; files are added up, in whatever order they come */

static uint64_t found;

static int object_add(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    uint64_t hash = (uint64_t)st->st_size;

    (void)kind;
    if (strstr(path, ".object") != NULL && strcmp(path + where->base, "token.object") != 0) {
        for (const char *at = path + where->base; *at != '\0'; at++) {
            hash = (hash ^ (uint64_t)(unsigned char)*at) * PRIME;
        }
        found += hash;
    }
    return 0;
}

uint64_t region_tokens(const struct region_fixture *fx)
{
    char path[PATH_MAX];

    found = 0;
    REQUIRE(nftw(kw_mesh_path(&fx->dir, "region/tokens", path), object_add, 8, FTW_PHYS) == 0, "%s",
            path);
    return found;
}
