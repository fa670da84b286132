/* A disk that loses what was not synced: for every file, what is on the platter and what was written
 * since; for every name in the directory, which file it means and which one it will mean after a
 * power cut. At a cut, unsynced sectors are kept, dropped or torn, each by the seed; so are
 * truncations, new names and deletions.
 *
 * Knows nothing of SQLite (crash_vfs.h does). Any thread.
 */
#ifndef KW_TESTS_SUPPORT_CRASH_DISK_H
#define KW_TESTS_SUPPORT_CRASH_DISK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct crash_file; /* what a name means: outlives its name while it is open */

struct crash_disk_options {
    uint64_t seed;        /* of everything random */
    uint32_t sector_size; /* 512 or 4096 */
    bool lies;            /* says that it synced and did not: to see that a checker bites */
};

/* Forgets everything and begins anew. No file may be open. */
void crash_disk_reset(const struct crash_disk_options *options);

/* --- steps: what can be cut ---
 *
 * Each write, truncation, sync, creation and deletion is a step. The step at which the power goes
 * does not finish: what it wrote may be there or not. */

/* The n-th step from now on; 0: none. */
void crash_disk_cut_at(uint64_t step);
void crash_disk_cut_at_sync(uint64_t sync); /* the n-th that is a sync: it was to make durable */
void crash_disk_cut(void);                  /* now */
bool crash_disk_is_cut(void);
uint64_t crash_disk_steps(void);

/* False: the power is off, do nothing. */
bool crash_disk_create(const char *path, struct crash_file **ret_file);
bool crash_disk_write(struct crash_file *file, const void *data, size_t len, uint64_t offset);
bool crash_disk_truncate(struct crash_file *file, uint64_t size);
bool crash_disk_sync(struct crash_file *file);
bool crash_disk_sync_names(void);
bool crash_disk_remove(const char *path);

/* The file that `path` means. One that is not known yet is taken from the real disk as it is there;
 * an empty one that no cut has left is as good as just made. NULL: there is none. */
struct crash_file *crash_disk_find(const char *path);

/* After a cut, when nobody has a file open: makes the real files what survived. */
void crash_disk_reboot(void);

/* The random numbers of the seed, for whoever drives the disk. */
uint64_t crash_random(uint64_t below);

#endif
