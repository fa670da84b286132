/* What goes where: the first half of this file copies, the second half says what to whom. */
#include "cli/mesh_fill.h"

#include "cli/mesh_files.h"
#include "cli/mesh_settings.h"
#include "common/base/file.h"
#include "common/base/limits.h"
#include "common/crypto/keyfile.h"
#include "common/pki/credentials.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BIN_DIR      "/usr/local/bin" /* of every container */
#define FILE_LEN_MAX (1024U * 1024U)
#define DEPTH_MAX    4

/* One directory that is filled. */
struct fill {
    const struct kw_mesh_layout *mesh;
    const struct kw_mesh_layout *made;
    const struct kw_mesh_sql_ca *ca;
    struct kw_mesh_volume volume;
    const struct kw_mesh_region *region; /* where its ceremony was */
    const struct kw_mesh_passwords *passwords;
};

/* --- copying --- */

static struct kw_result directory_new(const struct kw_mesh_dir *dir, const char *name,
                                      struct kw_error *err)
{
    char path[PATH_MAX];

    KW_ENSURE(mkdir(kw_mesh_path(dir, name, path), 0700) == 0, err, SYSTEM, "%s: %s", path,
              strerror(errno));
    return KW_OK;
}

/* Durable with everything else, at the end: kw_mesh_claim_end syncs the file system once. */
static struct kw_result file_write(const char *path, struct kw_bytes text, mode_t mode,
                                   struct kw_error *err)
{
    KW_SCOPED(kw_fd_close)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KW_KEYFILE_MODE_PRIVATE);

    KW_ENSURE(fd >= 0, err, SYSTEM, "%s: %s", path, strerror(errno));
    while (text.len > 0) {
        ssize_t put = write(fd, text.data, text.len);

        KW_ENSURE(put > 0 || (put < 0 && errno == EINTR), err, SYSTEM, "%s: %s", path,
                  strerror(errno));
        if (put > 0) {
            text = KW_BYTES(text.data + put, text.len - (size_t)put);
        }
    }
    KW_ENSURE(fchmod(fd, mode) == 0, err, SYSTEM, "%s: %s", path, strerror(errno));
    return KW_OK;
}

static struct kw_result file_copy(const char *from, const char *to, mode_t mode,
                                  struct kw_error *err)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};

    KW_TRY(kw_keyfile_read(AT_FDCWD, from, FILE_LEN_MAX, false, &text, err));
    return file_write(to, kw_buf_bytes(&text), mode, err);
}

static struct kw_result entries_copy(const struct kw_mesh_dir *from, const struct kw_mesh_dir *to,
                                     int depth, struct kw_error *err);

static struct kw_result entry_copy(const struct kw_mesh_dir *from, const struct kw_mesh_dir *to,
                                   const char *name, int depth, struct kw_error *err)
{
    struct kw_mesh_dir from_below;
    struct kw_mesh_dir to_below;
    char path[PATH_MAX];
    char to_path[PATH_MAX];
    struct stat st;

    KW_ENSURE(lstat(kw_mesh_path(from, name, path), &st) == 0, err, SYSTEM, "%s: %s", path,
              strerror(errno));
    if (S_ISREG(st.st_mode)) {
        return file_copy(path, kw_mesh_path(to, name, to_path), st.st_mode & 0777, err);
    }
    KW_ENSURE(S_ISDIR(st.st_mode) && depth < DEPTH_MAX, err, SYSTEM, "%s: no file", path);
    KW_TRY(directory_new(to, name, err));
    KW_TRY(kw_mesh_dir_below(from, name, &from_below, err));
    KW_TRY(kw_mesh_dir_below(to, name, &to_below, err));
    return entries_copy(&from_below, &to_below, depth + 1, err);
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static struct kw_result entries_copy(const struct kw_mesh_dir *from, const struct kw_mesh_dir *to,
                                     int depth, struct kw_error *err)
{
    DIR *entries = opendir(from->path);
    const struct dirent *entry;
    struct kw_result result = KW_OK;

    KW_ENSURE(entries != NULL, err, SYSTEM, "%s: %s", from->path, strerror(errno));
    while (kw_ok(result) && (entry = readdir(entries)) != NULL) {
        if (!is_dots(entry->d_name)) {
            result = entry_copy(from, to, entry->d_name, depth, err);
        }
    }
    (void)closedir(entries);
    return result;
}

/* A directory or file of the region, as it is there. */
static struct kw_result from_region(const struct fill *fill, const char *name, struct kw_error *err)
{
    return entry_copy(&fill->region->dir, &fill->volume.dir, name, 0, err);
}

static struct kw_result secret_put(const struct fill *fill, const char *name,
                                   const struct kw_secret *secret, struct kw_error *err)
{
    char path[PATH_MAX];

    return kw_keyfile_write(AT_FDCWD, kw_mesh_path(&fill->volume.dir, name, path),
                            kw_secret_bytes(secret), KW_KEYFILE_MODE_PRIVATE, err);
}

/* --- what all services have --- */

/* The ceremony's link to a generation of credentials becomes one of its own. */
static struct kw_result credentials_copy(const char *from, const char *to, struct kw_error *err)
{
    static const char *const names[] = {KW_CREDENTIALS_KEY, KW_CREDENTIALS_CERT, KW_CREDENTIALS_CA};
    KW_SCOPED(kw_buf_done) struct kw_buf key = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf cert = {0};
    KW_SCOPED(kw_buf_done) struct kw_buf ca = {0};
    struct kw_buf *const texts[] = {&key, &cert, &ca};
    struct kw_mesh_dir dir;
    char path[PATH_MAX];

    (void)snprintf(dir.path, sizeof(dir.path), "%s", from);
    for (size_t i = 0; i < 3; i++) {
        KW_TRY(kw_keyfile_read(AT_FDCWD, kw_mesh_path(&dir, names[i], path),
                               KW_CREDENTIALS_FILE_LEN_MAX, false, texts[i], err));
    }
    return kw_credentials_write(to,
                                &(struct kw_credentials_pem){.key = kw_buf_bytes(&key),
                                                             .cert = kw_buf_bytes(&cert),
                                                             .ca = kw_buf_bytes(&ca)},
                                err);
}

static struct kw_result credentials_fill(const struct fill *fill, struct kw_error *err)
{
    char name[NAME_MAX];
    char from[PATH_MAX];
    char to[PATH_MAX];

    KW_TRY(directory_new(&fill->volume.dir, "credentials", err));
    (void)snprintf(name, sizeof(name), "credentials/%s", fill->volume.cell->name);
    KW_TRY(directory_new(&fill->volume.dir, name, err));
    (void)snprintf(name, sizeof(name), "credentials/%s/%s", fill->volume.cell->name,
                   kw_mesh_volume_name(fill->volume.part));
    return credentials_copy(kw_mesh_path(&fill->region->dir, name, from),
                            kw_mesh_path(&fill->volume.dir, name, to), err);
}

static struct kw_result settings_fill(const struct fill *fill, const char *name,
                                      struct kw_error *err)
{
    const struct kw_mesh_volume *volume = &fill->volume;
    char digest[KW_MESH_REDIS_DIGEST_SIZE];
    const struct kw_mesh_part_more more = {.bin_dir = BIN_DIR, .redis_digest = digest};
    char path[PATH_MAX];

    KW_TRY(kw_mesh_redis_digest(fill->passwords, digest, err));
    return kw_mesh_part_file(fill->mesh, volume->region, volume->cell,
                             (enum kw_mesh_part)volume->part, &more,
                             kw_mesh_path(&volume->dir, name, path), err);
}

static struct kw_result service_fill(const struct fill *fill, struct kw_error *err)
{
    KW_TRY(settings_fill(fill, "settings.yaml", err));
    KW_TRY(credentials_fill(fill, err));
    return directory_new(&fill->volume.dir, "secret", err);
}

/* --- what each has --- */

static struct kw_mesh_sql sql_of(const struct fill *fill, char host[KW_MESH_HOST_SIZE])
{
    const struct kw_mesh_volume *volume = &fill->volume;

    return (struct kw_mesh_sql){
        .ca = fill->ca,
        .region = volume->region->name,
        .cell = volume->cell->name,
        .host = kw_mesh_host(fill->mesh, volume->region, volume->cell, KW_MESH_SQL, host),
        .port = KW_MESH_SQL_PORT};
}

static struct kw_result owner_fill(const struct fill *fill, enum kw_mesh_owner owner,
                                   struct kw_error *err)
{
    char host[KW_MESH_HOST_SIZE];
    const struct kw_mesh_sql sql = sql_of(fill, host);

    KW_TRY(service_fill(fill, err));
    KW_TRY(from_region(fill, "pki", err));
    return kw_mesh_sql_client_files(&sql, fill->passwords, owner, &fill->volume.dir, err);
}

static struct kw_result gateway_fill(const struct fill *fill, struct kw_error *err)
{
    KW_TRY(service_fill(fill, err));
    KW_TRY(from_region(fill, "pki", err));
    KW_TRY(kw_mesh_secret_file(&fill->volume.dir, "secret/cache.key", err));
    return secret_put(fill, "secret/redis.password", &fill->passwords->redis, err);
}

static struct kw_result authz_fill(const struct fill *fill, struct kw_error *err)
{
    KW_TRY(owner_fill(fill, KW_MESH_OWNER_AUTHZ, err));
    return from_region(fill, "officers", err);
}

static struct kw_result orchestrator_fill(const struct fill *fill, struct kw_error *err)
{
    KW_TRY(owner_fill(fill, KW_MESH_OWNER_ORCHESTRATOR, err));
    return entry_copy(&fill->made->dir, &fill->volume.dir, "secret/page-token.key", 0, err);
}

/* The region's token: all its cells' cores have the same keys. */
static struct kw_result cryptocore_fill(const struct fill *fill, struct kw_error *err)
{
    const struct kw_mesh_dir *dir = &fill->volume.dir;
    char path[PATH_MAX];

    KW_TRY(service_fill(fill, err));
    KW_TRY(from_region(fill, "pki", err));
    KW_TRY(from_region(fill, "tokens", err));
    KW_TRY(from_region(fill, "secret/pin", err));
    KW_TRY(directory_new(dir, "run", err));
    return kw_mesh_softhsm_file(kw_mesh_path(dir, "softhsm2.conf", path), fill->mesh->state_dir,
                                err);
}

static struct kw_result redis_fill(const struct fill *fill, struct kw_error *err)
{
    return settings_fill(fill, "redis.conf", err);
}

static struct kw_result sql_fill(const struct fill *fill, struct kw_error *err)
{
    char host[KW_MESH_HOST_SIZE];
    const struct kw_mesh_sql sql = sql_of(fill, host);

    return kw_mesh_sql_server_files(&sql, fill->passwords, &fill->volume.dir, err);
}

static struct kw_result (*const fills[KW_MESH_CELL_VOLUMES])(const struct fill *fill,
                                                             struct kw_error *err) = {
    [KW_MESH_REDIS] = redis_fill,
    [KW_MESH_CRYPTOCORE] = cryptocore_fill,
    [KW_MESH_ORCHESTRATOR] = orchestrator_fill,
    [KW_MESH_AUTHZ] = authz_fill,
    [KW_MESH_REPLICATOR] = service_fill,
    [KW_MESH_GATEWAY] = gateway_fill,
    [KW_MESH_PART_COUNT] = sql_fill,
};

/* --- the officer, and recovery --- */

/* Keys of checkpoints are a region's own. */
static struct kw_result officer_region(const struct fill *fill, const struct kw_mesh_region *region,
                                       struct kw_error *err)
{
    struct kw_mesh_dir to;

    KW_TRY(directory_new(&fill->volume.dir, region->name, err));
    KW_TRY(kw_mesh_dir_below(&fill->volume.dir, region->name, &to, err));
    return entry_copy(&region->dir, &to, "pki", 0, err);
}

static struct kw_result officer_fill(struct fill *fill, struct kw_error *err)
{
    const struct kw_mesh_layout *made = fill->made;
    struct kw_mesh_dir from;

    KW_TRY(kw_mesh_volume_at(fill->mesh, KW_MESH_VOLUME_OFFICER, &fill->volume, err));
    for (size_t i = 0; i < made->region_count; i++) {
        const struct kw_mesh_region *region = &made->regions[i];

        KW_TRY(officer_region(fill, region, err));
        for (size_t j = 0; j < made->cell_count; j++) {
            KW_TRY(kw_mesh_cli_file(made, region, &region->cells[j], err));
        }
    }
    KW_TRY(kw_mesh_dir_below(&made->dir, "officer", &from, err));
    return entries_copy(&from, &fill->volume.dir, 0, err);
}

/* What a further region would need. Both together are KEK and MAC key: nobody who has a network sees them. */
static struct kw_result recovery_fill(struct fill *fill, struct kw_error *err)
{
    const struct kw_mesh_layout *made = fill->made;
    struct kw_mesh_dir from;

    KW_TRY(kw_mesh_volume_at(fill->mesh, KW_MESH_VOLUME_RECOVERY, &fill->volume, err));
    KW_TRY(kw_mesh_dir_below(&made->dir, "recovery", &from, err));
    KW_TRY(entries_copy(&from, &fill->volume.dir, 0, err));
    return entry_copy(&made->regions[0].dir, &fill->volume.dir, "ceremony.kwb", 0, err);
}

/* --- all of it --- */

static struct kw_result cell_fill(const struct fill *mesh, size_t cell, struct kw_error *err)
{
    KW_SCOPED(kw_mesh_passwords_done) struct kw_mesh_passwords passwords = {0};
    struct fill fill = *mesh;

    fill.passwords = &passwords;
    fill.region = &mesh->made->regions[cell / mesh->made->cell_count];
    KW_TRY(kw_mesh_passwords_draw(&passwords, err));
    for (size_t part = 0; part < KW_MESH_CELL_VOLUMES; part++) {
        size_t index = KW_MESH_VOLUME_CELLS + cell * KW_MESH_CELL_VOLUMES + part;

        KW_TRY(kw_mesh_volume_at(mesh->mesh, index, &fill.volume, err));
        KW_TRY(fills[part](&fill, err));
    }
    return KW_OK;
}

struct kw_result kw_mesh_fill(const struct kw_mesh_layout *mesh, const struct kw_mesh_layout *made,
                              struct kw_error *err)
{
    KW_SCOPED(kw_mesh_sql_ca_done) struct kw_mesh_sql_ca ca = {0};
    struct fill fill = {.mesh = mesh, .made = made, .ca = &ca};

    KW_TRY(kw_mesh_sql_ca_make(&ca, err));
    for (size_t cell = 0; cell < mesh->region_count * mesh->cell_count; cell++) {
        KW_TRY(cell_fill(&fill, cell, err));
    }
    KW_TRY(officer_fill(&fill, err));
    return recovery_fill(&fill, err);
}
