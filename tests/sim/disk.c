/* Disks are files. */
#include "tests/sim/disk.h"

#include "tests/sim/truth.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_SIZE = 160
};

static void copy_path(const struct sim_cell *cell, char path[PATH_SIZE])
{
    (void)snprintf(path, PATH_SIZE, "%s.copy", cell->path);
}

static void copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct stat info;
    off_t at = 0;

    if (in < 0 || out < 0 || fstat(in, &info) != 0) {
        sim_fatal("open", from);
    }
    while (at < info.st_size) {
        if (sendfile(out, in, &at, (size_t)(info.st_size - at)) <= 0) {
            sim_fatal("sendfile", to);
        }
    }
    (void)close(in);
    (void)close(out);
}

void sim_disk_copy(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];
    char path[PATH_SIZE];

    copy_path(cell, path);
    copy_file(cell->path, path);
    cell->has_copy = true;
    sim_note(sim, "%zu is copied", index);
}

/* What it was told is to be said to it again. */
static void forget(struct sim_cell *cell)
{
    for (size_t i = 0; i < SIM_STORES_MAX; i++) {
        cell->told[i] = (struct sim_told){0};
    }
    cell->lane_count = 0;
}

void sim_disk_lose(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];

    sim->counts.lost++;
    sim_note(sim, "%zu loses its disk", index);
    (void)snprintf(cell->path, sizeof(cell->path), "%s/cell%zu.%zu", sim->dir, index,
                   ++cell->disks);
    forget(cell);
    memset(cell->acked, 0, sizeof(cell->acked));
    cell->has_copy = false;
    cell->is_copy = false;
    cell->is_new = true;
    cell->since_ms = UINT64_MAX; /* not before it is back */
    sim_truth_lost(sim, index);
}

bool sim_disk_restore(struct sim *sim, size_t index)
{
    struct sim_cell *cell = &sim->cells[index];
    char path[PATH_SIZE];

    if (!cell->has_copy) {
        return false;
    }
    sim->counts.restored++;
    sim_note(sim, "%zu is restored from a copy", index);
    copy_path(cell, path);
    copy_file(path, cell->path);
    sim_desk_leaks(sim, cell->member);
    forget(cell);
    cell->is_copy = true;
    cell->since_ms = UINT64_MAX;
    return true;
}
