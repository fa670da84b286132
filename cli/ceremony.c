/* Running `keyward-cryptocore init`, and for each further region the steps by which it comes to the
 * mesh (services/cryptocore/region/steps.h says what each does). */
#include "cli/ceremony.h"

#include "cli/mesh_files.h"
#include "cli/template.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/pki/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APPROVAL_LABEL "KEYWARD-REGION-v1"

extern char **environ;

/* What all steps go by. */
struct ceremony {
    const struct kw_mesh_layout *layout;
    char program[PATH_MAX + 32];
    char log[PATH_MAX];
    char root_sha256[2 * KW_SHA256_LEN + 1];
    char request_sha256[2 * KW_SHA256_LEN + 1]; /* of the region that asks now */
};

/* Runs it with our environment; what it says is added to the log. */
static struct kw_result run(char *const *args, const char *log, struct kw_error *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int status = 0;
    int rc;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                           O_WRONLY | O_CREAT | O_APPEND, 0600);
    rc = posix_spawn(&pid, args[0], &actions, NULL, args, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    KW_ENSURE(rc == 0, err, SYSTEM, "%s: %s", args[0], strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    KW_ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, err, SYSTEM,
              "the ceremony failed (%s): see %s", args[1], log);
    return KW_OK;
}

/* One step of it, on the token of `at`. */
static struct kw_result step(const struct ceremony *ceremony, const char *verb,
                             const struct kw_mesh_region *at, const char *config_path,
                             struct kw_error *err)
{
    char config[PATH_MAX + 16];
    char path[PATH_MAX];
    char *const args[] = {(char *)(uintptr_t)ceremony->program, (char *)(uintptr_t)verb, config,
                          NULL};

    (void)snprintf(config, sizeof(config), "--config=%s", config_path);
    (void)setenv("SOFTHSM2_CONF", kw_mesh_path(&at->dir, "softhsm2.conf", path), 1);
    return run(args, ceremony->log, err);
}

/* --- the first region --- */

static struct kw_result first_region(struct ceremony *ceremony, struct kw_error *err)
{
    const struct kw_mesh_layout *layout = ceremony->layout;
    const struct kw_mesh_region *first = &layout->regions[0];
    char path[PATH_MAX];

    KW_TRY(kw_mesh_officer_files(layout, err));
    KW_TRY(kw_mesh_region_files(layout, first, err));
    KW_TRY(step(ceremony, "init", first, kw_mesh_path(&first->dir, "init.yaml", path), err));
    return kw_mesh_officer_place(layout, err);
}

/* An officer would have it from what init said. */
static struct kw_result root_digest(struct ceremony *ceremony, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf pem = {0};
    KW_SCOPED(kw_certificate_done) struct kw_certificate root = {0};
    uint8_t digest[KW_SHA256_LEN];
    char path[PATH_MAX];

    KW_TRY(kw_file_read(kw_mesh_path(&ceremony->layout->regions[0].dir, "pki/root.pem", path),
                        KW_CREDENTIALS_FILE_LEN_MAX, &pem, err));
    KW_TRY(kw_certificate_from_pem(&root, kw_buf_bytes(&pem), err));
    KW_TRY(kw_certificate_fingerprint(&root, digest, err));
    kw_hex(KW_BYTES_OF(digest), ceremony->root_sha256);
    return KW_OK;
}

/* --- further regions --- */

#define DOMAIN "trust_domain: " KW_MESH_TRUST_DOMAIN "\n"

#define TOKEN(dir)                                                                                 \
    "hsm_token: " KW_MESH_TOKEN "\n"                                                               \
    "hsm_pin_file: " dir "/secret/pin\n"                                                           \
    "hsm_lock_file: " dir "/run/hsm-login.lock\n"

#define REQUEST  "request_file: {mesh}/ceremony/{name}.kwq\n"
#define COMPARED "request_sha256: {request_sha256}\n"
#define APPROVAL "approval_file: {mesh}/ceremony/{name}.sig\n"
#define CARRIED  "carried_file: {mesh}/ceremony/{name}.kwt\n"
#define ANSWER   "answer_file: {mesh}/ceremony/{name}.kwa\n"

static const char request_yaml[] =
    DOMAIN "region: {name}\n" REQUEST TOKEN("{region}") "hsm_so_pin_file: {region}/secret/so-pin\n";

static const char carry_yaml[] = DOMAIN "pki_dir: {root}/pki\n"
                                        "root_sha256: {root_sha256}\n" REQUEST COMPARED APPROVAL
                                        "blob_file: {root}/ceremony.kwb\n"
                                        "recovery_key_file: {mesh}/recovery/key.pem\n" CARRIED;

static const char answer_yaml[] =
    DOMAIN "region_dir: {root}\n" REQUEST COMPARED APPROVAL CARRIED ANSWER TOKEN("{root}");

static const char complete_yaml[] =
    DOMAIN "out_dir: {region}\n{edge_hosts}" REQUEST ANSWER "root_file: {root}/pki/root.pem\n"
           "root_sha256: {root_sha256}\n"
           "services_file: {region}/services.list\n"
           "services_signature_file: {region}/services.list.sig\n" TOKEN("{region}");

static const char regions_yaml[] = DOMAIN "region_dir: {region}\n"
                                          "regions_file: {root}/pki/regions.kwg\n";

/* A step whose settings are written beside what it reads and writes; `region` is whom it is about. */
static struct kw_result region_step(const struct ceremony *ceremony, const char *verb,
                                    const struct kw_mesh_region *region,
                                    const struct kw_mesh_region *at, const char *template,
                                    struct kw_error *err)
{
    const struct kw_mesh_layout *layout = ceremony->layout;
    char edge_hosts[KW_MESH_EDGE_HOSTS_SIZE];
    const struct kw_template_word words[] = {
        {"mesh", layout->dir.path},
        {"edge_hosts", kw_mesh_edge_hosts(layout, region, edge_hosts)},
        {"root", layout->regions[0].dir.path},
        {"root_sha256", ceremony->root_sha256},
        {"request_sha256", ceremony->request_sha256},
        {"region", region->dir.path},
        {"name", region->name},
        {NULL, NULL}};
    char name[NAME_MAX];
    char path[PATH_MAX];

    (void)snprintf(name, sizeof(name), "ceremony/%s-%s.yaml", region->name, verb);
    KW_TRY(kw_template_write(kw_mesh_path(&layout->dir, name, path), template, words, err));
    return step(ceremony, verb, at, path, err);
}

/* People would compare it, on another way than the file. */
static struct kw_result request_digest(struct ceremony *ceremony,
                                       const struct kw_mesh_region *region, struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf request = {0};
    uint8_t digest[KW_SHA256_LEN];
    char name[NAME_MAX];
    char path[PATH_MAX];

    (void)snprintf(name, sizeof(name), "ceremony/%s.kwq", region->name);
    KW_TRY(kw_file_read(kw_mesh_path(&ceremony->layout->dir, name, path),
                        KW_CREDENTIALS_FILE_LEN_MAX, &request, err));
    KW_TRY(kw_sha256(kw_buf_bytes(&request), digest, err));
    kw_hex(KW_BYTES_OF(digest), ceremony->request_sha256);
    return KW_OK;
}

static struct kw_result approve(const struct ceremony *ceremony,
                                const struct kw_mesh_region *region, struct kw_error *err)
{
    char request[NAME_MAX];
    char approval[NAME_MAX];

    (void)snprintf(request, sizeof(request), "ceremony/%s.kwq", region->name);
    (void)snprintf(approval, sizeof(approval), "ceremony/%s.sig", region->name);
    return kw_mesh_officer_sign(ceremony->layout, APPROVAL_LABEL, request, approval, err);
}

/* It comes to the mesh, and those that came before it are told. */
static struct kw_result further_region(struct ceremony *ceremony, size_t index,
                                       struct kw_error *err)
{
    const struct kw_mesh_layout *layout = ceremony->layout;
    const struct kw_mesh_region *first = &layout->regions[0];
    const struct kw_mesh_region *region = &layout->regions[index];

    KW_TRY(kw_mesh_token_files(layout, region, err));
    KW_TRY(region_step(ceremony, "request", region, region, request_yaml, err));
    KW_TRY(request_digest(ceremony, region, err));
    KW_TRY(approve(ceremony, region, err));
    KW_TRY(region_step(ceremony, "carry", region, first, carry_yaml, err));
    KW_TRY(region_step(ceremony, "answer", region, first, answer_yaml, err));
    KW_TRY(region_step(ceremony, "complete", region, region, complete_yaml, err));
    for (size_t i = 1; i < index; i++) {
        const struct kw_mesh_region *earlier = &layout->regions[i];

        KW_TRY(region_step(ceremony, "regions", earlier, earlier, regions_yaml, err));
    }
    return KW_OK;
}

static void ceremony_plan(struct ceremony *ceremony, const char *bin_dir)
{
    (void)snprintf(ceremony->program, sizeof(ceremony->program), "%s/keyward-cryptocore", bin_dir);
    (void)kw_mesh_path(&ceremony->layout->dir, "logs/init.log", ceremony->log);
}

struct kw_result kw_mesh_region_ceremony(const struct kw_mesh_layout *layout, const char *bin_dir,
                                         struct kw_error *err)
{
    struct ceremony ceremony = {.layout = layout};

    ceremony_plan(&ceremony, bin_dir);
    KW_TRY(root_digest(&ceremony, err));
    return further_region(&ceremony, layout->region_count - 1, err);
}

struct kw_result kw_mesh_ceremonies(const struct kw_mesh_layout *layout, const char *bin_dir,
                                    struct kw_error *err)
{
    struct ceremony ceremony = {.layout = layout};

    ceremony_plan(&ceremony, bin_dir);
    KW_TRY(first_region(&ceremony, err));
    KW_TRY(root_digest(&ceremony, err));
    for (size_t i = 1; i < layout->region_count; i++) {
        KW_TRY(further_region(&ceremony, i, err));
    }
    return KW_OK;
}
