/* The steps: claim the directories, hold the ceremonies below recovery's, give each service what is its own, and
 * say that all is there. */
#include "cli/mesh_make.h"

#include "cli/ceremony.h"
#include "cli/mesh_claim.h"
#include "cli/mesh_fill.h"
#include "cli/mesh_ports.h"
#include "common/base/file.h"
#include "common/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the ceremonies are held, which nothing is left of; no other container sees it meanwhile. */
#define MAKING      KW_MESH_RECOVERY "/making"
#define LOG_LEN_MAX (1024U * 1024U)

static struct kw_result layouts_plan(const struct kw_mesh_make_options *options,
                                     struct kw_mesh_layout *mesh, struct kw_mesh_layout *made,
                                     struct kw_error *err)
{
    struct kw_mesh_dir dir;
    size_t regions;
    size_t cells;

    KW_TRY(kw_mesh_size_read(options->regions, options->cells, &regions, &cells, err));
    KW_TRY(kw_mesh_dir_open(options->dir, &dir, err));
    KW_TRY(kw_mesh_layout_init(&dir, regions, cells, mesh, err));
    mesh->state_dir = options->state_dir != NULL ? options->state_dir : KW_MESH_STATE_DIR;
    KW_ENSURE(mesh->state_dir[0] == '/' && kw_mesh_path_fit(mesh->state_dir), err, CONFIG_INVALID,
              "--state-dir: %s is no absolute path that is fit for a settings file",
              mesh->state_dir);
    kw_mesh_ports_name(mesh);
    KW_TRY(kw_mesh_dir_below(&mesh->dir, MAKING, &dir, err));
    KW_TRY(kw_mesh_layout_init(&dir, regions, cells, made, err));
    kw_copy(made->id, mesh->id, sizeof(made->id));
    made->state_dir = mesh->state_dir;
    kw_mesh_ports_name(made);
    return KW_OK;
}

/* Where it is made nobody may look afterwards: a container that has ended. */
static void ceremonies_said(const struct kw_mesh_layout *made)
{
    KW_SCOPED(kw_buf_done) struct kw_buf text = {0};
    char path[PATH_MAX];
    struct kw_error error;

    if (kw_ok(kw_file_read(kw_mesh_path(&made->dir, "logs/init.log", path), LOG_LEN_MAX, &text,
                           &error))) {
        (void)fwrite(text.data, 1, text.len, stderr);
    }
}

static struct kw_result ceremonies_hold(const struct kw_mesh_layout *made, struct kw_error *err)
{
    char bin_dir[PATH_MAX];
    struct kw_result held;

    KW_TRY(kw_mesh_bin_dir(bin_dir, err));
    KW_TRY(kw_mesh_layout_make(made, err));
    held = kw_mesh_ceremonies(made, bin_dir, err);
    if (!kw_ok(held)) {
        ceremonies_said(made);
    }
    return held;
}

/* PINs and first keys of all services are there. */
static struct kw_result ceremonies_forget(const struct kw_mesh_layout *made, struct kw_error *err)
{
    kw_mesh_dir_remove(made->dir.path);
    KW_ENSURE(access(made->dir.path, F_OK) != 0 && errno == ENOENT, err, SYSTEM,
              "%s can't be removed", made->dir.path);
    return KW_OK;
}

static struct kw_result hold_and_fill(const struct kw_mesh_layout *mesh,
                                      const struct kw_mesh_layout *made, struct kw_error *err)
{
    KW_TRY(ceremonies_hold(made, err));
    return kw_mesh_fill(mesh, made, err);
}

/* However it went, they are forgotten: nobody may come back for a run that failed. */
static struct kw_result give_all(const struct kw_mesh_layout *mesh,
                                 const struct kw_mesh_layout *made, struct kw_error *err)
{
    struct kw_result given = hold_and_fill(mesh, made, err);
    struct kw_error left;

    if (kw_ok(given)) {
        return ceremonies_forget(made, err);
    }
    if (!kw_ok(ceremonies_forget(made, &left))) {
        (void)fprintf(stderr, "keyward: %s\n", left.message);
    }
    return given;
}

static struct kw_result make(const struct kw_mesh_layout *mesh, const struct kw_mesh_layout *made,
                             struct kw_error *err)
{
    KW_SCOPED(kw_fd_close) int lock = -1;
    bool whole;

    KW_TRY(kw_mesh_claim(mesh, &lock, &whole, err));
    if (whole) {
        (void)printf("The mesh is there: %s\n", mesh->dir.path);
        return KW_OK;
    }
    KW_TRY(give_all(mesh, made, err));
    KW_TRY(kw_mesh_claim_end(mesh, err));
    (void)printf("A mesh of %zu regions of %zu cells was made: %s\n", mesh->region_count,
                 mesh->cell_count, mesh->dir.path);
    return KW_OK;
}

static struct kw_result run(const struct kw_mesh_make_options *options, struct kw_error *err)
{
    static struct kw_mesh_layout mesh; /* large */
    static struct kw_mesh_layout made;

    KW_TRY(layouts_plan(options, &mesh, &made, err));
    return make(&mesh, &made, err);
}

enum kw_exit kw_mesh_make(const struct kw_mesh_make_options *options)
{
    struct kw_error error;

    (void)umask(077);
    kw_log_setup("keyward-mesh", KW_MESH_REGION, KW_LOG_WARN);
    if (!kw_ok(run(options, &error))) {
        (void)fprintf(stderr, "keyward: %s\n", error.message);
        return KW_EXIT_USAGE;
    }
    return KW_EXIT_OK;
}
